"""`xmodal demo`: the paper's finding on the embedded default, from pictures to table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from taxonomy.manifest.build import build_manifest
from taxonomy.model import ManifestConfig, TaxonomyConfig, manifest_id
from xmodal.features.extract import FeatureConfig
from xmodal.pipeline import TrainJob, ensure_features, sync_store
from xmodal.progress import counter
from xmodal.store import Store
from xmodal.taxonomies import build_taxonomy
from xmodal.vlm.recipes import Recipe, named_recipe
from xmodal.workers import n_cores, train_jobs

TRAIN_LEAF_NEGATIVES = 4
"""Leaf No questions a training picture in the demo's manifests."""


@dataclass(frozen=True)
class Condition:
    """One line of the demo's table."""

    label: str
    design: str
    ratio: float
    shuffle: str = "none"
    lm_init: str = "pretrained"

    def manifest(self, seed: int) -> ManifestConfig:
        """The condition's manifest with a seed."""
        return ManifestConfig(
            design=self.design,
            ratio=self.ratio,
            shuffle=self.shuffle,
            seed=seed,
            train_leaf_negatives=TRAIN_LEAF_NEGATIVES,
        )


CONDITIONS = (
    Condition("pretrained, nothing removed", "none", 0.0),
    Condition("pretrained, half removed", "random", 0.5),
    Condition("pretrained, all removed", "random", 1.0),
    Condition("random weights, all removed", "random", 1.0, lm_init="random"),
    Condition("shuffled within categories, all removed", "random", 1.0, shuffle="within"),
    Condition("shuffled across categories, all removed", "random", 1.0, shuffle="across"),
    Condition("scrambled LM, all removed", "random", 1.0, lm_init="scrambled"),
)
FULL = (
    *(Condition(f"pretrained, {r:.0%} removed", "random", r) for r in (0.1, 0.3, 0.7, 0.9)),
    *(
        Condition(f"random weights, {r:.0%} removed", "random", r, lm_init="random")
        for r in (0.1, 0.3, 0.5, 0.7, 0.9)
    ),
    Condition("random weights, nothing removed", "none", 0.0, lm_init="random"),
)
"""What --full adds: the whole ablation curve of both LMs."""


def demo(
    folder: Path,
    *,
    seeds: Sequence[int] = (42,),
    full: bool = False,
    workers: int | None = None,
    epochs: float | None = None,
) -> Iterator[str]:
    """Build, train, score and say what came out.

    Args:
        folder: Where everything goes; what is there already is reused.
        seeds: One run of each condition a seed.
        full: Add the conditions of the whole ablation curve.
        workers: Runs at a time; None for one a core, four at most.
        epochs: Instead of the recipe's; for a quick look.

    Yields:
        The text to print, piece by piece.
    """
    folder.mkdir(parents=True, exist_ok=True)
    store = folder / "xmodal.duckdb"
    conditions = (*CONDITIONS, *FULL) if full else CONDITIONS
    recipe = named_recipe("embedded", epochs=epochs)
    yield from _prepare(store, conditions, seeds)
    with counter("pictures") as progress:
        features, made = ensure_features(store, FeatureConfig(), progress=progress)
    yield f"features  {features.feature_set_id}: {'extracted' if made else 'there already'}"
    labels = [f"{condition.label}, seed {seed}" for seed in seeds for condition in conditions]
    with Store.open(store, read_only=True) as opened:
        dataset_id = opened.load_taxonomy().dataset_id
    jobs = _jobs(store, dataset_id, conditions, seeds, recipe)
    results = train_jobs(jobs, workers or min(4, n_cores()), labels)
    n_trained = sum(result.trained for result in results)
    yield f"runs      {n_trained} trained, {len(results) - n_trained} there already"
    report = sync_store(store, jobs)
    yield from report.problems()
    from xmodal.report.demo import closing

    run_ids: dict[str, set[str]] = {condition.label: set() for condition in conditions}
    for number, result in enumerate(results):
        run_ids[conditions[number % len(conditions)].label].add(result.run_id)
    yield from closing(store, run_ids)


def _prepare(store: Path, conditions: Sequence[Condition], seeds: Sequence[int]) -> Iterator[str]:
    """Dataset and manifests, built where they are missing."""
    taxonomy = build_taxonomy(TaxonomyConfig())
    with Store.open(store) as opened:
        opened.add_taxonomy(taxonomy)
        known = set(opened.manifests()["manifest_id"].to_pylist())
    yield (
        f"dataset   {taxonomy.dataset_id}: {taxonomy.images.num_rows} pictures, "
        f"{taxonomy.leaf_hypernym['used'].to_pylist().count(True)} (leaf, hypernym) pairs"
    )
    configs = {
        manifest_id(taxonomy.dataset_id, config): config
        for config in (condition.manifest(seed) for condition in conditions for seed in seeds)
    }
    missing = [
        build_manifest(taxonomy, config) for made, config in configs.items() if made not in known
    ]
    with Store.open(store) as opened:
        for manifest in missing:
            opened.add_manifest(manifest)
    yield f"manifests {len(missing)} built, {len(configs) - len(missing)} there already"


def _jobs(
    store: Path,
    dataset_id: str,
    conditions: Sequence[Condition],
    seeds: Sequence[int],
    recipe: Recipe,
) -> list[TrainJob]:
    base = TrainJob(store=store, manifest_id="", recipe=recipe)
    return [
        replace(
            base,
            manifest_id=manifest_id(dataset_id, condition.manifest(seed)),
            lm_init=condition.lm_init,
            seed=seed,
        )
        for seed in seeds
        for condition in conditions
    ]
