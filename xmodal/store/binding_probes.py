"""From the folders of probes to the store: one transaction each, idempotent."""

from __future__ import annotations

from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from xmodal.binding_tables import PROBE, TABLES
from xmodal.store.binding_checks import at_most, not_below, one_of, refuse, unique
from xmodal.store.binding_rows import BindingProbeRecord, BindingProbeRow
from xmodal.store.folders import (
    FolderError,
    check_seal,
    checked,
    content_hash,
    read_json,
    read_parquet,
)

if TYPE_CHECKING:
    from xmodal.store.broken import BrokenFolders
    from xmodal.store.store import Store

PATCHES = ("counterfactual", "random-direction", "permuted")
OUTCOMES = ("n_positional", "n_symbolic", "n_reflexive", "n_no_effect", "n_other", "n_ambiguous")

_KNOWN = "SELECT probe_id, content_hash FROM binding_probe"
_OF_RUN = "SELECT probe_id FROM binding_probe WHERE run_id = $id"
_RUN = "SELECT n_steps, n_layers, started_at FROM binding_run WHERE run_id = $id"


def sync_probes(store: Store, probes_dir: Path, broken: BrokenFolders) -> int:
    """Bring every finished folder of a probe into the store.

    Args:
        store: Open, to write; the runs that are looked into must be in it.
        probes_dir: Folder of the folders; it need not be there.
        broken: Is told which cannot be used.

    Returns:
        How many came in. One without a record is not finished and passed over.
    """
    if not probes_dir.is_dir():
        return 0
    known = {row["probe_id"]: row["content_hash"] for row in store.query(_KNOWN).to_pylist()}
    n_made = 0
    for folder in sorted(probes_dir.iterdir()):
        if folder.name.startswith(".") or not (folder / PROBE).is_file():
            continue
        name = f"{probes_dir.name}/{folder.name}"
        if broken.known(name, folder):
            continue
        try:
            n_made += _sync_one(store, folder, known.get(folder.name))
        except FolderError as reason:
            broken.refuse(name, reason)
    return n_made


def _sync_one(store: Store, folder: Path, known_hash: str | None) -> bool:
    path = folder / PROBE
    record = checked(read_json(path), BindingProbeRecord, path, "binding_probe")
    values = record.values()
    kind = values["kind"]
    there = [name for name in TABLES if (folder / f"{name}.parquet").exists()]
    if there != [kind]:
        got = ", ".join(f"{name}.parquet" for name in there) or "none"
        raise FolderError(f"a probe of kind {kind} must hold {kind}.parquet alone, got {got}")
    found = content_hash(folder, (PROBE, f"{kind}.parquet"))
    if found == known_hash:
        return False
    check_seal(path)
    row = BindingProbeRow(**values, content_hash=found)
    if row.probe_id != folder.name:
        raise FolderError(
            f"probe_id must be that of its folder, {folder.name!r}, got {row.probe_id!r}"
        )
    _check_subject(store, row)
    table, schema = TABLES[kind]
    rows = read_parquet(folder / f"{kind}.parquet", schema)
    check_rows(row, rows)
    with store.transaction():
        _remove(store, row.probe_id)
        store.insert_rows("binding_probe", [row])
        store.insert(table, rows, schema, {"probe_id": row.probe_id})
    return True


def remove_probes_of(store: Store, run_id: str) -> None:
    """Drop what was seen in a run. Call in a transaction."""
    for probe_id in store.query(_OF_RUN, {"id": run_id})["probe_id"].to_pylist():
        _remove(store, probe_id)


def _remove(store: Store, probe_id: str) -> None:
    of = {"id": probe_id}
    store.execute("DELETE FROM binding_interchange WHERE probe_id = $id", of)
    store.execute("DELETE FROM binding_knockout WHERE probe_id = $id", of)
    store.execute("DELETE FROM binding_linear WHERE probe_id = $id", of)
    store.execute("DELETE FROM binding_retrieval WHERE probe_id = $id", of)
    store.execute("DELETE FROM binding_shifted WHERE probe_id = $id", of)
    store.execute("DELETE FROM binding_probe WHERE probe_id = $id", of)


