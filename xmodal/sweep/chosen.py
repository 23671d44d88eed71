"""The runs that a block of a sweep asks for, over the manifests and features of a store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError, StoreError, unknown
from xmodal.jobs import TrainJob
from xmodal.pipeline import plan_jobs
from xmodal.store import Store
from xmodal.store.ids import resolve_id
from xmodal.sweep.declared import Block

_FEATURES = """
SELECT
    feature_set_id,
    encoder
FROM feature_set
WHERE dataset_id = $id
ORDER BY feature_set_id
"""


def manifests_of(store: Path, block: Block) -> tuple[str, ...]:
    """Whole ids of the manifests that a block names or chooses by columns."""
    with Store.open(store, read_only=True) as opened:
        rows = opened.manifests().to_pylist()
    ids = [row["manifest_id"] for row in rows]
    named = [resolve_id("manifest", one, ids) for one in block.manifests]
    if not block.where:
        return tuple(dict.fromkeys(named))
    chosen = list(rows)
    for column, value in block.where.items():
        if rows and column not in rows[0]:
            raise ConfigError(f"where: {unknown('column', column, list(rows[0]))}")
        chosen = [row for row in chosen if _equals(row[column], value)]
    if not chosen:
        said = ", ".join(f"{column}={value}" for column, value in block.where.items())
        raise StoreError(f"{store} holds no manifest with {said}: see `xmodal manifest list`")
    return tuple(dict.fromkeys([*named, *(row["manifest_id"] for row in chosen)]))


def _equals(stored: Any, said: str) -> bool:
    if isinstance(stored, bool):
        return str(stored).lower() == said.lower()
    if isinstance(stored, int | float):
        try:
            return float(stored) == float(said)
        except ValueError:
            return False
    return stored is not None and str(stored) == said


def jobs_of(
    store: Path, block: Block, settings: dict[str, Any], *, load: bool
) -> tuple[list[TrainJob], list[str]]:
    """Jobs of one LM and recipe; features may be named by their encoder, one set a dataset."""
    given = settings.pop("features")
    device = settings.pop("device")
    with Store.open(store, read_only=True) as opened:
        rows = {
            row["manifest_id"]: row
            for row in opened.manifests().to_pylist()
            if row["manifest_id"] in block.manifests
        }
        of = {one: rows[one]["dataset_id"] for one in block.manifests}
        sets = {
            dataset: opened.query(_FEATURES, {"id": dataset}).to_pylist()
            for dataset in sorted(set(of.values()))
        }
    jobs, notes = [], []
    for dataset, found in sets.items():
        chosen = None if given is None else _feature_set(given, found, dataset)
        own = [one for one in block.manifests if of[one] == dataset]
        for seeds, ids in _by_seeds(block, {one: rows[one]["seed"] for one in own}):
            made, said = plan_jobs(
                store,
                ids,
                seeds=seeds,
                features=chosen,
                device="auto",
                load=load,
                extracted=False,
                **settings,
            )
            jobs += [replace(job, device=device) for job in made]
            notes += said
    return jobs, notes


def _by_seeds(
    block: Block, seed_of: Mapping[str, int]
) -> Iterator[tuple[Sequence[int], Sequence[str]]]:
    """Seeds, and the manifests that are trained with each of them."""
    if not block.seed_of_manifest:
        yield block.seeds, list(seed_of)
        return
    for seed in dict.fromkeys(seed_of.values()):
        yield (seed,), [one for one, own in seed_of.items() if own == seed]


def _feature_set(given: str, rows: Sequence[Mapping[str, Any]], dataset: str) -> str:
    """A dataset's feature set by the name of its encoder, its id or the beginning of it."""
    named = [row["feature_set_id"] for row in rows if row["encoder"] == given]
    if len(named) > 1:
        raise StoreError(
            f"dataset {dataset} has {len(named)} feature sets of encoder {given!r}, "
            f"{', '.join(named)}: name one by its id"
        )
    if named:
        return str(named[0])
    ids = [row["feature_set_id"] for row in rows]
    if any(one.startswith(given) for one in ids):
        return resolve_id("feature set", given, ids)
    known = [*dict.fromkeys(row["encoder"] for row in rows), *ids]
    raise StoreError(
        f"dataset {dataset} has no features {given!r}: "
        + (f"it has those of {', '.join(known)}; " if known else "")
        + "extract them first (`xmodal features extract --encoder`, on a cluster "
        "`xmodal sweep features`)"
    )


def encoders(store: Path) -> dict[str, str]:
    """The encoder of each feature set, by its id."""
    with Store.open(store, read_only=True) as opened:
        rows = opened.query("SELECT feature_set_id, encoder FROM feature_set").to_pylist()
    return {row["feature_set_id"]: row["encoder"] for row in rows}
