"""Features that something else made: any encoder, any modality, one row a picture.

An id names a picture of the dataset in one of three ways, the same for all: the sha256 of its
file, its uri as the dataset has it, or its file name. Every picture has exactly one row.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taxonomy.errors import ConfigError, DataError
from taxonomy.hashing import content_id
from taxonomy.model import Taxonomy, one_of
from taxonomy.reading import check_name, parse_json, read_text, value_of
from xmodal.arrays import read_npz
from xmodal.features.config import FeatureConfig
from xmodal.features.extract import put
from xmodal.features.feature_set import ARRAY, DESCRIPTION, FeatureSet, load_features
from xmodal.features.shards import ArrayFile
from xmodal.files import file_sha256

KINDS = ("sha256", "uri", "name")
FEATURES, IDS = "features", "ids"
"""Names of the arrays in a file."""
_ROWS = 1024


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a file holds."""

    ids: tuple[str, ...]
    shape: tuple[int, int, int]
    read: Callable[[Any], Tensor]
    """From row numbers (int64 array) to float32 [N, P, Dv]."""


def import_features(
    taxonomy: Taxonomy,
    path: Path,
    root: Path,
    *,
    name: str,
    ids: Path | None = None,
    by: str | None = None,
    dtype: str = "float32",
    trained_on: Path | None = None,
) -> tuple[FeatureSet, bool, str]:
    """Make a feature set of a file's rows, unless it is there.

    Args:
        taxonomy: The dataset.
        path: .npz or .safetensors with an array `features`, [N, Dv] or [N, P, Dv].
        root: Folder of feature sets.
        name: Stands where an encoder's name does.
        ids: Text file, one id a line, in the order of the rows. None: an array `ids` of the
            .npz, or a JSON list under `ids` in the metadata of the .safetensors.
        by: What the ids are: sha256, uri or name; None for the first that knows the first id.
        dtype: Of the numbers on disk.
        trained_on: Text file with the sha256 of each picture that their encoder was trained
            on, one a line.

    Returns:
        The feature set, whether it had to be made, and what the ids are.

    Raises:
        ConfigError: A setting out of range.
        DataError: The file cannot be read, an id is unknown, there twice or missing, or a
            number is not finite.
    """
    one_of("dtype", dtype, ("float32", "bfloat16"))
    if not name.strip():
        raise ConfigError("name must not be empty: it stands where an encoder's name does")
    given = _read(path, ids)
    known_by, rows = _rows(taxonomy, given.ids, by, path)
    config = FeatureConfig(encoder=name, pooling="given", layer="output", n_views=1, dtype=dtype)
    trained = _hashes(trained_on) if trained_on else frozenset()
    root.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".import.", dir=root))
    try:
        file = ArrayFile(path=made / ARRAY, shape=(len(rows), *given.shape[1:]), dtype=dtype)
        digest = _write(file, given, rows, taxonomy)
        said = {"imported": digest, "name": name, "dtype": dtype, "trained_on": sorted(trained)}
        made_id = content_id({"dataset": taxonomy.dataset_id, **said})
        if (root / made_id / DESCRIPTION).is_file():
            return load_features(root / made_id), False, known_by
        features = FeatureSet(
            feature_set_id=made_id,
            dataset_id=taxonomy.dataset_id,
            config=config,
            n_images=len(rows),
            augmented=np.zeros(0, dtype=np.int64),
            sha256=digest,
            path=root / made_id,
            encoder_version=digest[:16],
            revision=digest[:16],
            training_pictures=trained,
        )
        put(made, features)
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if not any(root.iterdir()):
            root.rmdir()
    return load_features(root / made_id), True, known_by


def _write(file: ArrayFile, given: Given, rows: Sequence[int], taxonomy: Taxonomy) -> str:
    """Write the rows in the order of the images; the sha256 of the file."""
    file.make()
    uris = taxonomy.images["uri"]
    for start in range(0, len(rows), _ROWS):
        part = given.read(np.array(rows[start : start + _ROWS], dtype=np.int64))
        finite = torch.isfinite(part).flatten(1).all(1)
        if not finite.all():
            at = start + int((~finite).nonzero()[0])
            raise DataError(f"features of picture {uris[at]} must be finite numbers")
        file.write(start, part)
    return file_sha256(file.path)


