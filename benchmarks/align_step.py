"""One step of a contrastive alignment: the batch at once against the same batch in parts.

python -m benchmarks.align_step [--batch 2048] [--rows 256 512] [--width 1024] [--depth 4]
    [--text-width 1024] [--image-width 384] [--steps 5] [--device cpu|cuda] [--bf16] [--offload]
    [--output benchmarks/results/align_step.json]

The paper's shape is --batch 16384 --width 4096 --text-width 4096 --image-width 768. Text side
projected, S2's recipe otherwise, random features. Each way runs in a process of its own. Time is
the median of the steps after the first: of the processor on a CPU, which other work does not
lengthen (one thread), of the clock on a GPU. Peak memory is what the steps take above what the
process holds before them, parameters and features: resident on a CPU, allocated on a GPU. Adam's
moments and the gradients, three times the parameters, are in it. `loss` is the loss of the first
step, the same in every way but for rounding.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.result import report
from xmodal.align.pairs import Pairs
from xmodal.align.recipes import named_recipe
from xmodal.align.trainer import Trainer


def resident_bytes() -> int:
    """The most that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measure(given: argparse.Namespace, rows: int | None) -> dict[str, Any]:
    """Step time, peak memory and first loss of one way."""
    device = torch.device(given.device)
    on_gpu = device.type == "cuda"
    drawn = torch.Generator().manual_seed(0)
    pairs = Pairs(
        text=torch.randn(given.batch, given.text_width, generator=drawn).to(device),
        image=torch.randn(given.batch, given.image_width, generator=drawn).to(device),
    )
    recipe = named_recipe(
        "s2",
        projection={"width": given.width, "depth": given.depth},
        batch_size=given.batch,
        bf16=given.bf16 or None,
    )
    trainer = Trainer(pairs=pairs, recipe=recipe, rows=rows, offload=given.offload)
    state = trainer.start()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated() if on_gpu else resident_bytes()
    clock = time.perf_counter if on_gpu else time.process_time
    times, losses = [], []
    for _ in range(given.steps + 1):
        started = clock()
        losses.append(trainer.step(state))
        if on_gpu:
            torch.cuda.synchronize()
        times.append(clock() - started)
    after = torch.cuda.max_memory_allocated() if on_gpu else resident_bytes()
    return {
        "rows": rows,
        # more than was asked for would be a fallback
        "rows_used": state.rows,
        "step_s": round(statistics.median(times[1:]), 4),
        "peak_mb": round((after - before) / 1e6, 1),
        "loss": losses[0],
    }


def main() -> None:
    """Measure the ways, each in its own process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--rows", type=int, nargs="*", default=[256, 512])
    parser.add_argument("--width", type=int, default=1024)
    parser.add_argument("--depth", type=int, default=4)
    parser.add_argument("--text-width", type=int, default=1024)
    parser.add_argument("--image-width", type=int, default=384)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--offload", action="store_true")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one is not None:
        torch.set_num_threads(1)
        print(json.dumps(measure(given, given.one or None)))
        return
    ways = []
    for rows in (0, *given.rows):
        own = [sys.executable, "-m", "benchmarks.align_step", *sys.argv[1:], "--one", str(rows)]
        ways.append(json.loads(subprocess.run(own, check=True, capture_output=True).stdout))
    asked = {
        key: value for key, value in vars(given).items() if key not in ("rows", "output", "one")
    }
    device = torch.cuda.get_device_name() if given.device == "cuda" else "cpu"
    report({**asked, "device": device, "ways": ways}, ("torch",), given.output)


if __name__ == "__main__":
    main()
