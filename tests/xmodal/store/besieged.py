"""What the tests with hostile statements share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from click.testing import CliRunner, Result
from typer.main import get_command

from cli.main import app

COMMAND = get_command(app)
"""Made once: that takes longer than most refusals."""


@contextmanager
def unchanged(path: Path) -> Iterator[None]:
    """The store's bytes, the names beside it and those in the working folder stay."""

    def state() -> tuple[str, list[str], list[str]]:
        names = sorted(os.listdir(path.parent)), sorted(os.listdir())
        return sha256(path.read_bytes()).hexdigest(), *names

    before = state()
    yield
    assert state() == before


def query(path: Path, text: str, *options: str) -> Result:
    """The command; a statement may begin with a comment, which looks like an option."""
    return CliRunner().invoke(COMMAND, ["query", "--store", str(path), *options, "--", text])


def assert_refused(done: Result) -> None:
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: query")
    assert done.stderr.count("\n") == 1
    assert "opensesame" not in done.stderr
