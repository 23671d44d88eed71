"""Lists of classes as users have them: names, keys, synsets, or the names of ImageNet's folders."""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taxonomy.errors import DataError, unknown
from taxonomy.model import Taxonomy
from taxonomy.reading import read_text, short
from xmodal.parquet import check_once, read_whole

CLASS = "class"
"""The column of a table that says which class."""
TABLES = (".csv", ".parquet")
_COMMENT = re.compile(r"(^|\s)#.*")
_FORMS = (("wn_id", r"n\d{8}"), ("synset", r".+\.n\.\d+"), ("key", r".+/.+"), ("name", r".+"))
"""What an entry looks like, by what it may be."""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of a user's table, by column; cells are stripped, empty ones None."""

    number: int
    """Line of the file, or row of a Parquet file, from 1."""
    cells: Mapping[str, str | None]


class Lookup:
    """Concepts of a dataset by what a user may call them."""

    def __init__(self, of: Taxonomy, role: str | None = "leaf") -> None:
        """Look concepts up by name, key, synset and WordNet id ('n' and eight digits).

        Args:
            of: The dataset.
            role: Which concepts; None for all.
        """
        self._keys: dict[int, str] = {}
        self._exact: dict[str, set[int]] = defaultdict(set)
        self._valid: dict[str, set[str]] = defaultdict(set)
        for row in of.concepts.to_pylist():
            if role is None or (row["role"] == role and not row["dropped"]):
                self._add(row)
        self._alike: dict[str, set[int]] = defaultdict(set)
        for text, ids in self._exact.items():
            self._alike[_folded(text)] |= ids

    def _add(self, row: Mapping[str, Any]) -> None:
        concept, offset = int(row["concept_id"]), row["wn_offset"]
        self._keys[concept] = row["key"]
        forms = {form: row[form] for form in ("name", "key", "synset")}
        forms["wn_id"] = None if offset is None else f"n{offset:08d}"
        for form, text in forms.items():
            if text is not None:
                self._exact[text].add(concept)
                self._valid[form].add(text)

    def find(self, entry: str) -> list[int]:
        """Concepts that an entry may mean, ascending: case counts only where it parts two."""
        return sorted(self._exact.get(entry) or self._alike.get(_folded(entry)) or set())

    def problem(self, entry: str) -> str:
        """What is wrong with an entry that means no concept, or several."""
        if found := self.find(entry):
            keys = ", ".join(self._keys[concept] for concept in found[:5])
            return f"class {entry!r} may be any of {keys}: give one of these keys"
        form = next(form for form, pattern in _FORMS if re.fullmatch(pattern, entry, re.DOTALL))
        return unknown(CLASS, entry, self._valid.get(form) or self._valid["name"])


def read_class_list(path: Path, of: Taxonomy, role: str = "leaf") -> set[int]:
    """The classes that a file lists.

    Args:
        path: A text file with one class a line, where blank lines and what follows a # count for
            nothing; or a .csv or .parquet file with a column class. A class is given by its name,
            its key ("leaf/parrot"), its synset ("parrot.n.01") or its WordNet id ("n01818515").
        of: The dataset.
        role: Which concepts are classes.

    Returns:
        Concept ids.

    Raises:
        DataError: The file cannot be read or lists nothing, or an entry means no class or several.
    """
    if path.suffix in TABLES:
        entries = [(line.number, str(line.cells[CLASS])) for line in read_lines(path, [CLASS])]
    else:
        stripped = (_COMMENT.sub("", line).strip() for line in read_text(path).splitlines())
        entries = [(number, entry) for number, entry in enumerate(stripped, 1) if entry]
    if not entries:
        raise DataError(f"{path} lists no class: give one a line")
    return set(resolve(path, entries, Lookup(of, role)))


def resolve(path: Path, entries: Sequence[tuple[int, str]], lookup: Lookup) -> list[int]:
    """Concepts of entries, each with its line.

    Raises:
        DataError: An entry means no concept or several: how many do, and the first.
    """
    found = [lookup.find(entry) for _, entry in entries]
    wrong = [at for at, ids in enumerate(found) if len(ids) != 1]
    if wrong:
        number, entry = entries[wrong[0]]
        raise DataError(
            f"{path}: {len(wrong)} of {len(entries)} entries do not name one class, the first in "
            f"line {number}: {lookup.problem(entry)}"
        )
    return [ids[0] for ids in found]


def read_lines(path: Path, required: Sequence[str], optional: Iterable[str] = ()) -> list[Line]:
    """Columns of a .csv file with a header, in UTF-8, or of a .parquet file.

    Args:
        path: The file.
        required: Columns that must be there, with a value in every row.
        optional: Columns that may be there.

    Raises:
        DataError: The file cannot be read, a column or a value is missing, or one is no text.
    """
    names, rows = _csv(path) if path.suffix == ".csv" else _parquet(path)
    check_once(path, names, (*required, *optional))
    if lacking := [name for name in required if name not in names]:
        have = ", ".join(names) or "no column at all"
        raise DataError(f"{path} has no column {lacking[0]}, only {have}")
    wanted = [name for name in (*required, *optional) if name in names]
    lines = []
    for number, row in rows:
        cells: dict[str, str | None] = {}
        for name in wanted:
            cell = row[name]
            if cell is not None and not isinstance(cell, str):
                raise DataError(f"{path}: column {name} must be text, got {short(cell)}")
            cells[name] = (cell or "").strip() or None
            if cells[name] is None and name in required:
                raise DataError(f"{path} has no {name} in line {number}: fill it in")
        lines.append(Line(number=number, cells=cells))
    return lines


def _csv(path: Path) -> tuple[list[str], list[tuple[int, Mapping[str, Any]]]]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    rows: list[tuple[int, Mapping[str, Any]]] = []
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        for row in reader:
            if None in row:
                raise DataError(
                    f"{path} cannot be read: line {reader.line_num} has more cells than columns; "
                    "put quotes around a cell with a comma"
                )
            rows.append((reader.line_num, row))
    except csv.Error as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    return names, rows


def _parquet(path: Path) -> tuple[list[str], list[tuple[int, Mapping[str, Any]]]]:
    table = read_whole(path)
    return table.column_names, list(enumerate(table.to_pylist(), 1))


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
