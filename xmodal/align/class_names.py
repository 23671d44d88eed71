"""Names of classes that a user gives: in another language, or other words of the same one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from taxonomy.errors import ConfigError, DataError, unknown
from taxonomy.model import Taxonomy
from xmodal.align.class_lists import CLASS, TABLES, Line, Lookup, read_lines, resolve
from xmodal.align.templates import ClassName, classes_of

NAME, LANGUAGE, PHRASE = "name", "language", "phrase"


@dataclass(frozen=True, kw_only=True)
class ClassNames:
    """Names of all classes of a dataset in one language."""

    language: str
    """As the file or the user says; the file's stem where neither does."""
    of: Mapping[int, tuple[ClassName, ...]]
    """By concept id, in the order of the file; several are synonyms."""


def read_class_names(
    path: Path, of: Taxonomy, role: str = "leaf", language: str | None = None
) -> ClassNames:
    """The names that a file has for the classes of a dataset.

    Args:
        path: A .csv or .parquet file with columns class, as in a list of classes, and name, and
            maybe language and phrase, the name with its article: the name where there is none.
            Rows for concepts of another role count for nothing; equal rows count once.
        of: The dataset.
        role: Which concepts are classes.
        language: Which rows; without a column language, what the names are called. None for the
            only language of the file.

    Raises:
        ConfigError: A file of several languages, and none is chosen.
        DataError: The file cannot be read, has not this language, or a class has no name in it,
            or a row names no class or several.
    """
    if path.suffix not in TABLES:
        raise DataError(f"{path} must be a {' or '.join(TABLES)} file of class names")
    lines = read_lines(path, [CLASS, NAME], [LANGUAGE, PHRASE])
    if not lines:
        raise DataError(f"{path} holds no name")
    lines, language = _chosen(path, lines, language)
    known, others = Lookup(of, role), Lookup(of, None)
    classes = {int(row["concept_id"]): str(row["name"]) for row in classes_of(of, role)}
    asked = [one for one in lines if known.find(_cell(one, CLASS)) or not _is_other(others, one)]
    found = defaultdict(list)
    ids = resolve(path, [(one.number, _cell(one, CLASS)) for one in asked], known)
    for concept, one in zip(ids, asked, strict=True):
        name = _cell(one, NAME)
        found[concept].append(ClassName(name, one.cells.get(PHRASE) or name))
    if lacking := [name for concept, name in classes.items() if concept not in found]:
        raise DataError(
            f"{path} has no name in {language} for {len(lacking)} of {len(classes)} classes, such "
            f"as {lacking[0]!r}: add a row for each"
        )
    names = {concept: tuple(dict.fromkeys(given)) for concept, given in found.items()}
    return ClassNames(language=language, of=names)


def _chosen(path: Path, lines: list[Line], language: str | None) -> tuple[list[Line], str]:
    """The rows of one language, and what it is called."""
    if LANGUAGE not in lines[0].cells:
        return lines, language or path.stem
    without = next((one for one in lines if one.cells[LANGUAGE] is None), None)
    if without is not None:
        raise DataError(f"{path} has no language in line {without.number}: fill it in")
    there = sorted({_cell(one, LANGUAGE) for one in lines})
    if language is None and len(there) > 1:
        raise ConfigError(
            f"{path} has names in {len(there)} languages, {', '.join(there[:8])}: choose a language"
        )
    if language is not None and language not in there:
        raise DataError(f"{path}: {unknown('language', language, there)}")
    language = language or there[0]
    return [one for one in lines if one.cells[LANGUAGE] == language], language


def _is_other(others: Lookup, line: Line) -> bool:
    """Whether a row is for a concept of the dataset, of whatever role."""
    return bool(others.find(_cell(line, CLASS)))


def _cell(line: Line, column: str) -> str:
    return str(line.cells[column])
