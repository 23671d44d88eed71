"""Draw the pictures of the bundle: python -m scripts.build_pictures --cache DIR."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from scripts.build_pictures.compare import Key, by_key, compare
from scripts.build_pictures.concepts import Concept, Nouns, read_concepts
from scripts.build_pictures.drawings import open_style
from scripts.build_pictures.fetch import package_folder
from scripts.build_pictures.near_duplicates import find_pairs, write_pairs
from scripts.build_pictures.render import to_png
from scripts.build_pictures.sources import NAMES_PACKAGE, STYLES
from scripts.build_pictures.table import Picture, in_order, make_table, write_table
from xmodal.bundle.files import data_file
from xmodal.bundle.wordnet_files import wordnet_dir

NAMES_FILE = "package/data-by-emoji.json"
EXCLUSIONS = Path(__file__).with_name("exclusions.csv")


def main() -> None:
    """Fetch, draw, split, and write pictures.parquet and near_duplicates.csv."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, required=True, help="folder for the packages")
    parser.add_argument("--out", type=Path, help="folder to write to (default: package data)")
    parser.add_argument("--compare", type=Path, help="Parquet file to compare the pictures with")
    arguments = parser.parse_args()
    spec = data_file("spec.txt")
    concepts = read_concepts(spec, Nouns(wordnet_dir()))
    pictures = in_order(draw(concepts, arguments.cache))
    pairs = find_pairs([picture.png for picture in pictures])
    table = make_table(pictures, concepts, pairs)
    out = arguments.out or spec.parent
    out.mkdir(parents=True, exist_ok=True)
    write_table(table, out / "pictures.parquet")
    rows = table.drop_columns(["png"]).to_pylist()
    write_pairs(pairs, rows, out / "near_duplicates.csv")
    print(f"{table.num_rows} pictures, {len(pairs)} near-duplicate pairs, written to {out}")
    if arguments.compare:
        print(compare(by_key(table), reference(arguments.compare, concepts)))


def draw(concepts: Sequence[Concept], cache: Path) -> Iterator[Picture]:
    """Every concept in every style that has it, but for the excluded wrong pictures."""
    names = json.loads((package_folder(NAMES_PACKAGE, cache) / NAMES_FILE).read_text())
    characters = {entry["name"]: text for text, entry in names.items()}
    with EXCLUSIONS.open(newline="") as file:
        excluded = {(r["style"], r["concept"], r["glyph"]) for r in csv.DictReader(file)}
    for style in STYLES:
        find = open_style(style, package_folder(style.package, cache), characters)
        for concept in concepts:
            for glyph in concept.glyphs:
                if (style.name, concept.name, glyph) in excluded:
                    continue
                image = find(glyph)
                if image is not None:
                    png = to_png(image)
                    yield Picture(concept=concept.name, style=style.name, glyph=glyph, png=png)


def reference(path: Path, concepts: Sequence[Concept]) -> dict[Key, bytes]:
    """Pictures of a file with the columns concept and style as line and list numbers."""
    styles = [entry["style"] for entry in json.loads(data_file("styles.json").read_text())]
    bundled = {style.name for style in STYLES}
    return {
        (concepts[row["concept"]].name, styles[row["style"]], row["emoji"]): row["image_png"]
        for row in pq.read_table(path).to_pylist()
        if styles[row["style"]] in bundled
    }


if __name__ == "__main__":
    main()
