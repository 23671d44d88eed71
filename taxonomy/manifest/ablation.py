"""Which cells a design holds out. Nothing here depends on questions or shuffles."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from taxonomy.errors import ManifestError
from taxonomy.hashing import keyed_order, unit_interval
from taxonomy.manifest.draws import Bools, Floats, keys64
from taxonomy.manifest.world import World
from taxonomy.model import IMPORTED, ManifestConfig


def resolve(config: ManifestConfig, n_hypernyms: int) -> ManifestConfig:
    """The config with every knob that its design does not use at a fixed value.

    Two configs that ask for the same design thus get the same manifest id, and the ratio
    of a systematic design is the share of the hypernyms it names. A systematic design that
    names them all is the random one at ratio 1.

    Args:
        config: As the user gave it.
        n_hypernyms: Hypernyms of the dataset that are asked about.

    Raises:
        ManifestError: There are not as many hypernyms as the design holds out, or the design
            is imported.
    """
    if config.shuffle == "none":
        config = replace(config, shuffle_seed=None)
    elif config.shuffle_seed is None:
        config = replace(config, shuffle_seed=config.seed)
    if config.design == "none":
        return replace(config, ratio=0.0, unit="pair", closure="none")
    if config.design == IMPORTED:
        raise ManifestError(
            "design imported is read by `xmodal manifest import` and cannot be built: choose "
            "none, random or systematic"
        )
    if config.design == "systematic" and config.n_held_out_hypernyms == n_hypernyms:
        # S1's "53 categories": the same cells as random at 1
        config = replace(config, design="random", ratio=1.0, n_held_out_hypernyms=None)
    if config.design == "random":
        return replace(config, ratio=float(config.ratio), closure="none")
    n = config.n_held_out_hypernyms or 0
    if not 1 <= n <= n_hypernyms:
        raise ManifestError(
            f"n_held_out_hypernyms must be between 1 and {n_hypernyms}, the hypernyms of this "
            f"dataset, got {config.n_held_out_hypernyms}"
        )
    return replace(config, ratio=n / n_hypernyms)


def held_out_cells(world: World, config: ManifestConfig) -> Bools:
    """The cells that a resolved config holds out.

    Returns:
        bool [L, H], true only inside the cell universe.
    """
    if config.design == "none" or config.ratio == 0.0:
        return np.zeros_like(world.used)
    if config.design == "random":
        if config.unit == "pair":
            return _random_pairs(world, config)
        leaves = random_leaves(world, config)
        return world.cells & leaves[:, None]
    hypernyms = held_out_hypernyms(world, config)
    if config.unit == "leaf":
        return world.cells & world.used[:, hypernyms].any(axis=1, keepdims=True)
    return world.cells & hypernyms


def held_out_hypernyms(world: World, config: ManifestConfig) -> Bools:
    """bool [H]: the first n hypernyms of the seeded permutation, closed as the config says."""
    order = keyed_order(world.hypernyms.keys, config.seed, "systematic")
    chosen = set(order[: config.n_held_out_hypernyms])
    held = np.array([key in chosen for key in world.hypernyms.keys], dtype=np.bool_)
    if config.closure == "down":
        held |= world.below[:, held].any(axis=1)
    return held


def pair_positions(world: World, seed: int) -> Floats:
    """Where each cell lies in the order in which random pairs are held out.

    Within each (hypernym, answer) group of n cells, the cell of rank r in hash order lies
    at (r + u) / n with one u a group, so that any threshold takes nearly the same share
    of every group.

    Returns:
        float64 [L, H] in [0, 1); NaN outside the cell universe.
    """
    positions = np.full(world.used.shape, np.nan)
    for answer, mask in ((True, world.used), (False, world.false)):
        for column, hypernym in enumerate(world.hypernyms.keys):
            members = np.flatnonzero(mask[:, column])
            keys = keys64(
                seed,
                "pair",
                (f"{world.leaves.keys[leaf]}|{hypernym}" for leaf in members),
            )
            offset = unit_interval(seed, "pair-offset", hypernym, answer)
            ranks = np.argsort(np.argsort(keys, kind="stable"))
            positions[members, column] = (ranks + offset) / max(1, len(members))
    return positions


def _random_pairs(world: World, config: ManifestConfig) -> Bools:
    positions = pair_positions(world, config.seed)
    held = np.zeros_like(world.used)
    for mask in (world.used, world.false):
        leaf, hypernym = np.nonzero(mask)
        order = np.lexsort((leaf, hypernym, positions[leaf, hypernym]))
        first = order[: round(config.ratio * len(order))]
        held[leaf[first], hypernym[first]] = True
    return held


def random_leaves(world: World, config: ManifestConfig) -> Bools:
    """bool [L]: S1's draw, a share of each hypernym's leaves, united over hypernyms."""
    held = np.zeros(len(world.leaves), dtype=np.bool_)
    for column, hypernym in enumerate(world.hypernyms.keys):
        members = np.flatnonzero(world.used[:, column])
        keys = keys64(config.seed, f"leaf|{hypernym}", (world.leaves.keys[m] for m in members))
        n_held = min(len(members), max(1, math.floor(len(members) * config.ratio)))
        held[members[np.argsort(keys, kind="stable")[:n_held]]] = True
    return held
