"""What tests of golden numbers share: rows of an analysis, held against numbers done by hand."""

from __future__ import annotations

from typing import Any

import pytest

from xmodal.store import Store

T1 = 12.7062047362
"""97.5 % quantile of Student's t with one degree of freedom."""


def rows(store: Store, name: str, /, **params: Any) -> list[dict[str, Any]]:
    return store.analysis(name, **params).to_pylist()


def close(want: Any) -> Any:
    return pytest.approx(want, abs=1e-12)


def picked(row: dict[str, Any], *names: str) -> list[Any]:
    return [row[name] for name in names]
