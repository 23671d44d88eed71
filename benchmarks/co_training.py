"""Co-training against one by one: six runs of the embedded world, the same steps.

python -m benchmarks.co_training [--steps 60] [--threads 1]
    [--output benchmarks/results/co_training.json]

Two designs (nothing removed, all removed) times three seeds, the demo's recipe, embedded LM and
features. Each way trains every run for the same steps, four times in turn; the fastest of them
counts, in processor time. Added memory is the peak of a process of its own for each way, less what
it held before its first step. largest_difference: the most that a projector's weight differs
between the two ways.
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

import torch

from benchmarks.result import report
from taxonomy.manifest import ManifestBuilder
from taxonomy.model import ManifestConfig, TaxonomyConfig
from xmodal.demo import TRAIN_LEAF_NEGATIVES
from xmodal.features.extract import FeatureConfig, extract
from xmodal.lms.causal import load_lm
from xmodal.taxonomies import build_taxonomy
from xmodal.vlm.co_train import TrainGroup
from xmodal.vlm.experiment import RunSpec, prepare
from xmodal.vlm.recipes import named_recipe
from xmodal.vlm.trainer import Trainer

SEEDS = (42, 218, 7)
WAYS = ("one_by_one", "together")


def trainers(folder: Path) -> list[Trainer]:
    """Six runs that share the embedded LM and features."""
    taxonomy = build_taxonomy(TaxonomyConfig())
    builder, lm = ManifestBuilder(taxonomy), load_lm("embedded")
    features, _ = extract(taxonomy, FeatureConfig(), folder)
    found = []
    for design, ratio in (("none", 0.0), ("random", 1.0)):
        for seed in SEEDS:
            config = ManifestConfig(
                design=design, ratio=ratio, seed=seed, train_leaf_negatives=TRAIN_LEAF_NEGATIVES
            )
            spec = RunSpec(
                taxonomy=taxonomy,
                manifest=builder.build(config),
                lm=lm,
                features=features,
                recipe=named_recipe("embedded"),
                seed_init=seed,
                seed_order=seed,
            )
            found.append(prepare(spec, folder, None).trainer)
    return found


def train(
    way: str, of: list[Trainer], n_steps: int, most_tokens: float = 0
) -> tuple[float, list[torch.Tensor]]:
    """Seconds, and the weights of every projector at the end."""
    states = [trainer.start() for trainer in of]
    started = time.process_time()
    if way == "together":
        TrainGroup(tuple(of), most_tokens).run(states, until=n_steps)
    else:
        for trainer, state in zip(of, states, strict=True):
            trainer.run(state, until=n_steps)
    seconds = time.process_time() - started
    vectors = [
        torch.nn.utils.parameters_to_vector(state.projector.parameters()).detach()
        for state in states
    ]
    return seconds, vectors


def peak_mb(way: str, folder: Path, threads: int) -> float:
    """Largest resident size of a process that trains this way alone, less that before it."""
    arguments = ["--only", way, "--folder", str(folder), "--threads", str(threads)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.co_training", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout)["added_mb"])


def only(way: str, folder: Path) -> None:
    """Print how much resident memory a few steps add."""
    of = trainers(folder)
    # forget the peak of building the world (Linux)
    Path("/proc/self/clear_refs").write_text("5")
    before = _peak_kb()
    train(way, of, 5)
    print(json.dumps({"added_mb": round((_peak_kb() - before) / 1024, 1)}))


def _peak_kb() -> int:
    """Largest resident size since it was last forgotten."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def main() -> None:
    """Both ways in turn, then each alone for its memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=WAYS)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if asked.only:
        only(asked.only, asked.folder)
        return
    with tempfile.TemporaryDirectory() as made:
        of = trainers(Path(made))
        for way in WAYS:
            train(way, of, 2)
        seconds: dict[str, float] = dict.fromkeys(WAYS, float("inf"))
        weights: dict[str, list[torch.Tensor]] = {}
        for way in WAYS * 4:
            taken, weights[way] = train(way, of, asked.steps)
            seconds[way] = min(seconds[way], taken)
        memory = {way: peak_mb(way, Path(made), asked.threads) for way in WAYS}
    pairs = zip(weights["one_by_one"], weights["together"], strict=True)
    numbers: dict[str, Any] = {
        "n_runs": len(of),
        "n_steps": asked.steps,
        "threads": asked.threads,
        "seconds": {way: round(value, 2) for way, value in seconds.items()},
        "speedup": round(seconds["one_by_one"] / seconds["together"], 3),
        "added_memory_mb": memory,
        "largest_difference": max(float((a - b).abs().max()) for a, b in pairs),
    }
    report(numbers, ("torch", "transformers"), asked.output)


if __name__ == "__main__":
    main()
