"""THINGS itself, where its files are at hand: the counts that PROTOCOLS.md and S1 give."""

from __future__ import annotations

import csv
import json
from collections import Counter
from statistics import median

import pytest

from taxonomy.compare import compare
from taxonomy.manifest.world import read_world, surface
from taxonomy.model import Taxonomy, TaxonomyConfig
from taxonomy.sources.things_lists import aliases, categories, concept_phrases
from taxonomy.wordnet import WordNet
from tests.shared_data import needs_shared, shared
from tests.taxonomy.things_files import used
from xmodal.bundle.wordnet_files import wordnet_dir
from xmodal.taxonomies import build_taxonomy

pytestmark = needs_shared
FILES = {
    "concepts": shared("things", "things_concepts.tsv"),
    "categories": shared("things", "category53_longFormat.tsv"),
}
SENTENCES = shared("s1", "data", "llm-backbone-exp-data", "minimal_pair_sentences.jsonl")


def things(pairs: str = "categories", inner: str = "keep") -> Taxonomy:
    return build_taxonomy(TaxonomyConfig(source="things", pairs=pairs, inner_leaves=inner), **FILES)


@pytest.fixture(scope="module")
def s1() -> Taxonomy:
    """THINGS with S1's leaves."""
    return build_taxonomy(
        TaxonomyConfig(source="things", pairs="categories", inner_leaves="keep"),
        **FILES,
        leaves=SENTENCES,
    )


def test_all_of_things() -> None:
    taxonomy = things()
    leaves = [row for row in taxonomy.concepts.to_pylist() if row["role"] == "leaf"]
    assert len(leaves) == 1854
    assert sum(row["synset"] is not None for row in leaves) == 1797
    assert len(used(taxonomy)) == 2355
    assert len({leaf for leaf, _ in used(taxonomy)}) == 1448
    assert len({word for _, word in used(taxonomy)}) == 53
    assert taxonomy.notes["aliases"] == ["bandana = bandanna"]
    assert taxonomy.notes["unknown_synsets"] == []


def test_s1s_leaves_have_exactly_its_pairs(s1: Taxonomy) -> None:
    with SENTENCES.open(encoding="utf-8") as file:
        records = [json.loads(line) for line in file]
    want = {(aliases().get(r["hyponym"], r["hyponym"]), r["hypernym_pos"]) for r in records}
    assert used(s1) == want
    assert len(want) == 2040
    per_leaf = Counter(leaf for leaf, _ in want)
    assert Counter(per_leaf.values()) == {1: 627, 2: 426, 3: 122, 4: 41, 5: 5, 6: 1}
    per_hypernym = Counter(word for _, word in want).values()
    assert (min(per_hypernym), max(per_hypernym), median(per_hypernym)) == (6, 233, 27)


def test_s1s_homonyms_are_never_asked_of_one_another(s1: Taxonomy) -> None:
    world = read_world(s1)
    by_word: dict[str, list[int]] = {}
    for row, word in enumerate(world.leaves.words):
        by_word.setdefault(word, []).append(row)
    assert len(by_word) == 1216  # surface leaves; 1,222 uniqueIDs
    several = {word: rows for word, rows in by_word.items() if len(rows) > 1}
    assert {word: len(rows) for word, rows in several.items()} == {
        "baton": 3, "bracelet": 2, "button": 2, "file": 2, "juicer": 2,
    }  # fmt: skip
    for rows in several.values():
        for row in rows:
            assert set(rows) <= set(world.conflicts[row])


def test_no_claim_of_either_source_is_a_no(s1: Taxonomy) -> None:
    world = read_world(s1)
    assert not (world.false & world.claimed).any()
    nouns = WordNet.open(wordnet_dir())
    synset = {row["key"]: row["synset"] for row in s1.concepts.to_pylist()}
    for h, high in enumerate(world.hypernyms.keys):
        for leaf in world.false[:, h].nonzero()[0]:
            low = synset[world.leaves.keys[leaf]]
            assert low is None or synset[high] not in nouns.ancestors(low) | {low}
            assert surface(world.leaves.words[leaf]) != world.hypernyms.words[h]


def test_a_category_has_a_synset_if_it_holds_a_quarter_of_its_concepts() -> None:
    nouns = WordNet.open(wordnet_dir())
    taxonomy = things()
    synset = {r["key"].partition("/")[2]: r["synset"] for r in taxonomy.concepts.to_pylist()}
    for category in categories():
        members = [synset[leaf] for leaf, word in used(taxonomy) if word == category.word]
        known = [member for member in members if member is not None]
        if category.synset is not None:
            held = [m for m in known if category.synset in nouns.ancestors(m) | {m}]
            assert 4 * len(held) >= len(known), category.word


def test_every_listed_phrase_is_of_a_word_of_things() -> None:
    words = {row["name"] for row in things().concepts.to_pylist() if row["role"] == "leaf"}
    assert set(concept_phrases()) <= words


def test_comparison_of_all_of_things_against_a_plain_count() -> None:
    found = compare(things())
    nouns = WordNet.open(wordnet_dir())
    with FILES["concepts"].open(encoding="utf-8", newline="") as file:
        synset = {r["uniqueID"]: r["Wordnet ID4"] for r in csv.DictReader(file, delimiter="\t")}
    with FILES["categories"].open(encoding="utf-8", newline="") as file:
        rows = [(r["uniqueID"], r["category"]) for r in csv.DictReader(file, delimiter="\t")]
    listed = {(aliases().get(leaf, leaf), word) for leaf, word in rows}
    spoken = {leaf for leaf, _ in listed}
    for row in found.rows.to_pylist():
        word, high = row["hypernym"], row["synset"]
        want = Counter[str]()
        for leaf, low in synset.items():
            in_list = (leaf, word) in listed if leaf in spoken else None
            closure = None
            if high and low:
                name = nouns.name(low)
                closure = high in nouns.ancestors(name) | {name}
            if not (in_list or closure):
                continue
            silent = in_list is None or closure is None
            kind = "n_both" if in_list and closure else "n_list_only" if in_list else ""
            want["n_one_silent" if silent else kind or "n_wordnet_only"] += 1
        got = Counter({k: row[k] for k in want})
        assert got == want, word
        assert sum(want.values()) == sum(
            row[k] for k in ("n_both", "n_list_only", "n_wordnet_only", "n_one_silent")
        )
