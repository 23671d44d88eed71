"""The questions of one (dataset, shuffle) against the definitions."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from hypothesis import given

from taxonomy.hashing import hash63, keyed_order
from taxonomy.manifest import ManifestBuilder
from taxonomy.model import Manifest, ManifestConfig, Taxonomy
from tests.taxonomy.manifest.oracle import Oracle, examples_of, held_of, labels_of
from tests.taxonomy.manifest.worlds import build, configs, taxonomies


def drawn(manifest: Manifest) -> list[dict[str, Any]]:
    """Examples without the ones that rebalance would add."""
    assert manifest.config.mentions != "rebalance"
    return examples_of(manifest)


def hypernym_seed(taxonomy: Taxonomy, manifest: Manifest) -> str:
    kind = manifest.config.shuffle
    return f"{taxonomy.dataset_id}|{'none' if kind == 'within' else manifest.shuffle_id}"


@given(taxonomies(), configs())
def test_every_answer_is_the_label_leafs(taxonomy: Taxonomy, config: ManifestConfig) -> None:
    oracle, manifest = Oracle(taxonomy), build(taxonomy, config)
    labels, held = labels_of(manifest), held_of(manifest)
    asked_once = Counter()
    for row in examples_of(manifest):
        image_leaf, split = oracle.images[row["image_id"]]
        label, asked = row["label_leaf_id"], row["asked_id"]
        assert label == labels[image_leaf]
        assert row["split"] == split
        assert row["example_id"] == hash63(
            taxonomy.dataset_id, manifest.shuffle_id, row["image_id"], asked
        )
        asked_once[row["image_id"], asked] += 1
        if row["kind"] == "leaf":
            assert row["answer"] == (asked == label)
            assert row["answer"] or oracle.may_be_no(label, asked)
            assert row["held_out"] is None
        else:
            assert (label, asked) in (oracle.true if row["answer"] else oracle.false)
            assert row["held_out"] == ((label, asked) in held)
    assert set(asked_once.values()) <= {1}


@given(taxonomies(), configs(mentions="keep"))
def test_each_image_has_its_leaf_questions(taxonomy: Taxonomy, config: ManifestConfig) -> None:
    oracle, manifest = Oracle(taxonomy), build(taxonomy, config)
    labels = labels_of(manifest)
    asked: dict[tuple[int, bool], list[int]] = defaultdict(list)
    for row in drawn(manifest):
        if row["kind"] == "leaf":
            asked[row["image_id"], row["answer"]].append(row["asked_id"])
    missing = 0
    for image, (image_leaf, split) in oracle.images.items():
        if image_leaf not in labels:
            assert not asked[image, True]
            assert not asked[image, False]
            continue
        assert asked[image, True] == [labels[image_leaf]]
        wanted = config.train_leaf_negatives if split == "train" else 1
        candidates = [b for b in labels.values() if oracle.may_be_no(labels[image_leaf], b)]
        assert len(asked[image, False]) == min(wanted, len(candidates))
        missing += wanted - len(asked[image, False])
    assert manifest.summary["n_missing_negatives"]["leaf_no"] == missing


@given(taxonomies(), configs(mentions="keep", train_leaf_negatives=1))
def test_more_leaf_negatives_only_add_to_training(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    builder = ManifestBuilder(taxonomy)
    more = ManifestConfig(**{**config.as_dict(), "train_leaf_negatives": 3})
    one, three = drawn(build(builder, config)), drawn(build(builder, more))
    extra = [row for row in three if row not in one]
    assert [row for row in three if row in one] == one
    assert all(
        (row["split"], row["kind"], row["answer"]) == ("train", "leaf", False) for row in extra
    )


@given(taxonomies(), configs(mentions="keep"))
def test_hypernym_yes_is_each_hypernym_of_the_label(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    oracle, manifest = Oracle(taxonomy), build(taxonomy, config)
    labels = labels_of(manifest)
    want = {
        (image, h)
        for image, (leaf, _) in oracle.images.items()
        if leaf in labels
        for h in oracle.has(labels[leaf])
    }
    rows = [r for r in drawn(manifest) if r["kind"] == "hypernym" and r["answer"]]
    assert {(r["image_id"], r["asked_id"]) for r in rows} == want


@given(taxonomies(), configs(mentions="keep", negatives="matched"))
def test_matched_no_are_the_first_eligible_images_in_hash_order(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    oracle, manifest = Oracle(taxonomy), build(taxonomy, config)
    labels, seed = labels_of(manifest), hypernym_seed(taxonomy, manifest)
    rows = [r for r in drawn(manifest) if r["kind"] == "hypernym"]
    missing = 0
    for h in oracle.hypernyms:
        order = keyed_order(oracle.images, seed, f"hypernym-no|{oracle.key(h)}")
        for split in ("train", "validation", "test"):
            here = [r for r in rows if r["asked_id"] == h and r["split"] == split]
            n_yes = sum(r["answer"] for r in here)
            eligible = [
                image
                for image in order
                for leaf, of in [oracle.images[image]]
                if of == split and leaf in labels and (labels[leaf], h) in oracle.false
            ]
            assert {r["image_id"] for r in here if not r["answer"]} == set(eligible[:n_yes])
            missing += max(0, n_yes - len(eligible))
    assert manifest.summary["n_missing_negatives"]["hypernym_no"] == missing


@given(taxonomies(), configs(mentions="keep", negatives="image"))
def test_image_no_asks_other_hypernyms_of_the_same_image(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    oracle, manifest = Oracle(taxonomy), build(taxonomy, config)
    labels = labels_of(manifest)
    n_no = Counter(
        r["image_id"] for r in drawn(manifest) if r["kind"] == "hypernym" and not r["answer"]
    )
    missing = 0
    for image, (leaf, _) in oracle.images.items():
        if leaf in labels:
            n_yes = len(oracle.has(labels[leaf]))
            n_false = sum((labels[leaf], h) in oracle.false for h in oracle.hypernyms)
            assert n_no[image] == min(n_yes, n_false)
            missing += n_yes - n_no[image]
    assert manifest.summary["n_missing_negatives"]["hypernym_no"] == missing


@given(taxonomies(), configs(), configs())
def test_validation_and_test_questions_depend_on_the_shuffle_alone(
    taxonomy: Taxonomy, config: ManifestConfig, other: ManifestConfig
) -> None:
    builder = ManifestBuilder(taxonomy)
    first = builder.resolve(config)
    same = {k: getattr(first, k) for k in ("shuffle", "shuffle_seed", "negatives")}
    asked = []
    for each in (first, ManifestConfig(**{**other.as_dict(), **same})):
        manifest = build(builder, each)
        asked.append(
            [
                (r["example_id"], r["image_id"], r["split"], r["asked_id"], r["answer"])
                for r in examples_of(manifest)
                if r["split"] != "train"
            ]
        )
    assert asked[0] == asked[1]


@given(taxonomies(), configs(shuffle="within", mentions="keep"))
def test_within_has_exactly_the_hypernym_questions_of_none(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    builder = ManifestBuilder(taxonomy)
    none = build(builder, ManifestConfig(**{**config.as_dict(), "shuffle": "none"}))
    within = build(builder, config)
    asked = [
        [
            (r["image_id"], r["split"], r["asked_id"], r["answer"])
            for r in drawn(manifest)
            if r["kind"] == "hypernym"
        ]
        for manifest in (none, within)
    ]
    assert asked[0] == asked[1]
    ids = [set(manifest.examples["example_id"].to_pylist()) for manifest in (none, within)]
    assert not ids[0] & ids[1]
