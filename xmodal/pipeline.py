"""From the store to a run and back: what `xmodal features` and `xmodal train` do.

The store is open only to read what is needed and to write the result; training holds no lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taxonomy.model import Manifest, Taxonomy
from xmodal.bundle.lm.package import taught_pairs
from xmodal.features.extract import FeatureConfig, FeatureSet, Progress, extract
from xmodal.progress import bars
from xmodal.store import Store
from xmodal.store.rows import FeatureSetRow
from xmodal.vlm.experiment import OnStep, RunResult, RunSpec, run
from xmodal.vlm.lm import EMBEDDED, LanguageModel, load_lm
from xmodal.vlm.prompts import prompt_template
from xmodal.vlm.recipes import Recipe, named_recipe


def features_dir(store: Path) -> Path:
    """Where the feature sets of a store lie: beside it."""
    return store.parent / "features"


def runs_dir(store: Path) -> Path:
    """Where the run folders of a store lie: beside it."""
    return store.parent / "runs"


def ensure_features(
    store: Path,
    config: FeatureConfig,
    dataset_id: str | None = None,
    progress: Progress | None = None,
) -> tuple[FeatureSet, bool]:
    """Extract a dataset's features unless they are there, and note them in the store.

    Args:
        store: The DuckDB file.
        config: Encoder and pooling.
        dataset_id: Id of a dataset or its beginning; None for the latest.
        progress: Called after each batch of pictures.

    Returns:
        The feature set, and whether it had to be made.
    """
    with Store.open(store, read_only=True) as opened:
        taxonomy = opened.load_taxonomy(dataset_id)
    features, made = extract(taxonomy, config, features_dir(store), progress)
    row = _feature_row(features)
    with Store.open(store) as opened:
        opened.add_feature_set(row)
    return features, made


def _feature_row(features: FeatureSet) -> FeatureSetRow:
    array, config = features.open(), features.config
    return FeatureSetRow(
        feature_set_id=features.feature_set_id,
        dataset_id=features.dataset_id,
        encoder=config.encoder,
        revision=features.encoder_version,
        layer="output",
        pooling=config.pooling,
        n_tokens=array.shape[1],
        width=array.shape[2],
        n_views=config.n_views,
        dtype=str(array.dtype),
        sha256=features.sha256,
        path=str(features.path),
    )


@dataclass(frozen=True, kw_only=True)
class TrainRequest:
    """One run as a user asks for it."""

    manifest_id: str
    recipe: Recipe
    prompt: str = "default"
    seed_init: int = 42
    seed_order: int = 42


def train_all(
    store: Path,
    requests: Sequence[TrainRequest],
    lm: LanguageModel,
    features: FeatureConfig,
    *,
    on_step: OnStep | None = None,
    on_run: Callable[[int, RunSpec], None] | None = None,
) -> list[RunResult]:
    """Train each request in turn, then bring the runs into the store.

    Args:
        store: The DuckDB file that holds the manifests.
        requests: What to train.
        lm: The frozen LM, the same for all.
        features: Image features; extracted first where missing.
        on_step: Called after each step.
        on_run: Called before each run with its number and spec.

    Returns:
        One result a request, in order.
    """
    loaded: dict[str, tuple[Taxonomy, Manifest]] = {}
    with Store.open(store, read_only=True) as opened:
        for request in requests:
            manifest = opened.load_manifest(request.manifest_id)
            taxonomy = opened.load_taxonomy(manifest.dataset_id)
            loaded[request.manifest_id] = (taxonomy, manifest)
    results = []
    for number, request in enumerate(requests):
        taxonomy, manifest = loaded[request.manifest_id]
        feature_set, _ = ensure_features(store, features, taxonomy.dataset_id)
        spec = RunSpec(
            taxonomy=taxonomy,
            manifest=manifest,
            lm=lm,
            features=feature_set,
            recipe=request.recipe,
            prompt=request.prompt,
            seed_init=request.seed_init,
            seed_order=request.seed_order,
        )
        if on_run is not None:
            on_run(number, spec)
        results.append(run(spec, runs_dir(store), on_step))
    return results


def train_manifests(
    store: Path,
    manifests: Sequence[str],
    *,
    seeds: Sequence[int],
    lm: str = "embedded",
    lm_init: str = "pretrained",
    revision: str | None = None,
    recipe: str = "embedded",
    prompt: str = "default",
    changes: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """Train every manifest with every seed and sync; what `xmodal train` does.

    Args:
        store: The DuckDB file.
        manifests: Ids of manifests, or their beginnings.
        seeds: Seeds of initialisation and order.
        lm: "embedded", a local folder, or a hub name.
        lm_init: pretrained, random or scrambled.
        revision: Of a hub model.
        recipe: A recipe's name.
        prompt: A prompt template's name.
        changes: Settings of the recipe to change; None values are left as they are.

    Yields:
        One line a run, then the sync's counts and problems.
    """
    chosen = named_recipe(recipe, **(changes or {}))
    prompt_template(prompt)
    with Store.open(store, read_only=True) as opened:
        for manifest in manifests:
            opened.load_manifest(manifest)
    requests = [
        TrainRequest(
            manifest_id=manifest, recipe=chosen, prompt=prompt, seed_init=seed, seed_order=seed
        )
        for manifest in manifests
        for seed in seeds
    ]
    loaded = load_lm(lm, init=lm_init, revision=revision)
    with bars() as shown:
        task = shown.add_task("training", total=None, note="")

        def on_step(step: int, total: int, loss: float) -> None:
            shown.update(task, completed=step, total=total, note=f"loss {loss:.3f}")

        results = train_all(store, requests, loaded, FeatureConfig(), on_step=on_step)
    for result in results:
        yield f"{result.run_id} {'trained' if result.trained else 'is there'}: {result.path}"
    with Store.open(store) as opened:
        if lm == EMBEDDED:
            opened.add_lm_pairs(loaded.sha256, taught_pairs(lm_init))
        report = opened.sync(runs_dir(store))
    yield from (report.summary(), *report.problems())
