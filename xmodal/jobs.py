"""Runs as they are asked for: what may train together, and training it."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from taxonomy.model import Manifest, Taxonomy
from xmodal.features.extract import FeatureConfig, FeatureSet, feature_set_id, load_features
from xmodal.features.skipped import with_features
from xmodal.lms.causal import LanguageModel, load_lm
from xmodal.lms.names import EMBEDDED
from xmodal.store import Store
from xmodal.syncing import sync_store
from xmodal.vlm.experiment import RunResult, RunSpec
from xmodal.vlm.group_run import OnRunStep, run_group
from xmodal.vlm.recipes import Recipe


class Source(Protocol):
    """What runs read datasets and manifests from: a store, or files written for them."""

    def load_taxonomy(self, dataset_id: str, /) -> Taxonomy:
        """A dataset by its id."""

    def load_manifest(self, manifest_id: str, /) -> Manifest:
        """A manifest by its id."""


def features_dir(store: Path) -> Path:
    """Where the feature sets of a store lie: beside it."""
    return store.parent / "features"


def runs_dir(store: Path) -> Path:
    """Where the run folders of a store lie: beside it."""
    return store.parent / "runs"


def sync_lines(store: Path) -> Iterator[str]:
    """Bring in what lies beside a store; its counts and problems, a line each."""
    report = sync_store(store)
    yield from (report.summary(), *report.problems())


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
    feature_set_id: str | None = None
    """None: what `xmodal features extract` makes of the dataset unless told otherwise."""
    device: str = "cpu"
    """Where the LM and the projector are: fp32 on cpu, the LM in bf16 elsewhere."""
    seed: int = 42
    """Of the projector's initialisation, the order, and an LM's random weights."""

    @property
    def lm_seed(self) -> int:
        """Seed of the LM's weights; 0 where they are not random."""
        return self.seed if self.lm_init == "random" else 0


@functools.lru_cache(maxsize=2)
def loaded_lm(
    name: str, init: str, revision: str | None, seed: int, device: str = "cpu"
) -> LanguageModel:
    """An LM, kept while others of the process need it too."""
    return load_lm(name, init=init, revision=revision, seed=seed, device=device)


def train_group(jobs: Sequence[TrainJob], on_step: OnRunStep | None = None) -> list[RunResult]:
    """Train and score runs that share LM and features together; features must be extracted.

    Args:
        jobs: As shared_groups puts them together.
        on_step: Called with (place among the jobs, step, steps in all, loss).
    """
    return run_group(run_specs(jobs), runs_dir(jobs[0].store), on_step)


def run_specs(jobs: Sequence[TrainJob], source: Source | None = None) -> list[RunSpec]:
    """What to run for each job of one store, read from the features beside it and from a source.

    Args:
        jobs: What to run.
        source: Where datasets and manifests are read; None for the store.
    """
    if source is not None:
        return _specs(jobs, source)
    with Store.open(jobs[0].store, read_only=True) as opened:
        return _specs(jobs, opened)


def _specs(jobs: Sequence[TrainJob], source: Source) -> list[RunSpec]:
    taxonomies: dict[str, Taxonomy] = {}
    features: dict[str, FeatureSet] = {}
    specs = []
    for job in jobs:
        manifest = source.load_manifest(job.manifest_id)
        of = manifest.dataset_id
        taxonomies[of] = taxonomies.get(of) or source.load_taxonomy(of)
        made = job.feature_set_id or feature_set_id(of, FeatureConfig())
        features[made] = features.get(made) or load_features(features_dir(job.store) / made)
        specs.append(
            RunSpec(
                taxonomy=taxonomies[of],
                manifest=with_features(manifest, features[made]),
                lm=loaded_lm(job.lm, job.lm_init, job.revision, job.lm_seed, job.device),
                features=features[made],
                recipe=job.recipe,
                prompt=job.prompt,
                seed_init=job.seed,
                seed_order=job.seed,
            )
        )
    return specs


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
        lm = (job.lm, job.lm_init, job.revision, job.lm_seed, job.device)
        by_key.setdefault((job.store, *lm, job.prompt, job.feature_set_id), []).append(i)
    groups = []
    for places in by_key.values():
        n_groups = -(-len(places) // most)
        bounds = [round(k * len(places) / n_groups) for k in range(n_groups + 1)]
        groups += [places[a:b] for a, b in pairwise(bounds)]
    return groups
