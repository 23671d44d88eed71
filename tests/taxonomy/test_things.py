"""THINGS in small: keys, spellings, pairs, lists of leaves, folders of pictures."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from taxonomy.errors import ConfigError, DataError, ManifestError
from taxonomy.manifest.build import ManifestBuilder
from taxonomy.manifest.world import read_world
from taxonomy.model import ManifestConfig, Taxonomy, TaxonomyConfig
from taxonomy.stats import report, summary
from tests.taxonomy.things_files import (
    CATEGORIES,
    CONCEPTS,
    build,
    categories_file,
    concepts_file,
    image_folder,
    jpeg,
    used,
)

KEYS = [key for key, _, _ in CONCEPTS]


def rows(taxonomy: Taxonomy) -> dict[str, dict[str, object]]:
    return {row["key"]: row for row in taxonomy.concepts.to_pylist()}


def test_homonyms_keep_their_ids_and_share_their_word(tmp_path: Path) -> None:
    found = rows(build(tmp_path))
    assert {key for key in found if key.startswith("leaf/")} == {f"leaf/{key}" for key in KEYS}
    assert found["leaf/bat1"]["name"] == found["leaf/bat2"]["name"] == "bat"
    assert found["leaf/bat2"]["phrase"] == "a bat"
    assert found["leaf/bat1"]["synset"] != found["leaf/bat2"]["synset"]
    assert found["leaf/gravel"]["phrase"] == "gravel"  # from things_phrases.csv
    assert found["leaf/flatiron"]["synset"] is None


def test_categories_are_the_list_and_strict_is_wordnet(tmp_path: Path) -> None:
    listed = {("bandanna" if key == "bandana" else key, word) for word, key in CATEGORIES}
    assert used(build(tmp_path)) == listed
    # by hand from WordNet 3.0: bat2 (bat.n.05) is a club and a stick, no sports equipment
    strict = used(build(tmp_path, config={"pairs": "strict"}))
    assert strict == {
        ("bat1", "animal"), ("bat1", "mammal"),
        ("bird", "animal"), ("bird", "bird"), ("owl", "animal"), ("owl", "bird"),
        ("parrot", "animal"), ("parrot", "bird"), ("bottle_opener", "tool"),
    }  # fmt: skip


def test_agreed_is_what_no_source_that_speaks_denies(tmp_path: Path) -> None:
    # owl < animal and parrot < bird: the list speaks of both and denies them; flatiron has no
    # synset, so the list alone decides; WordNet denies bandanna < clothing
    # and bat2 < sports equipment
    assert used(build(tmp_path, config={"pairs": "agreed"})) == {
        ("bat1", "animal"), ("bat1", "mammal"),
        ("bird", "animal"), ("bird", "bird"), ("owl", "bird"), ("parrot", "animal"),
        ("bottle_opener", "tool"), ("flatiron", "tool"),
    }  # fmt: skip


def test_the_summary_says_what_was_mended_or_kept(tmp_path: Path) -> None:
    text = summary(build(tmp_path))
    assert "1 spelt otherwise in the categories file than in the concepts file" in text
    assert "bandana = bandanna" in text
    assert "1 concepts have no synset; WordNet is silent about them: flatiron" in text
    assert "1 leaves are above other leaves and were kept: bird" in text
    assert "9 leaves, 0 inner (in no question), no images" in text


def test_inner_leaves_are_dropped_by_default(tmp_path: Path) -> None:
    taxonomy = build(tmp_path, config={"inner_leaves": "drop"})
    found = rows(taxonomy)
    assert found["inner/bird"]["role"] == "inner"
    assert "leaf/bird" not in found
    assert not [pair for pair in used(taxonomy) if pair[0] == "bird"]
    assert taxonomy.dataset_id != build(tmp_path).dataset_id


def test_a_synset_that_wordnet_lacks_is_passed_over_and_said(tmp_path: Path) -> None:
    strange = tuple((k, w, "zzz.n.01" if k == "owl" else s) for k, w, s in CONCEPTS)
    taxonomy = build(tmp_path, concepts=concepts_file(tmp_path, strange))
    assert rows(taxonomy)["leaf/owl"]["synset"] is None
    assert ("owl", "bird") in used(taxonomy)
    assert "1 synsets are not in this WordNet and were passed over: owl: zzz.n.01" in (
        summary(taxonomy)
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("bird", "parot"), "line 12: unknown uniqueID 'parot'; valid: parrot"),
        (("brid", "parrot"), "line 12: unknown category 'brid'; valid: bird"),
    ],
)
def test_a_foreign_row_of_the_categories_is_named(
    tmp_path: Path, row: tuple[str, str], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        build(tmp_path, categories=categories_file(tmp_path, (*CATEGORIES, row)))
    assert message in str(caught.value)


def test_a_repeated_id_is_an_error(tmp_path: Path) -> None:
    path = concepts_file(tmp_path, (*CONCEPTS, CONCEPTS[0]))
    with pytest.raises(DataError, match="repeats the uniqueID 'bandanna'"):
        build(tmp_path, concepts=path)


@pytest.mark.parametrize(
    ("name", "text", "want"),
    [
        ("l.txt", "bat # both\nowl\n\nbandana\n", {"bat1", "bat2", "owl", "bandanna"}),
        ("l.txt", "bat2\nbottle opener\nowl\n", {"bat2", "bottle_opener", "owl"}),
        ("l.jsonl", '{"hyponym": "bat1"}\n{"leaf": "owl"}\n', {"bat1", "owl"}),
        ("l.tsv", "n\tleaf\n1\tbat1\n2\towl\n", {"bat1", "owl"}),
        ("l.csv", "uniqueID\nbat1\nowl\n", {"bat1", "owl"}),
    ],
)
def test_a_list_restricts_the_leaves(tmp_path: Path, name: str, text: str, want: set[str]) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    taxonomy = build(tmp_path, leaves=path)
    assert {k.removeprefix("leaf/") for k in rows(taxonomy) if k.startswith("leaf/")} == want
    assert {leaf for leaf, _ in used(taxonomy)} == want - {"gravel"}


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.txt", "owl\nparot\n", "l.txt line 2: unknown leaf 'parot'; valid: parrot"),
        ("l.txt", "# nothing\n", "has no entries"),
        ("l.jsonl", '{"x": 1}\n', "line 1 must have a field hyponym or leaf"),
        ("l.jsonl", "owl\n", "line 1 is not JSON"),
        ("l.csv", "x\nowl\n", "must have a column uniqueID, hyponym or leaf, got x"),
    ],
)
def test_a_bad_list_of_leaves_is_named(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        build(tmp_path, leaves=tmp_path / name)
    assert message in str(caught.value)


def test_no_leaf_is_a_no_of_its_homonym(tmp_path: Path) -> None:
    world = read_world(build(tmp_path))
    row = {key.removeprefix("leaf/"): i for i, key in enumerate(world.leaves.keys)}
    assert row["bat2"] in world.conflicts[row["bat1"]]
    assert row["bat1"] in world.conflicts[row["bat2"]]
    assert row["bird"] in world.conflicts[row["owl"]]  # an ancestor that was kept
    assert row["owl"] not in world.conflicts[row["bat1"]]


def test_pictures_are_split_within_a_leaf(tmp_path: Path) -> None:
    taxonomy = build(tmp_path, images=image_folder(tmp_path, KEYS))
    concepts = taxonomy.concepts["key"].to_pylist()
    by_leaf: dict[str, Counter[str]] = {}
    for image in taxonomy.images.to_pylist():
        by_leaf.setdefault(concepts[image["concept_id"]], Counter())[image["split"]] += 1
        assert image["style"] == concepts[image["concept_id"]].removeprefix("leaf/")
    # 13 images: 3 are nearest to a quarter (3.25), 1 to 5 % (0.65), and 9 are left
    assert by_leaf == {f"leaf/{k}": {"train": 9, "validation": 1, "test": 3} for k in KEYS}


def test_the_id_depends_on_pictures_and_seed_but_not_on_places_and_names(tmp_path: Path) -> None:
    here = image_folder(tmp_path, KEYS)
    first = build(tmp_path, images=here)
    moved = tmp_path / "elsewhere"
    shutil.copytree(here, moved)
    for path in sorted((moved / "owl").iterdir()):
        path.rename(path.with_name(f"x{path.name}"))
    (moved / "owl" / ".hidden.jpg").write_bytes(b"no picture")
    (moved / ".DS_Store").write_bytes(b"")
    assert build(tmp_path, images=moved).dataset_id == first.dataset_id
    assert build(tmp_path, images=here, config={"seed": 1}).dataset_id != first.dataset_id
    jpeg(moved / "owl" / "one_more.jpg", 700)
    assert build(tmp_path, images=moved).dataset_id != first.dataset_id


def test_what_is_passed_over_is_said(tmp_path: Path) -> None:
    images = image_folder(tmp_path, [*KEYS, "unicorn"])
    (images / "owl" / "notes.txt").write_text("no picture")
    copy = (images / "owl" / "owl_00b.jpg").read_bytes()
    (images / "parrot" / "again.jpg").write_bytes(copy)
    leaves = tmp_path / "leaves.txt"
    leaves.write_text("\n".join(key for key in KEYS if key != "gravel"))
    taxonomy = build(tmp_path, images=images, leaves=leaves)
    text = summary(taxonomy)
    assert "1 entries of the images folder belong to no concept: unicorn" in text
    assert "1 folders of concepts not among the leaves" in text
    assert "1 files are no pictures and were passed over: owl/notes.txt" in text
    assert "2 pictures left out, another leaf has the same one: owl/owl_00b.jpg (owl, parrot)" in (
        text
    )
    assert taxonomy.images.num_rows == 8 * 13 - 1  # owl's is out, and parrot's copy of it


def test_copies_within_a_leaf_stay_in_one_split(tmp_path: Path) -> None:
    images = image_folder(tmp_path, KEYS, n=4)
    for path in sorted((images / "owl").iterdir()):
        shutil.copy(path, path.with_name(f"copy_{path.name}"))
    taxonomy = build(tmp_path, images=images)
    split: dict[str, set[str]] = {}
    for image in taxonomy.images.to_pylist():
        split.setdefault(image["sha256"], set()).add(image["split"])
    assert {len(found) for found in split.values()} == {1}
    assert taxonomy.images.num_rows == 10 * 4


def test_leaves_that_cannot_be_split_are_named(tmp_path: Path) -> None:
    images = image_folder(tmp_path, KEYS, n=2)
    (images / "owl" / "owl_01b.jpg").unlink()
    with pytest.raises(DataError, match="leaf 'owl' has 1 image"):
        build(tmp_path, images=images)
    (images / "owl" / "owl_00b.jpg").write_bytes(b"\xff\xd8 not really")
    with pytest.raises(DataError, match=r"owl_00b.jpg cannot be used"):
        build(tmp_path, images=images)
    shutil.rmtree(images / "owl")
    with pytest.raises(DataError, match=r"leaf 'owl' has no images in .*owl; add some"):
        build(tmp_path, images=images)


def test_without_images_there_are_pairs_but_no_manifest(tmp_path: Path) -> None:
    taxonomy = build(tmp_path)
    assert taxonomy.images.num_rows == 0
    assert "no validation image" not in report(taxonomy)
    with pytest.raises(ManifestError) as caught:
        ManifestBuilder(taxonomy)
    assert str(caught.value) == (
        f"dataset {taxonomy.dataset_id} (source things) has no images, and a manifest asks about "
        "images; build it with --images DIR"
    )


def test_a_manifest_of_things_asks_no_homonym_as_a_no(tmp_path: Path) -> None:
    taxonomy = build(tmp_path, images=image_folder(tmp_path, KEYS))
    manifest = ManifestBuilder(taxonomy).build(ManifestConfig(ratio=0.5))
    name = taxonomy.concepts["name"].to_pylist()
    asked = [row for row in manifest.examples.to_pylist() if row["kind"] == "leaf"]
    assert len(asked) > 9 * 13
    for row in asked:
        assert row["answer"] == (name[row["label_leaf_id"]] == name[row["asked_id"]])


def test_hypernyms_may_be_named_or_found(tmp_path: Path) -> None:
    path = tmp_path / "h.txt"
    path.write_text("bird\nvertebrate\ntool\n", encoding="utf-8")
    taxonomy = build(tmp_path, hypernyms=path, config={"pairs": "strict"})
    found = {key: row for key, row in rows(taxonomy).items() if row["role"] == "hypernym"}
    assert {str(row["name"]): row["synset"] for row in found.values()} == {
        "bird": "bird.n.01", "vertebrate": "vertebrate.n.01", "tool": "tool.n.01",
    }  # fmt: skip
    keys = taxonomy.concepts["key"].to_pylist()
    listed = {
        (keys[r["leaf_id"]], keys[r["hypernym_id"]]): r["everyday"]
        for r in taxonomy.leaf_hypernym.to_pylist()
    }
    # the list speaks of owls and of birds, never of vertebrates
    assert listed["leaf/owl", "hypernym/bird"] is True
    assert listed["leaf/parrot", "hypernym/bird"] is False
    assert listed["leaf/owl", "hypernym/vertebrate"] is None
    with pytest.raises(DataError, match="unknown category 'vertebrate'"):
        build(tmp_path, hypernyms=path)
    at_depth = build(tmp_path, config={"pairs": "strict", "min_depth": 7, "max_depth": 9})
    depths = [r["depth"] for r in rows(at_depth).values() if r["role"] == "hypernym"]
    assert depths
    assert all(7 <= depth <= 9 for depth in depths if isinstance(depth, int))
    with pytest.raises(ConfigError, match="goes with pairs strict, got pairs 'categories'"):
        build(tmp_path, config={"min_depth": 7, "max_depth": 9})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"source": "things", "pairs": "everyday"}, "its list is pairs categories"),
        ({"source": "wordnet", "pairs": "everyday"}, "which source wordnet has not; take strict"),
        ({"source": "csv", "inner_leaves": "keep"}, "inner_leaves keep goes with source things"),
        ({"source": "emoji", "min_depth": 3}, "depth goes with source things"),
        ({"source": "wordnet", "min_depth": 5, "max_depth": 3}, "must run from 0 or more upwards"),
    ],
)
def test_settings_go_with_their_source(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        TaxonomyConfig(**settings)  # type: ignore[arg-type]
    assert message in str(caught.value)
