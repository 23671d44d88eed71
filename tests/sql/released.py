"""Runs, own and released, written straight into a store for tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from taxonomy.model import Manifest
from tests.xmodal.store import world
from xmodal.store import METRIC, Store
from xmodal.store.findings import (
    COHERENCE,
    RELEASED_HYPERNYM,
    RELEASED_PROBE,
    RELEASED_SCORE,
    Release,
    replace_release,
)
from xmodal.store.rows import ReleasedRunRow, RunRow

# question_set, concept, macro_f1_s1, blind_f1_s1, n_questions, whole
Score = tuple[str, str, float, float | None, int | None, bool]


def run(run_id: str, **changes: Any) -> ReleasedRunRow:
    row: dict[str, Any] = {
        "run_id": run_id,
        "source": "s1",
        "run_name": run_id,
        "dataset": "things-s1",
        "relation": "hypernym",
        "lm": "Qwen3-0.6B",
        "lm_init": "pretrained",
        "encoder": "DINOv2",
        "recipe": "s1",
        "prompt": "s1",
        "design": "random",
        "unit": "leaf",
        "ratio": 1.0,
        "n_held_out_hypernyms": None,
        "mentions": "keep",
        "negatives": "image",
        "shuffle": "none",
        "seed": 42,
    }
    return ReleasedRunRow(**(row | changes))


def rows(schema: pa.Schema, given: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of a schema; columns left out are NULL."""
    return pa.Table.from_pylist([dict(row) for row in given], schema=schema)


def coherence(hypernym: str, value: float | None, **changes: Any) -> dict[str, Any]:
    row = {
        "coherence_id": "c1",
        "source": "s1",
        "dataset": "things-s1",
        "encoder": "released",
        "relation": "hypernym",
        "shuffle": "none",
        "hypernym": hypernym,
        "coherence": value,
        "n_images": 10,
    }
    return row | changes


def add(
    store: Store,
    scores: Sequence[tuple[ReleasedRunRow, Sequence[Score]]],
    *,
    hypernyms: Sequence[Mapping[str, Any]] = (),
    probes: Sequence[Mapping[str, Any]] = (),
    coherences: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Store released runs, each with its scores."""
    names = ("question_set", "concept", "macro_f1_s1", "blind_f1_s1", "n_questions", "whole")
    replace_release(
        store,
        Release(
            source="s1",
            runs=[row for row, _ in scores],
            scores=rows(
                RELEASED_SCORE,
                [
                    {"run_id": row.run_id} | dict(zip(names, score, strict=True))
                    for row, of in scores
                    for score in of
                ],
            ),
            hypernyms=rows(RELEASED_HYPERNYM, hypernyms),
            probes=rows(RELEASED_PROBE, probes),
            coherence=rows(COHERENCE, coherences),
        ),
    )


def add_own(
    store: Store, run_id: str, of: Manifest, answers: Iterable[world.Answer], **changes: Any
) -> None:
    """Store an own run of a stored manifest; changes go into its row."""
    row = RunRow(**world.record(run_id, of, **changes), content_hash="x")
    with store.transaction():
        store.replace_runs([(row, METRIC.empty_table(), world.predictions(answers))])
