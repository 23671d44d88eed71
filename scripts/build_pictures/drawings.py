"""The drawings of one style, found by the emoji's name."""

from __future__ import annotations

import io
import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

from fontTools.ttLib import TTFont
from PIL.Image import Image

from scripts.build_pictures.render import draw_character, draw_svg, font_at_size
from scripts.build_pictures.sources import Style

Find = Callable[[str], Image | None]
"""From a name in spec.txt to an RGBA picture cut to its ink, or None if the style lacks it."""

_VARIATION = "\ufe0f"


def open_style(style: Style, folder: Path, characters: dict[str, str]) -> Find:
    """Read a style's unpacked package.

    Args:
        style: The style.
        folder: Where its package was unpacked.
        characters: Emoji name to its characters.

    Returns:
        The function that finds a drawing.
    """
    if style.reader == "font":
        return _font_finder(sorted(folder.rglob(style.files)), characters)
    if style.reader == "folder":
        paths = sorted(folder.glob(style.files))
        drawings = {path.stem: path.read_text() for path in paths}
    else:
        drawings = _iconify(json.loads((folder / style.files).read_text()))

    def find(name: str) -> Image | None:
        slugs = [style.renamed.get(name, ""), *_slugs(name, characters[name], style.old_names)]
        svg = next((drawings[slug] for slug in slugs if slug in drawings), None)
        return None if svg is None else draw_svg(svg)

    return find


def _slugs(name: str, text: str, old_names: bool) -> list[str]:
    """What a drawing may be called, best first.

    Older sets use the name of the Unicode character ("direct hit" for the bullseye) or
    leave out the hyphens; numbered and skin-toned drawings are represented by their
    first or default one.
    """
    names = [name]
    text = text.replace(_VARIATION, "")
    if old_names and len(text) == 1:
        names.append(unicodedata.name(text, name))
    slugs = [
        re.sub(r"[^a-z0-9]+", "-", n.lower().replace("’", "").replace("'", "")).strip("-")
        for n in names
    ]
    slugs += [slug.replace("-", "") for slug in slugs]
    return slugs + [f"{s}-1" for s in slugs] + [f"{s}-default" for s in slugs]


def _iconify(data: dict) -> dict[str, str]:
    icons = data["icons"]
    found = {name: _svg(data, icon) for name, icon in icons.items()}
    for name, alias in data.get("aliases", {}).items():
        if set(alias) == {"parent"} and alias["parent"] in icons:
            found.setdefault(name, found[alias["parent"]])
    return found


def _svg(data: dict, icon: dict) -> str:
    left, top = icon.get("left", 0), icon.get("top", 0)
    width = icon.get("width", data.get("width", 16))
    height = icon.get("height", data.get("height", 16))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width}" height="{height}" viewBox="{left} {top} {width} {height}">'
        f"{icon['body']}</svg>"
    )


def _font_finder(paths: list[Path], characters: dict[str, str]) -> Find:
    """Single characters only: joined sequences need a shaper and few pictures want one."""
    by_code = {}
    for path in paths:
        font = TTFont(path)
        font.flavor = None
        plain = io.BytesIO()
        font.save(plain)
        plain.seek(0)
        opened = font_at_size(plain)
        for code in font.getBestCmap():
            by_code.setdefault(code, opened)

    def find(name: str) -> Image | None:
        text = characters[name].replace(_VARIATION, "")
        if len(text) != 1 or ord(text) not in by_code:
            return None
        return draw_character(by_code[ord(text)], text)

    return find
