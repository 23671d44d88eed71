"""What every benchmark does with its numbers: print them as JSON, with what they were made on."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from xmodal.machine import n_cores


def report(numbers: dict[str, Any], packages: tuple[str, ...], output: Path | None) -> None:
    """Print the numbers with the versions, and write them to a file if one is given."""
    made_on = {
        "python": platform.python_version(),
        "cores": n_cores(),
        **{package: version(package) for package in packages},
    }
    text = json.dumps({**numbers, "made_on": made_on}, indent=1)
    print(text)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text + "\n")
