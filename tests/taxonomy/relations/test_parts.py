"""The bundled list of parts, and parts from WordNet alone."""

from __future__ import annotations

import json
from collections import Counter

import pyarrow.compute as pc
import pytest

from taxonomy.errors import ConfigError, DataError
from taxonomy.model import Taxonomy, TaxonomyConfig
from taxonomy.outline import outline
from taxonomy.relations.parts import PartWords, wordnet_parts
from taxonomy.relations.relation import add_relations
from taxonomy.stats import stats, summary
from taxonomy.wordnet import WordNet
from xmodal.bundle.files import data_file
from xmodal.bundle.wordnet_files import wordnet_dir
from xmodal.taxonomies import build_taxonomy

DROPPED = {"pocket": 4, "sleeve": 3}


@pytest.fixture(scope="module")
def wordnet() -> WordNet:
    return WordNet.open(wordnet_dir())


@pytest.fixture(scope="module")
def plain() -> Taxonomy:
    return build_taxonomy(TaxonomyConfig())


@pytest.fixture(scope="module")
def parts() -> Taxonomy:
    return build_taxonomy(TaxonomyConfig(relations=("hypernym", "part")))


def entries() -> list[dict[str, list[str]]]:
    said: list[dict[str, list[str]]] = json.loads(data_file("parts.json").read_text())
    return said


def rows(taxonomy: Taxonomy) -> dict[tuple[str, str], dict[str, bool | None]]:
    """Rows of the relation part, by the names of leaf and part."""
    name = taxonomy.concepts["name"].to_pylist()
    return {
        (name[row["leaf_id"]], name[row["hypernym_id"]]): row
        for row in taxonomy.leaf_hypernym.to_pylist()
        if row["relation"] == "part"
    }


def test_the_default_dataset_is_untouched_and_lies_inside(plain: Taxonomy, parts: Taxonomy) -> None:
    assert plain.dataset_id == "a78bff199446583b" != parts.dataset_id
    assert parts.concepts.slice(0, plain.concepts.num_rows).equals(plain.concepts)
    assert parts.leaf_hypernym.slice(0, plain.leaf_hypernym.num_rows).equals(plain.leaf_hypernym)
    assert parts.edges.equals(plain.edges)
    assert parts.images.equals(plain.images)
    ids = parts.concepts["concept_id"].to_pylist()
    assert ids == list(range(len(ids)))
    assert parts.config.relations == ("hypernym", "part")


def test_eight_parts_or_more_have_six_leaves(parts: Taxonomy) -> None:
    counts = Counter(part for (_, part), row in rows(parts).items() if row["used"])
    assert len(counts) == 18
    assert sum(counts.values()) == 314
    assert min(counts.values()) == 6
    assert parts.notes["dropped_targets"] == {"part": DROPPED}


def test_leaves_wordnet_of_the_list_are_wordnet_s(wordnet: WordNet, plain: Taxonomy) -> None:
    words, leaves = PartWords(wordnet), plain.concepts.filter(pc.field("role") == "leaf")
    given = {row["name"]: words.of(row["synset"]) for row in leaves.to_pylist()}
    for entry in entries():
        closure = {name for name, found in given.items() if entry["word"] in found}
        assert closure == set(entry["leaves_wordnet"]), entry["word"]


def test_the_list_names_each_leaf_once_and_clearly(plain: Taxonomy) -> None:
    leaves = plain.concepts.filter(pc.field("role") == "leaf")["name"].to_pylist()
    for entry in entries():
        everyday, unclear = entry["leaves_everyday"], entry["leaves_unclear"]
        assert len(set(everyday)) == len(everyday)
        assert set(everyday) | set(unclear) <= set(leaves)
        assert not set(unclear) & (set(everyday) | set(entry["leaves_wordnet"])), entry["word"]


