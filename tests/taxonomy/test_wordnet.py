"""WordNet's nouns: the closure against an independent reader, layouts, and bad folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import networkx as nx
import nltk
import pytest

from taxonomy.errors import DataError
from taxonomy.sources.emoji import read_spec
from taxonomy.wordnet import WordNet
from xmodal.bundle.files import data_file
from xmodal.bundle.wordnet_files import wordnet_dir


@pytest.fixture(scope="module")
def wordnet() -> WordNet:
    return WordNet.open(wordnet_dir())


@pytest.fixture(scope="module")
def hypernyms_by_offset() -> dict[int, list[int]]:
    """An independent reader of data.noun: the @ and @i pointers of every line."""
    pointers: dict[int, list[int]] = {}
    for line in (wordnet_dir() / "data.noun").read_text().splitlines():
        if line.startswith("  "):
            continue
        fields = line.split(" | ")[0].split()
        rest = fields[4 + 2 * int(fields[3], 16) :]
        quads = [rest[1 + 4 * i : 5 + 4 * i] for i in range(int(rest[0]))]
        pointers[int(fields[0])] = [
            int(offset) for symbol, offset, _pos, _ends in quads if symbol in ("@", "@i")
        ]
    return pointers


def closure(start: int, pointers: dict[int, list[int]]) -> set[int]:
    seen: set[int] = set()
    todo = [start]
    while todo:
        new = [parent for parent in pointers[todo.pop()] if parent not in seen]
        seen.update(new)
        todo += new
    return seen


def test_ancestors_of_every_concept_equal_an_independent_reader(
    wordnet: WordNet, hypernyms_by_offset: dict[int, list[int]]
) -> None:
    synsets = read_spec(data_file("spec.txt"), wordnet)
    assert len(synsets) == 565
    for synset in synsets.values():
        got = {wordnet.offset(name) for name in wordnet.ancestors(synset)}
        assert got == closure(wordnet.offset(synset), hypernyms_by_offset), synset


def test_instance_hypernyms_are_ancestors(wordnet: WordNet) -> None:
    assert "city.n.01" in wordnet.ancestors("paris.n.01")


def test_hyponym_closure_is_the_closure_read_backwards(
    wordnet: WordNet, hypernyms_by_offset: dict[int, list[int]]
) -> None:
    bird = wordnet.offset("bird.n.01")
    want = {o for o in hypernyms_by_offset if bird in closure(o, hypernyms_by_offset)}
    assert {wordnet.offset(name) for name in wordnet.hyponym_closure("bird.n.01")} == want


def test_graph_holds_the_names_and_exactly_their_ancestors(wordnet: WordNet) -> None:
    graph = wordnet.graph(["parrot.n.01", "moose.n.01"])
    want = {"parrot.n.01", "elk.n.01"}
    want |= wordnet.ancestors("parrot.n.01") | wordnet.ancestors("elk.n.01")
    assert set(graph) == want
    assert graph.has_edge("parrot.n.01", "bird.n.01")
    assert nx.is_directed_acyclic_graph(graph)
    for name in graph:
        assert nx.descendants(graph, name) == wordnet.ancestors(name)


def test_facts_of_a_synset(wordnet: WordNet) -> None:
    assert wordnet.version == "3.0"
    assert wordnet.name("moose.n.01") == "elk.n.01"
    assert wordnet.lemmas("elk.n.01") == ["elk", "European elk", "moose", "Alces alces"]
    assert wordnet.offset("parrot.n.01") == 1816887
    assert wordnet.depth("entity.n.01") == 0
    assert wordnet.depth("animal.n.01") == 6
    assert wordnet.gloss("cake.n.03").startswith("baked goods made from")
    assert wordnet.senses("orca")[0] == "killer_whale.n.01"
    assert wordnet.senses("xqzt") == []


def test_exists(wordnet: WordNet) -> None:
    assert wordnet.exists("parrot.n.01")
    for name in ("parrot.n.99", "parrot.n.00", "parrot.v.01", "parrot", "xqzt.n.01", ""):
        assert not wordnet.exists(name), name


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("parot.n.01", "unknown synset 'parot.n.01'; valid: parrot.n.01, "),
        ("parrot.n.07", "unknown synset 'parrot.n.07'; valid: parrot.n.02, parrot.n.01"),
        ("parrot", "unknown synset 'parrot'; valid: parrot.n.0"),
        ("xqztv.n.01", "unknown synset 'xqztv.n.01'; WordNet 3.0 has no noun like it"),
    ],
)
def test_unknown_synset_offers_the_nearest(wordnet: WordNet, name: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        wordnet.synset(name)
    assert str(caught.value).startswith(message)


def test_one_folder_is_read_once_in_a_process(wordnet: WordNet) -> None:
    assert WordNet.open(wordnet_dir()) is wordnet


def test_nltk_data_path_is_left_as_it_was(tmp_path: Path) -> None:
    before = list(nltk.data.path)
    WordNet.open(copy_nouns(tmp_path / "wn"))
    assert nltk.data.path == before


def copy_nouns(to: Path) -> Path:
    """Only data.noun and index.noun, as in Debian's folder but for other parts of speech."""
    to.mkdir(parents=True)
    for name in ("data.noun", "index.noun"):
        shutil.copy(wordnet_dir() / name, to / name)
    return to


@pytest.mark.parametrize("layout", [".", "dict", "wordnet", "corpora/wordnet"])
def test_debian_princeton_and_nltk_layouts(tmp_path: Path, layout: str) -> None:
    copy_nouns(tmp_path / "own" / layout)
    opened = WordNet.open(tmp_path / "own")
    assert "bird.n.01" in opened.ancestors("parrot.n.01")


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"WordNet folder .*none does not exist; name one with"):
        WordNet.open(tmp_path / "none")


def test_foreign_folder(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("no nouns")
    with pytest.raises(DataError, match=r"is not a WordNet folder: it must hold data\.noun"):
        WordNet.open(tmp_path)


def test_packed_nltk_folder(tmp_path: Path) -> None:
    (tmp_path / "corpora").mkdir()
    (tmp_path / "corpora" / "wordnet.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"wordnet\.zip is packed; unzip it"):
        WordNet.open(tmp_path)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("00001740 03 n 01 entity 0 000 | that which\n", "has no WordNet notice at its top"),
        ("  1 WordNet 2.1 Copyright 2005\n", r"holds WordNet 2\.1; it must be 3\.0 or later"),
    ],
)
def test_foreign_or_old_nouns(tmp_path: Path, head: str, message: str) -> None:
    (tmp_path / "data.noun").write_text(head)
    (tmp_path / "index.noun").write_text("entity n 1 0 1 0 00001740\n")
    with pytest.raises(DataError, match=message):
        WordNet.open(tmp_path)


def test_nouns_whose_offsets_do_not_fit(tmp_path: Path) -> None:
    folder = copy_nouns(tmp_path / "wn")
    nouns = (folder / "data.noun").read_bytes()
    (folder / "data.noun").write_bytes(nouns.replace(b"\n", b"\r\n"))
    with pytest.raises(DataError, match=r"do not fit each other|cannot be read as WordNet"):
        WordNet.open(folder)


def test_index_that_is_cut_short(tmp_path: Path) -> None:
    folder = copy_nouns(tmp_path / "wn")
    index = (folder / "index.noun").read_bytes()
    (folder / "index.noun").write_bytes(index[:1000] + b"\nentity n 1\n")
    with pytest.raises(DataError, match="cannot be read as WordNet"):
        WordNet.open(folder)
