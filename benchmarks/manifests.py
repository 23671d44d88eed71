"""Manifests of the embedded dataset: one alone, then the paper's grid of designs and shuffles.

python -m benchmarks.manifests [--output benchmarks/results/manifests.json]

Process time: questions are drawn once for a shuffle and shared by the designs of a grid.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.result import report
from taxonomy.manifest import build_manifest, build_manifests
from taxonomy.model import ManifestConfig, TaxonomyConfig
from xmodal.taxonomies import build_taxonomy

RATIOS = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
SYSTEMATIC = (4, 8, 12, 16)
SHUFFLES = ("none", "within", "across")


def grid(seeds: tuple[int, ...]) -> list[ManifestConfig]:
    """Ten designs for each shuffle and seed, as S1 has them."""
    designs = [ManifestConfig(design="random", ratio=ratio) for ratio in RATIOS]
    designs += [ManifestConfig(design="systematic", n_held_out_hypernyms=n) for n in SYSTEMATIC]
    return [
        replace(design, shuffle=shuffle, seed=seed)
        for seed in seeds
        for shuffle in SHUFFLES
        for design in designs
    ]


def main() -> None:
    """Time one manifest, 30 and 90."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    taxonomy = build_taxonomy(TaxonomyConfig())
    numbers: dict[str, float] = {}
    started = time.process_time()
    n_questions = build_manifest(taxonomy, ManifestConfig(design="random", ratio=0.5)).examples
    numbers["one_alone_s"] = time.process_time() - started
    for seeds in ((42,), (42, 218, 7)):
        configs = grid(seeds)
        started = time.process_time()
        n_built = sum(1 for _ in build_manifests(taxonomy, configs))
        assert n_built == len(configs)
        numbers[f"{n_built}_together_s"] = time.process_time() - started
    rounded = {name: round(value, 2) for name, value in numbers.items()}
    report({"questions": n_questions.num_rows, **rounded}, ("numpy", "pyarrow"), asked.output)


if __name__ == "__main__":
    main()
