"""What stays in training under each mentions policy, and what training shows."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given

from taxonomy.hashing import keyed_order
from taxonomy.manifest import ManifestBuilder, exposure
from taxonomy.manifest.mentions import words_inside
from taxonomy.model import ManifestConfig, Taxonomy
from tests.taxonomy.manifest.oracle import Oracle, examples_of, held_of, labels_of
from tests.taxonomy.manifest.worlds import build, configs, taxonomies

Rows = list[dict[str, Any]]


def times(needle: str, text: str) -> int:
    """Whole-word occurrences; a lookahead so that overlapping ones count too."""
    words = re.sub(r"[\W]+", " ", needle.lower()).strip()
    hay = re.sub(r"[\W]+", " ", text.lower())
    return len(re.findall(rf"(?<!\S)(?={re.escape(words)}(?!\S))", hay))


def untaught(oracle: Oracle, rows: Rows) -> set[int]:
    yes = {r["asked_id"] for r in rows if r["kind"] == "hypernym" and r["answer"]}
    return set(oracle.hypernyms) - yes


def policy(oracle: Oracle, rows: Rows, mentions: str) -> Rows:
    """The training questions of a policy, rebalance aside."""
    train = [r for r in rows if r["split"] == "train"]
    if mentions == "drop_positives":
        return [r for r in train if not (r["held_out"] and r["answer"])]
    rest = [r for r in train if not r["held_out"]]
    if mentions == "keep":
        return rest
    words = {oracle.word(h) for h in untaught(oracle, rest)}
    if mentions == "drop_all":
        return [r for r in rest if oracle.word(r["asked_id"]) not in words]
    return [
        r
        for r in rest
        if oracle.word(r["asked_id"]) not in words
        and not any(times(w, oracle.concepts[r["asked_id"]]["phrase"]) for w in words)
    ]


@given(taxonomies(), configs())
def test_training_is_what_the_policy_leaves(taxonomy: Taxonomy, config: ManifestConfig) -> None:
    if config.mentions == "rebalance":
        config = ManifestConfig(**{**config.as_dict(), "mentions": "drop_all"})
    oracle, rows = Oracle(taxonomy), examples_of(build(taxonomy, config))
    want = policy(oracle, rows, config.mentions)
    assert [r for r in rows if r["in_training"]] == want


@given(taxonomies(), configs())
def test_question_sets_are_those_of_the_definition(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    oracle, rows = Oracle(taxonomy), examples_of(build(taxonomy, config))
    without = untaught(oracle, [r for r in rows if r["in_training"]])
    for row in rows:
        if row["kind"] == "leaf":
            want = "leaf"
        elif row["held_out"]:
            want = "held_out"
        else:
            want = "unasked" if row["asked_id"] in without else "seen"
        assert row["question_set"] == want


@given(taxonomies(), configs())
def test_training_meets_no_held_out_cell(taxonomy: Taxonomy, config: ManifestConfig) -> None:
    oracle, manifest = Oracle(taxonomy), build(taxonomy, config)
    held = held_of(manifest)
    trained = [r for r in examples_of(manifest) if r["in_training"]]
    assert {r["split"] for r in trained} <= {"train"}
    met = [r for r in trained if (r["label_leaf_id"], r["asked_id"]) in held]
    if config.mentions == "drop_positives":
        met = [r for r in met if r["answer"]]
    assert not met
    if config.mentions in ("drop_all", "drop_words", "rebalance"):
        words = {oracle.word(h) for h in untaught(oracle, trained)}
        assert not words & {oracle.word(r["asked_id"]) for r in trained}


@given(taxonomies(), configs(mentions="rebalance"))
def test_rebalance_evens_yes_and_no_from_kept_cells(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    oracle, builder = Oracle(taxonomy), ManifestBuilder(taxonomy)
    manifest = build(builder, config)
    plain = build(builder, ManifestConfig(**{**config.as_dict(), "mentions": "drop_all"}))
    before = {r["example_id"]: r for r in examples_of(plain)}
    after = {r["example_id"]: r for r in examples_of(manifest)}
    labels, held = labels_of(manifest), held_of(manifest)
    kind = manifest.config.shuffle
    draw = "none" if kind in ("none", "within") else manifest.shuffle_id
    added_total, missing = 0, 0
    for h in oracle.hypernyms:
        order = keyed_order(
            oracle.images, f"{taxonomy.dataset_id}|{draw}", f"hypernym-no|{oracle.key(h)}"
        )
        asks = [r for r in before.values() if (r["kind"], r["asked_id"]) == ("hypernym", h)]
        n_yes = sum(r["in_training"] and r["answer"] for r in asks)
        no = {r["image_id"] for r in asks if r["in_training"] and not r["answer"]}
        new = [
            image
            for image in order
            for leaf, split in [oracle.images[image]]
            if split == "train"
            and leaf in labels
            and (labels[leaf], h) in oracle.false - held
            and image not in {r["image_id"] for r in asks}
        ]
        kept = [image for image in order if image in no][:n_yes]
        added = new[: n_yes - len(kept)]
        rows = [r for r in after.values() if (r["kind"], r["asked_id"]) == ("hypernym", h)]
        assert sum(r["in_training"] and r["answer"] for r in rows) == n_yes
        got = {r["image_id"] for r in rows if r["in_training"] and not r["answer"]}
        assert got == {*kept, *added}
        added_total += len(added)
        missing += n_yes - len(kept) - len(added)
    assert set(before) <= set(after)
    assert len(after) - len(before) == added_total == manifest.summary["n_rebalance_added"]
    assert manifest.summary["n_rebalance_missing"] == missing


@given(taxonomies(), configs())
def test_exposure_counts_what_training_shows(taxonomy: Taxonomy, config: ManifestConfig) -> None:
    oracle, manifest = Oracle(taxonomy), build(taxonomy, config)
    rows = examples_of(manifest)
    trained = [r for r in rows if r["in_training"]]
    phrases = [oracle.concepts[r["asked_id"]]["phrase"] for r in trained]
    table = exposure(taxonomy, manifest).to_pylist()
    assert {r["hypernym_id"] for r in table} == set(oracle.hypernyms)
    for row in table:
        h = row["hypernym_id"]
        answers = Counter(r["answer"] for r in trained if r["asked_id"] == h)
        assert (row["n_yes"], row["n_no"]) == (answers[True], answers[False])
        assert row["n_word"] == sum(times(oracle.concepts[h]["name"], text) for text in phrases)
        cells = {c for c in oracle.true | oracle.false if c[1] == h}
        asked = [r for r in rows if r["asked_id"] == h]
        assert (row["n_cells"], row["n_questions"]) == (len(cells), len(asked))
        if cells:
            assert row["ratio_cells"] == len(cells & held_of(manifest)) / len(cells)
        if asked:
            assert row["ratio_questions"] == sum(r["held_out"] for r in asked) / len(asked)
        for name in ("held_out", "seen"):
            tested = {
                r["answer"] for r in asked if r["split"] == "test" and r["question_set"] == name
            }
            assert row[f"{name}_single_class"] == (len(tested) == 1)


@pytest.mark.parametrize(
    ("word", "text", "n"),
    [
        ("animal", "a farm animal", 1),
        ("animal", "animals", 0),
        ("Shirt", "a t-shirt", 1),
        ("women", "a piece of women's clothing", 1),
        ("farm animal", "an animal of a farm", 0),
        ("bye bye", "bye bye bye", 2),
        ("", "anything", 0),
    ],
)
def test_words_are_counted_whole(word: str, text: str, n: int) -> None:
    assert words_inside([word], [text])[0].get(word, 0) == n


@given(taxonomies(), configs(mentions="drop_words"))
def test_drop_words_leaves_no_trace_of_an_untaught_word(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    table = exposure(taxonomy, build(taxonomy, config)).to_pylist()
    assert all(row["n_word"] == 0 for row in table if row["n_yes"] == 0)


@given(taxonomies(), configs())
def test_summary_counts_what_is_there(taxonomy: Taxonomy, config: ManifestConfig) -> None:
    if config.mentions == "rebalance":
        config = ManifestConfig(**{**config.as_dict(), "mentions": "drop_all"})
    manifest = build(taxonomy, config)
    rows, summary = examples_of(manifest), manifest.summary
    about = [r for r in rows if r["kind"] == "hypernym"]
    held = [r for r in about if r["held_out"]]
    assert summary["ratio_realised_questions"] == len(held) / max(1, len(about))
    for split in ("train", "validation", "test"):
        here = [r for r in about if r["split"] == split]
        share = sum(r["held_out"] for r in here) / max(1, len(here))
        assert summary["ratio_realised_questions_by_split"][split] == share
        assert summary["n_questions"][split] == sum(r["split"] == split for r in rows)
    assert summary["n_training_questions"] == sum(r["in_training"] for r in rows)
    lost = [r for r in rows if (r["kind"], r["split"]) == ("leaf", "train")]
    assert summary["n_training_leaf_questions_dropped"] == sum(not r["in_training"] for r in lost)
