"""What must hold of the rows of a table, and what to say where it does not."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from xmodal.store.folders import FolderError, count


def refuse(bad: pa.ChunkedArray, rule: str) -> None:
    """Refuse rows that break a rule.

    Args:
        bad: bool, true where it is broken.
        rule: What must hold.

    Raises:
        FolderError: There are some; the message says how many.
    """
    if n_bad := count(bad):
        raise FolderError(f"{rule}, got {n_bad} others")


def one_of(rows: pa.Table, name: str, known: Sequence[str]) -> None:
    """Refuse values of a column that are not known.

    Raises:
        FolderError: There are some.
    """
    if odd := sorted(set(rows[name].unique().to_pylist()) - set(known)):
        raise FolderError(f"{name} must be one of {', '.join(known)}, got {', '.join(odd)}")


def not_below(rows: pa.Table, name: str, least: float) -> None:
    """Refuse numbers below a least one, NaN and infinity.

    Raises:
        FolderError: There are some.
    """
    fine = pc.and_(pc.is_finite(rows[name]), pc.greater_equal(rows[name], least))
    refuse(pc.invert(fine), f"{name} must be a number from {least} on")


def at_most(rows: pa.Table, name: str, most: str) -> None:
    """Refuse counts of one column that are larger than those of another.

    Raises:
        FolderError: There are some.
    """
    refuse(pc.greater(rows[name], rows[most]), f"{name} must be at most {most}")


def unique(rows: pa.Table, key: Sequence[str]) -> None:
    """Refuse rows of one key.

    Raises:
        FolderError: There are some.
    """
    n_twice = rows.num_rows - rows.select(list(key)).group_by(list(key)).aggregate([]).num_rows
    if n_twice:
        raise FolderError(f"each {', '.join(key)} once, got {n_twice} more")
