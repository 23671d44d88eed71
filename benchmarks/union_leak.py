"""What S1's ablation really holds out on THINGS' pairs, over many seeds.

python -m benchmarks.union_leak --pairs minimal_pair_sentences.jsonl
    [--output benchmarks/results/union_leak.json]

For each nominal ratio the share of the (leaf, hypernym) pairs that `--unit leaf` takes from
training: its mean, standard deviation, least and largest over 400 seeds, the three default seeds,
and beside them the share of hypernym test questions in S1's released counts. within_2_points: the
share of seeds that land within 0.02 of it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.result import report
from benchmarks.things_shape import read_pairs, things_shaped
from taxonomy.manifest.ablation import held_out_cells
from taxonomy.manifest.build import ManifestBuilder
from taxonomy.model import ManifestConfig

RELEASED = {0.1: 0.1754, 0.3: 0.4820, 0.5: 0.7002, 0.7: 0.8535, 0.9: 0.9590}
SEEDS = (42, 218, 7)


def main() -> None:
    """Draw the leaves of every ratio and seed; no questions are needed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--n-seeds", type=int, default=400)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    world = ManifestBuilder(things_shaped(read_pairs(asked.pairs))).world

    def share(ratio: float, seed: int) -> float:
        held = held_out_cells(world, ManifestConfig(ratio=ratio, seed=seed, unit="leaf"))
        return float((world.used & held).sum() / world.used.sum())

    numbers = {}
    for ratio, released in RELEASED.items():
        drawn = np.array([share(ratio, seed) for seed in range(asked.n_seeds)])
        numbers[str(ratio)] = {
            "released": released,
            "mean": round(float(drawn.mean()), 4),
            "sd": round(float(drawn.std(ddof=1)), 4),
            "least": round(float(drawn.min()), 4),
            "largest": round(float(drawn.max()), 4),
            "within_2_points": round(float((np.abs(drawn - released) <= 0.02).mean()), 4),
            "seeds_42_218_7": [round(share(ratio, seed), 4) for seed in SEEDS],
        }
    report({"n_seeds": asked.n_seeds, **numbers}, ("numpy",), asked.output)


if __name__ == "__main__":
    main()
