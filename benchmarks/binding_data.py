"""Rate of the generator of the retrieval task, beside a training step of a decoder.

python -m benchmarks.binding_data [--shape small|default|both] [--runs 1] [--batch 64]
    [--objects 8] [--device cpu|cuda] [--steps 10] [--bf16]
    [--output benchmarks/results/binding_data.json]

A batch is `runs` x `batch` text sequences, each with a two-hop question for every object. Its
time is the median of calls that draw scenes and lay them out; a step's is that of forward,
backward and AdamW on such a batch, made before. `generator_ratio` is the first as a share of both
together; it must be below 0.1. Small: 4 layers of width 64; default: 12 of 128. One thread on a
CPU.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from benchmarks.result import report
from xmodal.binding.decoder import Decoder, DecoderConfig
from xmodal.binding.samples import generator_rate, median_s
from xmodal.binding.task import Layout, draw_scenes, generators, lay_out
from xmodal.binding.vocabulary import Vocabulary

SHAPES = {
    "small": DecoderConfig(n_layers=4, width=64, n_heads=4),
    "default": DecoderConfig(),
}


def step_s(config: DecoderConfig, given: argparse.Namespace) -> float:
    """Median seconds of a training step on a batch that is there."""
    seeds = range(given.runs)
    decoder = Decoder(config, seeds).to(given.device)
    optimiser = torch.optim.AdamW(decoder.parameters(), lr=1e-4)
    of = generators(seeds, "benchmark", device=given.device)
    sequences = lay_out(draw_scenes(of, given.batch, given.objects, Vocabulary()), Layout())
    kind = torch.device(given.device).type

    def step(_: int) -> None:
        with torch.autocast(kind, torch.bfloat16, enabled=given.bf16):
            logits = decoder(sequences)
        loss = F.cross_entropy(logits.flatten(0, 2).float(), sequences.targets.flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    return median_s(step, given.steps, given.device)


def measure(name: str, given: argparse.Namespace) -> dict[str, Any]:
    """Generator and step of one shape."""
    made = generator_rate(
        given.device, count=given.batch, n_objects=given.objects, n_runs=given.runs
    )
    step = step_s(SHAPES[name], given)
    return {
        "shape": name,
        "n_layers": SHAPES[name].n_layers,
        "width": SHAPES[name].width,
        "generator_ms": round(made.batch_s * 1e3, 3),
        "sequences_per_s": round(made.sequences_per_s),
        "step_ms": round(step * 1e3, 2),
        "generator_ratio": round(made.batch_s / (made.batch_s + step), 4),
    }


def main() -> None:
    """Measure one shape or both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=(*SHAPES, "both"), default="both")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--objects", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    if given.device == "cpu":
        torch.set_num_threads(1)
    names = SHAPES if given.shape == "both" else [given.shape]
    asked = {k: v for k, v in vars(given).items() if k not in ("shape", "output")}
    on_gpu = given.device.startswith("cuda")
    device = torch.cuda.get_device_name(given.device) if on_gpu else "cpu"
    found = [measure(name, given) for name in names]
    report({**asked, "device": device, "shapes": found}, ("torch",), given.output)


if __name__ == "__main__":
    main()
