"""Templates, style sheet and script of pages: package data, written by hand."""

from __future__ import annotations

from importlib.resources import files


def part(name: str) -> str:
    """The text of style.css or script.js."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
