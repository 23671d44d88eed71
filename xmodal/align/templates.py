"""Texts that stand for a class: templates as data."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from taxonomy.errors import ConfigError, DataError, unknown
from taxonomy.model import Taxonomy

TEMPLATES = {
    "name": "{name}",
    "photo": "a photo of {phrase}",
    "gloss": "{phrase}: {gloss}",
    # what the embedded LM has practised: a sentence, and the beginning of one
    "shows": "this image shows {phrase}.",
    "is-a": "{phrase} is a",
}
FIELDS = ("name", "phrase", "gloss")
"""name: parrot; phrase, with its article: a parrot; gloss: what WordNet says of the synset."""


@dataclass(frozen=True)
class ClassName:
    """What a user calls a class."""

    name: str
    phrase: str


@dataclass(frozen=True)
class ClassTexts:
    """The texts of a dataset's classes."""

    concept_id: list[int]
    """Of each class, ascending."""
    texts: list[list[str]]
    """Of each class, one a template; of a class with synonyms, one a template and synonym."""


def template(name: str) -> str:
    """A template by name, or one given as it is: a text with {name}, {phrase} or {gloss}.

    Raises:
        ConfigError: Neither.
    """
    if name in TEMPLATES:
        return TEMPLATES[name]
    try:
        held = {field for _, field, _, _ in string.Formatter().parse(name) if field is not None}
    except ValueError as error:
        raise ConfigError(f"template {name!r} cannot be read: {error}") from None
    if not held:
        raise ConfigError(
            f"{unknown('template', name, TEMPLATES)}; or give a text with {{name}}, {{phrase}} or "
            "{gloss}"
        )
    if odd := sorted(held - set(FIELDS)):
        raise ConfigError(
            f"template {name!r} asks for {{{odd[0]}}}: a class has {', '.join(FIELDS)}"
        )
    try:
        name.format(**dict.fromkeys(FIELDS, ""))
    except (ValueError, LookupError, AttributeError) as error:
        raise ConfigError(f"template {name!r} cannot be filled in: {error}") from None
    return name


def class_texts(
    of: Taxonomy,
    templates: Sequence[str],
    role: str = "leaf",
    names: Mapping[int, Sequence[ClassName]] | None = None,
) -> ClassTexts:
    """The texts of all concepts of a role.

    Args:
        of: The dataset.
        templates: Names or texts, each once.
        role: leaf, inner or hypernym.
        names: Of each class, in place of the dataset's name and phrase; None for these.

    Raises:
        ConfigError: No template, the same one twice, or one that does not exist.
        DataError: No class of the role, or one without the gloss that a template asks for.
    """
    frames = [template(name) for name in templates]
    if not frames or len(set(frames)) < len(frames):
        got = ", ".join(templates) or "none"
        raise ConfigError(f"templates must be given, each once, got {got}")
    rows = classes_of(of, role)
    for frame in frames:
        lacking = [row["name"] for row in rows if "{gloss}" in frame and not row["gloss"]]
        if lacking:
            raise DataError(
                f"{len(lacking)} classes have no gloss, such as {lacking[0]!r}: leave the template "
                f"{frame!r} out"
            )
    texts = []
    for row in rows:
        own = [ClassName(row["name"], row["phrase"])]
        called = own if names is None else names[row["concept_id"]]
        texts.append(
            [
                frame.format(name=one.name, phrase=one.phrase, gloss=row["gloss"])
                for one in called
                for frame in frames
            ]
        )
    return ClassTexts([row["concept_id"] for row in rows], texts)


def classes_of(of: Taxonomy, role: str) -> list[dict[str, Any]]:
    """Concepts of a role that are in questions, by their ids.

    Raises:
        DataError: There is none.
    """
    rows = of.concepts.sort_by("concept_id").to_pylist()
    found = [row for row in rows if row["role"] == role and not row["dropped"]]
    if not found:
        raise DataError(f"dataset {of.dataset_id} has no concept of role {role}")
    return found
