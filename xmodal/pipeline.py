"""From the store to runs and back: what `xmodal features` and `xmodal train` do.

The store is open only to read what is needed and to write the result; training holds no lock.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError
from taxonomy.model import Taxonomy
from xmodal.bundle.lm.package import taught_pairs
from xmodal.features.extract import (
    FeatureConfig,
    FeatureSet,
    Progress,
    extract,
    feature_set_id,
    load_features,
)
from xmodal.store import Store, SyncReport
from xmodal.store.rows import FeatureSetRow
from xmodal.vlm.experiment import RunResult, RunSpec
from xmodal.vlm.group_run import OnRunStep, run_group
from xmodal.vlm.lm import BUNDLED, EMBEDDED, LanguageModel, bundled_which, load_lm
from xmodal.vlm.prompts import prompt_template
from xmodal.vlm.recipes import Recipe, named_recipe

OnJob = Callable[[int, int, int, float], None]
"""Called with (number of the job, step, steps in all, loss)."""


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
    array = features.open()
    row = FeatureSetRow(
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
        path=str(features.path.relative_to(store.parent)),
    )
    with Store.open(store) as opened:
        opened.add_feature_set(row)
    return features, made


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """One run as it is asked for; small enough to send to another process."""

    store: Path
    manifest_id: str
    lm: str = EMBEDDED
    lm_init: str = "pretrained"
    revision: str | None = None
    recipe: Recipe
    prompt: str = "default"
    features: FeatureConfig = field(default_factory=FeatureConfig)
    seed: int = 42
    """Of the projector's initialisation, the order, and an LM's random weights."""

    @property
    def lm_seed(self) -> int:
        """Seed of the LM's weights; 0 where they are not random."""
        return self.seed if self.lm_init == "random" else 0


def check_seeds(seeds: Sequence[int]) -> None:
    """Raise ConfigError unless there are seeds and all can seed a generator."""
    if not seeds or min(seeds) < 0:
        raise ConfigError(f"seeds must be one or more whole numbers from 0, got {list(seeds)}")


@functools.lru_cache(maxsize=2)
def _lm(name: str, init: str, revision: str | None, seed: int) -> LanguageModel:
    return load_lm(name, init=init, revision=revision, seed=seed)


def train_group(jobs: Sequence[TrainJob], on_step: OnRunStep | None = None) -> list[RunResult]:
    """Train and score runs that share LM and features together; features must be extracted.

    Args:
        jobs: As shared_groups puts them together.
        on_step: Called with (place among the jobs, step, steps in all, loss).
    """
    taxonomies: dict[str, Taxonomy] = {}
    specs = []
    with Store.open(jobs[0].store, read_only=True) as opened:
        for job in jobs:
            manifest = opened.load_manifest(job.manifest_id)
            key = manifest.dataset_id
            taxonomies[key] = taxonomies.get(key) or opened.load_taxonomy(key)
            specs.append((job, manifest, taxonomies[key]))
    made = {key: feature_set_id(key, jobs[0].features) for key in taxonomies}
    features = {
        key: load_features(features_dir(jobs[0].store) / made_id) for key, made_id in made.items()
    }
    return run_group(
        [
            RunSpec(
                taxonomy=taxonomy,
                manifest=manifest,
                lm=_lm(job.lm, job.lm_init, job.revision, job.lm_seed),
                features=features[taxonomy.dataset_id],
                recipe=job.recipe,
                prompt=job.prompt,
                seed_init=job.seed,
                seed_order=job.seed,
            )
            for job, manifest, taxonomy in specs
        ],
        runs_dir(jobs[0].store),
        on_step,
    )


def shared_groups(jobs: Sequence[TrainJob], most: int) -> list[list[int]]:
    """Which jobs may train together: equal LM, weights and features, at most so many.

    Args:
        jobs: What to train.
        most: Runs in a group; the groups of one LM are of nearly equal size.

    Returns:
        Places among the jobs, each in one group.
    """
    by_key: dict[tuple[Any, ...], list[int]] = {}
    for i, job in enumerate(jobs):
        key = (job.store, job.lm, job.lm_init, job.revision, job.lm_seed, job.prompt, job.features)
        by_key.setdefault(key, []).append(i)
    groups = []
    for places in by_key.values():
        n_groups = -(-len(places) // most)
        bounds = [round(k * len(places) / n_groups) for k in range(n_groups + 1)]
        groups += [places[a:b] for a, b in pairwise(bounds)]
    return groups


def sync_store(store: Path, jobs: Sequence[TrainJob]) -> SyncReport:
    """Note what the embedded LMs were taught, and bring finished runs into the store.

    Random weights were taught nothing.
    """
    lms = sorted({(job.lm, job.lm_init) for job in jobs if job.lm in BUNDLED})
    taught = {
        _lm(lm, init, None, 0).sha256: taught_pairs(bundled_which(lm, init))
        for lm, init in lms
        if init != "random"
    }
    with Store.open(store) as opened:
        for lm_hash, pairs in taught.items():
            opened.add_lm_pairs(lm_hash, pairs)
        return opened.sync(runs_dir(store))


def train_manifests(
    store: Path,
    manifests: Sequence[str],
    *,
    seeds: Sequence[int],
    lm: str = EMBEDDED,
    lm_init: str = "pretrained",
    revision: str | None = None,
    recipe: str = "embedded",
    prompt: str = "default",
    workers: int = 1,
    co_train: str = "auto",
    changes: Mapping[str, Any] | None = None,
) -> Iterator[str]:
    """Train every manifest with every seed and sync; what `xmodal train` does.

    Args:
        store: The DuckDB file.
        manifests: Ids of manifests, or their beginnings.
        seeds: Seeds of initialisation and order.
        lm: "embedded", "embedded-parts", a local folder, or a hub name.
        lm_init: pretrained, random or scrambled.
        revision: Of a hub model.
        recipe: A recipe's name.
        prompt: A prompt template's name.
        workers: Groups of runs at a time, a process each.
        co_train: Runs that train together: a number, or auto.
        changes: Settings of the recipe to change; None values are left as they are.

    Yields:
        One line a run, then the sync's counts and problems.
    """
    from xmodal.workers import train_jobs

    chosen = named_recipe(recipe, **(changes or {}))
    prompt_template(prompt)
    check_seeds(seeds)
    with Store.open(store, read_only=True) as opened:
        loaded = [opened.load_manifest(manifest) for manifest in manifests]
    found = list({manifest.manifest_id: manifest for manifest in loaded}.values())
    _lm(lm, lm_init, revision, seeds[0] if lm_init == "random" else 0)
    jobs = [
        TrainJob(
            store=store,
            manifest_id=manifest.manifest_id,
            lm=lm,
            lm_init=lm_init,
            revision=revision,
            recipe=chosen,
            prompt=prompt,
            seed=seed,
        )
        for manifest in found
        for seed in dict.fromkeys(seeds)
    ]
    for dataset_id in sorted({manifest.dataset_id for manifest in found}):
        ensure_features(store, FeatureConfig(), dataset_id)
    for result in train_jobs(jobs, workers, co_train=co_train):
        yield f"{result.run_id} {'trained' if result.trained else 'is there'}: {result.path}"
    report = sync_store(store, jobs)
    yield from (report.summary(), *report.problems())
