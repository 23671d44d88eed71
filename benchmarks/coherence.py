"""Coherence over many pictures: time and peak memory of one pass over a feature file.

python -m benchmarks.coherence [--images 1400000] [--leaves 1092] [--width 64] [--output FILE]

The committed numbers are those of --images 14000000 --leaves 21841, as many as ImageNet-21k has, at
64 channels. Features are random, in a file as `xmodal features extract` writes it. What grows with
the pictures is the time, their ids and leaves (16 bytes a picture) and what the dataset's own
tables take; the pass itself keeps one chunk and the sums of the leaves. It runs in a process of its
own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.result import report
from xmodal.features.coherence import CHUNK_BYTES, LeafSums, coherence, leaf_sums

_WRITTEN_AT_A_TIME = 50_000


def write_features(path: Path, n_images: int, width: int, seed: int) -> None:
    """Random features, float32 [n_images, 1, width], written piece by piece."""
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n_images, 1, width))
    rng = np.random.default_rng(seed)
    for start in range(0, n_images, _WRITTEN_AT_A_TIME):
        piece = array[start : start + _WRITTEN_AT_A_TIME]
        piece[:] = rng.standard_normal(piece.shape, dtype=np.float32) + 0.5
    array.flush()


def leaves_of(n_images: int, n_leaves: int, seed: int) -> np.ndarray[Any, Any]:
    """The leaf of each image, in no order."""
    return np.random.default_rng(seed + 1).integers(n_leaves, size=n_images)


def peak_bytes() -> int:
    """Largest resident size of this process so far; getrusage would count its parent's too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def one_pass(path: Path, n_images: int, n_leaves: int, n_hypernyms: int, seed: int) -> None:
    """Measure in this process and print the numbers as JSON."""
    leaf = leaves_of(n_images, n_leaves, seed)
    rows = np.arange(n_images)
    before = peak_bytes()
    start = time.perf_counter()
    sums = leaf_sums(lambda: np.load(path, mmap_mode="r"), rows, leaf, n_leaves)
    pass_s = time.perf_counter() - start
    start = time.perf_counter()
    members = np.random.default_rng(seed + 2).random((n_hypernyms, n_leaves)) < 0.01
    found = [coherence(sums, row).mean for row in members]
    hypernyms_s = time.perf_counter() - start
    numbers = {
        "pass_s": round(pass_s, 2),
        "images_per_s": round(n_images / pass_s),
        "hypernyms_s": round(hypernyms_s, 3),
        "peak_mb": round(peak_bytes() / 1e6, 1),
        "peak_above_start_mb": round((peak_bytes() - before) / 1e6, 1),
        "largest_error_against_pairs": _error(path, sums, leaf),
        "n_hypernyms_measured": sum(value is not None for value in found),
    }
    print(json.dumps(numbers))


def _error(path: Path, sums: LeafSums, leaf: np.ndarray[Any, Any]) -> float:
    """Largest difference from all pairs of a few leaves, formed one by one."""
    array, errors = np.load(path, mmap_mode="r"), []
    for one in range(3):
        rows = array[np.flatnonzero(leaf == one), 0].astype(np.float64)
        unit = rows / np.sqrt((rows * rows).sum(axis=1, keepdims=True))
        pairs = (unit @ unit.T)[np.triu_indices(len(unit), 1)]
        members = np.arange(len(sums.n_images)) == one
        errors.append(abs(float(pairs.mean()) - (coherence(sums, members).mean or 0.0)))
    return max(errors)


def main() -> None:
    """Write the file, then measure the pass over it in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1_400_000)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--leaves", type=int, default=1_092)
    parser.add_argument("--hypernyms", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--file", type=Path, help="Measure over this file, in this process.")
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    shape = (asked.images, asked.leaves, asked.hypernyms, asked.seed)
    if asked.file:
        one_pass(asked.file, *shape)
        return
    sizes: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as made:
        for n_images in (asked.images // 10, asked.images):
            path = Path(made) / "features.npy"
            write_features(path, n_images, asked.width, asked.seed)
            given = {"images": n_images, "leaves": asked.leaves, "hypernyms": asked.hypernyms}
            options = [f"--{name}={value}" for name, value in given.items()]
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.coherence", f"--file={path}", *options],
                capture_output=True, text=True, check=True,
            )  # fmt: skip
            sizes[str(n_images)] = {
                "file_mb": round(path.stat().st_size / 1e6, 1), **json.loads(done.stdout)
            }  # fmt: skip
    numbers = {"width": asked.width, "chunk_mb": round(CHUNK_BYTES / 1e6, 1), "images": sizes}
    report(numbers, ("numpy",), asked.output)


if __name__ == "__main__":
    main()
