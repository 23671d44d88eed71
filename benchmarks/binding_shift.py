"""Decoders asked about as many objects as they know, at positions that they may not know.

Every position of a text, context and question, is shifted by the same number: nothing else
changes, so that a decoder whose accuracy falls is tied to the positions that it was trained at.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.result import report
from xmodal.binding.run_folder import BindingFolder, load_decoder
from xmodal.binding.task import Layout, draw_scenes, generators, lay_out
from xmodal.binding.vocabulary import Vocabulary
from xmodal.binding_tables import RUN_WEIGHTS
from xmodal.bindings.shipped import shipped_runs


@torch.no_grad()
def accuracy(path: Path, n_objects: int | None, shift: int, count: int) -> tuple[int, float]:
    """Objects of a scene, and the share of two-hop questions that are answered right."""
    decoder, said = load_decoder(path)
    n = n_objects or said["n_to"]
    scenes = draw_scenes(generators([0], "shift", n), count, n, Vocabulary(**said["vocabulary"]))
    layout = Layout(order=said["order"], marker=said["marker"])
    asked = lay_out(scenes, layout).each(torch.arange(count) % n)
    asked = replace(asked, positions=asked.positions + shift)
    right = decoder(asked).argmax(-1) == asked.targets
    return n, float(right.float().mean())


def main() -> None:
    """Ask the decoders that ship, or those of a folder of runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, help="a folder of runs; those that ship if left out")
    parser.add_argument("--shifts", default="0,1,2,4,8,16")
    parser.add_argument("--objects", type=int, help="the most that training shows if left out")
    parser.add_argument("--n", type=int, default=1000, help="scenes")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    folders = shipped_runs()
    if given.runs is not None:
        folders = [BindingFolder(path) for path in sorted(given.runs.iterdir()) if path.is_dir()]
    found: list[dict[str, Any]] = []
    for folder in folders:
        record = folder.record() or {}
        for shift in (int(one) for one in given.shifts.split(",")):
            n, share = accuracy(folder.path / RUN_WEIGHTS, given.objects, shift, given.n)
            told = {name: record.get(name) for name in ("arm", "start", "position", "seed_init")}
            found.append(told | {"n_objects": n, "shift": shift, "accuracy": round(share, 4)})
    report({"n_scenes": given.n, "shifted": found}, ("torch",), given.output)


if __name__ == "__main__":
    main()
