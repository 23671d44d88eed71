"""SQL as package data: schema, views and named analyses."""

from __future__ import annotations

from importlib.resources import files


def names(folder: str) -> list[str]:
    """Names, without .sql, of the files in schema, views or analyses, in order."""
    entries = (files(__name__) / folder).iterdir()
    return sorted(entry.name[:-4] for entry in entries if entry.name.endswith(".sql"))


def read(folder: str, name: str) -> str:
    """The text of one SQL file, such as read("analyses", "main-results")."""
    return (files(__name__) / folder / f"{name}.sql").read_text(encoding="utf-8")
