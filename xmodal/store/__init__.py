"""The DuckDB experiment store; the only package that imports duckdb."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

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
_MODULES = {
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
}


def __getattr__(name: str) -> Any:
    # When first asked for: a query needs none of it, and its process should start at once.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
