"""What a run was made from is still here and unchanged, or it is refused by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from taxonomy.errors import ConfigError, DataError, XmodalError
from taxonomy.manifest.rows import rows_sha256
from taxonomy.model import Manifest
from xmodal.align.captions import CaptionSet
from xmodal.align.captions import load_caption_set as load_captions
from xmodal.align.text_features import ARRAY as TEXT_ARRAY
from xmodal.align.text_features import load_text_features
from xmodal.binding.run_folder import BindingFolder
from xmodal.binding.scene_set import SCENES, TOKENS, SceneRecord, read_record
from xmodal.binding_tables import RUN_WEIGHTS
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.load import load_encoder
from xmodal.features.feature_set import ARRAY, FeatureSet, load_features
from xmodal.files import file_sha256
from xmodal.lms.words import load_reader
from xmodal.store import Store

T = TypeVar("T")


def manifest_unchanged(store: Store, manifest_id: str) -> Manifest:
    """A manifest whose rows are those that it was stored with.

    Raises:
        DataError: It is gone or has other rows.
    """
    manifest = _named(f"manifest {manifest_id}", lambda: store.load_manifest(manifest_id))
    found = rows_sha256(manifest.cells, manifest.labels, manifest.examples)
    _same(f"manifest {manifest_id}", "rows", found, manifest.rows_sha256)
    return manifest


def features_unchanged(store: Store, feature_set_id: str) -> FeatureSet:
    """A feature set whose file is the one that is noted in the store.

    Raises:
        DataError: It is gone, or its file is another one.
    """
    what = f"feature set {feature_set_id}"
    row = _row(store, what, "SELECT * FROM feature_set WHERE feature_set_id = $id", feature_set_id)
    folder = Path(store.path).parent / row["path"]
    found = _named(what, lambda: load_features(folder))
    _same(what, "a description of a file", found.sha256, row["sha256"])
    _same(what, "a file", _digest(what, folder / ARRAY), row["sha256"])
    return found


def text_features_unchanged(store: Store, text_feature_set_id: str) -> dict[str, Any]:
    """The row of text features whose file is the one that is noted in the store.

    Raises:
        DataError: They are gone, or their file is another one.
    """
    what = f"text feature set {text_feature_set_id}"
    row = _row(
        store,
        what,
        "SELECT * FROM text_feature_set WHERE text_feature_set_id = $id",
        text_feature_set_id,
    )
    folder = Path(store.path).parent / row["path"]
    found = _named(what, lambda: load_text_features(folder))
    _same(what, "a description of a file", found.sha256, row["sha256"])
    _same(what, "a file", _digest(what, folder / TEXT_ARRAY), row["sha256"])
    return row


def captions_unchanged(store: Store, caption_set_id: str) -> CaptionSet:
    """A caption set that says of itself what is noted in the store.

    Its hash is of the source's files, which need not be here: the vectors themselves cannot be
    held against it.

    Raises:
        DataError: It is gone, or is another one.
    """
    what = f"caption set {caption_set_id}"
    row = _row(store, what, "SELECT * FROM caption_set WHERE caption_set_id = $id", caption_set_id)
    found = _named(what, lambda: load_captions(Path(store.path).parent / row["path"]))
    _same(what, "a description", found.sha256, row["sha256"])
    _named(what, found.open)
    return found


def scenes_unchanged(store: Store, scene_set_id: str) -> SceneRecord:
    """A scene set whose scenes and tokens are those that are noted in the store.

    Raises:
        DataError: It is gone, or its files are others.
    """
    what = f"scene set {scene_set_id}"
    row = _row(store, what, "SELECT * FROM scene_set WHERE scene_set_id = $id", scene_set_id)
    folder = Path(store.path).parent / row["path"]
    record = _named(what, lambda: read_record(folder))
    _same(what, "a description of files", record.sha256, row["sha256"])
    try:
        with np.load(folder / SCENES) as arrays:
            parts = [sha256(arrays[name].tobytes()).hexdigest() for name in arrays.files]
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{what}: {folder / SCENES} cannot be read ({error})") from error
    content = "".join(parts) + _digest(what, folder / TOKENS)
    _same(what, "files", sha256(content.encode()).hexdigest(), row["sha256"])
    return record


def start_unchanged(store: Store, runs_dir: Path, run_id: str) -> None:
    """The weights that a decoder starts from are those that are noted in the store.

    Raises:
        DataError: The run that they are of is gone, or its weights are others.
    """
    what = f"start run {run_id}"
    row = _row(store, what, "SELECT * FROM binding_run WHERE run_id = $id", run_id)
    path = BindingFolder(runs_dir / run_id).path / RUN_WEIGHTS
    _same(what, "weights", _digest(what, path), row["weights_sha256"])


def encoder_unchanged(config: FeatureConfig, version: str) -> str | None:
    """The encoder that made features is here and the same.

    Args:
        config: Of the features.
        version: Of the encoder then: a number, or a hash of its weights and preparation.

    Returns:
        What to say where there is none to check.

    Raises:
        DataError: It is gone, or another one.
    """
    what = f"encoder {config.encoder!r}"
    if config.pooling == "given":
        return f"the features of {what} were imported: there is no encoder to check"
    found = _named(what, lambda: load_encoder(config)).version
    _same(what, "weights or a preparation of pictures", found, version)
    return None


def reader_unchanged(row: Mapping[str, Any], device: str) -> str | None:
    """The LM that read the texts of text features is here and the same.

    Args:
        row: Of text_feature_set.
        device: Where the LM goes.

    Returns:
        What to say where it cannot be checked.

    Raises:
        DataError: It is gone, or has other weights.
    """
    what = f"lm {row['lm']!r}"
    if row["lm_init"] == "random":
        return f"the random weights of {what} are of a seed that is not kept: they were not checked"
    given = {"init": row["lm_init"], "revision": row["lm_revision"], "device": device}
    reader = _named(what, lambda: load_reader(row["lm"], **given))
    lm_unchanged(row["lm"], reader.sha256, row["lm_hash"])
    return None


def lm_unchanged(name: str, found: str, want: str) -> None:
    """Refuse an LM with other weights than the run's.

    Raises:
        DataError: It has.
    """
    _same(f"lm {name!r}", "weights", found, want)


def _named(what: str, load: Callable[[], T]) -> T:
    """What load gives; its errors begin with what it is that is not here."""
    try:
        return load()
    except ConfigError as error:
        raise DataError(f"{what} cannot be loaded: {error}") from error
    except XmodalError as error:
        said = str(error)
        raise DataError(said if said.startswith(what) else f"{what} is not here: {said}") from error


def _row(store: Store, what: str, text: str, key: str) -> dict[str, Any]:
    found = store.query(text, {"id": key}).to_pylist()
    if not found:
        raise DataError(f"{what} is not in the store any more: bring it back")
    return dict(found[0])


def _digest(what: str, path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise DataError(f"{what} is not here: {path} cannot be read ({error.strerror})") from error


def _same(what: str, part: str, found: str, want: str) -> None:
    if found != want:
        raise DataError(
            f"{what} has changed: it has {part} of hash {found[:16]} here, the run was made with "
            f"{want[:16]}: bring that back"
        )
