"""Seals: what a record says of the files that it speaks of, so that a changed byte is seen.

The last thing that a job writes into its folder is a record (run.json, evaluation.json,
probe.json). It holds the sha256 of the files beside it and of its own other fields.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from xmodal.files import file_sha256

SEAL = "files_sha256"
"""Field of a record: sha256 by file name."""
OWN = "record"
"""Key in it of the record's other fields."""


def sealed(record: Mapping[str, Any], folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """A record with its seal; an older seal is replaced.

    Args:
        record: Plain values.
        folder: Where the files lie, whole.
        names: Of the files.
    """
    said = unsealed(record)
    hashes = {name: file_sha256(folder / name) for name in names}
    return said | {SEAL: {OWN: fields_sha256(said)} | hashes}


def unsealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record's other fields."""
    return {name: value for name, value in record.items() if name != SEAL}


def fields_sha256(record: Mapping[str, Any]) -> str:
    """Hash of a record's fields but the seal, in any order, as JSON gives them back."""
    plain = json.loads(json.dumps(unsealed(record)))
    return sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
