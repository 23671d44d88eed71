"""Stores with runs of several conditions, and counts without a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from taxonomy.tables import EXAMPLE
from tests.xmodal.store import world
from xmodal.stats.cells import Cells, Group
from xmodal.store import METRIC, Store
from xmodal.store.rows import RunRow

HYPERNYMS = (world.BIRD, world.GEM, world.TOOL)
LEAVES = tuple(range(100, 112))

# condition, manifest seed, run seed, leaf, hypernym, true answer, picture -> right?
Right = Callable[[str, int, int, int, int, bool, int], bool]


ONE_EACH = ((True, 0), (False, 1))
TWO_TRUE = ((True, 0), (True, 1), (False, 2))
"""Answers, and which hypernym after the leaf's first one they are about."""


def questions(
    n_pictures: int = 2, about: Sequence[tuple[bool, int]] = ONE_EACH
) -> list[tuple[int, int, int, int, bool]]:
    """(example, picture, leaf, hypernym, answer) of every leaf's pictures."""
    out = []
    for place, leaf in enumerate(LEAVES):
        for picture in range(n_pictures):
            image = leaf * 10 + picture
            for answer, shift in about:
                asked = HYPERNYMS[(place + shift) % 3]
                out.append((len(out), image, leaf, asked, answer))
    return out


def fill(
    store: Store,
    right: Right,
    conditions: Sequence[str] = ("pretrained", "random"),
    designs: Sequence[int] = (1,),
    inits: Sequence[int] = (1, 2, 3),
    started_at: str = "2026-01-02T03:04:05+00:00",
    about: Sequence[tuple[bool, int]] = ONE_EACH,
) -> None:
    """Runs of conditions that differ in lm_init, all held out, on manifests of several seeds."""
    store.add_taxonomy(world.taxonomy())
    asked = questions(about=about)
    for design in designs:
        rows = [
            (example, image, "test", leaf, h, "hypernym", answer, True, "held_out", False)
            for example, image, leaf, h, answer in asked
        ]
        manifest = replace(
            world.manifest([], ratio=1.0, seed=design), examples=world.table(EXAMPLE, rows)
        )
        store.add_manifest(manifest)
        for condition in conditions:
            for init in inits:
                said = [
                    (example, answer == right(condition, design, init, leaf, h, answer, image))
                    for example, image, leaf, h, answer in asked
                ]
                record = world.record(
                    f"{condition}-{design}-{init}", manifest, lm_init=condition, seed_init=init,
                    seed_order=init, started_at=started_at,
                )  # fmt: skip
                row = RunRow(**record, content_hash=f"{condition}{design}{init}")
                with store.transaction():
                    store.replace_runs([(row, METRIC.empty_table(), world.predictions(said))])


def by_chance(p: dict[str, float], seed: int = 0) -> Right:
    """Right with a probability by condition; a leaf is right or wrong in all runs in part."""

    def right(
        condition: str, design: int, init: int, leaf: int, h: int, answer: bool, image: int
    ) -> bool:
        hard = np.random.default_rng([seed, leaf]).random()
        own = np.random.default_rng(
            [seed, len(condition), design, init, leaf, h, int(answer), image]
        ).random()
        return bool(0.5 * hard + 0.5 * own < p[condition])

    return right


def cells(rng: np.random.Generator, n_leaves: int = 8, n_runs: int = 2, n_groups: int = 3) -> Cells:
    """Random counts; every group has leaves of both answers."""
    groups = []
    for number in range(n_groups):
        size = int(rng.integers(4, n_leaves + 1))
        leaves = rng.choice(n_leaves, size, replace=False)
        answers = np.arange(size) < size // 2
        n = np.repeat(rng.integers(1, 4, (size, 1)), n_runs, axis=1)
        hits = rng.binomial(n, 0.7)
        groups.append(
            Group(str(number), leaves, answers, n.astype(np.float32), hits.astype(np.float32))
        )
    return Cells(tuple(f"r{k}" for k in range(n_runs)), n_leaves, tuple(groups))
