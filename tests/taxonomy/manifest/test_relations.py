"""Manifests of another relation than hypernym; and hypernym ones, untouched by others."""

from __future__ import annotations

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, DataError
from taxonomy.manifest import ManifestBuilder, exposure, headline
from taxonomy.model import ManifestConfig, Taxonomy, TaxonomyConfig
from taxonomy.relations.relation import Relation, add_relations
from tests.taxonomy.manifest.oracle import (
    Oracle,
    cells_of,
    examples_of,
    held_of,
    labels_of,
    word,
)
from tests.taxonomy.manifest.worlds import build, configs, seeds, taxonomies
from xmodal.taxonomies import build_taxonomy

WORDS = ("wing", "twin", "hypernym 0", "Hypernym  1", "wheel")

GOLDEN = [
    (
        ManifestConfig(ratio=0.5),
        "8e372c3626d0602b",
        "e33c8bf437400d5503ece233577564160ca4af516eb7bbfba5ee8dc70d90a298",
    ),
    (
        ManifestConfig(ratio=1.0, shuffle="across", train_leaf_negatives=3),
        "99d2bbd469391e53",
        "6c5c852ffe7b1e3ea5906bcccb49500a21a4bdff85dd94aa46cc9167d040ec63",
    ),
    (
        ManifestConfig(ratio=0.3, shuffle="within", mentions="rebalance", unit="leaf", seed=7),
        "cd7c31ef2d6e8c16",
        "3c083a973bf7383a7fa5ea26909b2160b1a71e12ea1979b0f21d71058210b99e",
    ),
    (
        ManifestConfig(
            design="systematic",
            n_held_out_hypernyms=10,
            shuffle="swap",
            negatives="image",
            mentions="drop_words",
            closure="down",
            seed=218,
        ),
        "41e9475059c294be",
        "8d3205c874e71432e6f8237dd256f570eae265020b6cc76c730d8fc8f5d20252",
    ),
]
"""Of the embedded default, as released before there were relations."""


@pytest.fixture(scope="module")
def plain() -> Taxonomy:
    return build_taxonomy(TaxonomyConfig())


@pytest.fixture(scope="module")
def parts() -> Taxonomy:
    return build_taxonomy(TaxonomyConfig(relations=("hypernym", "part")))


@st.composite
def related(draw: st.DrawFn) -> tuple[Taxonomy, Taxonomy]:
    """A taxonomy, and the same with a relation in which anything may be claimed or open."""
    base = draw(taxonomies())
    leaves = [c["key"] for c in base.concepts.to_pylist() if c["role"] == "leaf"]
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4, unique=True))
    some = st.frozensets(st.sampled_from(words), max_size=3)
    said = {
        name: draw(st.dictionaries(st.sampled_from(leaves), some))
        for name in ("strict", "listed", "unclear")
    }
    relation = Relation(name="part", phrases={w: f"a {w}" for w in words}, **said)
    try:
        return base, add_relations(base, [relation])
    except DataError:
        reject()


class PartOracle(Oracle):
    """The definitions for the relation part: hypernymy relates leaves, never leaf and part."""

    def __init__(self, base: Taxonomy, whole: Taxonomy) -> None:
        super().__init__(base)  # the graph, words above and leaf conflicts are the base's
        self.dataset_id = whole.dataset_id
        self.parts = {c["concept_id"]: c for c in whole.concepts.to_pylist() if c["role"] == "part"}
        rows = [r for r in whole.leaf_hypernym.to_pylist() if r["relation"] == "part"]
        self.part_claims = {(r["leaf_id"], r["hypernym_id"]) for r in rows}
        self.part_true = {(r["leaf_id"], r["hypernym_id"]) for r in rows if r["used"]}

    def part_false(self) -> set[tuple[int, int]]:
        return {
            (leaf, part)
            for leaf in self.leaves
            for part, row in self.parts.items()
            if not row["dropped"]
            and (leaf, part) not in self.part_claims
            and word(row["name"]) not in self.words_above(leaf)
        }

    def leaf_no(self, leaf: int, asked: int) -> bool:
        has = {word(self.parts[p]["name"]) for owner, p in self.part_claims if owner == leaf}
        return self.may_be_no(leaf, asked) and self.word(asked) not in has


