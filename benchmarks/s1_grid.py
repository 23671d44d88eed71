"""The paper's grid for one seed over a dataset of THINGS' shape: seconds and bytes.

python -m benchmarks.s1_grid [--pairs minimal_pair_sentences.jsonl]
    [--output benchmarks/results/s1_grid.json]

17,336 image rows, 30 manifests into a new store. Without --pairs the (leaf, hypernym) pairs are
random ones in the same numbers; the result says which. Bytes are those of the file once closed.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.result import report
from benchmarks.things_shape import random_pairs, read_pairs, things_shaped
from taxonomy.manifest import paper_grid
from xmodal.manifests import build_into
from xmodal.store import Store

TARGET_S, TARGET_MB = 60, 150


def grid_into(path: Path, **knobs: Any) -> dict[str, Any]:
    """Build one seed's grid into a store that holds the dataset."""
    before = path.stat().st_size
    wall, process = time.perf_counter(), time.process_time()
    n_manifests = n_questions = 0
    for manifest in build_into(path, paper_grid("s1", [42], **knobs), paper="s1"):
        n_manifests += 1
        n_questions += manifest.examples.num_rows
    return {
        "manifests": n_manifests,
        "questions": n_questions,
        "seconds": round(time.perf_counter() - wall, 1),
        "process_seconds": round(time.process_time() - process, 1),
        "added_mb": round((path.stat().st_size - before) / 1e6, 1),
    }


def main() -> None:
    """Build the grid under our defaults and under S1's semantics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    taxonomy = things_shaped(read_pairs(asked.pairs) if asked.pairs else random_pairs())
    numbers: dict[str, Any] = {
        "pairs_from": asked.pairs.name if asked.pairs else "random",
        "pairs": taxonomy.leaf_hypernym.num_rows,
        "images": taxonomy.images.num_rows,
        "target": {"seconds": TARGET_S, "added_mb": TARGET_MB},
        "load_average_before": round(os.getloadavg()[0], 2),
    }
    for name, knobs in (
        ("defaults", {}),
        ("s1_semantics", {"unit": "leaf", "negatives": "image", "mentions": "keep"}),
    ):
        with tempfile.TemporaryDirectory() as made:
            path = Path(made) / "x.duckdb"
            with Store.open(path) as store:
                store.add_taxonomy(taxonomy)
            numbers[name] = grid_into(path, **knobs)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    numbers["peak_memory_gb"] = round(peak / (2**30 if sys.platform == "darwin" else 2**20), 2)
    report(numbers, ("duckdb", "numpy", "pyarrow"), asked.output)


if __name__ == "__main__":
    main()
