"""Decoders asked about as many objects as they know, at positions that they may not know.

See xmodal.binding.shifted; `xmodal binding probe --kind shift` asks the runs of a store.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.result import report
from xmodal.binding.examples import as_ordered
from xmodal.binding.own_subject import OwnSubject
from xmodal.binding.run_folder import BindingFolder, load_decoder
from xmodal.binding.shifted import shifted
from xmodal.binding.task import Layout, draw_scenes, generators
from xmodal.binding.vocabulary import Vocabulary
from xmodal.binding_tables import RUN_WEIGHTS
from xmodal.bindings.shipped import shipped_runs


def asked(
    path: Path, n_objects: int | None, shifts: Sequence[int], count: int
) -> list[dict[str, Any]]:
    """Rows of table binding_shifted."""
    decoder, said = load_decoder(path)
    n = n_objects or said["n_to"]
    layout = Layout(order=said["order"], marker=said["marker"])
    scenes = draw_scenes(generators([0], "shift", n), count, n, Vocabulary(**said["vocabulary"]))
    subject = OwnSubject(decoder, layout)
    return shifted(subject, [as_ordered(scenes, layout)], shifts).to_pylist()


def main() -> None:
    """Ask the decoders that ship, or those of a folder of runs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, help="a folder of runs; those that ship if left out")
    parser.add_argument("--shifts", default="0,1,2,4,8,16")
    parser.add_argument("--objects", type=int, help="the most that training shows if left out")
    parser.add_argument("--n", type=int, default=1000, help="scenes")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    shifts = [int(one) for one in given.shifts.split(",")]
    folders = shipped_runs()
    if given.runs is not None:
        folders = [BindingFolder(path) for path in sorted(given.runs.iterdir()) if path.is_dir()]
    found: list[dict[str, Any]] = []
    for folder in folders:
        record = folder.record() or {}
        told = {name: record.get(name) for name in ("arm", "start", "position", "seed_init")}
        for row in asked(folder.path / RUN_WEIGHTS, given.objects, shifts, given.n):
            share = round(row["n_right"] / row["n_questions"], 4)
            found.append(
                told | {name: row[name] for name in ("n_objects", "shift")} | {"accuracy": share}
            )
    report({"n_scenes": given.n, "shifted": found}, ("torch",), given.output)


if __name__ == "__main__":
    main()
