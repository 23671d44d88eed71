"""taxonomy compare on six concepts, counted by hand."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from taxonomy.compare import COLUMNS, SCHEMA, Comparison, compare
from taxonomy.errors import DataError
from taxonomy.model import TaxonomyConfig
from tests.taxonomy.things_files import build
from xmodal.taxonomies import build_taxonomy


def test_each_pair_counts_once(tmp_path: Path) -> None:
    found = compare(build(tmp_path))
    rows = {row["hypernym"]: row for row in found.rows.to_pylist()}
    counts = {
        word: tuple(row[k] for k in ("n_both", "n_list_only", "n_wordnet_only", "n_one_silent"))
        for word, row in rows.items()
    }
    assert counts == {
        "animal": (3, 0, 1, 0),  # bat1, bird, parrot; the list denies owl
        "bird": (2, 0, 1, 0),  # bird, owl; the list denies parrot
        "clothing": (0, 1, 0, 0),  # WordNet denies bandanna
        "mammal": (1, 0, 0, 0),  # bat1
        "sports equipment": (0, 1, 0, 0),  # WordNet denies bat2
        "tool": (1, 0, 0, 1),  # bottle_opener; flatiron has no synset
    }
    assert rows["animal"]["wordnet_only"] == ["owl"]
    assert rows["clothing"]["list_only"] == ["bandanna"]
    assert found.closing.endswith(
        "12 pairs of 6 hypernyms; 7 in both, 2 in THINGSplus' categories only, 2 in WordNet only, "
        "1 where the other is silent; no contradiction on 2 hypernyms"
    )


def test_the_screen_alone_cuts_the_leaves_short() -> None:
    leaves = ["ant", "bee", "cat", "dog", "eel"]
    row = dict.fromkeys(COLUMNS, 0) | {"hypernym": "animal", "synset": "animal.n.01"}
    row |= {"list_only": leaves, "wordnet_only": leaves[:3]}
    found = Comparison(rows=pa.Table.from_pylist([row], schema=SCHEMA), closing="")
    (shown,) = found.on_screen().to_pylist()
    assert shown["list_only"] == "ant, bee, cat and 2 more"
    assert shown["wordnet_only"] == "ant, bee, cat"
    assert found.rows["list_only"].to_pylist() == [leaves]


def test_the_lists_are_called_by_their_names(tmp_path: Path) -> None:
    assert " in the everyday list only, " in compare(build_taxonomy(TaxonomyConfig())).closing


def test_one_source_is_nothing_to_compare(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_text("parrot.n.01\nowl.n.01\ncar.n.01\n")
    taxonomy = build_taxonomy(TaxonomyConfig(source="wordnet", min_leaves=2), synsets=path)
    with pytest.raises(DataError, match="no pair that a list of its own speaks of"):
        compare(taxonomy)


def test_the_bundled_list_agrees_with_the_counts_of_its_notes() -> None:
    taxonomy = build_taxonomy(TaxonomyConfig())
    rows = compare(taxonomy).rows.to_pylist()
    both = sum(row["n_both"] for row in rows)
    assert both + sum(r["n_list_only"] for r in rows) == taxonomy.notes["n_pairs_listed"]
    assert both + sum(r["n_wordnet_only"] for r in rows) == taxonomy.notes["n_pairs_strict"]
    assert sum(row["n_one_silent"] for row in rows) == 0  # both speak of all
