"""Manifests of the bundled taxonomy: its counts, and every invariant in numbers."""

from __future__ import annotations

from collections import Counter

import pyarrow.compute as pc
import pytest

from taxonomy.manifest import ManifestBuilder
from taxonomy.model import ManifestConfig, Taxonomy, TaxonomyConfig
from tests.taxonomy.manifest.oracle import Oracle, held_of, labels_of
from xmodal.taxonomies import build_taxonomy


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return build_taxonomy(TaxonomyConfig())


@pytest.fixture(scope="module")
def builder(taxonomy: Taxonomy) -> ManifestBuilder:
    return ManifestBuilder(taxonomy)


def test_cells_are_those_of_the_oracle(taxonomy: Taxonomy, builder: ManifestBuilder) -> None:
    oracle = Oracle(taxonomy)
    cells = builder.build(ManifestConfig()).cells.to_pylist()
    true = {(r["leaf_id"], r["hypernym_id"]) for r in cells if r["answer"]}
    false = {(r["leaf_id"], r["hypernym_id"]) for r in cells if not r["answer"]}
    assert (len(oracle.leaves), len(oracle.hypernyms), len(true)) == (518, 34, 525)
    assert true == oracle.true
    assert false == oracle.false


@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.5, 0.7, 0.9])
@pytest.mark.parametrize("seed", [42, 218, 7])
def test_random_pairs_are_even_over_hypernyms(
    taxonomy: Taxonomy, builder: ManifestBuilder, ratio: float, seed: int
) -> None:
    # nominal within one cell a group; the common threshold may lie a little off the ratio
    cells = builder.build(ManifestConfig(ratio=ratio, seed=seed)).cells
    n = Counter(zip(*(cells[k].to_pylist() for k in ("hypernym_id", "answer")), strict=True))
    held = cells.filter(cells["held_out"])
    n_held = Counter(zip(*(held[k].to_pylist() for k in ("hypernym_id", "answer")), strict=True))
    assert max(abs(n_held[group] - ratio * n[group]) for group in n) < 1.5


@pytest.mark.parametrize("negatives", ["matched", "image"])
@pytest.mark.parametrize("shuffle", ["none", "within", "across", "across_s1", "swap"])
def test_no_negative_is_missing(builder: ManifestBuilder, negatives: str, shuffle: str) -> None:
    manifest = builder.build(ManifestConfig(negatives=negatives, shuffle=shuffle, ratio=0.0))
    assert manifest.summary["n_missing_negatives"] == {"leaf_no": 0, "hypernym_no": 0}
    examples = manifest.examples
    groups = ["kind", "split"] + ([] if negatives == "image" else ["asked_id"])
    about = examples.filter(pc.equal(examples["kind"], "hypernym"))
    counts = about.group_by([*groups, "answer"]).aggregate([([], "count_all")]).to_pylist()
    by_answer = Counter({tuple(r[k] for k in (*groups, "answer")): r["count_all"] for r in counts})
    assert by_answer
    assert all(by_answer[(*key[:-1], not key[-1])] == n for key, n in by_answer.items())


@pytest.mark.parametrize("seed", [42, 218, 7])
def test_across_makes_picture_and_label_categories_unrelated(
    taxonomy: Taxonomy, builder: ManifestBuilder, seed: int
) -> None:
    oracle = Oracle(taxonomy)
    manifest = builder.build(ManifestConfig(shuffle="across", seed=seed))
    labels = labels_of(manifest)
    assert len(labels) == 518
    assert manifest.summary["label_overlap_ratio"] == 0.0
    animal = next(h for h in oracle.hypernyms if oracle.word(h) == "animal")
    animals = {leaf for leaf in labels if animal in oracle.any_source(leaf)}
    carriers = Counter(
        min(map(oracle.word, oracle.any_source(leaf)), default="nothing")
        for leaf, label in labels.items()
        if label in animals
    )
    # pictures with animal labels come from everywhere: no category holds even half of them
    assert animals.isdisjoint(leaf for leaf, label in labels.items() if label in animals)
    named = {name: n for name, n in carriers.items() if name != "nothing"}
    assert max(named.values()) < len(animals) / 4
    assert len(named) >= 10


def test_everything_held_out_leaves_leaf_questions_only(builder: ManifestBuilder) -> None:
    manifest = builder.build(ManifestConfig(ratio=1.0))
    trained = manifest.examples.filter(manifest.examples["in_training"])
    assert set(trained["kind"].to_pylist()) == {"leaf"}
    assert set(manifest.examples["question_set"].to_pylist()) == {"leaf", "held_out"}
    assert len(held_of(manifest)) == manifest.cells.num_rows
