"""Named analyses: one SQL file each, its header saying grain, units and parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

import sql
from taxonomy.errors import StoreError, unknown

_PARAM = re.compile(r"\$([a-z_]+)")
_EMPTY = re.compile(r"^-- Empty: (.+(?:\n--   .+)*)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """One statement of sql/analyses."""

    name: str
    """File name without .sql, asked for as @name."""
    title: str
    """First line of the header: what it answers."""
    text: str
    """The file: comments and one SELECT."""
    empty: str
    """What it means when there is no row, and what to do."""
    params: frozenset[str]
    """Names of its $parameters; each may be left out, which means NULL."""

    @classmethod
    def load(cls, name: str) -> Analysis:
        """Read one analysis.

        Raises:
            StoreError: No such analysis; the valid names are listed.
        """
        if name not in sql.names("analyses"):
            raise StoreError(unknown("analysis", name, sql.names("analyses")))
        text = sql.read("analyses", name)
        return cls(
            name=name,
            title=text.splitlines()[0].removeprefix("-- "),
            text=text,
            empty=" ".join(" ".join(_EMPTY.findall(text)).replace("\n--", "").split()),
            params=frozenset(_PARAM.findall(text)),
        )

    def bind(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """A value for every parameter of the statement.

        Raises:
            StoreError: A name that is no parameter of this analysis.
        """
        for name in given:
            if name not in self.params:
                known = ", ".join(sorted(self.params)) or "none"
                raise StoreError(f"@{self.name} has no parameter {name!r}; it takes: {known}")
        return {name: given.get(name) for name in self.params}


def why_empty(text: str, rows: pa.Table, params: Mapping[str, Any]) -> str | None:
    """What to tell a user whose named analysis came out without rows; else None.

    Args:
        text: The query as given, "@name" or SQL.
        rows: Its result.
        params: As given.
    """
    if rows.num_rows or not text.lstrip().startswith("@"):
        return None
    filtered = "nothing has the given --param, or " if params else ""
    return f"no rows: {filtered}{Analysis.load(text.strip()[1:]).empty}"


def all_analyses() -> list[Analysis]:
    """Every analysis, by name."""
    return [Analysis.load(name) for name in sql.names("analyses")]


def analyses_table() -> pa.Table:
    """Name, parameters and title of every analysis."""
    found = all_analyses()
    return pa.table(
        {
            "analysis": [f"@{analysis.name}" for analysis in found],
            "params": [", ".join(sorted(analysis.params)) for analysis in found],
            "title": [analysis.title for analysis in found],
        }
    )
