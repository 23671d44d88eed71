"""`xmodal demo`: the paper's finding on the embedded default, from pictures to table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc

from taxonomy.manifest import ManifestBuilder
from taxonomy.model import (
    RELATION,
    ManifestConfig,
    Taxonomy,
    TaxonomyConfig,
    manifest_id,
    one_of,
)
from taxonomy.relations.relation import PART
from xmodal.features.encoders.load import OWN
from xmodal.features.extract import FeatureConfig, Work
from xmodal.files import make_folder
from xmodal.jobs import TrainJob
from xmodal.lms.names import EMBEDDED, EMBEDDED_PARTS
from xmodal.machine import n_cores
from xmodal.manifests import build_into
from xmodal.pipeline import check_seeds, ensure_features
from xmodal.progress import counter
from xmodal.store import Store
from xmodal.syncing import sync_store
from xmodal.taxonomies import build_taxonomy
from xmodal.vlm.recipes import Recipe, named_recipe
from xmodal.workers import train_jobs

TRAIN_LEAF_NEGATIVES = 24
"""Leaf No questions a training picture in the demo's manifests."""


@dataclass(frozen=True)
class Condition:
    """One line of the demo's table."""

    label: str
    design: str
    ratio: float
    shuffle: str = "none"
    lm_init: str = "pretrained"

    def manifest(self, seed: int, relation: str = RELATION) -> ManifestConfig:
        """The condition's manifest with a seed."""
        return ManifestConfig(
            relation=relation,
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
PART_CONDITIONS = (
    *CONDITIONS[:4],
    Condition("shuffled, the same parts, all removed", "random", 1.0, shuffle="within"),
    Condition("shuffled, no part in common, all removed", "random", 1.0, shuffle="across"),
)
"""Of parts; there is no LM that was taught scrambled ones."""
FULL = (
    *(Condition(f"pretrained, {r:.0%} removed", "random", r) for r in (0.1, 0.3, 0.7, 0.9)),
    *(
        Condition(f"random weights, {r:.0%} removed", "random", r, lm_init="random")
        for r in (0.1, 0.3, 0.5, 0.7, 0.9)
    ),
    Condition("random weights, nothing removed", "none", 0.0, lm_init="random"),
)
"""What --full adds: the whole ablation curve of both LMs."""


@dataclass(frozen=True)
class _Plan:
    """What the demo of one relation runs."""

    relation: str
    lm: str
    conditions: tuple[Condition, ...]


PLANS = {
    plan.relation: plan
    for plan in (
        _Plan(RELATION, EMBEDDED, CONDITIONS),
        _Plan(PART, EMBEDDED_PARTS, PART_CONDITIONS),
    )
}


def default_folder(relation: str) -> Path:
    """Where a relation's demo goes: a store of its own, so that no other is disturbed."""
    return Path("xmodal-demo" if relation == RELATION else f"xmodal-demo-{relation}")


def demo(
    folder: Path | None = None,
    *,
    relation: str = RELATION,
    encoder: str = FeatureConfig.encoder,
    seeds: Sequence[int] = (42,),
    full: bool = False,
    workers: int | None = None,
    epochs: float | None = None,
) -> Iterator[str]:
    """Build, train, score and say what came out.

    Args:
        folder: Where everything goes; what is there already is reused. default_folder if None.
        relation: hypernym or part: what is removed from training and asked.
        encoder: Of the package: embedded-ssl or classical.
        seeds: One run of each condition a seed.
        full: Add the conditions of the whole ablation curve.
        workers: Processes that extract features, and runs at a time; None for one a core, of
            runs four at most.
        epochs: Instead of the recipe's; for a quick look.

    Yields:
        The text to print, piece by piece.

    Raises:
        ConfigError: No seed, a negative one, epochs out of range, another relation or encoder.
        DataError: The folder cannot be made.
    """
    one_of("relation", relation, tuple(PLANS))
    one_of("encoder", encoder, tuple(OWN))
    encoded = FeatureConfig(encoder=encoder)
    plan = PLANS[relation]
    folder = folder or default_folder(relation)
    check_seeds(seeds)
    seeds = list(dict.fromkeys(seeds))
    recipe = named_recipe("embedded", epochs=epochs)
    conditions = (*plan.conditions, *FULL) if full else plan.conditions
    make_folder(folder, "the demo's folder")
    store = folder / "xmodal.duckdb"
    relations = tuple(dict.fromkeys((RELATION, relation)))
    taxonomy = build_taxonomy(TaxonomyConfig(relations=relations))
    yield from _prepare(store, taxonomy, conditions, seeds, relation)
    with counter("pictures") as progress:
        features, made = ensure_features(
            store, encoded, taxonomy.dataset_id, progress, Work(workers=workers)
        )
    yield f"features  {features.feature_set_id}: {'extracted' if made else 'there already'}"
    labels = [f"{condition.label}, seed {seed}" for seed in seeds for condition in conditions]
    jobs = _jobs(store, taxonomy, conditions, seeds, recipe, plan, features.feature_set_id)
    results = train_jobs(jobs, workers or min(4, n_cores()), labels)
    n_trained = sum(result.trained for result in results)
    yield f"runs      {n_trained} trained, {len(results) - n_trained} there already"
    report = sync_store(store)
    yield from report.problems()
    from xmodal.report.demo import closing

    run_ids: dict[str, set[str]] = {condition.label: set() for condition in conditions}
    for number, result in enumerate(results):
        run_ids[conditions[number % len(conditions)].label].add(result.run_id)
    yield from closing(store, run_ids, relation)


def _prepare(
    store: Path,
    taxonomy: Taxonomy,
    conditions: Sequence[Condition],
    seeds: Sequence[int],
    relation: str,
) -> Iterator[str]:
    """Dataset and manifests, stored where they are missing."""
    with Store.open(store) as opened:
        opened.add_taxonomy(taxonomy)
    of_relation = pc.equal(taxonomy.leaf_hypernym["relation"], relation)
    n_pairs = pc.sum(pc.and_(of_relation, taxonomy.leaf_hypernym["used"])).as_py()
    yield (
        f"dataset   {taxonomy.dataset_id}: {taxonomy.images.num_rows} pictures, "
        f"{n_pairs} (leaf, {relation}) pairs"
    )
    designs = [condition.manifest(seed, relation) for seed in seeds for condition in conditions]
    n_manifests = len(list(build_into(store, designs, taxonomy.dataset_id)))
    yield f"manifests {n_manifests} in the store"


def _jobs(
    store: Path,
    taxonomy: Taxonomy,
    conditions: Sequence[Condition],
    seeds: Sequence[int],
    recipe: Recipe,
    plan: _Plan,
    feature_set_id: str,
) -> list[TrainJob]:
    """One run a seed and condition, in this order."""
    builder = ManifestBuilder(taxonomy)

    def id_of(condition: Condition, seed: int) -> str:
        config = builder.resolve(condition.manifest(seed, plan.relation))
        return manifest_id(taxonomy.dataset_id, config)

    return [
        TrainJob(
            store=store,
            manifest_id=id_of(condition, seed),
            lm=plan.lm,
            lm_init=condition.lm_init,
            recipe=recipe,
            feature_set_id=feature_set_id,
            seed=seed,
        )
        for seed in seeds
        for condition in conditions
    ]
