"""The one place where an XmodalError becomes a line on stderr and exit status 1.

What the package logs for the user goes to stderr from here too.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import typer

from taxonomy.errors import XmodalError

P = ParamSpec("P")
R = TypeVar("R")


def user_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print an XmodalError as one line on stderr and exit 1; bugs keep their traceback."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with told_on_stderr():
                return command(*args, **kwargs)
        except XmodalError as error:
            typer.echo(f"error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(1) from error

    return wrapped


class _Told(logging.Handler):
    """Each line once, however often a command does what it is about."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        if line not in self._said:
            self._said.add(line)
            typer.echo(line, err=True)


@contextmanager
def told_on_stderr() -> Iterator[None]:
    """What xmodal logs at level info, such as which dataset was taken, on stderr meanwhile."""
    logger, told = logging.getLogger("xmodal"), _Told()
    level = logger.level
    logger.addHandler(told)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(told)
        logger.setLevel(level)
