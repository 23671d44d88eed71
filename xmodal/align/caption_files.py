"""Pairs of caption and picture from files, one after the other.

Three kinds: Parquet, as Hugging Face keeps pictures; shards of WebDataset; and the json of LLaVA's
pretraining, whose pictures lie in a folder. Captions come without the white space around them.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxonomy.errors import ConfigError, DataError, unknown
from taxonomy.reading import check_name, read_json
from taxonomy.sources.inside import inside
from xmodal.align.caption_record import Record, clean, valid
from xmodal.align.caption_shards import read_shard
from xmodal.parquet import DAMAGE, check_once, first_line

KINDS = ("parquet", "webdataset", "llava-json")
CAPTIONS = ("caption", "text")
"""Columns or fields that hold captions, the first that is there, in any case."""
PATHS = ("image_path", "path", "file_name")
"""Columns that name a picture's file, the first that is there, in any case."""
_NO_TURN = ("blip_caption", "caption")
_BRACES = re.compile(r"\{([^{}]+)\}")
_ROWS = 256
"""Rows of a Parquet file that are held at once."""


@dataclass(frozen=True, kw_only=True)
class CaptionSource:
    """Files that pairs are read from; from caption_source."""

    kind: str
    """parquet, webdataset or llava-json."""
    name: str
    """For the reader: what the path is called, without suffix."""
    where: str
    """The path as it was given, for messages."""
    files: tuple[Path, ...]
    images: Path | None = None
    """Folder of the pictures; None for that of the file."""
    allow_outside: bool = False
    """Take pictures that do not lie in that folder too."""

    def records(self) -> Iterator[Record]:
        """Every pair, in order; each call reads anew.

        Yields:
            Also what has no caption, or no picture: to be counted or refused.

        Raises:
            DataError: A file is not there, damaged, or of another layout, or a picture's path
                leads out of its folder.
        """
        read = {"parquet": _parquet, "webdataset": _shard, "llava-json": _llava}[self.kind]
        for file in self.files:
            yield from read(file, _Place(self.images or file.parent, self.allow_outside))


@dataclass(frozen=True)
class _Place:
    """Where the pictures lie that a file names."""

    folder: Path
    allow_outside: bool

    def picture(self, name: str, where: str) -> Path:
        return inside(self.folder, name, where, allow_outside=self.allow_outside)


def caption_source(
    path: Path | str,
    *,
    kind: str | None = None,
    images: Path | None = None,
    allow_outside: bool = False,
) -> CaptionSource:
    """What a path is: files of pairs, and their kind.

    Args:
        path: A .parquet file, a .tar, a .json, a folder of either of the former two or with a
            chat.json in it, or shards by a pattern such as "cc3m-{000..009}.tar".
        kind: parquet, webdataset or llava-json; None for what the path looks like.
        images: Folder that paths of pictures are below; None for that of the file.
        allow_outside: Take pictures that do not lie below it too.

    Raises:
        ConfigError: No such kind.
        DataError: Nothing is there, or it does not look like one of the kinds.
    """
    if kind is not None and kind not in KINDS:
        raise ConfigError(unknown("kind", kind, KINDS))
    path = Path(path)
    if images is not None and not images.is_dir():
        raise DataError(f"images must be a folder of pictures, {images} is none")
    if path.is_dir():
        found, files = _of_folder(path, kind)
    else:
        files = [path] if os.path.exists(path) else [Path(one) for one in _expanded(str(path))]
        found = kind or _by_suffix(path)
    if missing := next((file for file in files if not os.path.isfile(file)), None):
        raise DataError(f"{missing} is not there: give a file or folder of captions and pictures")
    name = _BRACES.sub("", path.name if path.is_dir() else path.stem).strip("-_.")
    return CaptionSource(
        kind=found,
        name=name or found,
        where=str(path),
        files=tuple(files),
        images=images,
        allow_outside=allow_outside,
    )


def _by_suffix(path: Path) -> str:
    kinds = {".parquet": "parquet", ".tar": "webdataset", ".json": "llava-json"}
    if path.suffix not in kinds:
        raise DataError(
            f"{path} must be a .parquet, .tar or .json file or a folder of such; --kind says what "
            "a file of another name is"
        )
    return kinds[path.suffix]


def _of_folder(path: Path, kind: str | None) -> tuple[str, list[Path]]:
    """Kind and files of a folder: shards sorted by name, or the one json."""
    named = {k: sorted(path.glob(f"*.{k}")) for k in ("parquet", "tar", "json")}
    # those beside shards are notes about them
    others = named["parquet"] or named["tar"]
    named["json"] = _chat(named["json"]) if others and kind is None else _only_json(named["json"])
    there = dict(zip(KINDS, named.values(), strict=True))
    kinds = [kind] if kind else [k for k, files in there.items() if files]
    if not any(there[k] for k in kinds):
        wanted = {"parquet": ".parquet", "webdataset": ".tar", "llava-json": "chat.json"}
        raise DataError(f"{path} holds no {' or '.join(wanted[k] for k in kinds or KINDS)}")
    if len(kinds) > 1:
        raise DataError(f"{path} holds {' and '.join(kinds)}: say which with --kind")
    return kinds[0], there[kinds[0]]


def _chat(files: Sequence[Path]) -> list[Path]:
    return [file for file in files if file.name == "chat.json"]


