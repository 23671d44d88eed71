"""What is run: store, bundle, features, training, reports. In a notebook: `xmodal.open()`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from xmodal.api import Workbench

__all__ = ["open"]


def open(store: Path | str | None = None) -> Workbench:
    """Open an experiment store for reading.

    Args:
        store: The DuckDB file; None takes the environment's XMODAL_STORE, else xmodal.duckdb.

    Returns:
        What reads it. No lock is held between calls, so that training can go on beside it.

    Raises:
        StoreError: The file is missing, foreign, of another version, or being written.
    """
    import os
    from pathlib import Path

    from xmodal.api import Workbench

    chosen = store if store is not None else os.environ.get("XMODAL_STORE", "xmodal.duckdb")
    return Workbench(Path(chosen))
