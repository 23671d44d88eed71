"""A manifest over partitions is that of one machine, and each partition works from its part."""

from __future__ import annotations

import pickle
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, ManifestError
from taxonomy.manifest import ablation, build_manifest, partitions, questions
from taxonomy.manifest.draws import Ints, Keys, keys64
from taxonomy.manifest.firsts import Keyed, Traffic, first, spread
from taxonomy.manifest.partitioned import build_partitioned
from taxonomy.manifest.partitions import partition_of, split_world
from taxonomy.manifest.world import read_world
from taxonomy.model import Manifest, ManifestConfig, Taxonomy
from tests.taxonomy.manifest.worlds import build, configs, make, taxonomies, things_like
from tests.taxonomy.manifest.worlds import concept as row


def assert_equal_over(taxonomy: Taxonomy, config: ManifestConfig, n: int, want: Manifest) -> None:
    made = build_partitioned(split_world(read_world(taxonomy), n), config)
    for got, table in zip(made.tables(), (want.cells, want.labels, want.examples), strict=True):
        assert got.equals(table, check_metadata=True)
    assert (made.rows_sha256(), made.config) == (want.rows_sha256, want.config)


@settings(max_examples=18)
@given(taxonomies(), configs(), st.sampled_from([1, 2, 3, 8]))
def test_any_design_over_any_number_of_partitions(
    taxonomy: Taxonomy, config: ManifestConfig, n: int
) -> None:
    assert_equal_over(taxonomy, config, n, build(taxonomy, config))


@pytest.mark.parametrize(
    ("shuffle", "negatives"), [("none", "image"), ("within", "matched"), ("across", "matched")]
)
def test_eight_partitions_of_many_leaves(shuffle: str, negatives: str) -> None:
    taxonomy = things_like(60, 7, 500)
    mentions = "rebalance" if negatives == "matched" else "drop_all"
    config = ManifestConfig(
        design="random", ratio=0.5, shuffle=shuffle, negatives=negatives, mentions=mentions
    )
    assert_equal_over(taxonomy, config, 8, build_manifest(taxonomy, config))


@pytest.mark.parametrize("mentions", ["drop_all", "rebalance", "drop_words", "keep"])
def test_a_leaf_called_like_a_hypernym_without_a_yes(mentions: str) -> None:
    concepts = [row(0, "hypernym", "thing"), row(1, "hypernym", "stuff")]
    concepts += [row(2, "leaf", "thing"), *(row(i, "leaf", f"leaf {i}") for i in range(3, 8))]
    pairs = [(3, 0, True), (4, 0, True), (5, 1, True), (6, 1, True)]
    images = [(leaf, split) for leaf in range(2, 8) for split in ("train", "train", "test")]
    taxonomy = make(concepts, [], pairs, images)
    config = ManifestConfig(design="random", ratio=1.0, mentions=mentions, train_leaf_negatives=3)
    want = build_manifest(taxonomy, config)
    asked = want.examples.filter(want.examples["in_training"])["asked_id"].to_pylist()
    assert (2 in asked) == (mentions == "keep")
    assert_equal_over(taxonomy, config, 3, want)


@settings(max_examples=15)
@given(taxonomies(), configs(design="random", ratio=0.5), st.integers(2, 4))
def test_equal_keys_count_in_the_order_of_one_machine(
    taxonomy: Taxonomy, config: ManifestConfig, n: int
) -> None:
    def few(seed: object, purpose: str, items: Iterable[object]) -> Keys:
        keys = keys64(seed, purpose, items)
        # keys that most items share, among them the least and the largest that there are
        return np.array([0, 7, 2**64 - 1], dtype=np.uint64)[keys % np.uint64(3)]

    with pytest.MonkeyPatch.context() as patch:
        for module in (ablation, questions, partitions):
            patch.setattr(module, "keys64", few)
        assert_equal_over(taxonomy, config, n, build(taxonomy, config))


