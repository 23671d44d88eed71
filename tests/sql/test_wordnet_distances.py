"""Distances of @hypernym-depth against WordNet itself, climbed synset by synset in NLTK."""

from __future__ import annotations

from typing import Any

import pytest

from taxonomy.model import Taxonomy, TaxonomyConfig
from taxonomy.wordnet import _NounReader
from tests.shared_data import needs_shared, shared
from tests.sql import released
from tests.xmodal.store.empty import empty_store
from xmodal.bundle.wordnet_files import wordnet_dir
from xmodal.taxonomies import build_taxonomy


@pytest.fixture(scope="module")
def nouns() -> Any:
    """NLTK's own reader over the bundled noun files."""
    return _NounReader(wordnet_dir())


def steps(nouns: Any, low: str | None, high: str | None) -> int | None:
    """Least number of hypernym steps from one synset up to another."""
    if low is None or high is None:
        return None
    front, goal, seen = {nouns.synset(low)}, nouns.synset(high), 0
    while front:
        if goal in front:
            return seen
        front = {up for one in front for up in (*one.hypernyms(), *one.instance_hypernyms())}
        seen += 1
    return None


def compared(nouns: Any, taxonomy: Taxonomy) -> dict[str, tuple[float | None, int, int]]:
    """Distance, leaves on a path and leaves of each hypernym, after both ways gave the same."""
    concepts = {row["concept_id"]: row for row in taxonomy.concepts.to_pylist()}
    want: dict[str, list[int | None]] = {}
    for pair in taxonomy.leaf_hypernym.to_pylist():
        if pair["used"]:
            leaf, hypernym = concepts[pair["leaf_id"]], concepts[pair["hypernym_id"]]
            found = steps(nouns, leaf["synset"], hypernym["synset"])
            want.setdefault(hypernym["name"], []).append(found)
    scores = [("held_out_s1", name, 0.5, 0.4, 10, True) for name in want]
    hypernyms = [{"source": "s1", "released_as": name, "hypernym": name} for name in want]
    with empty_store() as store:
        store.add_taxonomy(taxonomy)
        released.add(store, [(released.run("a"), scores)], hypernyms=hypernyms)
        rows = store.analysis(
            "hypernym-depth", question_set="held_out_s1", dataset=taxonomy.dataset_id
        ).to_pylist()
    assert sorted(want) == [row["hypernym"] for row in rows]
    for row in rows:
        there = [n for n in want[row["hypernym"]] if n is not None]
        mean = sum(there) / len(there) if there else None
        assert row["distance"] == pytest.approx(mean, abs=1e-12), row["hypernym"]
        assert (row["n_on_path"], row["n_leaves"]) == (len(there), len(want[row["hypernym"]]))
        assert row["distance_dataset"] == taxonomy.dataset_id
    return {r["hypernym"]: (r["distance"], r["n_on_path"], r["n_leaves"]) for r in rows}


def test_the_bundled_pictures(nouns: Any) -> None:
    found = compared(nouns, build_taxonomy(TaxonomyConfig(pairs="everyday")))
    assert any(n_on_path < n_leaves for _, n_on_path, n_leaves in found.values())


@needs_shared
def test_things_with_the_leaves_of_s1(nouns: Any) -> None:
    files = {
        "concepts": shared("things", "things_concepts.tsv"),
        "categories": shared("things", "category53_longFormat.tsv"),
        "leaves": shared("s1", "data", "llm-backbone-exp-data", "minimal_pair_sentences.jsonl"),
    }
    config = TaxonomyConfig(source="things", pairs="categories", inner_leaves="keep")
    found = compared(nouns, build_taxonomy(config, **files))
    # 406 steps over 95 leaves, 116 over 38, 8 over 3
    assert found["food"] == (pytest.approx(406 / 95, abs=1e-12), 95, 233)
    assert found["tool"] == (pytest.approx(116 / 38, abs=1e-12), 38, 97)
    assert found["game"] == (pytest.approx(8 / 3, abs=1e-12), 3, 13)
    # the category has no synset
    assert found["electronic device"] == (None, 0, 65)
