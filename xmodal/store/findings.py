"""What is measured beside runs: each finding is replaced whole, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from xmodal.store.rows import CeilingRow, ReleasedRunRow, TextProbeRow

if TYPE_CHECKING:
    from xmodal.store.store import Store


def _schema(*columns: tuple[str, pa.DataType] | tuple[str, pa.DataType, bool]) -> pa.Schema:
    """Columns as (name, type) or (name, type, nullable)."""
    return pa.schema([pa.field(c[0], c[1], nullable=len(c) > 2 and bool(c[2])) for c in columns])


_S, _F, _I, _B = pa.string(), pa.float64(), pa.int64(), pa.bool_()

RELEASED_SCORE = _schema(
    ("run_id", _S),
    ("question_set", _S),
    ("concept", _S),
    ("macro_f1_s1", _F),
    ("blind_f1_s1", _F, True),
    ("accuracy", _F, True),
    ("n_questions", _I, True),
    ("whole", _B),
)
RELEASED_HYPERNYM = _schema(
    ("source", _S), ("hypernym", _S), ("released_as", _S), ("synset", _S, True),
    ("depth", pa.int32(), True),
)  # fmt: skip
RELEASED_PROBE = _schema(
    ("source", _S), ("dataset", _S), ("lm", _S), ("hypernym", _S), ("accuracy", _F),
    ("macro_f1", _F),
)  # fmt: skip
COHERENCE = _schema(
    ("coherence_id", _S),
    ("source", _S),
    ("dataset", _S),
    ("feature_set_id", _S, True),
    ("encoder", _S),
    ("relation", _S),
    ("shuffle", _S),
    ("shuffle_id", _S, True),
    ("hypernym", _S),
    ("coherence", _F, True),
    ("coherence_other_leaf", _F, True),
    ("n_images", _I),
    ("n_leaves", _I, True),
)
TEXT_PROBE_ANSWER = _schema(
    ("leaf_id", pa.int32()),
    ("hypernym_id", pa.int32()),
    ("answer", _B),
    ("score_yes", _F),
    ("score_no", _F),
    ("predicted", _B),
    ("rank", _I, True),
    ("drawn", _B),
)
ALIGNMENT = _schema(
    ("alignment_id", _S),
    ("dataset", _S),
    ("feature_set_id", _S),
    ("encoder", _S),
    ("relation", _S),
    ("lm", _S),
    ("lm_hash", _S),
    ("lm_init", _S),
    ("layer", _I),
    ("shuffle", _S),
    ("shuffle_id", _S, True),
    ("hypernym", _S, True),
    ("n_leaves", _I),
    ("k", _I),
    ("mutual_knn", _F, True),
    ("mutual_knn_chance", _F, True),
    ("cka", _F, True),
)
CEILING_PREDICTION = _schema(("example_id", _I), ("score", _F), ("predicted", _B))


@dataclass(frozen=True, kw_only=True)
class Release:
    """Everything imported from one release of results."""

    source: str
    runs: Sequence[ReleasedRunRow]
    scores: pa.Table
    """RELEASED_SCORE."""
    hypernyms: pa.Table
    """RELEASED_HYPERNYM."""
    probes: pa.Table
    """RELEASED_PROBE."""
    coherence: pa.Table = field(default_factory=COHERENCE.empty_table)
    """COHERENCE; source is the release's."""


def replace_release(store: Store, release: Release) -> None:
    """Store a release over any earlier import of the same source; all of it or nothing."""
    source = {"source": release.source}
    with store.transaction():
        store.execute(
            "DELETE FROM released_score WHERE run_id IN "
            "(SELECT run_id FROM released_run WHERE source = $source)",
            source,
        )
        store.execute("DELETE FROM released_run WHERE source = $source", source)
        store.execute("DELETE FROM released_hypernym WHERE source = $source", source)
        store.execute("DELETE FROM released_probe WHERE source = $source", source)
        store.execute("DELETE FROM coherence WHERE source = $source", source)
        store.insert_rows("released_run", list(release.runs))
        store.insert("released_score", release.scores, RELEASED_SCORE)
        store.insert("released_hypernym", release.hypernyms, RELEASED_HYPERNYM)
        store.insert("released_probe", release.probes, RELEASED_PROBE)
        store.insert("coherence", release.coherence, COHERENCE)


def replace_coherence(store: Store, coherence_id: str, rows: pa.Table) -> None:
    """Store COHERENCE rows of one measurement over any earlier ones of the same id."""
    with store.transaction():
        store.execute("DELETE FROM coherence WHERE coherence_id = $id", {"id": coherence_id})
        store.insert("coherence", rows, COHERENCE)


def replace_alignment(store: Store, alignment_id: str, rows: pa.Table) -> None:
    """Store ALIGNMENT rows of one measurement over any earlier ones of the same id."""
    with store.transaction():
        store.execute("DELETE FROM alignment WHERE alignment_id = $id", {"id": alignment_id})
        store.insert("alignment", rows, ALIGNMENT)


def replace_probe(store: Store, row: TextProbeRow, answers: pa.Table) -> None:
    """Store a probe and its TEXT_PROBE_ANSWER rows over any earlier ones of the same id."""
    owner = {"id": row.probe_id}
    with store.transaction():
        store.execute("DELETE FROM text_probe WHERE probe_id = $id", owner)
        store.execute("DELETE FROM text_probe_answer WHERE probe_id = $id", owner)
        store.insert_rows("text_probe", [row])
        store.insert("text_probe_answer", answers, TEXT_PROBE_ANSWER, {"probe_id": row.probe_id})


def tested_cells(store: Store, dataset_id: str, relation: str) -> list[tuple[int, int, bool]]:
    """What the test questions of all manifests of a dataset and relation ask, each once.

    Returns:
        (id of the label leaf, id of the hypernym, answer), ascending.
    """
    found = store.query(
        "SELECT DISTINCT label_leaf_id, asked_id, answer FROM example JOIN manifest "
        "USING (manifest_id) WHERE dataset_id = $dataset AND relation = $relation "
        "AND split = 'test' AND kind = 'hypernym' ORDER BY ALL",
        {"dataset": dataset_id, "relation": relation},
    )
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))


def replace_ceiling(store: Store, row: CeilingRow, predictions: pa.Table) -> None:
    """Store a ceiling and its CEILING_PREDICTION rows over any earlier ones of the same id."""
    owner = {"id": row.ceiling_id}
    with store.transaction():
        store.execute("DELETE FROM ceiling WHERE ceiling_id = $id", owner)
        store.execute("DELETE FROM ceiling_prediction WHERE ceiling_id = $id", owner)
        store.insert_rows("ceiling", [row])
        store.insert(
            "ceiling_prediction", predictions, CEILING_PREDICTION, {"ceiling_id": row.ceiling_id}
        )


__all__ = [
    "ALIGNMENT",
    "CEILING_PREDICTION",
    "COHERENCE",
    "RELEASED_HYPERNYM",
    "RELEASED_PROBE",
    "RELEASED_SCORE",
    "TEXT_PROBE_ANSWER",
    "Release",
    "replace_alignment",
    "replace_ceiling",
    "replace_coherence",
    "replace_probe",
    "replace_release",
    "tested_cells",
]
