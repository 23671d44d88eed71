"""The DuckDB experiment store; the only package that imports duckdb."""

from __future__ import annotations

from xmodal.store.rows import FeatureSetRow, RunRecord
from xmodal.store.store import LM_PAIR, Store
from xmodal.store.sync import IMAGE_MODES, METRIC, PREDICTION, SyncReport

__all__ = [
    "IMAGE_MODES",
    "LM_PAIR",
    "METRIC",
    "PREDICTION",
    "FeatureSetRow",
    "RunRecord",
    "Store",
    "SyncReport",
]
