"""Leaves as classes: at their synsets, where the dataset hangs them, or nowhere."""

from __future__ import annotations

import pytest

from taxonomy.errors import DataError
from taxonomy.model import Taxonomy
from taxonomy.separation import Classes, Nouns, read_classes
from tests.taxonomy.manifest.worlds import concept, make

NOUNS = Nouns(
    above={"bird.n.01": (), "owl.n.01": ("bird.n.01",)},
    lemmas={"bird.n.01": ("bird",), "owl.n.01": ("owl", "bird of night")},
    irregular={},
    version="3.0",
)


def small() -> Taxonomy:
    return make(
        [
            concept(0, "hypernym", "bird", synset="bird.n.01"),
            concept(1, "leaf", "owl", synset="owl.n.01"),
            concept(2, "leaf", "shoebill"),
            concept(3, "leaf", "lamp"),
            concept(4, "inner", "parrot"),
            concept(5, "leaf", "horned owl", synset="owl.n.01"),
            concept(6, "hypernym", "pet"),
        ],
        [(1, 0), (1, 6), (2, 0), (2, 6), (4, 0)],
        [(1, 0, True)],
        [],
    )


def test_a_leaf_lies_at_its_synset_or_where_the_dataset_puts_it() -> None:
    classes = read_classes(small(), NOUNS)
    assert classes.ids == (1, 2, 3, 5)
    assert classes.names == ("owl", "shoebill", "lamp", "horned owl")
    assert classes.nodes == ("owl.n.01", "leaf/2-shoebill", None, "owl.n.01")
    assert classes.nouns.above["leaf/2-shoebill"] == ("bird.n.01", "hypernym/6-pet")
    assert classes.nouns.above["owl.n.01"] == ("bird.n.01",)  # the dataset's pet is not believed
    assert "leaf/2-shoebill" in classes.nouns.closure(["bird.n.01"], down=True)
    assert classes.at["owl.n.01"] == (0, 3)
    assert classes.n_unplaced == 1
    assert classes.words(0) == ("owl", "bird of night")
    assert classes.words(1) == classes.words(2) == ()


def test_inner_concepts_are_no_classes(embedded: Taxonomy, embedded_classes: Classes) -> None:
    assert len(embedded_classes) == 518
    assert embedded_classes.n_unplaced == 0
    assert "dog" not in embedded_classes.names
    assert list(embedded_classes.ids) == sorted(embedded_classes.ids)


def test_a_synset_of_another_wordnet_is_refused() -> None:
    taxonomy = make([concept(1, "leaf", "elk", synset="elk.n.01")], [], [], [])
    with pytest.raises(DataError) as caught:
        read_classes(taxonomy, NOUNS)
    assert str(caught.value) == (
        "leaf 'elk' has the synset elk.n.01, which WordNet 3.0 does not have; name the WordNet "
        "that the dataset was built with"
    )


def test_an_id_that_is_no_class_is_refused() -> None:
    with pytest.raises(DataError) as caught:
        read_classes(small(), NOUNS).rows([1, 4])
    assert str(caught.value) == (
        "concept 4 is no class of this dataset; name leaves, of which it has 4"
    )
