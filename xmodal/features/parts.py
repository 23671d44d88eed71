"""Parts of one feature set, made by processes that share nothing but its folder.

Part i of n makes every n-th shard from the i-th on, in a hidden folder of its own beside the
sets: no file is ever written by two of them. An empty mark beside the folder says that it is whole.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from taxonomy.errors import ConfigError, DataError
from taxonomy.reading import read_object
from xmodal.features.shards import ArrayFile, Note, Notes, Shard
from xmodal.files import drop_empty, own, write_whole

MOST = 9999
"""Parts of a set."""
ROWS = "rows.npy"
"""The rows of a part, one behind the other."""
NOTES = "notes-rows"

_GIVEN = re.compile(r"([0-9]{1,9})/([0-9]{1,9})")
_FOLDER = re.compile(r"\..+\.part-([1-9][0-9]{0,3})-of-([1-9][0-9]{0,3})")
_MARK = ".whole"


@dataclass(frozen=True)
class Part:
    """One of several parts that make a set together."""

    number: int
    """From 1."""
    of: int
    """How many there are."""

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of <= MOST:
            raise ConfigError(
                f"shard must be i/n with i from 1 to n and n at most {MOST}, got {self}"
            )

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @classmethod
    def read(cls, text: str) -> Part:
        """The part that a text such as 2/4 names.

        Raises:
            ConfigError: It names none.
        """
        found = _GIVEN.fullmatch(text)
        if found is None:
            raise ConfigError(f"shard must be i/n, such as 1/4 to 4/4, got {text!r}")
        return cls(int(found[1]), int(found[2]))

    def cut(self, shards: Sequence[Shard]) -> list[Shard]:
        """This part's shards, with the rows that they have in its own file."""
        mine, row = [], 0
        for shard in shards[self.number - 1 :: self.of]:
            mine.append(replace(shard, row=row))
            row += len(shard)
        return mine

    def folder(self, root: Path, set_id: str) -> Path:
        """Where it is made."""
        return root / f".{set_id}.part-{self.number}-of-{self.of}"


class Source:
    """The shards of a part that lies there, whole or not."""

    def __init__(self, folder: Path, shards: Sequence[Shard], row: tuple[int, int], dtype: str):
        """Take a part's folder.

        Args:
            folder: Its.
            shards: The part's, with their rows in its file.
            row: Tokens and width of a row.
            dtype: Of its numbers.
        """
        self.shards = {shard.name: shard for shard in shards}
        self.notes = Notes(folder / NOTES)
        shape = (sum(map(len, shards)), *row)
        self.file = ArrayFile(path=folder / ROWS, shape=shape, dtype=dtype)
        self.is_there = self.file.is_there()

    def take(self, shard: Shard, skip_bad: bool) -> tuple[bytes, Note] | None:
        """The bytes of a shard; None unless they are there as noted.

        Args:
            shard: Which.
            skip_bad: Else none with a skipped picture.
        """
        mine = self.shards.get(shard.name)
        if mine is None or not self.is_there:
            return None
        note = self.notes.read(mine)
        if note is None or (note.skipped and not skip_bad):
            return None
        try:
            content = self.file.content(mine.row, len(mine))
        except FileNotFoundError:  # whoever made the set has removed its parts
            return None
        return (content, note) if sha256(content).hexdigest() == note.sha256 else None


def parts_in(root: Path, set_id: str) -> dict[Path, Part]:
    """The parts of a set that lie there, whole or not, by folder."""
    found = {}
    for folder in sorted(root.glob(f".{set_id}.part-*-of-*")):
        said = _FOLDER.fullmatch(folder.name)
        if said and int(said[1]) <= int(said[2]) and folder.is_dir():
            found[folder] = Part(int(said[1]), int(said[2]))
    return found


def mark(root: Path, set_id: str, part: Part, n_skipped: int) -> None:
    """Say that a part is whole.

    The mark lies where the marks of all parts lie: on a network file system a machine that has made
    a file in a folder sees what others made there before, so that of two that end at once one at
    least sees both.
    """
    text = json.dumps({"n_skipped": n_skipped})
    write_whole(_mark_of(root, set_id, part), lambda path: path.write_text(text))


def is_whole(root: Path, set_id: str, part: Part, skip_bad: bool) -> bool:
    """Whether a part is marked; one that skipped pictures counts with skip_bad only."""
    try:
        n_skipped = read_object(_mark_of(root, set_id, part)).get("n_skipped")
    except DataError:
        return False
    return isinstance(n_skipped, int) and (skip_bad or not n_skipped)


def missing(root: Path, set_id: str, n_parts: int, skip_bad: bool) -> list[int]:
    """The numbers of the parts that are not whole."""
    numbers = range(1, n_parts + 1)
    return [i for i in numbers if not is_whole(root, set_id, Part(i, n_parts), skip_bad)]


def remove(root: Path, set_id: str) -> None:
    """Remove all parts of a set, but those that a process is at, and those of other users."""
    for folder in parts_in(root, set_id):
        with suppress(DataError):
            with own(folder, needed=False):
                shutil.rmtree(folder, ignore_errors=True)
            drop_empty(folder)
    for left in root.glob(f"*.{set_id}.part-*-of-*{_MARK}"):
        with suppress(OSError):
            left.unlink()


def _mark_of(root: Path, set_id: str, part: Part) -> Path:
    folder = part.folder(root, set_id)
    return folder.with_name(f"{folder.name}{_MARK}")
