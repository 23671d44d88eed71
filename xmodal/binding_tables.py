"""Arrow schemas of what binding hands to the store: tables of a folder, without its id."""

from __future__ import annotations

import pyarrow as pa

RUN_WEIGHTS = "decoder.safetensors"
"""Of a run's folder."""
ACCURACY_FILE = "accuracy.parquet"
PROBE = "probe.json"
"""The record of a probe's folder."""
PROBES = "probes"
"""Folder of probe folders, beside the store."""


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in columns.items()])


_I, _S, _B, _F = pa.int64(), pa.string(), pa.bool_(), pa.float64()

ACCURACY = _schema(
    step=_I, stage=_S, ends_stage=_B, context=_S, vocabulary=_S, question=_S, n_objects=_I,
    in_distribution=_B, n_questions=_I, n_right=_I, n_in_scene=_I, loss=_F,
)  # fmt: skip
"""Table binding_accuracy."""
INTERCHANGE = _schema(
    n_objects=_I, layer=_I, patch=_S, n_examples=_I, n_positional=_I, n_symbolic=_I,
    n_reflexive=_I, n_no_effect=_I, n_other=_I, n_ambiguous=_I,
)  # fmt: skip
"""Table binding_interchange."""
KNOCKOUT = _schema(
    n_objects=_I, edges=_S, layer_from=_I, layer_to=_I, n_examples=_I, n_right_before=_I,
    n_right=_I,
)  # fmt: skip
"""Table binding_knockout."""
LINEAR = _schema(
    n_objects=_I, layer=_I, token=_S, attribute=_S, permuted=_B, n_train=_I, n_test=_I,
    n_right=_I, n_classes=_I,
)  # fmt: skip
"""Table binding_linear."""
RETRIEVAL = _schema(n_objects=_I, n_tokens=_F, n_questions=_I, n_right=_I, n_right_open=_I)
"""Table binding_retrieval."""
SHIFTED = _schema(n_objects=_I, shift=_I, n_questions=_I, n_right=_I)
"""Table binding_shifted."""
TABLES = {
    "interchange": ("binding_interchange", INTERCHANGE),
    "knockout": ("binding_knockout", KNOCKOUT),
    "linear": ("binding_linear", LINEAR),
    "retrieval": ("binding_retrieval", RETRIEVAL),
    "shift": ("binding_shifted", SHIFTED),
}
"""By kind of probe, its table; the file is KIND.parquet."""
