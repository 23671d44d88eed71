"""The parts of the picture builder that need no artwork: split, hashes, lookalikes."""

from __future__ import annotations

import io

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from scripts.build_pictures.concepts import Nouns, read_concepts
from scripts.build_pictures.near_duplicates import MAX_HAMMING, MIN_COSINE, find_pairs
from scripts.build_pictures.phash import phash, pixels
from scripts.build_pictures.splits import split_families
from xmodal.bundle.pictures import data_file, load_pictures
from xmodal.bundle.wordnet_files import wordnet_dir

FAMILIES = ("a", "b", "c", "d", "e", "f", "g", "h")


@st.composite
def leaves(draw):
    families = draw(st.sets(st.sampled_from(FAMILIES), min_size=2))
    counts = {family: draw(st.integers(1, 4)) for family in sorted(families)}
    pair = st.tuples(st.sampled_from(sorted(counts)), st.sampled_from(sorted(counts)))
    pairs = draw(st.lists(pair.filter(lambda p: p[0] != p[1]), max_size=6))
    return draw(st.text(min_size=1, max_size=8)), counts, pairs


@given(leaves())
@settings(max_examples=300, deadline=None)
def test_the_number_of_families_in_each_split_never_depends_on_lookalikes(leaf):
    name, counts, pairs = leaf
    split = split_families(name, counts, pairs)
    n = len(counts)
    found = [sorted(split.values()).count(s) for s in ("train", "validation", "test")]
    n_test, n_validation = (2 if n == 8 else 1), (1 if n >= 4 else 0)
    assert split.keys() == counts.keys()
    assert found == [n - n_test - n_validation, n_validation, n_test]


@given(leaves())
@settings(max_examples=300, deadline=None)
def test_the_closest_pair_shares_a_split_wherever_three_families_are_left(leaf):
    name, counts, pairs = leaf
    if pairs and len(counts) >= 3:
        split = split_families(name, counts, pairs)
        assert split[pairs[0][0]] == split[pairs[0][1]]


def test_of_two_families_the_larger_trains():
    assert split_families("harp", {"noto": 2, "twemoji": 1}) == {"noto": "train", "twemoji": "test"}
    assert split_families("beet", {"noto": 1, "twemoji": 3}) == {"noto": "test", "twemoji": "train"}


def test_the_shipped_split_is_that_of_the_rule():
    counts: dict[str, dict[str, int]] = {}
    shipped = {}
    pngs, concepts, families = [], [], []
    for row in load_pictures().to_pylist():
        if row["split"] is None:
            continue
        per_leaf = counts.setdefault(row["concept"], {})
        per_leaf[row["family"]] = per_leaf.get(row["family"], 0) + 1
        shipped[row["concept"], row["family"]] = row["split"]
        if row["concept"] == "flute":
            pngs.append(row["png"])
            concepts.append(row["concept"])
            families.append(row["family"])
    pairs = sorted(find_pairs(pngs), key=lambda p: (-p.closeness, p.first, p.second))
    alike = [(families[p.first], families[p.second]) for p in pairs]
    alike = [pair for pair in alike if pair[0] != pair[1]]
    assert ("noto", "twemoji") in alike
    for family, split in split_families("flute", counts["flute"], alike).items():
        assert shipped["flute", family] == split
    # a leaf without lookalikes
    for family, split in split_families("abacus", counts["abacus"]).items():
        assert shipped["abacus", family] == split


def test_the_hash_column_is_the_perceptual_hash_of_the_picture():
    table = load_pictures()
    for row in table.slice(0, 200).to_pylist():
        # a bit or two may turn with another arithmetic library
        assert (phash(row["png"]) ^ row["phash"]).bit_count() <= 2


def test_pairs_are_those_of_a_plain_double_loop():
    pngs = load_pictures()["png"].to_pylist()[:120]
    found = {(p.first, p.second) for p in find_pairs(pngs)}
    ink = []
    for png in pngs:
        small = Image.fromarray(pixels(png)).reduce(2)
        ink.append(255.0 - np.asarray(small, dtype=float).ravel())
    for i in range(len(pngs)):
        for j in range(i + 1, len(pngs)):
            n_bits = (phash(pngs[i]) ^ phash(pngs[j])).bit_count()
            cosine = ink[i] @ ink[j] / np.linalg.norm(ink[i]) / np.linalg.norm(ink[j])
            if abs(cosine - MIN_COSINE) > 0.002:  # reduce() rounds to whole levels
                assert ((i, j) in found) == (n_bits <= MAX_HAMMING or cosine >= MIN_COSINE)
    assert found


def test_a_brighter_and_noisier_copy_is_found_and_another_drawing_is_not():
    noise = np.random.default_rng(0)
    drawing = np.full((64, 64, 3), 255, dtype=np.uint8)
    drawing[10:40, 20:50] = (200, 30, 30)
    copy = np.clip(drawing + noise.normal(0, 4, drawing.shape) + 6, 0, 255).astype(np.uint8)
    other = np.full((64, 64, 3), 255, dtype=np.uint8)
    other[30:60, 5:25] = (20, 30, 200)
    pngs = [_png(drawing), _png(copy), _png(other)]
    assert [(p.first, p.second) for p in find_pairs(pngs)] == [(0, 1)]


def _png(colours: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(colours).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_builders_reader_finds_the_synsets_of_the_table():
    concepts = read_concepts(data_file("spec.txt"), Nouns(wordnet_dir()))
    table = load_pictures().select(["concept", "synset", "wn_offset"]).to_pylist()
    shipped = {row["concept"]: (row["synset"], row["wn_offset"]) for row in table}
    assert {c.name: (c.synset, c.offset) for c in concepts} == shipped
    assert sum(c.inner for c in concepts) == 47