@given(related(), configs(relation="part"))
def test_manifests_of_parts_against_the_definitions(
    pair: tuple[Taxonomy, Taxonomy], config: ManifestConfig
) -> None:
    oracle = PartOracle(*pair)
    if config.design == "systematic" and all(p["dropped"] for p in oracle.parts.values()):
        reject()
    manifest = build(pair[1], config)
    cells = {(r["leaf_id"], r["hypernym_id"], r["answer"]) for r in cells_of(manifest)}
    false = oracle.part_false()
    assert cells == {(*c, True) for c in oracle.part_true} | {(*c, False) for c in false}
    held, label = held_of(manifest), labels_of(manifest)
    for row in examples_of(manifest):
        leaf, asked = row["label_leaf_id"], row["asked_id"]
        assert leaf == label[oracle.images[row["image_id"]][0]]
        if row["kind"] == "hypernym":
            assert (leaf, asked) in (oracle.part_true if row["answer"] else false)
            assert row["held_out"] == ((leaf, asked) in held)
            assert not (row["in_training"] and row["held_out"]) or (
                config.mentions == "drop_positives" and not row["answer"]
            )
        elif row["answer"]:
            assert asked == leaf
        else:
            assert oracle.leaf_no(leaf, asked)


@given(related(), configs())
def test_hypernym_manifests_do_not_see_other_relations(
    pair: tuple[Taxonomy, Taxonomy], config: ManifestConfig
) -> None:
    base, whole = pair
    # the cells are those of the dataset without the relation; draws are keyed by the dataset
    alone, beside = (build(of, config) for of in pair)
    assert alone.cells.equals(beside.cells)
    asked = beside.examples["asked_id"].to_pylist()
    assert max(asked) < base.concepts.num_rows < whole.concepts.num_rows


@given(related(), seeds())
def test_shuffles_of_two_relations_are_two_shuffles(
    pair: tuple[Taxonomy, Taxonomy], seed: int
) -> None:
    of = [
        build(pair[1], ManifestConfig(shuffle="within", seed=seed, relation=relation))
        for relation in ("hypernym", "part")
    ]
    assert of[0].shuffle_id != of[1].shuffle_id
    assert of[0].manifest_id != of[1].manifest_id


@pytest.mark.parametrize(("config", "manifest_id", "rows"), GOLDEN)
def test_manifests_of_the_default_are_as_released(
    plain: Taxonomy, config: ManifestConfig, manifest_id: str, rows: str
) -> None:
    built = ManifestBuilder(plain).build(config)
    assert (built.manifest_id, built.rows_sha256) == (manifest_id, rows)


class TestEmbedded:
    def test_no_picture_of_a_bird_is_a_leaf_no_for_a_wing(self, parts: Taxonomy) -> None:
        name = parts.concepts["name"].to_pylist()
        config = ManifestConfig(relation="part", train_leaf_negatives=24)
        manifest = ManifestBuilder(parts).build(config)
        asked = {
            (name[row["label_leaf_id"]], name[row["asked_id"]])
            for row in examples_of(manifest)
            if row["kind"] == "leaf" and not row["answer"]
        }
        owners = {"parrot", "owl", "bat", "airplane", "taxi", "helicopter"}
        assert not {(leaf, "wing") for leaf in owners} & asked
        assert ("peacock", "feather") not in asked
        assert any(other == "wing" for _, other in asked)  # about others it is asked

    def test_all_removed_leaves_no_question_of_a_part_s_word(self, parts: Taxonomy) -> None:
        manifest = ManifestBuilder(parts).build(ManifestConfig(relation="part"))
        table = exposure(parts, manifest).to_pylist()
        assert len(table) == 18
        assert {(row["n_yes"], row["n_no"]) for row in table} == {(0, 0)}
        name = parts.concepts["name"].to_pylist()
        trained = {name[row["asked_id"]] for row in examples_of(manifest) if row["in_training"]}
        assert not {"wing", "feather", "shell", "window"} & trained  # leaves, too
        assert "ferris wheel" in trained  # its words are more than the part's
        assert "of the part questions" in headline(manifest)

    def test_a_relation_that_is_not_there_is_one_line(self, plain: Taxonomy) -> None:
        with pytest.raises(ConfigError, match="unknown relation 'part'; valid: hypernym; `xmodal"):
            ManifestBuilder(plain).build(ManifestConfig(relation="part"))
