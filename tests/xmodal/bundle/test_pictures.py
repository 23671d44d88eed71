"""The shipped pictures: what every row promises, and the canonical split."""

from __future__ import annotations

import csv
import json
from collections import Counter, defaultdict
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taxonomy.errors import DataError
from taxonomy.wordnet import WordNet
from xmodal.bundle.pictures import data_file, decode, load_pictures, pictures_path
from xmodal.bundle.wordnet_files import wordnet_dir

LICENSES = {"Apache-2.0", "CC-BY-4.0", "MIT", "OFL-1.1", "LicenseRef-Symbola"}


@lru_cache(maxsize=1)
def rows() -> list[dict[str, Any]]:
    return load_pictures().to_pylist()


@lru_cache(maxsize=1)
def wordnet() -> WordNet:
    return WordNet.open(wordnet_dir())


def by_leaf() -> dict[str, dict[str, set[str]]]:
    """Leaf to split to style families."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for row in rows():
        if row["split"] is not None:
            found[row["concept"]][row["split"]].add(row["family"])
    return found


def test_the_file_is_small_and_holds_twelve_styles_of_eight_families():
    assert pictures_path().stat().st_size < 12_000_000
    assert len(rows()) == 6308
    assert len({row["style"] for row in rows()}) == 12
    assert len({row["family"] for row in rows()}) == 8
    assert len({row["concept"] for row in rows()}) == 565


def test_rows_are_sorted_and_numbered_in_that_order():
    keys = [(row["concept"], row["style"], row["emoji"]) for row in rows()]
    assert keys == sorted(set(keys))
    assert [row["image_id"] for row in rows()] == list(range(len(keys)))


def test_every_hash_is_that_of_its_picture_and_no_picture_comes_twice():
    assert all(sha256(row["png"]).hexdigest() == row["sha256"] for row in rows())
    assert len({row["sha256"] for row in rows()}) == len(rows())


def test_every_picture_decodes_to_64_opaque_pixels_with_something_drawn():
    for row in rows():
        pixels = decode(row["png"])
        assert pixels.shape == (64, 64, 4)
        assert pixels.dtype == np.uint8
        assert pixels[..., 3].min() == 255
        assert pixels[..., :3].min() < 230, row["image_id"]


def test_licences_are_permissive_and_every_style_is_in_the_notice():
    assert {row["license"] for row in rows()} == LICENSES
    notice = data_file("NOTICE.md").read_text()
    for style, license_name in {(row["style"], row["license"]) for row in rows()}:
        assert any(f"| {style} |" in ln and license_name in ln for ln in notice.splitlines())
    assert all("copyright" in row["attribution"] for row in rows())


def test_families_and_licences_are_those_of_the_style_list():
    listed = {entry["style"]: entry for entry in json.loads(data_file("styles.json").read_text())}
    for style, family in {(row["style"], row["family"]) for row in rows()}:
        assert listed[style]["family"] == family
        assert not listed[style]["license"].startswith("CC-BY-SA")
    counts = Counter(row["style"] for row in rows())
    assert all(listed[style]["images"] == n for style, n in counts.items())


def test_concepts_and_glyphs_are_those_of_the_spec():
    spec = [line.split("=") for line in data_file("spec.txt").read_text().splitlines()]
    glyphs = {name: set(emoji.split("|")) for name, _, emoji in spec}
    assert glyphs.keys() == {row["concept"] for row in rows()}
    assert all(row["emoji"] in glyphs[row["concept"]] for row in rows())


def test_synsets_and_offsets_agree_with_wordnet():
    for synset, offset in {(row["synset"], row["wn_offset"]) for row in rows()}:
        assert wordnet().offset(synset) == offset
    spec = [line.split("=") for line in data_file("spec.txt").read_text().splitlines()]
    synset_of = {row["concept"]: row["synset"] for row in rows()}
    for name, sense, _ in spec:
        lemma = sense.split("#")[0].replace("_", " ")
        assert lemma in [x.lower() for x in wordnet().lemmas(synset_of[name])]


def test_pictures_without_a_split_are_those_of_ancestors_of_other_concepts():
    synset_of = {row["concept"]: row["synset"] for row in rows()}
    over = set().union(*(wordnet().ancestors(synset) for synset in synset_of.values()))
    inner = {concept for concept, synset in synset_of.items() if synset in over}
    assert len(inner) == 47
    assert {row["concept"] for row in rows() if row["split"] is None} == inner
    assert all((row["split"] is None) == (row["concept"] in inner) for row in rows())


def test_no_family_of_a_leaf_and_no_picture_is_in_two_splits():
    for splits in by_leaf().values():
        assert len(set().union(*splits.values())) == sum(map(len, splits.values()))
    split_of = defaultdict(set)
    for row in rows():
        split_of[row["sha256"]].add(row["split"])
    assert all(len(found) == 1 for found in split_of.values())


def test_every_leaf_trains_and_tests_and_those_of_four_families_validate():
    only_two = set()
    for leaf, splits in by_leaf().items():
        n = sum(map(len, splits.values()))
        assert len(splits["test"]) == (2 if n == 8 else 1)
        assert len(splits["validation"]) == (1 if n >= 4 else 0)
        if n == 2:
            only_two.add(leaf)
        else:
            assert len(splits["train"]) >= 2
    assert only_two == {"beet", "harp", "killer whale", "shovel", "trombone"}


def test_two_training_pictures_at_least_for_every_leaf():
    n_train = Counter(row["concept"] for row in rows() if row["split"] == "train")
    assert len(by_leaf()) == 518
    assert all(n_train[leaf] >= 2 for leaf in by_leaf())


def test_two_thirds_train_and_every_family_is_in_every_split():
    leaf_rows = [row for row in rows() if row["split"] is not None]
    shares = Counter(row["split"] for row in leaf_rows)
    assert 0.60 <= shares["train"] / len(leaf_rows) <= 0.70
    n_of = Counter((row["family"], row["split"]) for row in leaf_rows)
    for family in {row["family"] for row in leaf_rows}:
        n = sum(n_of[family, split] for split in ("train", "validation", "test"))
        assert n_of[family, "train"] / n >= 0.5
        assert n_of[family, "test"] / n >= 0.15
        assert n_of[family, "validation"] / n >= 0.05


def test_listed_near_duplicates_cross_the_split_as_listed():
    with data_file("near_duplicates.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert len(listed) == 72
    for pair in listed:
        for side in ("a", "b"):
            row = rows()[int(pair[f"image_id_{side}"])]
            assert all(
                row[name] == pair[f"{name}_{side}"] for name in ("concept", "style", "split")
            )
        assert pair["split_a"] != pair["split_b"]
        assert (pair["concept_a"] == pair["concept_b"]) == (pair["same_leaf"] == "true")
    assert {p["concept_a"] for p in listed if p["same_leaf"] == "true"} == {
        "coin",
        "egg",
        "key",
        "moon",
        "shovel",
        "street sign",
    }


def test_a_truncated_picture_is_a_clear_error():
    png = rows()[0]["png"]
    with pytest.raises(DataError, match=rf"a picture of {len(png) // 2} bytes cannot be decoded"):
        decode(png[: len(png) // 2])
    with pytest.raises(DataError, match="a picture of 5 bytes cannot be decoded"):
        decode(b"hello")


def test_a_picture_of_another_size_is_a_clear_error(tmp_path: Path):
    from PIL import Image

    Image.new("RGB", (32, 16)).save(tmp_path / "small.png")
    with pytest.raises(DataError, match=r"^a picture must be 64 x 64 pixels, got 32 x 16$"):
        decode((tmp_path / "small.png").read_bytes())


def test_an_unknown_data_file_lists_the_nearest():
    with pytest.raises(DataError, match=r"unknown bundle file 'spec.tx'; valid: spec.txt"):
        data_file("spec.tx")
