"""Hypernyms found in WordNet against a plain oracle, and named in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, DataError
from taxonomy.model import TaxonomyConfig
from taxonomy.pairs import Claim, claims
from taxonomy.selection import find_hypernyms, parse_depth, read_hypernyms
from taxonomy.wordnet import WordNet
from xmodal.bundle.wordnet_files import wordnet_dir

NOUNS = WordNet.open(wordnet_dir())
# two cranes, two mice and two bats, things above others, and whatever else is about a house
POOL = [
    "parrot.n.01", "owl.n.01", "crane.n.05", "crane.n.04", "poodle.n.01", "beagle.n.01",
    "dog.n.01", "car.n.01", "taxi.n.01", "truck.n.01", "bat.n.01", "bat.n.05", "apple.n.01",
    "pear.n.01", "rose.n.01", "oak.n.02", "mouse.n.01", "mouse.n.04", "spoon.n.01", "fork.n.01",
    "knife.n.01", "shark.n.01", "salmon.n.01", "bee.n.01", "ant.n.01", "chair.n.01", "bed.n.01",
]  # fmt: skip


def concepts(names: list[str]) -> dict[str, str | None]:
    return {NOUNS.name(name): NOUNS.name(name) for name in names}


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(st.sampled_from(POOL), min_size=2, max_size=14, unique=True),
    min_leaves=st.integers(1, 4),
    least=st.none() | st.integers(0, 8),
    width=st.integers(0, 6),
    inner=st.sampled_from(["drop", "keep"]),
)
def test_found_hypernyms_are_those_of_a_plain_search(
    names: list[str], min_leaves: int, least: int | None, width: int, inner: str
) -> None:
    config = TaxonomyConfig(
        source="wordnet", min_leaves=min_leaves, inner_leaves=inner,
        min_depth=least, max_depth=None if least is None else least + width,
    )  # fmt: skip
    given_ = concepts(names)
    leaves = [
        a for a in given_
        if inner == "keep" or not any(a in NOUNS.ancestors(b) for b in given_ if b != a)
    ]  # fmt: skip
    above = {synset for leaf in leaves for synset in NOUNS.ancestors(leaf) | {leaf}}
    sets = {
        synset: frozenset(
            leaf for leaf in leaves if synset == leaf or synset in NOUNS.ancestors(leaf)
        )
        for synset in above
    }
    wanted = {
        synset: under
        for synset, under in sets.items()
        if min_leaves <= len(under) < len(leaves)
        and (least is None or least <= NOUNS.depth(synset) <= least + width)
    }
    found = find_hypernyms(config, given_, NOUNS)
    chosen = [synset for synset in found.hypernyms.values() if synset is not None]
    unnamed = found.notes["unnamed"]
    merged = [line.split(" in ")[0] for line in found.notes["merged"]]
    # each wanted synset is kept, merged or unnamed, and exactly one of each set of leaves is kept
    assert sorted([*chosen, *merged, *unnamed]) == sorted(wanted)
    assert {wanted[s] for s in [*chosen, *unnamed]} == set(wanted.values())
    assert len([*chosen, *unnamed]) == len(set(wanted.values()))
    for synset in chosen:
        same = [other for other, under in wanted.items() if under == wanted[synset]]
        assert not any(synset in NOUNS.ancestors(other) for other in same)  # most specific
    for word, synset in found.hypernyms.items():
        assert synset is not None
        assert word in [lemma.lower() for lemma in NOUNS.lemmas(synset)]


def test_the_order_of_the_concepts_does_not_matter() -> None:
    config = TaxonomyConfig(source="wordnet", min_leaves=2)
    one = find_hypernyms(config, concepts(POOL), NOUNS)
    other = find_hypernyms(config, concepts(POOL[::-1]), NOUNS)
    assert list(one.hypernyms.items()) == list(other.hypernyms.items())
    assert one.notes == other.notes


def test_two_hypernyms_with_one_word_are_told_apart() -> None:
    # "plant" is the first lemma of plant.n.02 (four leaves: flora) and plant.n.01 (three: works)
    works = ["sawmill.n.02", "steel_mill.n.01", "paper_mill.n.01"]
    flora = ["rose.n.01", "oak.n.02", "fern.n.01", "air_plant.n.01"]
    config = TaxonomyConfig(source="wordnet", min_leaves=3, min_depth=6, max_depth=7)
    found = find_hypernyms(config, concepts([*works, *flora, "car.n.01"]), NOUNS)
    assert dict(found.hypernyms) == {
        "plant": "plant.n.02",
        "works": "plant.n.01",
        "vascular plant": "vascular_plant.n.01",
    }
    assert found.notes["renamed"] == ["plant.n.01 is works, for plant is plant.n.02"]


@pytest.mark.parametrize(
    ("text", "want"), [(None, (None, None)), ("5", (5, 5)), ("4-8", (4, 8)), (" 0-3 ", (0, 3))]
)
def test_depths(text: str | None, want: tuple[int | None, int | None]) -> None:
    assert parse_depth(text) == want


@pytest.mark.parametrize("text", ["", "-3", "4-", "a", "3-4-5", "1.5"])
def test_bad_depths(text: str) -> None:
    with pytest.raises(ConfigError, match="depth must be a number or two such as 4-8"):
        parse_depth(text)


def lines(folder: Path, text: str) -> Path:
    path = folder / "h.txt"
    path.write_text(text, encoding="utf-8")
    return path


def test_hypernyms_of_a_file(tmp_path: Path) -> None:
    path = lines(tmp_path, "# mine\nbird\nvehicle = vehicle.n.01\nCanine.n.02\nhardware\n")
    found = read_hypernyms(path, concepts(POOL), NOUNS, "keep", {"hardware": None})
    assert dict(found.hypernyms) == {
        "bird": "bird.n.01",
        "vehicle": "vehicle.n.01",
        "canine": "canine.n.02",
        "hardware": None,
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("brid\n", "line 1: unknown noun 'brid'; valid: "),
        ("bird.n.77\n", "line 1: unknown synset 'bird.n.77'"),
        ("gem\n", "line 1: no sense of 'gem' is above a leaf; take it out"),
        ("bird\nbird\n", "line 2: 'bird' is a hypernym already"),
        ("bird\nfowl = bird.n.01\n", "line 2: 'fowl' has the synset bird.n.01 of 'bird'"),
        ("bird =\n", "line 1: must read word = synset, got 'bird ='"),
        ("\n# none\n", "has no entries"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_hypernyms(lines(tmp_path, text), concepts(POOL), NOUNS, "keep")
    assert message in str(caught.value)


LEAVES, WORDS = ["a", "b", "c"], ["H", "I", "J"]
SYNSETS = st.sampled_from(["s1", "s2", "s3"])


def by_leaf(values: st.SearchStrategy[frozenset[str]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(LEAVES), values, min_size=2)


@given(
    leaves=st.sets(st.sampled_from(LEAVES), min_size=2),
    hypernyms=st.fixed_dictionaries({word: st.none() | SYNSETS for word in WORDS}),
    above=by_leaf(st.frozensets(SYNSETS, min_size=1)),
    listed=by_leaf(st.frozensets(st.sampled_from(WORDS))),
    silent=st.none() | st.frozensets(st.sampled_from(WORDS), min_size=1),
)
def test_claims_are_those_of_asking_every_pair(
    leaves: set[str],
    hypernyms: dict[str, str | None],
    above: dict[str, frozenset[str]],
    listed: dict[str, frozenset[str]],
    silent: frozenset[str] | None,
) -> None:
    spoken = None if silent is None else frozenset(hypernyms) - silent
    if spoken is not None:
        listed = {leaf: words & spoken for leaf, words in listed.items()}
    want = []
    for leaf in sorted(leaves):
        for word in sorted(hypernyms):
            synset = hypernyms[word]
            strict = synset in above[leaf] if synset is not None and leaf in above else None
            speaks = leaf in listed and (spoken is None or word in spoken)
            in_list = word in listed[leaf] if speaks else None
            if strict or in_list:
                want.append(Claim(leaf=leaf, hypernym=word, strict=strict, listed=in_list))
    assert claims(leaves, hypernyms, above, hypernyms, listed, spoken) == want
