"""A small THINGS: two files in its columns, and tiny JPEGs in its folders."""

from __future__ import annotations

import csv
from pathlib import Path

from PIL import Image

from taxonomy.model import Taxonomy, TaxonomyConfig
from xmodal.taxonomies import build_taxonomy

# uniqueID, Word, synset: a homonym pair, a spelling of the concepts file, one without synset,
# a leaf above another (bird above parrot), and two leaves that no category has
CONCEPTS = (
    ("bandanna", "bandanna", "bandanna.n.01"),
    ("bat1", "bat", "bat.n.01"),
    ("bat2", "bat", "bat.n.05"),
    ("bird", "bird", "bird.n.01"),
    ("bottle_opener", "bottle opener", "bottle_opener.n.01"),
    ("flatiron", "flatiron", ""),
    ("gravel", "gravel", "gravel.n.01"),
    ("owl", "owl", "owl.n.01"),
    ("parrot", "parrot", "parrot.n.01"),
)
CATEGORIES = (
    ("animal", "bat1"),
    ("animal", "bird"),
    ("animal", "parrot"),
    ("bird", "bird"),
    ("bird", "owl"),
    ("clothing", "bandana"),
    ("mammal", "bat1"),
    ("sports equipment", "bat2"),
    ("tool", "flatiron"),
    ("tool", "bottle_opener"),
)


def concepts_file(folder: Path, rows: tuple[tuple[str, str, str], ...] = CONCEPTS) -> Path:
    path = folder / "things_concepts.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(["Word", "uniqueID", "Wordnet ID4", "Definition (from WordNet)"])
        # a tab and a line end inside quotes, as a definition may have them
        writer.writerows([word, key, synset, 'a\tthing\n"so called"'] for key, word, synset in rows)
    return path


def categories_file(folder: Path, rows: tuple[tuple[str, str], ...] = CATEGORIES) -> Path:
    path = folder / "category53_longFormat.tsv"
    lines = ["category\tuniqueID\tWord", *(f"{c}\t{key}\t{key}" for c, key in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def jpeg(path: Path, color: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (color % 256, 40 * (color // 256), 9)).save(path, quality=95)


def image_folder(folder: Path, names: list[str], n: int = 13) -> Path:
    """n different pictures for each name."""
    for i, name in enumerate(names):
        for k in range(n):
            jpeg(folder / "images" / name / f"{name}_{k:02d}b.jpg", (i * n + k) * 3)
    return folder / "images"


def build(folder: Path, *, config: dict[str, object] | None = None, **files: Path) -> Taxonomy:
    settings = {"pairs": "categories", "min_leaves": 1, "inner_leaves": "keep", **(config or {})}
    named = {"concepts": concepts_file, "categories": categories_file}
    for name, write in named.items():
        if name not in files:
            files[name] = write(folder)
    return build_taxonomy(TaxonomyConfig(source="things", **settings), **files)  # type: ignore[arg-type]


def used(taxonomy: Taxonomy) -> set[tuple[str, str]]:
    """(uniqueID, hypernym) pairs that are a Yes."""
    rows = taxonomy.concepts.to_pylist()
    return {
        (rows[r["leaf_id"]]["key"].partition("/")[2], rows[r["hypernym_id"]]["name"])
        for r in taxonomy.leaf_hypernym.to_pylist()
        if r["used"]
    }