def test_a_partition_has_its_own_part_only() -> None:
    world = read_world(things_like(40, 5, 300))
    parts = split_world(world, 4)
    owner = partition_of(world.leaves.keys, 4)
    assert len(set(owner.tolist())) == 4
    for number, part in enumerate(parts):
        own, foreign = owner == number, owner != number
        for name in ("used", "claimed", "false"):
            rows = getattr(part.world, name)
            assert not rows[foreign].any()
            assert np.array_equal(rows[own], getattr(world, name)[own])
        assert all(not len(part.world.conflicts[leaf]) for leaf in np.flatnonzero(foreign))
        assert own[part.world.image_leaf].all()
    ids = np.concatenate([part.world.image_ids for part in parts])
    assert np.array_equal(np.sort(ids), world.image_ids)


def test_partitions_of_other_processes_in_any_order_make_the_same() -> None:
    taxonomy = things_like(40, 5, 300)
    config = ManifestConfig(design="random", ratio=0.3, shuffle="across")
    parts = split_world(read_world(taxonomy), 5)
    sent = [pickle.loads(pickle.dumps(part)) for part in reversed(parts)]
    made = build_partitioned(sent, config)
    assert made.rows_sha256() == build_manifest(taxonomy, config).rows_sha256
    # the questions of a partition are about its own images
    for part, examples in zip(sent, made.examples, strict=True):
        assert np.isin(examples["image_id"].to_numpy(), part.world.image_ids).all()
    assert sum(map(len, made.examples)) > sum(map(len, made.cells)) > 0


def test_what_is_sent_is_counts_and_not_pictures() -> None:
    config = ManifestConfig(design="random", ratio=0.5)
    few, many = (
        build_partitioned(split_world(read_world(things_like(40, 5, n)), 4), config).traffic.phases
        for n in (300, 3000)
    )
    assert few["held-out cells"] == many["held-out cells"]
    # rounds grow with the digits of the number of pictures, of which there are ten times as many
    assert many["matched No"].bytes_up < 3 * few["matched No"].bytes_up


def test_what_cannot_be_built_is_an_error() -> None:
    concepts = [row(0, "hypernym", "thing"), *(row(i, "leaf", f"leaf {i}") for i in (1, 2))]
    taxonomy = make(concepts, [], [(1, 0, True), (2, 0, True)], [(1, "train"), (2, "test")])
    with pytest.raises(ManifestError, match="shuffle across finds no labels for any of the 2"):
        build_partitioned(split_world(read_world(taxonomy), 2), ManifestConfig(shuffle="across"))
    with pytest.raises(ConfigError, match=r"^the partitions are of relation hypernym, got part$"):
        build_partitioned(split_world(read_world(taxonomy), 2), ManifestConfig(relation="part"))


Group = list[tuple[int, int]]
"""(key, partition) of each item; its place is the item."""


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.sampled_from([0, 1, 5, 2**63, 2**64 - 1]), st.integers(0, 2))),
            st.integers(-1, 9),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_the_first_of_each_group(groups: list[tuple[Group, int]]) -> None:
    parts = [
        Keyed(
            [
                (
                    np.array([key for key, of in group if of == number], dtype=np.uint64),
                    np.array([i for i, (_, of) in enumerate(group) if of == number], dtype=int),
                )
                for group, _ in groups
            ]
        )
        for number in range(3)
    ]
    chosen = first(parts, np.array([quota for _, quota in groups]), Traffic(), "x")
    for number, (group, quota) in enumerate(groups):
        want = sorted(range(len(group)), key=lambda i: (group[i][0], i))[: max(0, quota)]
        assert sorted(np.concatenate([one[number] for one in chosen]).tolist()) == sorted(want)


@settings(max_examples=40)
@given(st.data())
def test_evenly_spread_groups_by_their_sizes(data: st.DataObject) -> None:
    sizes = np.array(data.draw(st.lists(st.integers(0, 12), min_size=1, max_size=6)))
    offsets = st.one_of(st.sampled_from([0.0, 0.5, np.nextafter(1.0, 0)]), st.floats(0, 0.999))
    given_ = st.lists(offsets, min_size=len(sizes), max_size=len(sizes))
    offset = np.array(data.draw(given_))
    wanted = data.draw(st.integers(0, int(sizes.sum())))
    places = [
        ((rank + offset[group]) / size, group)
        for group, size in enumerate(sizes.tolist())
        for rank in range(size)
    ]
    want = [group for _, group in sorted(places)[:wanted]]
    got: Ints = spread(sizes, offset, wanted)
    assert got.tolist() == [want.count(group) for group in range(len(sizes))]
