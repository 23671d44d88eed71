"""The one place where an XmodalError becomes a line on stderr and exit status 1.

What the package logs for the user goes to stderr from here too.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import typer

from taxonomy.errors import XmodalError

P = ParamSpec("P")
R = TypeVar("R")


def user_errors(command: Callable[P, R]) -> Callable[P, R]:
    """Print an XmodalError as one line on stderr and exit 1; bugs keep their traceback.

    A full disk is no bug, whoever finds it.
    """

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            with told_on_stderr():
                return command(*args, **kwargs)
        except XmodalError as error:
            _say(error)
            raise typer.Exit(1) from error
        except OSError as error:
            from xmodal.room import no_room, why_no_room

            if not (why := why_no_room(error)):
                raise
            named = isinstance(error.filename, str)
            _say(no_room(Path(error.filename).absolute().parent if named else "its folder", why))
            raise typer.Exit(1) from error

    return wrapped


def _say(error: XmodalError) -> None:
    typer.echo(f"error: {' '.join(str(error).split())}", err=True)


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