def test_a_pair_is_used_where_both_sources_have_it(parts: Taxonomy) -> None:
    found = rows(parts)
    for entry in entries():
        word = entry["word"]
        wn, everyday = set(entry["leaves_wordnet"]), set(entry["leaves_everyday"])
        used = {leaf for (leaf, part), row in found.items() if part == word and row["used"]}
        agreed = (wn & everyday) - {word}
        assert used == (set() if word in DROPPED else agreed)
        # whatever any source says, or leaves open, is in no No
        claimed = {leaf for leaf, part in found if part == word}
        assert claimed == wn | everyday | set(entry["leaves_unclear"])


@pytest.mark.parametrize(
    ("leaf", "part", "strict", "listed"),
    [
        ("parrot", "wing", True, True),
        ("airplane", "wing", True, True),  # another sense of the word
        ("taxi", "wing", True, False),  # WordNet: a fender
        ("lobster", "tail", False, True),
        ("kite", "tail", False, None),
        ("gorilla", "tail", True, False),
    ],
)
def test_what_the_sources_say(
    parts: Taxonomy, leaf: str, part: str, strict: bool, listed: bool | None
) -> None:
    row = rows(parts)[leaf, part]
    assert (row["strict"], row["everyday"]) == (strict, listed)
    assert row["used"] is (strict is True and listed is True)


def test_a_window_is_not_asked_for_a_window(parts: Taxonomy) -> None:
    row = rows(parts)["window", "window"]
    assert (row["strict"], row["everyday"], row["used"]) == (True, True, False)


def test_counts_of_hypernyms_do_not_count_parts(plain: Taxonomy, parts: Taxonomy) -> None:
    assert stats(parts) == stats(plain)
    assert "relation part: 18 targets, 314 (leaf, part) pairs" in summary(parts)
    assert "dropped: pocket 4, sleeve 3" in summary(parts)
    assert "relation" not in summary(plain)


def test_outline_draws_a_part_and_the_hypernyms_as_before(plain: Taxonomy, parts: Taxonomy) -> None:
    assert outline(parts, "bird") == outline(plain, "bird")
    assert outline(parts, "animal", synsets=True) == outline(plain, "animal", synsets=True)
    lines = outline(parts, "part/paw").splitlines()
    assert lines[0] == "paw [part]: asked of 7 leaves"
    assert lines[-1] == "└── wolf"
    assert outline(parts, "wing") == outline(plain, "wing")  # the leaf


class TestWordNetAlone:
    def test_parts_of_all_ancestors_count_by_word(self, wordnet: WordNet) -> None:
        found = PartWords(wordnet).of("parrot.n.01")
        assert {"wing", "beak", "bill", "feather", "tail"} <= found
        assert "wheel" not in found
        assert "wing" in PartWords(wordnet).of("airplane.n.01")

    def test_targets_are_first_words_with_enough_leaves(
        self, plain: Taxonomy, wordnet: WordNet
    ) -> None:
        found = wordnet_parts(plain, wordnet)
        assert {"wing", "wheel", "hoof"} <= set(found.phrases)
        assert "pilus" not in found.phrases  # a synonym of hair
        assert found.listed == {}
        used = [row for row in rows(add_relations(plain, [found])).values() if row["used"]]
        by_word = Counter(word for words in found.strict.values() for word in words)
        assert set(by_word) == set(found.phrases)
        assert min(by_word.values()) >= 6
        # a leaf is not asked for its own word
        own = sum(leaf.partition("/")[2] in words for leaf, words in found.strict.items())
        assert len(used) <= sum(by_word.values()) - own

    def test_no_part_with_enough_leaves_is_one_line(
        self, plain: Taxonomy, wordnet: WordNet
    ) -> None:
        import dataclasses

        high = dataclasses.replace(plain, config=dataclasses.replace(plain.config, min_leaves=500))
        with pytest.raises(DataError, match="no part to min_leaves = 500"):
            wordnet_parts(high, wordnet)


def test_an_unknown_relation_is_one_line() -> None:
    with pytest.raises(ConfigError, match="unknown relation 'parts'; valid: part; --relations"):
        build_taxonomy(TaxonomyConfig(relations=("hypernym", "parts")))
