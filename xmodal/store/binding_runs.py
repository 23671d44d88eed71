"""From the folders of decoders to the store: one transaction each, idempotent."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from xmodal.binding_tables import ACCURACY, ACCURACY_FILE, RUN_WEIGHTS
from xmodal.store.binding_checks import at_most, not_below, one_of, refuse, unique
from xmodal.store.binding_probes import remove_probes_of
from xmodal.store.binding_rows import BindingRunRecord, BindingRunRow
from xmodal.store.folders import (
    METRIC,
    FolderError,
    check_seal,
    content_hash,
    file_sha256,
    read_json,
    read_parquet,
    read_record,
)
from xmodal.store.run_files import HASHED
from xmodal.store.setups import read_setup, replace_setup

if TYPE_CHECKING:
    from xmodal.store.store import Store

CONTEXTS = ("text", "image")
VOCABULARIES = ("base", "expanded")
QUESTIONS = ("two", "colour-shape", "shape-item")

_KEY = ("step", "context", "vocabulary", "question", "n_objects")
_SCENES = "SELECT scene_set_id FROM scene_set WHERE scene_set_id = $id"
_RUNS = "SELECT weights_sha256 FROM binding_run WHERE run_id = $id"


def starts_first(folders: Iterable[Path]) -> list[Path]:
    """The folders in their order, but for runs that stand before what they start from.

    Args:
        folders: Of runs of any kind, all in one folder.
    """
    by_name = {folder.name: folder for folder in folders}
    found: dict[str, Path] = {}
    for name in by_name:
        chain: list[str] = []
        at: str | None = name
        while at in by_name and at not in found and at not in chain:
            chain.append(at)
            at = _start_of(by_name[at])
        found.update({one: by_name[one] for one in reversed(chain)})
    return list(found.values())


def _start_of(folder: Path) -> str | None:
    try:
        content = read_json(folder / "run.json")
    except FolderError:
        return None
    start = content.get("start_run_id") if content.get("experiment") == "s3" else None
    return start if isinstance(start, str) else None


def sync_binding_run(store: Store, folder: Path, known_hash: str | None) -> str:
    """Bring one decoder in. Probes of other weights that it had go.

    Args:
        store: Open, to write.
        folder: Of the run.
        known_hash: Of what is stored of it; None for nothing.

    Returns:
        running, unchanged or ingested.

    Raises:
        FolderError: The folder cannot be used.
    """
    record = read_record(folder, BindingRunRecord, "binding_run")
    if record is None:
        return "running"
    found = content_hash(folder, HASHED["decoder"])
    if found == known_hash:
        return "unchanged"
    check_seal(folder / "run.json")
    row = BindingRunRow(**record.values(), content_hash=found)
    _check_record(row)
    if (got := file_sha256(folder / RUN_WEIGHTS)) != row.weights_sha256:
        raise FolderError(f"{RUN_WEIGHTS} has the hash {got}, run.json says {row.weights_sha256}")
    metrics = read_parquet(folder / "metrics.parquet", METRIC)
    accuracy = read_parquet(folder / ACCURACY_FILE, ACCURACY)
    check_accuracy(accuracy, n_to=row.n_to, n_steps=row.n_steps)
    of = {"id": row.run_id}
    _check_references(store, row)
    weights = store.query(_RUNS, of)["weights_sha256"].to_pylist()
    setup = read_setup(folder)
    with store.transaction():
        replace_setup(store, row.run_id, setup)
        if weights != [row.weights_sha256]:
            remove_probes_of(store, row.run_id)
        store.execute("DELETE FROM binding_accuracy WHERE run_id = $id", of)
        store.execute("DELETE FROM binding_run WHERE run_id = $id", of)
        store.execute("DELETE FROM metric WHERE run_id = $id", of)
        store.insert_rows("binding_run", [row])
        store.insert("binding_accuracy", accuracy, ACCURACY, {"run_id": row.run_id})
        store.insert("metric", metrics, METRIC, {"run_id": row.run_id})
    return "ingested"


def _check_record(row: BindingRunRow) -> None:
    for name in ("n_from", "n_layers", "width", "n_heads", "n_params", "n_together"):
        if (got := getattr(row, name)) < 1:
            raise FolderError(f"{name} must be at least 1, got {got}")
    for name in ("n_steps", "n_questions", "n_tokens", "n_tokens_computed", "flops"):
        if (got := getattr(row, name)) < 0:
            raise FolderError(f"{name} must be at least 0, got {got}")
    if row.n_from > row.n_to:
        raise FolderError(f"n_from must be at most n_to, {row.n_to}, got {row.n_from}")
    if (row.start == "scratch") != (row.start_run_id is None):
        raise FolderError(
            f"start_run_id must be null from scratch alone, got {row.start_run_id!r} with start "
            f"{row.start!r}"
        )
    scenes = {"scene_set_id": row.scene_set_id, "scene_layout": row.scene_layout}
    scenes["encoder"] = row.encoder
    lacking = [name for name, value in scenes.items() if value is None]
    if lacking and (row.uses_image or len(lacking) < len(scenes)):
        raise FolderError(f"{', '.join(lacking)} must be given, as the run has pictures")


def check_accuracy(rows: pa.Table, *, n_to: int, n_steps: int) -> None:
    """Refuse answers that cannot be of a run.

    Args:
        rows: Columns of ACCURACY.
        n_to: Most objects that its training shows.
        n_steps: Of its training.

    Raises:
        FolderError: Values that do not fit one another.
    """
    one_of(rows, "context", CONTEXTS)
    one_of(rows, "vocabulary", VOCABULARIES)
    one_of(rows, "question", QUESTIONS)
    for name, least in (
        *(("step", 0), ("n_objects", 1), ("n_questions", 1)),
        *(("n_right", 0), ("n_in_scene", 0), ("loss", 0)),
    ):
        not_below(rows, name, least)
    refuse(pc.greater(rows["step"], n_steps), f"step must be at most n_steps, {n_steps}")
    at_most(rows, "n_right", "n_questions")
    at_most(rows, "n_in_scene", "n_questions")
    # the right answer of the two-hop question is an item of the scene
    at_most(rows.filter(pc.equal(rows["question"], "two")), "n_right", "n_in_scene")
    within = pc.less_equal(rows["n_objects"], n_to)
    refuse(
        pc.not_equal(rows["in_distribution"], within),
        f"in_distribution must be true up to n_to, {n_to} objects, and false beyond",
    )
    unique(rows, _KEY)
    steps = rows.select(["step", "stage", "ends_stage"]).group_by(["step", "stage", "ends_stage"])
    n_twice = steps.aggregate([]).num_rows - len(rows["step"].unique())
    if n_twice:
        raise FolderError(f"a step must lie in one stage and end it or not, got {n_twice} others")


def _check_references(store: Store, row: BindingRunRow) -> None:
    for name, value, text in (
        ("scene_set_id", row.scene_set_id, _SCENES),
        ("start_run_id", row.start_run_id, _RUNS),
    ):
        if value is None:
            continue
        if value == row.run_id or not store.query(text, {"id": value}).num_rows:
            raise FolderError(f"{name} {value!r} is not in this store")
