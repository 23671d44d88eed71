"""Which pairs are asked, and which false ones beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import DataError, ManifestError
from taxonomy.hashing import hash_key
from taxonomy.manifest.world import World, read_world
from taxonomy.model import Taxonomy, TaxonomyConfig
from tests.xmodal import tiny
from xmodal.probe.pairs import draw_pairs, read_pairs
from xmodal.taxonomies import build_taxonomy


@pytest.fixture(scope="module")
def emoji() -> World:
    return read_world(build_taxonomy(TaxonomyConfig()))


@pytest.fixture(scope="module")
def taxonomy(tmp_path_factory: pytest.TempPathFactory) -> Taxonomy:
    return tiny.taxonomy(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def world(taxonomy: Taxonomy) -> World:
    return read_world(taxonomy)


@given(seed=st.integers(0, 2**31))
@settings(max_examples=15, deadline=None)
def test_every_used_pair_has_a_foil_that_is_false_in_every_source(emoji: World, seed: int) -> None:
    pairs = draw_pairs(emoji, seed)
    asked = set(zip(pairs.leaf, pairs.hypernym, strict=True))
    assert asked == {(a, b) for a in range(len(emoji.leaves)) for b in emoji.used[a].nonzero()[0]}
    assert len(pairs) == len(asked) == 525
    assert all(emoji.false[a, c] for a, c in zip(pairs.leaf, pairs.foil, strict=True))
    # no foil twice for one leaf, so that each question is asked once
    assert len(set(zip(pairs.leaf, pairs.foil, strict=True))) == len(pairs)
    assert len(pairs.questions) == 2 * len(pairs)
    assert pairs.notes == ()


def test_foils_are_the_first_of_the_keyed_order(emoji: World) -> None:
    pairs = draw_pairs(emoji, 7)
    leaf = next(a for a in pairs.leaf if pairs.leaf.count(a) == 3)
    key = emoji.leaves.keys[leaf]
    false = [emoji.hypernyms.keys[c] for c in emoji.false[leaf].nonzero()[0]]
    want = sorted(false, key=lambda name: hash_key(7, f"probe-foil|{key}", name))[:3]
    got = [
        emoji.hypernyms.keys[c] for a, c in zip(pairs.leaf, pairs.foil, strict=True) if a == leaf
    ]
    assert got == want
    assert pairs.identity(emoji) != draw_pairs(emoji, 8).identity(emoji)
    assert pairs.identity(emoji) == draw_pairs(emoji, 7).identity(emoji)


def test_cells_of_test_questions_stand_beside_the_pairs(emoji: World) -> None:
    pairs = draw_pairs(emoji, 7)
    cells = [
        (int(emoji.leaves.ids[a]), int(emoji.hypernyms.ids[b]), bool(emoji.used[a, b]))
        for a, b in zip(*emoji.cells.nonzero(), strict=True)
    ]
    asked = pairs.with_tested(emoji, [*cells, (10**6, 0, False)])
    # with them every cell of the dataset is asked, each once
    every = [*asked.questions, *asked.beside]
    assert len(set(every)) == len(every) == int(emoji.cells.sum())
    assert all(emoji.used[a, b] == answer for a, b, answer in every)
    assert not any(answer for _, _, answer in asked.beside)
    assert asked.identity(emoji) == pairs.identity(emoji)
    assert (len(asked), asked.questions) == (len(pairs), pairs.questions)
    # what the pairs say of a cell is not asked otherwise
    leaf, foil = int(emoji.leaves.ids[pairs.leaf[0]]), int(emoji.hypernyms.ids[pairs.foil[0]])
    assert pairs.with_tested(emoji, [(leaf, foil, True)]).beside == ()


def test_one_hypernym_alone_leaves_nothing_to_ask(tmp_path: Path) -> None:
    table = tiny.table(tmp_path)
    birds = [line for line in table.read_text().splitlines() if "tool" not in line]
    table.write_text("\n".join(birds) + "\n")
    alone = read_world(build_taxonomy(TaxonomyConfig(source="csv", min_leaves=2), csv=table))
    with pytest.raises(ManifestError, match="has no pair whose leaf has a false hypernym"):
        draw_pairs(alone, 0)


def line(**changes: Any) -> dict[str, Any]:
    return {
        "item": 1,
        "hyponym": "parrot",
        "hypernym_pos": "bird",
        "hypernym_neg": "tool",
        "phrasing_id": 1,
        "sentence_pos": "parrots are birds",
        "sentence_neg": "parrots are tools",
    } | changes


def write(path: Path, *lines: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))
    return path


def test_a_file_brings_pairs_foils_and_sentences(world: World, tmp_path: Path) -> None:
    axe = {"hyponym": "Axe", "hypernym_pos": "hypernym/tool", "hypernym_neg": "bird"}
    path = write(
        tmp_path / "pairs.jsonl",
        line(),
        line(**axe, sentence_pos="an axe is a tool", sentence_neg="an axe is a bird"),
        line(**axe, phrasing_id=3, sentence_pos="axe: tool", sentence_neg="axe: bird"),
        line(phrasing_id=3, sentence_pos="parrot: bird", sentence_neg="parrot: tool"),
    )
    pairs = read_pairs(world, path)
    words = [
        (world.leaves.words[a], world.hypernyms.words[b], world.hypernyms.words[c])
        for a, b, c in zip(pairs.leaf, pairs.hypernym, pairs.foil, strict=True)
    ]
    assert words == [("parrot", "bird", "tool"), ("axe", "tool", "bird")]
    assert pairs.sentences == {
        1: [("parrots are birds", "parrots are tools"), ("an axe is a tool", "an axe is a bird")],
        3: [("parrot: bird", "parrot: tool"), ("axe: tool", "axe: bird")],
    }
    assert pairs.notes == ()


def test_a_file_that_disagrees_with_the_dataset_is_followed_and_said(
    world: World, tmp_path: Path
) -> None:
    path = write(tmp_path / "pairs.jsonl", line(hypernym_pos="tool", hypernym_neg="bird"))
    assert read_pairs(world, path).notes == (
        "1 of 1 pairs of the file are none of the dataset's",
        "1 of 1 hypernym_neg of the file are not false of their leaf in every source of the "
        "dataset",
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([line(hyponym="parot")], "pairs.jsonl line 1: unknown hyponym 'parot'; valid: parrot"),
        ([line(hypernym_neg="toll")], "line 1: unknown hypernym_neg 'toll'; valid: tool"),
        ([line(), line(phrasing_id="2")], "line 2 must hold phrasing_id as a whole number"),
        ([line(sentence_neg="")], "line 1 must hold sentence_neg as text"),
        ([line(), line()], "line 2: pair 'parrot', 'bird' is there twice in one phrasing_id"),
        (
            [line(), line(hypernym_neg="bird", phrasing_id=2)],
            "line 2: pair 'parrot', 'bird' has another hypernym_neg than above",
        ),
        (
            [line(), line(hypernym_pos="tool", hypernym_neg="bird")],
            "pair 'parrot', 'tool' is both true and false",
        ),
        (
            [line(), line(hyponym="owl"), line(phrasing_id=2)],
            "pair 'owl', 'bird' has no line of phrasing_id 2",
        ),
        ([], "is empty: it must hold a JSON object a line"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(
    world: World, tmp_path: Path, lines: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(DataError) as caught:
        read_pairs(world, write(tmp_path / "pairs.jsonl", *lines))
    assert message in str(caught.value)


def test_a_file_that_is_not_there_or_not_json(world: World, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file or directory"):
        read_pairs(world, tmp_path / "none.jsonl")
    path = tmp_path / "pairs.jsonl"
    path.write_text("{not json}\n")
    with pytest.raises(DataError, match=r"pairs\.jsonl line 1 is not JSON: "):
        read_pairs(world, path)
