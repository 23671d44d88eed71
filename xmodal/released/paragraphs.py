"""Markdown with its paragraphs at one width."""

from __future__ import annotations

import re
import textwrap


def wrapped(page: str) -> str:
    """The page with paragraphs and lists filled, tables and the like as they are."""
    return "\n\n".join(_wrapped(block) for block in page.split("\n\n") if block.strip()) + "\n"


def _wrapped(block: str) -> str:
    """A paragraph or list at the width of the other pages; tables and the like as they are."""
    block = block.strip("\n")
    if block.startswith("- "):
        items = re.split(r"\n(?=- )", block)
        return "\n".join(_fill(item, "  ") for item in items)
    return block if block.startswith(("|", "#", "!", "```")) else _fill(block, "")


def _fill(text: str, indent: str) -> str:
    return textwrap.fill(
        " ".join(text.split()),
        width=100,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
