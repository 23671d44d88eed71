"""Pictures in folders, one folder or prefix a concept: found, checked, hashed and split."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from taxonomy.errors import DataError
from taxonomy.sources.picture_files import PictureError, check_header, read_picture_bytes
from taxonomy.sources.source import Picture
from taxonomy.split import split_leaf

SUFFIXES = frozenset([".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"])


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """The pictures of a source, and those left out."""

    pictures: tuple[Picture, ...]
    """By concept, sha256 and name of the file."""
    shared: tuple[str, ...]
    """Files left out because another concept has the same bytes, with the concepts."""


def visible(folder: Path) -> list[Path]:
    """What is in a folder, by name, hidden entries left out.

    Raises:
        DataError: It is no folder or cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError(f"images {folder} cannot be read: {error.strerror or error}") from error


def is_picture(path: Path) -> bool:
    """Whether a file has the suffix of a picture."""
    return path.suffix.lower() in SUFFIXES and os.path.isfile(path)


def read_folders(
    files: Mapping[str, Sequence[Path]], seed: int, unsplit: Iterable[str] = ()
) -> Pictures:
    """Check the header of every picture, hash it, and split each concept 70/5/25.

    Copies of a picture within a concept stay in one split. A picture that two concepts have
    shows neither for certain, and is left out of both.

    Args:
        files: The files of each concept.
        seed: Seed of the split; names and places of the files play no part in it.
        unsplit: Concepts whose pictures are in no split.

    Returns:
        The pictures, style being the name of the folder.

    Raises:
        DataError: A file is no picture, or a concept has too few to train and to test.
    """
    hashes = {path: _hash(path) for paths in files.values() for path in paths}
    shows: dict[str, set[str]] = defaultdict(set)
    for concept, paths in files.items():
        for path in paths:
            shows[hashes[path]].add(concept)
    apart = frozenset(unsplit)
    pictures: list[Picture] = []
    for concept in sorted(files):
        paths = [path for path in files[concept] if len(shows[hashes[path]]) == 1]
        groups = Counter(hashes[path] for path in paths)
        elsewhere = [path for path in files[concept] if len(shows[hashes[path]]) > 1]
        splits = {} if concept in apart else _split(concept, groups, seed, elsewhere)
        pictures += [
            Picture(
                concept=concept,
                sha256=hashes[path],
                uri=path.resolve().as_posix(),
                split=splits.get(hashes[path]),
                style=path.parent.name,
                family=hashes[path],
            )
            for path in sorted(paths, key=lambda path: (hashes[path], path.name))
        ]
    shared = [
        f"{path.parent.name}/{path.name} ({', '.join(sorted(shows[hashed]))})"
        for path, hashed in sorted(hashes.items())
        if len(shows[hashed]) > 1
    ]
    return Pictures(pictures=tuple(pictures), shared=tuple(shared))


def _split(
    concept: str, groups: Counter[str], seed: int, elsewhere: Sequence[Path]
) -> dict[str, str]:
    """The split of a concept's pictures; an error names those that another concept has too."""
    try:
        return split_leaf(concept, groups, seed)
    except DataError as error:
        if not elsewhere:
            raise
        raise DataError(
            f"{error}; left out, as another concept has the same picture: {len(elsewhere)}, such "
            f"as {elsewhere[0].parent.name}/{elsewhere[0].name}"
        ) from error


def _hash(path: Path) -> str:
    """The sha256 of a file with the header of a picture."""
    try:
        content = read_picture_bytes(path)
        check_header(content)
        return sha256(content).hexdigest()
    except PictureError as error:
        raise DataError(
            f"image {path} cannot be used ({error}); replace it or take it out"
        ) from error
