"""The command starts cold: nothing heavy is imported before a command needs it."""

from __future__ import annotations

import subprocess
import sys

from tests.xmodal import tiny

HEAVY = (
    *("torch", "transformers", "tokenizers", "safetensors", "nltk", "duckdb", "pyarrow"),
    *("numpy", "networkx", "altair", "sqlmodel", "pydantic", "PIL", "vl_convert"),
)


def test_importing_the_command_loads_nothing_heavy() -> None:
    code = "import sys, cli.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=tiny.environment(),
        check=True,
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert {"cli", "typer", "taxonomy"} <= loaded
    assert loaded.isdisjoint(HEAVY)


def test_help_names_every_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "--help"],
        capture_output=True,
        text=True,
        env=tiny.environment(),
        check=True,
    )
    for name in ("bundle", "demo", "features", "manifest", "query", "runs", "taxonomy", "train"):
        assert f"  {name} " in done.stdout
