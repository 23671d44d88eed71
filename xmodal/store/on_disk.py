"""What lies beside a store, held against what the store says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from taxonomy.errors import DataError
from taxonomy.reading import read_object
from xmodal.binding_tables import PROBE, PROBES
from xmodal.files import file_sha256
from xmodal.store.broken import runs_name
from xmodal.store.folders import FolderError, check_seal, content_hash
from xmodal.store.run_files import HASHED
from xmodal.tables import ANSWERS, COMPOSITIONS, EVALUATION, EVALUATIONS

if TYPE_CHECKING:
    from xmodal.store.store import Store

_KINDS = {
    "run": "projector",
    "align_run": "alignment",
    "binding_run": "decoder",
    "card_run": "card",
}
"""Kind of run, by table."""

_ARRAY = "features.npy"
_SETS = {
    "features": "SELECT feature_set_id AS id, path, sha256 FROM feature_set ORDER BY ALL",
    "text features": (
        "SELECT text_feature_set_id AS id, path, sha256 FROM text_feature_set ORDER BY ALL"
    ),
    "caption sets": "SELECT caption_set_id AS id, path, sha256 FROM caption_set ORDER BY ALL",
    "scene sets": "SELECT scene_set_id AS id, path, sha256 FROM scene_set ORDER BY ALL",
}
_RUNS = {
    "run": "SELECT run_id, content_hash FROM run ORDER BY run_id",
    "align_run": "SELECT run_id, content_hash FROM align_run ORDER BY run_id",
    "binding_run": "SELECT run_id, content_hash FROM binding_run ORDER BY run_id",
    "card_run": "SELECT run_id, content_hash FROM card_run ORDER BY run_id",
}
_EVALUATIONS = """
SELECT run_id, evaluation_id, content_hash, 'predictions.parquet' AS table_file
FROM evaluation
UNION ALL
SELECT run_id, evaluation_id, content_hash, NULL AS table_file
FROM align_evaluation
ORDER BY ALL
"""
_PROBES = "SELECT probe_id, kind, content_hash FROM binding_probe ORDER BY probe_id"
_BROKEN = "SELECT folder, reason FROM broken_folder WHERE runs = $runs ORDER BY folder"
_CHANGED = "it is not what is stored: `xmodal store sync` brings it in, or restore a copy"


@dataclass
class Found:
    """What was looked at, what is wrong, and what is good to know."""

    n: int = 0
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_features(store: Store, *, quick: bool) -> dict[str, Found]:
    """Hold the files of features, texts, captions and scenes against their hashes.

    A set whose folder is gone is noted: its numbers stand, and it can be made anew. Of a caption
    set the hash needs the user's own files, so that its description is held against it alone.

    Args:
        store: Open, to read; its paths count from where it lies.
        quick: See only whether the files are there.
    """
    home = Path(store.path).absolute().parent
    return {name: _check_sets(store.query(text), home, name, quick) for name, text in _SETS.items()}


def _check_sets(rows: Any, home: Path, name: str, quick: bool) -> Found:
    found = Found()
    for row in rows.to_pylist():
        found.n += 1
        folder = home / row["path"]
        if not folder.is_dir():
            found.notes.append(f"{row['id']}: {row['path']} is not here; it can be made anew")
            continue
        try:
            if quick:
                _files(folder, name)
            elif _set_sha256(folder, name) != row["sha256"]:
                found.problems.append(
                    f"{row['id']}: {row['path']} is not what was made, by its sha256: delete the "
                    "folder and make it anew"
                )
        except (OSError, DataError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            found.problems.append(f"{row['id']}: {row['path']} cannot be read: {reason}")
    return found


def _files(folder: Path, name: str) -> None:
    """See that the files of a set are there; OSError if not."""
    names = {"scene sets": ("scenes.npz", "tokens.npy")}.get(name, (_ARRAY,))
    for one in names:
        (folder / one).stat()


def _set_sha256(folder: Path, name: str) -> str:
    """The hash of a set as it was made: see who writes its description."""
    if name == "scene sets":
        # numpy and torch take a second to load: only where there is such a set
        from xmodal.arrays import read_npz

        names, scenes = read_npz(folder / "scenes.npz")
        content = "".join(
            sha256(scenes[key].tobytes()).hexdigest() for key in names if key != "allow_pickle"
        )
        return sha256((content + file_sha256(folder / "tokens.npy")).encode()).hexdigest()
    if name == "caption sets":
        (folder / _ARRAY).stat()
        return str(read_object(folder / "caption_set.json").get("sha256"))
    return file_sha256(folder / _ARRAY)


def check_folders(store: Store, runs_dir: Path, *, quick: bool) -> Found:
    """Hold the folders of runs, evaluations and probes against what is stored of them.

    A folder that is gone is noted, not a problem: its rows stand, kept in the store alone.
    What the last sync refused is a problem as long as it lies there.

    Args:
        store: Open, to read.
        runs_dir: Folder of run folders; probes lie beside it.
        quick: See only whether they are there.
    """
    found = Found()
    refused = dict(broken_beside(store, runs_dir))
    found.problems += [f"{name} was refused: {reason}" for name, reason in refused.items()]
    for table, text in _RUNS.items():
        for row in store.query(text).to_pylist():
            folder = runs_dir / row["run_id"]
            _check_folder(found, refused, row["run_id"], folder, HASHED[_KINDS[table]], row, quick)
    for row in store.query(_EVALUATIONS).to_pylist():
        folder = runs_dir / row["run_id"] / EVALUATIONS / row["evaluation_id"]
        there = [name for name in (ANSWERS, COMPOSITIONS) if (folder / name).is_file()]
        names = [row["table_file"]] if row["table_file"] else there
        name = f"{row['run_id']}/{EVALUATIONS}/{row['evaluation_id']}"
        _check_folder(found, refused, name, folder, (EVALUATION, *names), row, quick)
    for row in store.query(_PROBES).to_pylist():
        folder = runs_dir.parent / PROBES / row["probe_id"]
        files = (PROBE, f"{row['kind']}.parquet")
        _check_folder(found, refused, f"{PROBES}/{row['probe_id']}", folder, files, row, quick)
    return found


def _check_folder(
    found: Found,
    refused: Mapping[str, str],
    name: str,
    folder: Path,
    files: Sequence[str],
    row: Mapping[str, Any],
    quick: bool,
) -> None:
    found.n += 1
    if name in refused:
        return
    if not folder.is_dir():
        found.notes.append(f"{name} is kept in the store alone: its folder is not here")
        return
    if quick:
        return
    try:
        if content_hash(folder, files) != row["content_hash"]:
            found.problems.append(f"{name}: {_CHANGED}")
        else:
            check_seal(folder / files[0])
    except FolderError as error:
        found.problems.append(f"{name}: {error}")


def broken_beside(store: Store, runs_dir: Path) -> list[tuple[str, str]]:
    """(folder, reason) of what the last sync refused and still lies there, by name."""
    rows = store.query(_BROKEN, {"runs": runs_name(store, runs_dir)}).to_pylist()
    return [
        (row["folder"], row["reason"])
        for row in rows
        if (runs_dir / row["folder"]).exists() or (runs_dir.parent / row["folder"]).exists()
    ]
