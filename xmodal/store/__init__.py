"""The DuckDB experiment store; the only package that imports duckdb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taxonomy.lazy import attributes

if TYPE_CHECKING:
    from xmodal.store.connection import need_store
    from xmodal.store.evaluations import EVALUATION_PREDICTION, IMAGE_MODES
    from xmodal.store.folders import METRIC
    from xmodal.store.projector_runs import PREDICTION
    from xmodal.store.rows import FeatureSetRow, RunRecord
    from xmodal.store.store import LM_PAIR, Store
    from xmodal.store.sync import SyncReport

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
# when first asked for: a query needs none of it, and its process should start at once
__getattr__ = attributes(
    __name__,
    {
        "EVALUATION_PREDICTION": "evaluations",
        "IMAGE_MODES": "evaluations",
        "LM_PAIR": "store",
        "METRIC": "folders",
        "PREDICTION": "projector_runs",
        "FeatureSetRow": "rows",
        "RunRecord": "rows",
        "Store": "store",
        "SyncReport": "sync",
        "need_store": "connection",
    },
)