def _only_json(files: Sequence[Path]) -> list[Path]:
    """LLaVA's chat.json, also beside its metadata.json; else the only one."""
    return _chat(files) or (list(files) if len(files) == 1 else [])


def _expanded(pattern: str) -> list[str]:
    """Names that a pattern with {000..009} or {a,b} stands for, in its order."""
    match = _BRACES.search(pattern)
    if match is None:
        return [pattern]
    given = match[1]
    if span := re.fullmatch(r"(\d+)\.\.(\d+)", given):
        first, last = int(span[1]), int(span[2])
        if last < first:
            raise DataError(f"{pattern} counts down: write {{{span[2]}..{span[1]}}}")
        parts = [f"{n:0{len(span[1])}d}" for n in range(first, last + 1)]
    else:
        parts = given.split(",")
    before, after = pattern[: match.start()], pattern[match.end() :]
    rest = _expanded(after)
    return [before + part + end for part, end in itertools.product(parts, rest)]


def _shard(file: Path, place: _Place) -> Iterator[Record]:
    return read_shard(file, CAPTIONS)


def _parquet(file: Path, place: _Place) -> Iterator[Record]:
    check_name(file)
    try:
        opened = pq.ParquetFile(file)
        caption, picture = _columns(file, opened.schema_arrow)
        row = 0
        for group in range(opened.num_row_groups):
            batches = opened.iter_batches(_ROWS, row_groups=[group], columns=[caption, picture])
            for batch in batches:
                rows = batch.to_pydict()
                for text, image in zip(rows[caption], rows[picture], strict=True):
                    image = _cell(image, place, f"{file}, row {row}")
                    yield Record(file, f"{file.name}:{row}", clean(text), image)
                    row += 1
    except DAMAGE as error:
        raise DataError(f"{file} cannot be read as Parquet: {first_line(error)}") from error


def _columns(file: Path, schema: pa.Schema) -> tuple[str, str]:
    """Names of the columns of captions and pictures."""
    names = {name.lower(): name for name in reversed(schema.names)}
    have = ", ".join(schema.names) or "none"
    caption = next((names[name] for name in CAPTIONS if name in names), None)
    if caption is None:
        raise DataError(f"{file} has no column caption or text, only {have}")
    picture = next((names[name] for name in ("image", *PATHS) if name in names), None)
    if picture is None:
        raise DataError(f"{file} has no column image or {', '.join(PATHS)}, only {have}")
    check_once(file, schema.names, (caption, picture))
    kind = schema.field(caption).type
    if not _holds(kind, pa.types.is_string, pa.types.is_large_string):
        raise DataError(f"column {caption} of {file} must hold text, got {kind}")
    kind = schema.field(picture).type
    if picture.lower() == "image":
        if not _holds_bytes(kind):
            raise DataError(
                f"column {picture} of {file} must hold bytes, or a struct with bytes, got {kind}; "
                "paths go into a column image_path"
            )
    elif not _holds(kind, pa.types.is_string, pa.types.is_large_string):
        raise DataError(f"column {picture} of {file} must hold paths, got {kind}")
    return caption, picture


def _holds_bytes(kind: pa.DataType) -> bool:
    """Whether a column holds bytes, or structs of bytes and maybe a path."""
    if not pa.types.is_struct(kind):
        return _holds(kind, pa.types.is_binary, pa.types.is_large_binary)
    parts = [kind.field(i) for i in range(kind.num_fields)]
    named = [part.name for part in parts]
    if named.count("bytes") != 1 or named.count("path") > 1:
        return False
    tests = {
        "bytes": (pa.types.is_binary, pa.types.is_large_binary),
        "path": (pa.types.is_string, pa.types.is_large_string),
    }
    return all(_holds(part.type, *tests[part.name]) for part in parts if part.name in tests)


def _holds(kind: pa.DataType, *tests: Any) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return any(test(value) for test in tests)


def _cell(image: Any, place: _Place, where: str) -> bytes | Path | None:
    """A picture as a column has it: bytes, {bytes, path}, or a path."""
    if isinstance(image, dict):
        image = image["bytes"] if image["bytes"] is not None else image.get("path")
    if not image:
        return None
    return place.picture(image, where) if isinstance(image, str) else bytes(image)


def _llava(file: Path, place: _Place) -> Iterator[Record]:
    entries = read_json(file)
    if not isinstance(entries, list):
        raise DataError(f"{file} must be a list of entries with image and conversations")
    for number, entry in enumerate(entries):
        where = f"{file}, entry {number}"
        if not isinstance(entry, dict):
            raise DataError(f"{where} must be an object, got {type(entry).__name__}")
        image = entry.get("image")
        picture = place.picture(image, where) if isinstance(image, str) and image else None
        key = entry.get("id")
        key = valid(str(key)) if isinstance(key, str | int | float) else str(number)
        yield Record(file, key, _said(entry), picture)


def _said(entry: dict[str, Any]) -> str:
    """The first turn of the model; of an entry without turns, its caption."""
    turns = entry.get("conversations")
    if not isinstance(turns, list) or not turns:
        return clean(next((entry[name] for name in _NO_TURN if entry.get(name)), None))
    said = (t.get("value") for t in turns if isinstance(t, dict) and t.get("from") == "gpt")
    return clean(next(said, None))
