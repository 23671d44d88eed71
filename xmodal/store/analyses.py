"""Named analyses: one SQL file each, its header saying grain, units and parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

import sql
from taxonomy.errors import StoreError, unknown

_PARAM = re.compile(r"\$([a-z_]+)")
_EMPTY = re.compile(r"^-- Empty: (.+(?:\n--   .+)*)", re.MULTILINE)

CHOICES = {
    # those of hypernym questions: the analyses that take a question set are about hypernyms
    "question_set": ("held_out", "seen", "unasked", "held_out_s1", "seen_s1"),
    # of binding
    "context": ("text", "image"),
    "question": ("two", "colour-shape", "shape-item", "all"),
    "patch": ("counterfactual", "random-direction", "permuted"),
    "factor": (
        "uses_noise", "uses_grounding", "uses_image", "uses_mixing", "position", "scene_layout",
    ),
    "looks": ("within", "all"),
}  # fmt: skip
"""By parameter, the values that it may have in whichever analysis."""
_IDS = {
    "run": "SELECT run_id FROM run UNION SELECT run_id FROM released_run "
    "UNION SELECT run_id FROM align_run UNION SELECT run_id FROM binding_run",
    "manifest": "SELECT manifest_id FROM manifest",
    "dataset": "SELECT dataset_id FROM dataset",
    "separation": "SELECT separation_id FROM separation",
}
"""By parameter, the ids of which one or more must begin with its value."""
_BINDING_IDS = {
    "run": "SELECT run_id FROM binding_run ORDER BY run_id",
    "pair": "SELECT DISTINCT pair_id FROM binding_probe WHERE pair_id IS NOT NULL ORDER BY 1",
}
"""The same of analyses of binding."""
_BINDING_NAMES = {
    "arm": "SELECT DISTINCT arm FROM binding_run ORDER BY arm",
    "lm": "SELECT DISTINCT lm FROM binding_probe WHERE lm IS NOT NULL ORDER BY lm",
}
"""By parameter of analyses of binding, the names of which its value must be one."""


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
            StoreError: A name that is no parameter of this analysis, or a value that is none
                of a parameter's choices.
        """
        for name in given:
            if name not in self.params:
                known = ", ".join(sorted(self.params)) or "none"
                raise StoreError(f"@{self.name} has no parameter {name!r}; it takes: {known}")
        for name, choices in CHOICES.items():
            asked = given.get(name)
            if asked is not None and asked not in choices:
                raise StoreError(f"{name} must be one of {', '.join(choices)}, got {asked!r}")
        return {name: given.get(name) for name in self.params}

    def check_ids(self, given: Mapping[str, Any], read: Callable[[str], Sequence[str]]) -> None:
        """Refuse a run, a manifest, an arm and so on that the store does not hold.

        Args:
            given: As bound.
            read: From a SELECT of one column to its values.

        Raises:
            StoreError: No id is the value given or begins with it, or it is none of the names.
        """
        is_binding = self.name.startswith("binding-")
        of_ids = _IDS | _BINDING_IDS if is_binding else _IDS
        of_names = _BINDING_NAMES if is_binding else {}
        for name in sorted(self.params & (of_ids.keys() | of_names.keys())):
            value = given.get(name)
            if value is None:
                continue
            known = read((of_ids | of_names)[name])
            if not known:
                raise StoreError(f"no {name} {value!r}: the store holds none yet")
            begins = name in of_ids
            if not any(one.startswith(str(value)) if begins else one == value for one in known):
                raise StoreError(unknown(name, str(value), known))


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
