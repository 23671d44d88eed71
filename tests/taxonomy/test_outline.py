"""The subtree as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxonomy.errors import DataError
from taxonomy.outline import outline
from tests.taxonomy import things_files
from tests.taxonomy.csv_tables import build, rows


def test_outline_draws_the_subtree_with_counts(folder: Path) -> None:
    lines = [
        "leaf,image,hypernym",
        *rows(("dog", "animal"), ("poodle", "dog"), ("beagle", "dog"), ("owl", "animal")),
    ]
    taxonomy = build(folder, lines)
    assert outline(taxonomy, "Animal").splitlines() == [
        "animal [hypernym]: 3 leaves, 15 images; asked of 3",
        "├── dog [hypernym]: 2 leaves, 10 images; asked of 2",
        "│   ├── dog [inner]: 0 leaves, 0 images; inner, 5 images of its own",
        "│   ├── beagle: 5 images (3 train, 1 validation, 1 test)",
        "│   └── poodle: 5 images (3 train, 1 validation, 1 test)",
        "└── owl: 5 images (3 train, 1 validation, 1 test)",
    ]
    assert outline(taxonomy, "inner/dog").startswith("dog [inner]")
    with pytest.raises(DataError, match="unknown concept 'anmal'; valid: animal"):
        outline(taxonomy, "anmal")


def test_a_homonym_is_found_by_its_key(folder: Path) -> None:
    of = things_files.build(folder)
    assert outline(of, "bat1") == "bat1: 0 images (0 train, 0 validation, 0 test)"
    assert outline(of, "BAT2") == outline(of, "leaf/bat2")


def test_outline_hides_synsets_unless_asked(folder: Path) -> None:
    lines = rows(
        ("parrot", "parrot.n.01,bird"), ("poodle", "poodle.n.01,bird"), ("owl", "owl.n.01,bird")
    )
    taxonomy = build(folder, ["leaf,image,synset,hypernym", *lines])
    assert "bird_of_prey" not in outline(taxonomy, "bird", synsets=False)
    assert "bird_of_prey.n.01 [synset]" in outline(taxonomy, "bird", synsets=True)
    assert "owl: 5 images" in outline(taxonomy, "bird")
