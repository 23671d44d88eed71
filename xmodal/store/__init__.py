"""The DuckDB experiment store; the only package that imports duckdb."""

from __future__ import annotations

from xmodal.store.connection import need_store
from xmodal.store.evaluations import EVALUATION_PREDICTION, IMAGE_MODES
from xmodal.store.folders import METRIC
from xmodal.store.rows import FeatureSetRow, RunRecord
from xmodal.store.store import LM_PAIR, Store
from xmodal.store.sync import PREDICTION, SyncReport

__all__ = [
    "EVALUATION_PREDICTION",
    "IMAGE_MODES",
    "LM_PAIR",
    "METRIC",
    "PREDICTION",
    "FeatureSetRow",
    "RunRecord",
    "Store",
    "SyncReport",
    "need_store",
]
