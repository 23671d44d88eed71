"""The one-pass reader against NLTK's, synset by synset."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from taxonomy.errors import DataError
from taxonomy.hashing import keyed_order
from taxonomy.separation import Nouns, read_nouns
from taxonomy.wordnet import WordNet


def test_all_nouns_are_read_as_nltk_reads_them(wordnet: WordNet, nouns: Nouns) -> None:
    assert len(nouns.above) == len(nouns.lemmas) == 82_115
    for name in keyed_order(nouns.above, 0, "test")[:300]:
        assert wordnet.name(name) == name
        assert wordnet.parents(name) == nouns.above[name]
        assert tuple(wordnet.lemmas(name)) == nouns.lemmas[name]


def test_closures_are_those_of_wordnet(wordnet: WordNet, nouns: Nouns) -> None:
    for name in ("dog.n.01", "owl.n.01", "teddy.n.01", "vehicle.n.01"):
        assert nouns.closure([name], down=False) == wordnet.ancestors(name) | {name}
        assert nouns.closure([name], down=True) == wordnet.hyponym_closure(name) | {name}


DATA = """  1 This software and database is licensed
00000010 03 n 01 entity 0 001 ~ 00000090 n 0000 | what is
00000090 05 n 02 Cat 0 true_cat 0 002 @ 00000010 n 0000 + 00000010 v 0101 | a | b
00000150 05 n 01 cat 0 001 @i 00000010 n 0000 | a second sense
"""
INDEX = """  1 This software and database is licensed
cat n 2 2 @ + 2 1 00000090 00000150
entity n 1 1 ~ 1 0 00000010
true_cat n 1 1 @ 1 0 00000090
"""


def small(folder: Path, index: str = INDEX) -> WordNet:
    """What the reader asks of a WordNet of three synsets."""
    (folder / "data.noun").write_text(DATA)
    (folder / "index.noun").write_text(index)
    return cast(WordNet, SimpleNamespace(folder=folder, version="3.0"))


def test_three_synsets_by_hand(tmp_path: Path) -> None:
    found = read_nouns(small(tmp_path))
    assert found.above == {
        "entity.n.01": (),
        "cat.n.01": ("entity.n.01",),
        "cat.n.02": ("entity.n.01",),
    }
    assert found.below == {"entity.n.01": ("cat.n.01", "cat.n.02")}
    assert found.lemmas["cat.n.01"] == ("Cat", "true cat")
    assert found.vocabulary == {"entity", "cat"}
    assert found.irregular == {}


def test_irregular_plurals_come_with_the_folder(nouns: Nouns, tmp_path: Path) -> None:
    assert nouns.irregular["mice"] == ("mouse",)
    (tmp_path / "noun.exc").write_text("kine cow\nmen-of-war man-of-war\naxes ax axis\n")
    found = read_nouns(small(tmp_path)).irregular
    assert found == {"kine": ("cow",), "men-of-war": ("man-of-war",), "axes": ("ax", "axis")}


def test_files_of_two_versions_are_refused(tmp_path: Path) -> None:
    wordnet = small(tmp_path, INDEX.replace("00000150", "00000151"))
    with pytest.raises(DataError) as caught:
        read_nouns(wordnet)
    assert str(caught.value) == (
        f"data.noun and index.noun in {tmp_path} do not fit each other at byte 00000150 "
        "(damaged, changed line ends or two versions); copy both anew from one release"
    )
