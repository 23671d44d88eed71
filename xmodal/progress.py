"""Progress bars on stderr, with rate and time left; none where stderr is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LINE_EVERY_S = 60.0
"""Seconds between two lines where there is no terminal for a bar."""


class _Rate(ProgressColumn):
    """Steps a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.1f}/s" if task.speed else "")


def bars() -> Progress:
    """An empty set of bars on stderr."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=console,
        disable=not console.is_terminal,
    )


@contextmanager
def counter(what: str) -> Iterator[Callable[[int, int], None]]:
    """One bar, moved by calls of (done, in all); a line a minute where there is no terminal.

    What is done by the first call was there before, and tells nothing of the rate.
    """
    with bars() as shown:
        task = shown.add_task(what, total=None, note="")
        started: tuple[float, int] | None = None
        said = time.monotonic()

        def move(done: int, total: int) -> None:
            nonlocal started, said
            now = time.monotonic()
            if started is None:
                started = (now, done)
                shown.reset(task, completed=done, total=total)
            shown.update(task, completed=done, total=total)
            if shown.disable and now - said >= LINE_EVERY_S:
                said = now
                line = rate_line(what, done, total, done - started[1], now - started[0])
                shown.console.print(line, highlight=False)

        yield move


def rate_line(what: str, done: int, total: int, made: int, seconds: float) -> str:
    """How far it is, how fast, and how long it takes yet.

    Args:
        what: What is counted.
        done: So far, what was there before included.
        total: In all.
        made: In this call.
        seconds: That this call has taken.
    """
    line = f"{what}: {done} of {total}"
    if made <= 0 or seconds <= 0:
        return line
    rate = made / seconds
    left = timedelta(seconds=round((total - done) / rate))
    return f"{line}, {rate:.1f}/s, {left} left"
