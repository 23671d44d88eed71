"""Seconds for 10,000 resamples of leaves over a grid of the first paper's size.

python -m benchmarks.bootstrap_speed [--resamples 10000]
    [--output benchmarks/results/bootstrap_speed.json]

435 runs, 53 hypernyms, 1,216 leaves, 15,702 hypernym questions a run (PROTOCOLS: half of them
Yes, 2,040 true pairs and as many false ones), answers drawn at random: 6.8 million answers.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import numpy as np

from benchmarks.result import report
from xmodal.stats.bootstrap import resample_leaves
from xmodal.stats.cells import Cells, Group

RUNS, HYPERNYMS, LEAVES, PAIRS, QUESTIONS = 435, 53, 1216, 2040, 15_702


def grid(rng: np.random.Generator) -> Cells:
    """Counts like the paper's: leaves per hypernym from 6 to 233."""
    sizes = np.geomspace(6, 233, HYPERNYMS)
    sizes = np.maximum(6, np.round(sizes * PAIRS / sizes.sum())).astype(int)
    per_cell = QUESTIONS / (2 * sizes.sum())
    groups = []
    for number, size in enumerate(sizes):
        leaves = rng.choice(LEAVES, 2 * size, replace=False)
        answers = np.arange(2 * size) < size
        asked = 1 + rng.poisson(per_cell - 1, (2 * size, 1))
        n = np.repeat(asked, RUNS, axis=1)
        hits = rng.binomial(n, 0.8)
        groups.append(
            Group(str(number), leaves, answers, n.astype(np.float32), hits.astype(np.float32))
        )
    return Cells(tuple(map(str, range(RUNS))), LEAVES, tuple(groups))


def main() -> None:
    """Time it and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    cells = grid(np.random.default_rng(0))
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        resample_leaves(cells, n_resamples=given.resamples, seed=0)
        seconds.append(time.perf_counter() - started)
    numbers = {
        "runs": RUNS, "hypernyms": HYPERNYMS, "leaves": LEAVES, "resamples": given.resamples,
        "answers": cells.n_questions(), "seconds": [round(s, 2) for s in seconds],
        "median_seconds": round(sorted(seconds)[1], 2),
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }  # fmt: skip
    report(numbers, ("numpy",), given.output)


if __name__ == "__main__":
    main()
