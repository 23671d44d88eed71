"""Folders of pictures by WordNet id, synset or lemma, and lists of synsets."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxonomy.errors import ConfigError, DataError
from taxonomy.model import Taxonomy, TaxonomyConfig
from taxonomy.stats import summary
from tests.taxonomy.things_files import image_folder, jpeg, used
from xmodal.taxonomies import build_taxonomy


def build(images: Path, min_leaves: int = 2, **more: object) -> Taxonomy:
    config = TaxonomyConfig(source="imagefolder", min_leaves=min_leaves, **more)  # type: ignore[arg-type]
    return build_taxonomy(config, images=images)


def names(taxonomy: Taxonomy, role: str = "leaf") -> dict[str, str]:
    return {
        row["key"].partition("/")[2]: row["name"]
        for row in taxonomy.concepts.to_pylist()
        if row["role"] == role
    }


def test_ids_synsets_and_lemmas_name_folders(tmp_path: Path) -> None:
    # n01817953 is ImageNet's African grey
    images = image_folder(tmp_path, ["n01817953", "owl.n.01", "Car", "truck.n.01"], n=5)
    for k in range(4):
        jpeg(images / f"n02123045_{k}.jpg", 400 + k)  # ImageNet's tabby
    (images / "README.md").write_text("x")
    taxonomy = build(images)
    assert names(taxonomy) == {
        "african_grey.n.01": "african grey",
        "car.n.01": "car",
        "owl.n.01": "owl",
        "tabby.n.01": "tabby",
        "truck.n.01": "truck",
    }
    assert taxonomy.images.num_rows == 4 * 5 + 4
    assert ("african_grey.n.01", "bird") in used(taxonomy)
    assert ("truck.n.01", "motor vehicle") in used(taxonomy)
    text = summary(taxonomy)
    assert "1 lemmas have several senses, the first was taken: Car = car.n.01 (first of 5" in text
    assert "1 files are no pictures and were passed over: README.md" in text


def test_homonyms_are_two_leaves(tmp_path: Path) -> None:
    images = image_folder(tmp_path, ["bat.n.01", "bat.n.05", "owl.n.01", "spoon.n.01"], n=3)
    assert list(names(build(images)).values()).count("bat") == 2


@pytest.mark.parametrize(
    ("folder", "message"),
    [
        ("parot", "images/parot: unknown noun 'parot'; valid: "),
        ("parrot.n.09", "images/parrot.n.09: unknown synset 'parrot.n.09'"),
        ("n01817954", "images/n01817954: no noun of WordNet 3.0 is at offset 01817954; nearest: "
         "01817953 (african_grey.n.01), "),
        ("n99999999", "no noun of WordNet 3.0 is at offset 99999999; nearest: "),
    ],
)  # fmt: skip
def test_a_folder_that_names_nothing_or_too_much(tmp_path: Path, folder: str, message: str) -> None:
    images = image_folder(tmp_path, ["owl.n.01", "african_grey.n.01", folder], n=3)
    with pytest.raises(DataError) as caught:
        build(images)
    assert message in str(caught.value)


def test_two_folders_of_one_synset(tmp_path: Path) -> None:
    images = image_folder(tmp_path, ["African_gray", "african_grey.n.01", "owl"], n=3)
    with pytest.raises(DataError) as caught:
        build(images)
    assert "'african_grey.n.01' and 'African_gray' are both african_grey.n.01; put" in (
        str(caught.value)
    )


def test_empty_folders(tmp_path: Path) -> None:
    images = image_folder(tmp_path, ["owl.n.01"], n=3)
    (images / "parrot.n.01").mkdir()
    with pytest.raises(DataError, match=r"parrot.n.01 holds no pictures"):
        build(images)
    with pytest.raises(DataError, match="must hold folders named by WordNet id"):
        build(images / "parrot.n.01")
    with pytest.raises(DataError, match="cannot be read: No such file"):
        build(images / "nowhere")


def test_inner_leaves_of_a_folder(tmp_path: Path) -> None:
    images = image_folder(tmp_path, ["dog", "poodle", "beagle", "owl", "car"], n=3)
    dropped, kept = build(images), build(images, inner_leaves="keep")
    assert names(dropped, "inner") == {"dog.n.01": "dog"}
    assert "dog.n.01" in names(kept)
    assert kept.notes["kept_inner"] == ["dog.n.01"]
    # dog is a hypernym of two leaves, or of itself too where it stays a leaf
    assert {leaf for leaf, word in used(dropped) if word == "dog"} == {
        "poodle.n.01", "beagle.n.01",
    }  # fmt: skip
    assert ("dog.n.01", "dog") in used(kept)


def test_a_list_of_synsets(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_text("parrot.n.01 # a comment\n\nowl.n.01\nautomobile.n.01\n", encoding="utf-8")
    taxonomy = build_taxonomy(TaxonomyConfig(source="wordnet", min_leaves=2), synsets=path)
    assert names(taxonomy) == {"car.n.01": "car", "owl.n.01": "owl", "parrot.n.01": "parrot"}
    assert used(taxonomy) == {("owl.n.01", "bird"), ("parrot.n.01", "bird")}
    for text, message in (
        ("owl.n.01\nowl\n", "line 2: unknown synset 'owl'"),
        ("car.n.01\nauto.n.01\n", "line 2: 'auto.n.01' is car.n.01, as in .*line 1; keep one"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            build_taxonomy(TaxonomyConfig(source="wordnet"), synsets=path)


@pytest.mark.parametrize(
    ("source", "files", "message"),
    [
        ("wordnet", {}, "source wordnet needs synsets, got no synsets"),
        ("things", {"concepts": "x"}, "source things needs concepts and categories, got no categ"),
        ("imagefolder", {"images": "x", "leaves": "x"}, "leaves goes with source things, got 'im"),
        ("wordnet", {"synsets": "x", "images": "x"}, "images goes with source things or imagef"),
        ("emoji", {"hypernyms": "x"}, "hypernyms goes with source things or imagefolder or wordn"),
    ],
)
def test_files_go_with_their_source(source: str, files: dict[str, str], message: str) -> None:
    named = {name: Path(path) for name, path in files.items()}
    with pytest.raises(ConfigError) as caught:
        build_taxonomy(TaxonomyConfig(source=source), **named)
    assert str(caught.value).startswith(message)


def test_pictures_that_two_leaves_have_are_in_neither(tmp_path: Path) -> None:
    images = image_folder(tmp_path, ["owl", "parrot", "car", "truck"], n=4)
    copy = (images / "owl" / "owl_00b.jpg").read_bytes()
    (images / "parrot" / "same.jpg").write_bytes(copy)
    taxonomy = build(images)
    assert taxonomy.images.num_rows == 15
    assert "owl/owl_00b.jpg (owl.n.01, parrot.n.01)" in summary(taxonomy)
    for k in range(1, 4):
        copy = (images / "owl" / f"owl_0{k}b.jpg").read_bytes()
        (images / "parrot" / f"same{k}.jpg").write_bytes(copy)
    with pytest.raises(DataError) as error:
        build(images)
    assert str(error.value) == (
        "leaf 'owl.n.01' has 0 image(s) in 0 group(s); it needs at least two groups, one to train "
        "and one to test; left out, as another concept has the same picture: 4, such as "
        "owl/owl_00b.jpg"
    )