def _rows(
    taxonomy: Taxonomy, ids: Sequence[str], by: str | None, path: Path
) -> tuple[str, list[int]]:
    """What the ids are, and the row of the file that each image has.

    Images with the same bytes share a row where ids are hashes.
    """
    keys = {
        "sha256": taxonomy.images["sha256"].to_pylist(),
        "uri": taxonomy.images["uri"].to_pylist(),
        "name": [Path(uri).name for uri in taxonomy.images["uri"].to_pylist()],
    }
    if by is None:
        by = next((kind for kind in KINDS if ids[0] in set(keys[kind])), None)
        if by is None:
            raise DataError(
                f"id {ids[0]!r} of {path} is no picture of dataset {taxonomy.dataset_id}: ids "
                "must be its pictures' sha256, uris or file names"
            )
    one_of("by", by, KINDS)
    wanted = keys[by]
    known = Counter(wanted)
    where = f"of dataset {taxonomy.dataset_id}"
    row_of = {key: row for row, key in enumerate(ids)}
    if len(row_of) != len(ids):
        twice = next(key for row, key in enumerate(ids) if row_of[key] != row)
        raise DataError(f"{path} has ids more than once, such as {twice!r}")
    if strange := [key for key in ids if key not in known]:
        raise DataError(
            f"{path} has {len(strange)} ids that are the {by} of no picture {where}, such as "
            f"{strange[0]!r}"
        )
    if by == "name" and (shared := next((key for key in wanted if known[key] > 1), None)):
        raise DataError(
            f"{known[shared]} pictures {where} are named {shared!r}: give uris or sha256 as ids"
        )
    if missing := [key for key in wanted if key not in row_of]:
        raise DataError(
            f"{path} lacks {len(missing)} of {len(wanted)} pictures {where}, such as the one with "
            f"{by} {missing[0]!r}"
        )
    return by, [row_of[key] for key in wanted]


def _hashes(path: Path) -> frozenset[str]:
    """The hashes of a text file, one a line."""
    lines = frozenset(_lines(path))
    hexadecimal = set("0123456789abcdef")
    if wrong := [line for line in sorted(lines) if len(line) != 64 or set(line) - hexadecimal]:
        raise DataError(f"{path} must hold one sha256 a line, got {wrong[0]!r}")
    return lines


def _lines(path: Path) -> list[str]:
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def _read(path: Path, ids: Path | None) -> Given:
    """A file's rows and their ids.

    Raises:
        DataError: It cannot be read, or shapes do not go together.
    """
    reader = {".npz": _read_npz, ".safetensors": _read_safetensors}.get(path.suffix.lower())
    if reader is None:
        raise DataError(f"{path} must end in .npz or .safetensors")
    check_name(path)
    shape, read, own = reader(path)
    named = _lines(ids) if ids is not None else own
    if named is None:
        raise DataError(f"{path} names no pictures: give --ids, a text file with one id a line")
    if len(shape) not in (2, 3) or not all(shape):
        raise DataError(f"features of {path} must be [N, Dv] or [N, P, Dv], got {list(shape)}")
    if len(named) != shape[0]:
        raise DataError(f"{path} has {shape[0]} rows, got {len(named)} ids for them")
    tokens = shape[1] if len(shape) == 3 else 1
    whole = (shape[0], tokens, shape[-1])
    return Given(
        ids=tuple(named),
        shape=whole,
        read=lambda rows: read(rows).float().reshape(len(rows), tokens, shape[-1]),
    )


_Read = tuple[tuple[int, ...], Callable[[Any], Tensor], list[str] | None]


def _read_npz(path: Path) -> _Read:
    """All of it at once: a compressed array has no rows to pick."""
    names, arrays = read_npz(path, (FEATURES, IDS))
    if FEATURES not in names:
        raise DataError(f"{path} has no array {FEATURES!r}, but {', '.join(names) or 'none'}")
    array, ids = arrays[FEATURES], arrays.get(IDS)
    if array.dtype.kind != "f":
        raise DataError(f"features of {path} must be floating-point numbers, got {array.dtype}")
    named = None
    if ids is not None:
        if ids.ndim != 1 or ids.dtype.kind not in "US":
            raise DataError(
                f"ids of {path} must be one row of texts, got {ids.dtype} {list(ids.shape)}"
            )
        try:
            named = [i.decode() if isinstance(i, bytes) else str(i) for i in ids.tolist()]
        except ValueError as error:  # bytes or code points that are no text
            raise DataError(f"ids of {path} must be texts in UTF-8: {error}") from error
    return array.shape, lambda rows: torch.from_numpy(array[rows].astype(np.float32)), named


def _read_safetensors(path: Path) -> _Read:
    """Some rows at a time, from the mapped file."""
    from safetensors import SafetensorError, safe_open

    try:
        file: Any = safe_open(path, "pt")
        names = list(file.keys())
        part = file.get_slice(FEATURES) if FEATURES in names else None
    except (OSError, SafetensorError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if part is None:
        raise DataError(f"{path} has no tensor {FEATURES!r}, but {', '.join(names) or 'none'}")
    if part.get_dtype() not in ("F64", "F32", "F16", "BF16"):
        raise DataError(
            f"features of {path} must be floating-point numbers, got {part.get_dtype()}"
        )
    said = (file.metadata() or {}).get(IDS)
    named = None
    if said is not None:
        where = f"ids in the metadata of {path}"
        named = value_of(list[str], parse_json(said, where), where)

    def read(rows: Any) -> Tensor:
        first, last = int(rows.min()), int(rows.max())
        if last - first > 2 * len(rows):  # far apart: one by one, not all that lies between
            return torch.cat([part[row : row + 1] for row in rows.tolist()])
        near: Tensor = part[first : last + 1]
        return near[torch.from_numpy(rows - first)]

    return tuple(part.get_shape()), read, named
