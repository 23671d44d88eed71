"""Templates, style sheet and script of pages: package data, written by hand."""

from __future__ import annotations

from importlib.resources import files

import jinja2


def part(name: str) -> str:
    """The text of style.css or script.js."""
    return files(__package__).joinpath(name).read_text(encoding="utf-8")


def environment(*others: jinja2.BaseLoader) -> jinja2.Environment:
    """Templates of pages: names in the data are escaped, and a value that is missing is an error.

    Args:
        others: Where templates are looked for before this package's own.
    """
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([*others, jinja2.PackageLoader(__name__, ".")]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