def _check_subject(store: Store, row: BindingProbeRow) -> None:
    """A run at a step that is in the store, or an LM."""
    if (row.run_id is None) == (row.lm is None):
        raise FolderError(
            f"exactly one of run_id and lm must be given, got {row.run_id!r} and {row.lm!r}"
        )
    if row.run_id is None:
        if row.step is not None or row.lm_hash is None:
            raise FolderError(
                f"an LM has an lm_hash and no step, got {row.lm_hash!r} and {row.step!r}"
            )
        return
    if row.step is None or row.lm_hash is not None or row.lm_revision is not None or row.is_vlm:
        raise FolderError(
            f"a run has a step, no lm_revision, no lm_hash and is no VLM, got {row.step!r}, "
            f"{row.lm_revision!r}, {row.lm_hash!r} and is_vlm {row.is_vlm}"
        )
    stored = store.query(_RUN, {"id": row.run_id}).to_pylist()
    if not stored:
        raise FolderError(f"run_id {row.run_id!r} is not in this store")
    (run,) = stored
    if not 0 <= row.step <= run["n_steps"]:
        raise FolderError(f"step must be from 0 to the run's {run['n_steps']}, got {row.step}")
    if row.n_layers != run["n_layers"]:
        raise FolderError(f"n_layers must be the run's {run['n_layers']}, got {row.n_layers}")
    if row.created_at < run["started_at"]:
        raise FolderError(
            f"run {row.run_id!r} was trained again since: probe it anew, and delete this folder"
        )


def check_rows(probe: BindingProbeRow, rows: pa.Table) -> None:
    """Refuse counts that cannot be of a probe.

    Args:
        probe: Its record.
        rows: Columns of its kind's table.

    Raises:
        FolderError: Values that do not fit one another.
    """
    not_below(rows, "n_objects", 1)
    for name in rows.column_names:
        if name.startswith("n_right") or name in OUTCOMES:
            not_below(rows, name, 0)
        elif name in ("n_examples", "n_questions", "n_train", "n_test", "n_classes", "n_tokens"):
            not_below(rows, name, 1)
    for name in ("layer", "layer_from", "layer_to"):
        if name in rows.column_names:
            not_below(rows, name, 0 if name == "layer" else 1)
            rule = f"{name} must be at most n_layers, {probe.n_layers}"
            refuse(pc.greater(rows[name], probe.n_layers), rule)
    if probe.kind == "interchange":
        _check_interchange(probe, rows)
    elif probe.kind == "knockout":
        at_most(rows, "n_right_before", "n_examples")
        at_most(rows, "n_right", "n_examples")
        at_most(rows, "layer_from", "layer_to")
        unique(rows, ("n_objects", "edges", "layer_from", "layer_to"))
    elif probe.kind == "linear":
        at_most(rows, "n_right", "n_test")
        unique(rows, ("n_objects", "layer", "token", "attribute", "permuted"))
    elif probe.kind == "shift":
        _check_shifted(probe, rows)
    else:
        at_most(rows, "n_right", "n_questions")
        # the highest logit of the vocabulary is the highest of the scene's items
        at_most(rows, "n_right_open", "n_right")
        unique(rows, ("n_objects",))


def _check_shifted(probe: BindingProbeRow, rows: pa.Table) -> None:
    if probe.run_id is None or probe.context != "text":
        raise FolderError(
            f"a probe of kind shift must be of a run in text, got run_id {probe.run_id!r} and "
            f"context {probe.context!r}"
        )
    not_below(rows, "shift", 0)
    at_most(rows, "n_right", "n_questions")
    unique(rows, ("n_objects", "shift"))


def _check_interchange(probe: BindingProbeRow, rows: pa.Table) -> None:
    one_of(rows, "patch", PATCHES)
    total = reduce(pc.add, (rows[name] for name in OUTCOMES))
    refuse(
        pc.not_equal(total, rows["n_examples"]),
        f"{', '.join(OUTCOMES)} must add up to n_examples",
    )
    # with three objects s and t are one
    not_below(rows, "n_objects", 3 if probe.as_published else 4)
    if not probe.as_published:
        refuse(pc.greater(rows["n_ambiguous"], 0), "n_ambiguous must be 0 unless as_published")
    unique(rows, ("n_objects", "layer", "patch"))
