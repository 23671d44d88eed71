"""The WordNet 3.0 noun files of the bundle, unpacked once into the cache."""

from __future__ import annotations

import json
import lzma
import os
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path

from taxonomy.errors import DataError
from xmodal.bundle.files import cache_dir, data_file

PACKED = ("data.noun", "index.noun", "noun.exc")
PLAIN = ("lexnames", "LICENSE")
# NLTK opens the files of every part of speech; empty ones will do.
EMPTY = tuple(
    name for pos in ("adj", "adv", "verb") for name in (f"data.{pos}", f"index.{pos}", f"{pos}.exc")
)


def wordnet_dir() -> Path:
    """A folder with the bundled WordNet nouns, unpacked on the first call.

    The folder's name holds the hash of its contents and it appears by one rename, so
    that another process sees all of it or nothing. A folder with a file missing or of
    another size is made anew.

    Returns:
        A folder with data.noun, index.noun, noun.exc, lexnames, LICENSE and empty
        adjective, adverb and verb files.

    Raises:
        DataError: The cache folder cannot be written, or the package's files are damaged.
    """
    checks = _checks()
    digest = sha256(json.dumps(checks, sort_keys=True).encode()).hexdigest()[:16]
    folder = cache_dir() / f"wordnet-3.0-nouns-{digest}"
    if _is_whole(folder, checks):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder.parent, error) from error
    try:
        _unpack(made, checks)
        _put_in_place(made, folder, checks)
    except OSError as error:
        raise _unwritable(folder.parent, error) from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return folder


def _checks() -> dict[str, dict[str, int | str]]:
    """For each file its size in bytes and sha256, as they were when packed."""
    found: dict[str, dict[str, int | str]] = json.loads(data_file("wordnet/files.json").read_text())
    return found


def _is_whole(folder: Path, checks: dict[str, dict[str, int | str]]) -> bool:
    try:
        return all(
            (folder / name).stat().st_size == check["n_bytes"] for name, check in checks.items()
        )
    except OSError:
        return False


def _unpack(folder: Path, checks: dict[str, dict[str, int | str]]) -> None:
    for name, check in checks.items():
        if name in PACKED:
            content = _decompress(name)
        elif name in EMPTY:
            content = b""
        else:
            content = data_file(f"wordnet/{name}").read_bytes()
        if sha256(content).hexdigest() != check["sha256"]:
            raise DataError(
                f"the bundled WordNet file {name} is damaged: its sha256 must be "
                f"{check['sha256']}, got {sha256(content).hexdigest()}; install xmodal again"
            )
        with (folder / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    folder.chmod(0o755)


def _decompress(name: str) -> bytes:
    try:
        return lzma.decompress(data_file(f"wordnet/{name}.xz").read_bytes())
    except lzma.LZMAError as error:
        raise DataError(
            f"the bundled WordNet file {name}.xz is damaged: {error}; install xmodal again"
        ) from error


def _put_in_place(made: Path, folder: Path, checks: dict[str, dict[str, int | str]]) -> None:
    """Rename the finished folder; another process that was faster with the same wins."""
    if folder.exists() and not _is_whole(folder, checks):
        damaged = made.with_name(f"{made.name}.damaged")
        folder.rename(damaged)
        shutil.rmtree(damaged, ignore_errors=True)
    try:
        made.rename(folder)
    except OSError:
        if not _is_whole(folder, checks):
            raise


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        f"the WordNet files cannot be unpacked into {folder}: {error.strerror or error}; "
        "set XMODAL_CACHE to a folder that can be written"
    )
