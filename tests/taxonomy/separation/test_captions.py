"""What a separation leaves of texts whose classes nobody knows, against a regex for each word."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, ManifestError
from taxonomy.separation import (
    LEVELS,
    Classes,
    Nouns,
    Separation,
    SeparationConfig,
    TextFilter,
    separate,
)
from taxonomy.separation.model import ARMS
from tests.taxonomy.separation.test_mentions import texts
from tests.taxonomy.separation.worlds import SETTINGS, mentioned, words_of, worlds


def separation(classes: Classes, n_unseen: int, seed: int = 0) -> Separation:
    config = SeparationConfig(n_unseen=n_unseen, max_branch=4, min_training=1, seed=seed)
    try:
        return separate("d", classes, config)
    except ManifestError:
        reject()


def without(words: set[str], given_texts: list[str]) -> list[bool]:
    return [not any(mentioned(word, text) for word in words) for text in given_texts]


@settings(SETTINGS, max_examples=15)
@given(worlds(), st.integers(1, 3), st.lists(texts, min_size=4, max_size=14), st.integers(0, 3))
def test_what_each_level_and_arm_keeps(
    classes: Classes, n_unseen: int, given_texts: list[str], seed: int
) -> None:
    made = separation(classes, n_unseen, seed)
    unseen = classes.rows(made.unseen)
    found = TextFilter(made, classes, given_texts)
    counts = {(row["level"], row["arm"]): row for row in found.counts().to_pylist()}
    assert list(counts) == [(level, arm) for level in LEVELS for arm in ARMS]
    of_unseen = {row: words_of(classes, row, "subtree") for row in unseen}
    leaking = ~np.array(without(set().union(*of_unseen.values()), given_texts))
    before = {arm: np.ones(len(given_texts), dtype=bool) for arm in ARMS}
    for level in LEVELS:
        gone = [classes.names[row] for row in classes.rows(made.removed[level].separated)]
        words = set().union(*(words_of(classes, row, level) for row in unseen))
        kept = {arm: found.kept(level, arm) for arm in ARMS}
        assert kept["separated"].tolist() == without(words | set(gone), given_texts)
        names = {classes.names[row] for row in unseen} if level != "none" else set()
        named = np.array(without(names, given_texts))
        assert not (kept["control"] & ~named).any()
        assert kept["control"].sum() == kept["separated"].sum()
        for arm, keep in kept.items():
            assert not (keep & ~before[arm]).any()
            row = counts[level, arm]
            assert row["n_texts"] == keep.sum() == len(given_texts) - row["n_dropped_texts"]
            assert row["n_leaking_texts"] == (keep & leaking).sum()
        before = kept
    assert counts["subtree", "separated"]["n_leaking_texts"] == 0
    assert counts["none", "control"]["n_leaking_texts"] == leaking.sum()


def small() -> Classes:
    """Forty classes, ten each of four branches far from one another."""
    above = {"top": ()} | {f"b{b}": ("top",) for b in range(4)}
    above |= {f"b{b}.{n}": (f"b{b}",) for b in range(4) for n in range(10)}
    nodes = tuple(node for node in above if "." in node)
    return Classes(
        ids=tuple(range(40)),
        keys=nodes,
        names=tuple(f"word{n}" for n in range(40)),
        nodes=nodes,
        nouns=Nouns(above=above, lemmas={}, irregular={}, version="none"),
    )


def test_a_control_depends_on_the_seed_and_is_the_same_again() -> None:
    classes = small()
    many = [f"picture {n} of a {name}" for n in range(3) for name in classes.names]
    config = SeparationConfig(n_unseen=3, max_branch=3, distance=2, min_training=5)
    made = separate("d", classes, config)
    again = replace(made, config=replace(config, seed=1))
    kept = [TextFilter(one, classes, many).kept("branch", "control") for one in (made, made, again)]
    assert np.array_equal(kept[0], kept[1])
    assert not np.array_equal(kept[0], kept[2])
    separated = TextFilter(made, classes, many).kept("branch", "separated")
    # of each branch with an unseen class all ten names are gone, three texts each
    branches = {classes.nodes[row].split(".")[0] for row in classes.rows(made.unseen)}
    assert kept[0].sum() == separated.sum() == 3 * (40 - 10 * len(branches))


def test_what_it_does_not_have() -> None:
    classes = small()
    config = SeparationConfig(n_unseen=3, levels=("none", "lemma"), min_training=5)
    found = TextFilter(separate("d", classes, config), classes, ["a word1"])
    with pytest.raises(ConfigError, match=r"^unknown level 'branch'; valid: lemma, none$"):
        found.kept("branch", "control")
    with pytest.raises(ConfigError, match=r"^arm must be one of separated, control, got 'both'$"):
        found.kept("none", "both")
