"""Trained projectors in memory: one at a time, read when they are first asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from xmodal.asking import Answer, Asker
from xmodal.features.pictures import picture_of
from xmodal.report.pictures import as_thumbnail

AT_ONCE = 2
"""Pictures that may be decoded and asked about at the same time."""

SHOWN = 240
"""Pixels of the longer side of the picture beside its answers."""


class BusyError(Exception):
    """Enough pictures are asked about already."""


class Models:
    """The run that was asked last, kept; another one takes its place."""

    def __init__(self, store: Path) -> None:
        """Nothing is read yet."""
        self.store = store
        self._lock = threading.Lock()
        self._free = threading.BoundedSemaphore(AT_ONCE)
        self._asker: Asker | None = None

    def ask(
        self, run_id: str, content: bytes, concepts: Sequence[str]
    ) -> tuple[list[Answer], bytes]:
        """Ask a run about a picture.

        Args:
            run_id: A whole id.
            content: Of the picture's file.
            concepts: As for Asker.ask.

        Returns:
            The answers, and a small copy of the picture.

        Raises:
            BusyError: Others are asking.
            XmodalError: The run cannot be loaded, or the picture or a concept cannot be used.
        """
        with self._place():
            image = picture_of(content, "of yours")
            with self._lock:  # until it has answered: else two are in memory
                answers = self._loaded(run_id).ask(image, concepts)
            return answers, as_thumbnail(image, SHOWN)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._free.acquire(blocking=False):
            raise BusyError
        try:
            yield
        finally:
            self._free.release()

    def _loaded(self, run_id: str) -> Asker:
        if self._asker is None or self._asker.record["run_id"] != run_id:
            self._asker = None  # its memory first
            self._asker = Asker.load(self.store, run_id)
        return self._asker
