"""Shards of WebDataset: a tar whose members of one name, up to the first dot, are one pair."""

from __future__ import annotations

import itertools
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from taxonomy.errors import DataError
from taxonomy.reading import check_name, parse_json
from xmodal.align.caption_record import Record, clean, valid

PICTURES = ("jpg", "jpeg", "png", "webp")
_TEXT, _JSON = "txt", "json"
_WANTED = (*PICTURES, _TEXT, _JSON)
_BLOCK = 512
"""Bytes; a tar consists of such."""


def read_shard(path: Path, fields: Sequence[str]) -> Iterator[Record]:
    """The pairs of a shard, one after the other, nothing written to disk.

    Args:
        path: A .tar, not compressed.
        fields: Keys of a json that hold its caption, the first that is there.

    Yields:
        A record for each name that has a picture or a caption.

    Raises:
        DataError: The tar is cut or damaged, or has a member twice.
    """
    for key, members in itertools.groupby(_members(path), key=lambda member: member[0]):
        parts: dict[str, bytes] = {}
        for _, kind, content in members:
            if kind in parts:
                raise DataError(f"{path} holds {key}.{kind} twice: names must be unique")
            parts[kind] = content
        caption = _caption(parts, fields, f"{key}.{_JSON} of {path}")
        picture = next((parts[kind] for kind in PICTURES if kind in parts), None)
        if caption or picture is not None or _TEXT in parts:
            yield Record(path, key, caption, picture)


def _caption(parts: dict[str, bytes], fields: Sequence[str], where: str) -> str:
    if _TEXT in parts:
        return clean(parts[_TEXT].decode("utf-8", "replace"))
    if _JSON not in parts:
        return ""
    said = parse_json(parts[_JSON], where)
    if not isinstance(said, dict):
        return ""
    by_name = {name.lower(): value for name, value in reversed(said.items())}
    return clean(next((by_name[name] for name in fields if by_name.get(name)), None))


def _members(path: Path) -> Iterator[tuple[str, str, bytes]]:
    """(key, suffix, content) of each file of a tar that may be part of a pair."""
    check_name(path)
    try:
        with path.open("rb") as file:
            with tarfile.open(fileobj=file, mode="r|") as tar:
                seen: list[tarfile.TarInfo] = vars(tar)["members"]
                while (member := tar.next()) is not None:
                    # a stream needs no list of what has gone by
                    seen.clear()
                    key, kind = _split(valid(member.name))
                    if member.isfile() and key and kind in _WANTED:
                        if member.issparse():  # some bytes can stand for any number
                            raise tarfile.ReadError(f"{member.name} is sparse")
                        content = tar.extractfile(member)
                        assert content is not None
                        yield key, kind, content.read()
                end = tar.offset
            _check_end(path, file, end)
    # tarfile reads a header of a header by calling itself
    except (OSError, EOFError, RecursionError, tarfile.TarError) as error:
        raise DataError(
            f"shard {path} is cut or damaged ({error}): fetch it anew or leave it out"
        ) from error


def _split(name: str) -> tuple[str, str]:
    """A member's name up to the first dot of its last part, and what comes after it."""
    folder, slash, last = name.rpartition("/")
    base, _, kind = last.partition(".")
    return (f"{folder}{slash}{base}" if base else ""), kind.lower()


def _check_end(path: Path, file: IO[bytes], end: int) -> None:
    """Refuse a tar that stops before its end mark: tarfile takes a damaged header for the end."""
    file.seek(end)
    block = file.read(_BLOCK)
    if len(block) < _BLOCK or block.strip(b"\0"):
        raise tarfile.ReadError(f"no end mark at byte {end}")
    while block := file.read(1 << 20):
        if block.strip(b"\0"):
            raise tarfile.ReadError(f"more data behind its end mark at byte {end}")
