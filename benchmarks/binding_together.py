"""Seeds in one batched model against one model a seed: seconds of a step and run."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.result import report
from xmodal.binding.named import SIZES, arm_recipe
from xmodal.binding.trainer import Trainer


def seconds_a_step(size: str, n_runs: int, n_steps: int, device: str) -> float:
    """Of one batched model, after a few steps that do not count."""
    precision = "float32" if device == "cpu" else "bfloat16"
    recipe, _ = arm_recipe("text", size, precision=precision, evaluate_every=10**6)
    trainer = Trainer(recipe=recipe, seeds=range(n_runs), device=torch.device(device))
    state = trainer.start()
    # past the lessons, where steps differ more
    state.step = recipe.stages[0].n_steps + recipe.stages[1].n_steps
    times = []
    for _ in range(n_steps + 3):
        began = time.perf_counter()
        trainer.step(state)
        if device != "cpu":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    return sum(times[3:]) / n_steps


def main() -> None:
    """Measure each number of runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=tuple(SIZES), default="small")
    parser.add_argument("--runs", default="1,2,4")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    if given.device == "cpu":
        torch.set_num_threads(1)
    found: list[dict[str, Any]] = []
    for n_runs in (int(one) for one in given.runs.split(",")):
        each = seconds_a_step(given.size, n_runs, given.steps, given.device)
        found.append(
            {
                "n_together": n_runs,
                "step_ms": round(each * 1e3, 2),
                "step_ms_a_run": round(each / n_runs * 1e3, 2),
            }
        )
    report({"size": given.size, "device": given.device, "runs": found}, ("torch",), given.output)


if __name__ == "__main__":
    main()
