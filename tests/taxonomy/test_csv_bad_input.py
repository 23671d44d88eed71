"""One clear line for each thing wrong with a user's own table."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from taxonomy.errors import DataError
from tests.taxonomy.csv_tables import CONFIG, HYPERNYMS_ONLY, build, rows, write
from xmodal.taxonomies import build_taxonomy

BAD_TABLES = {
    "columns missing": (
        ["leaf,hypernym", "owl,bird"],
        "t.csv lacks the column image; it must have leaf, image and at least one of synset and "
        "hypernym, got leaf, hypernym",
    ),
    "no hypernym or synset": (
        ["leaf,image", "owl,owl0.png"],
        "t.csv lacks the column synset or hypernym (one of them); it must have leaf, image",
    ),
    "empty file": ([""], "t.csv lacks the column leaf, image"),
    "no rows": (["leaf,image,hypernym"], "t.csv has a header but no rows; it needs one row an"),
    "column twice": (["leaf,image,image,hypernym"], "has the column 'image' more than once"),
    "short row": (
        [*HYPERNYMS_ONLY, "owl,owl1.png"],
        "t.csv line 17 must have 3 cells like the header, got 2",
    ),
    "comma without quotes": ([*HYPERNYMS_ONLY, "owl,a,b.png,bird"], "line 17 must have 3 cells"),
    "open quote": ([*HYPERNYMS_ONLY, 'owl,"owl1.png,bird'], "line 17 is not CSV: unexpected end"),
    "no leaf": ([*HYPERNYMS_ONLY, ",owl1.png,bird"], "line 17 must name a leaf, got an empty"),
    "row twice": (
        [*HYPERNYMS_ONLY, HYPERNYMS_ONLY[1]],
        "t.csv line 17 repeats line 2 (leaf 'parrot', image 'parrot0.png'); take one of them out",
    ),
    "cycle": (
        ["leaf,image,hypernym", *rows(("dog", "animal"), ("owl", "dog")), "animal,car0.png,owl"],
        "t.csv: hypernyms must not form a cycle, got animal -> owl -> dog -> animal; take out",
    ),
    "own hypernym": (
        ["leaf,image,hypernym", *rows(("owl", "owl"))],
        "t.csv: hypernyms must not form a cycle, got owl -> owl; take out one of them",
    ),
    "unknown synset": (
        ["leaf,image,synset", *rows(("parrot", "parrott.n.01"))],
        "t.csv line 2: leaf 'parrot': unknown synset 'parrott.n.01'; valid: parrot.n.01",
    ),
    "two synsets": (
        ["leaf,image,synset", "owl,owl0.png,owl.n.01", "owl,owl1.png,bird.n.01"],
        "t.csv line 3: leaf 'owl' has synset bird.n.01 here and owl.n.01 before; a leaf has one",
    ),
    "leaf without images": (
        [*HYPERNYMS_ONLY, "swan,,bird"],
        "t.csv line 17: leaf 'swan' has no images; give it at least two rows with one",
    ),
    "one image": (
        [*HYPERNYMS_ONLY, "car,car0.png,pet"],
        "leaf 'car' has 1 image(s) in 1 group(s); it needs at least two groups",
    ),
    "image missing": ([*HYPERNYMS_ONLY, "owl,gone.png,bird"], "gone.png of leaf 'owl' does not ex"),
    "one picture, two leaves": (
        [*HYPERNYMS_ONLY, "owl,parrot0.png,bird"],
        "line 17: image 'parrot0.png' of leaf 'owl' is the same picture as that of leaf 'parrot'",
    ),
    "unknown split": (
        ["leaf,image,hypernym,split", "owl,owl0.png,bird,dev"],
        "t.csv line 2: split must be one of train, validation, test, got 'dev'",
    ),
    "split for some": (
        ["leaf,image,hypernym,split", "owl,owl0.png,bird,train", "owl,owl1.png,bird,"],
        "line 3: image 'owl1.png' has no split, but other images of leaf 'owl' have one",
    ),
    "no test image": (
        ["leaf,image,hypernym,split", *rows(("owl", "bird,train"), ("parrot", "bird,train"))],
        "leaf 'owl' has no test image; it needs at least one",
    ),
    "group in two splits": (
        ["leaf,image,hypernym,split,group", "owl,owl0.png,b,train,g", "owl,owl1.png,b,test,g"],
        "line 3: group 'g' of leaf 'owl' is in test here and in train before",
    ),
    "image in two splits": (
        ["leaf,image,hypernym,split", "owl,owl0.png,bird,train", "owl,owl0.png,pet,test"],
        "line 3: image 'owl0.png' has split 'test' here and 'train' in ",
    ),
    "few leaves": (
        ["leaf,image,hypernym", *rows(("owl", "bird"))],
        "no hypernym has min_leaves = 2 leaves under pairs 'agreed'; the largest is 'bird' with 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables(folder: Path, case: str) -> None:
    lines, message = BAD_TABLES[case]
    with pytest.raises(DataError) as caught:
        build(folder, lines)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv cannot be read: No such file"):
        build_taxonomy(CONFIG, csv=tmp_path / "none.csv")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF"])
@pytest.mark.parametrize("n_lost", [16, 2000])
def test_truncated_picture(folder: Path, kind: str, n_lost: int) -> None:
    Image.effect_noise((64, 64), 90).save(folder / "owl2.png", format=kind)
    whole = (folder / "owl2.png").read_bytes()
    (folder / "owl2.png").write_bytes(whole[:-n_lost])
    with pytest.raises(DataError, match=r"line 9: image .*owl2\.png of leaf 'owl' cannot be deco"):
        build(folder, HYPERNYMS_ONLY)


def test_a_file_that_is_no_picture(folder: Path) -> None:
    (folder / "owl2.png").write_text("not a picture")
    with pytest.raises(DataError, match="cannot identify image file"):
        build(folder, HYPERNYMS_ONLY)


def test_a_table_that_is_not_utf8(folder: Path) -> None:
    path = folder / "t.csv"
    path.write_bytes("leaf,image,hypernym\nkäfer,owl0.png,bird\n".encode("latin-1"))
    with pytest.raises(DataError) as caught:
        build_taxonomy(CONFIG, csv=path)
    assert "t.csv must be UTF-8, but line 2 has the byte 0xe4; save it as UTF-8" in str(
        caught.value
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["child,parent"], "e.csv must have the columns hyponym and hypernym, got child, parent"),
        (["hyponym,hypernym", "bird,"], "e.csv line 2 must name both a hyponym and a hypernym"),
        (["hyponym,hypernym", "bird,owl"], "must not form a cycle, got bird -> owl -> bird"),
    ],
)
def test_bad_edges(folder: Path, lines: list[str], message: str) -> None:
    with pytest.raises(DataError) as caught:
        build_taxonomy(
            CONFIG, csv=write(folder, HYPERNYMS_ONLY), edges=write(folder, lines, "e.csv")
        )
    assert message in str(caught.value)


def test_edges_that_turn_wordnet_round(folder: Path) -> None:
    lines = rows(("parrot", "parrot.n.01,bird"), ("poodle", "poodle.n.01,animal"))
    table = write(folder, ["leaf,image,synset,hypernym", *lines])
    edges = write(folder, ["hyponym,hypernym", "animal,bird"], "e.csv")
    with pytest.raises(DataError) as caught:
        build_taxonomy(CONFIG, csv=table, edges=edges)
    assert str(caught.value) == (
        "csv list with WordNet 3.0: hypernyms must not form a cycle, got animal -> bird -> "
        "vertebrate.n.01 -> chordate.n.01 -> animal; take out one of them"
    )
