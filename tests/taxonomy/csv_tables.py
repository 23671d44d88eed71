"""Small user tables for the tests of the csv source."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from taxonomy.model import Taxonomy, TaxonomyConfig
from xmodal.taxonomies import build_taxonomy

CONFIG = TaxonomyConfig(source="csv", min_leaves=2)


def paint(path: Path, color: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), (color % 256, color // 256, 9)).save(path)


def write(folder: Path, lines: list[str], name: str = "t.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def rows(*leaves: tuple[str, str], n: int = 5) -> list[str]:
    """n rows of each (leaf, rest of the row)."""
    return [f"{leaf},{leaf}{k}.png,{rest}" for leaf, rest in leaves for k in range(n)]


def build(folder: Path, lines: list[str], config: TaxonomyConfig = CONFIG) -> Taxonomy:
    return build_taxonomy(config, csv=write(folder, lines))


HYPERNYMS_ONLY = [
    "leaf,image,hypernym",
    *rows(("parrot", "bird|pet"), ("owl", "bird"), ("poodle", "pet")),
]
