"""The pictures of a user's table: read, decoded once, hashed and split."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from taxonomy.errors import DataError
from taxonomy.sources.csv_table import Row
from taxonomy.sources.inside import inside
from taxonomy.sources.picture_files import PictureError, check_whole, read_picture_bytes
from taxonomy.sources.source import Picture
from taxonomy.split import split_leaf


@dataclass(frozen=True, kw_only=True)
class _File:
    row: Row
    path: Path
    sha256: str

    @property
    def group(self) -> str:
        """What must not cross splits; copies of one picture stay together."""
        return self.row.group or self.sha256


def read_pictures(
    rows: Iterable[Row],
    root: Path,
    seed: int,
    inner: frozenset[str],
    *,
    allow_outside: bool = False,
) -> list[Picture]:
    """Read every picture and give it a split.

    Args:
        rows: Rows of the table; those without an image are passed over.
        root: Where relative picture paths start.
        seed: Seed of the split, for leaves whose rows name none.
        inner: Concepts whose pictures are in no split.
        allow_outside: Take pictures that do not lie below root too.

    Returns:
        The pictures by concept, sha256 and path.

    Raises:
        DataError: A picture is missing, damaged, not below root or shows two leaves; a leaf
            cannot be split, or is split in a way that leaks or leaves nothing to test.
    """
    by_leaf: dict[str, list[_File]] = defaultdict(list)
    for file in _files(rows, root, allow_outside):
        by_leaf[file.row.leaf].append(file)
    pictures: list[Picture] = []
    for leaf, files in sorted(by_leaf.items()):
        splits = {} if leaf in inner else _splits(leaf, files, seed)
        pictures += [
            Picture(
                concept=leaf,
                sha256=file.sha256,
                uri=file.path.as_posix(),
                split=splits.get(file.group),
                style=Path(file.row.image).parent.name or None,
                family=file.group,
            )
            for file in sorted(files, key=lambda file: (file.sha256, file.row.image))
        ]
    return pictures


def _files(rows: Iterable[Row], root: Path, allow_outside: bool) -> list[_File]:
    """One entry a picture file: rows that repeat a file for another hypernym are one."""
    found: dict[Path, _File] = {}
    shows: dict[str, _File] = {}
    for row in rows:
        if not row.image:
            continue
        named = inside(root, row.image, row.where, allow_outside=allow_outside)
        path = Path(os.path.realpath(named))
        known = found.get(path)
        if known is None:
            file = _File(row=row, path=path, sha256=_checked_hash(path, row))
            _one_leaf(file, shows.setdefault(file.sha256, file))
            found[path] = file
            continue
        _one_leaf(replace(known, row=row), known)
        for name in ("split", "group"):
            old, new = getattr(known.row, name), getattr(row, name)
            if old != new:
                raise DataError(
                    f"{row.where}: image {row.image!r} has {name} {new!r} here and {old!r} "
                    f"in {known.row.where}; an image has one"
                )
    return list(found.values())


def _one_leaf(file: _File, other: _File) -> None:
    if file.row.leaf != other.row.leaf:
        raise DataError(
            f"{file.row.where}: image {file.row.image!r} of leaf {file.row.leaf!r} is the same "
            f"picture as that of leaf {other.row.leaf!r} in {other.row.where}; "
            "a picture has one leaf"
        )


def _checked_hash(path: Path, row: Row) -> str:
    """The sha256 of a file that decodes to the last pixel."""
    if not os.path.isfile(path):
        raise DataError(f"{row.where}: image {path} of leaf {row.leaf!r} does not exist")
    try:
        content = read_picture_bytes(path)
        check_whole(content)
    except PictureError as error:
        raise DataError(
            f"{row.where}: image {path} of leaf {row.leaf!r} cannot be decoded ({error}); "
            "replace it or take the row out"
        ) from error
    return sha256(content).hexdigest()


def _splits(leaf: str, files: list[_File], seed: int) -> Mapping[str, str]:
    """The split of each group of a leaf: as the rows say, else by hash."""
    if not any(file.row.split for file in files):
        return split_leaf(leaf, Counter(file.group for file in files), seed)
    splits: dict[str, str] = {}
    for file in files:
        row = file.row
        if not row.split:
            raise DataError(
                f"{row.where}: image {row.image!r} has no split, but other images of leaf "
                f"{leaf!r} have one; fill in all of a leaf or none"
            )
        if splits.setdefault(file.group, row.split) != row.split:
            raise DataError(
                f"{row.where}: group {file.group!r} of leaf {leaf!r} is in {row.split} here and "
                f"in {splits[file.group]} before; a group of a leaf has one split"
            )
    return splits
