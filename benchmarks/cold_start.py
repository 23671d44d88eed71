"""Start-up of the command line against importing Typer, whole processes, in turn.

python -m benchmarks.cold_start [--runs 15] [--output benchmarks/results/cold_start.json]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.result import report


def seconds(code: str) -> float:
    """Wall time of one Python process that runs the code."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Time both, A B A B, after one warm-up each, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    commands = {
        "help_s": "import sys; sys.argv = ['xmodal', '--help']; from cli.main import main; main()",
        "typer_s": "import typer",
    }
    for code in commands.values():
        seconds(code)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(asked.runs):
        for name, code in commands.items():
            times[name].append(seconds(code))
    medians = {name: round(statistics.median(values), 4) for name, values in times.items()}
    result = {
        **medians,
        "ratio": round(medians["help_s"] / medians["typer_s"], 2),
        "runs": asked.runs,
    }
    report(result, ("typer",), asked.output)


if __name__ == "__main__":
    main()
