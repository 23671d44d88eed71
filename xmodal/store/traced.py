"""Where the numbers of a run come from: data, features, models, settings, seeds, machine, files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from xmodal.store.cells import cell_text
from xmodal.store.ids import resolve_id
from xmodal.store.run_files import as_synced, file_hashes

if TYPE_CHECKING:
    from xmodal.store.store import Store

UNKNOWN = "unknown"
"""It was not kept, or is not here any more."""
NONE = "none"
"""A run of this kind, or with these settings, has no such thing."""
PACKAGES = ("python", "xmodal", "torch", "transformers", "numpy", "duckdb")

_RUNS = {
    "projector": ("SELECT run_id FROM run", "SELECT * FROM run WHERE run_id = $id"),
    "alignment": ("SELECT run_id FROM align_run", "SELECT * FROM align_run WHERE run_id = $id"),
    "decoder": ("SELECT run_id FROM binding_run", "SELECT * FROM binding_run WHERE run_id = $id"),
    "released": (
        "SELECT run_id FROM released_run",
        "SELECT * FROM released_run WHERE run_id = $id",
    ),
}
_PARTS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "dataset": (
        "dataset_id",
        "SELECT * FROM dataset WHERE dataset_id = $id",
        ("source", "version", "seed"),
    ),
    "manifest": (
        "manifest_id",
        "SELECT * FROM manifest WHERE manifest_id = $id",
        ("rows_sha256", "seed", "shuffle_id", "shuffle_seed"),
    ),
    "captions": (
        "caption_set_id",
        "SELECT * FROM caption_set WHERE caption_set_id = $id",
        ("sha256", "name", "source"),
    ),
    "separation": (
        "separation_id",
        "SELECT * FROM separation WHERE separation_id = $id",
        ("seed",),
    ),
    "scenes": (
        "scene_set_id",
        "SELECT * FROM scene_set WHERE scene_set_id = $id",
        ("sha256", "seed"),
    ),
    "features": (
        "feature_set_id",
        "SELECT * FROM feature_set WHERE feature_set_id = $id",
        ("sha256", "layer", "pooling", "dtype"),
    ),
    "text_features": (
        "text_feature_set_id",
        "SELECT * FROM text_feature_set WHERE text_feature_set_id = $id",
        ("sha256", "pooling", "layer"),
    ),
}
"""By section, the run's column that names the row, the statement, and what is said of the row."""
_SETUP = "SELECT * FROM run_setup WHERE run_id = $id"

Traced = dict[str, dict[str, Any]]
"""By section, value by name."""


def find_run(store: Store, given: str) -> tuple[str, dict[str, Any]]:
    """Kind and columns of a run of any kind.

    Args:
        store: Open, to read.
        given: Its id, or the beginning of it.

    Returns:
        projector, alignment, decoder or released; and its row.

    Raises:
        StoreError: An id that is unknown or ambiguous.
    """
    kinds = {
        run_id: kind
        for kind, (ids, _) in _RUNS.items()
        for run_id in store.query(ids)["run_id"].to_pylist()
    }
    found = resolve_id("run", given, sorted(kinds))
    (row,) = store.query(_RUNS[kinds[found]][1], {"id": found}).to_pylist()
    return kinds[found], dict(row)


def provenance(store: Store, run_id: str) -> Traced:
    """Everything that is known about how a run was made, with the same sections for every kind.

    Args:
        store: Open, to read. Files are looked for in runs/ beside it.
        run_id: Id of a run of any kind, own or released, or the beginning of it.

    Returns:
        By section, value by name. What was not kept is UNKNOWN, what the run does not have NONE.

    Raises:
        StoreError: An id that is unknown or ambiguous.
    """
    kind, row = find_run(store, run_id)
    setup = (store.query(_SETUP, {"id": row["run_id"]}).to_pylist() or [{}])[0]
    rows = {name: _row_of(store, row, *part[:2]) for name, part in _PARTS.items()}
    traced: Traced = {"run": _run(kind, row, setup)}
    for name, (key, _, wanted) in _PARTS.items():
        traced[name] = _part(kind, row, key, rows[name], wanted)
    if kind == "alignment":
        traced["separation"] |= {one: _or(row[one], NONE) for one in ("level", "arm")}
    if kind == "released":
        traced["dataset"] = {"dataset_id": UNKNOWN, "name": row["dataset"]}
    traced["encoder"] = _encoder(kind, row, rows)
    traced["lm"] = _lm(kind, row)
    traced["start"] = _start(store, kind, row)
    traced["recipe"] = {"recipe": row["recipe"]} | _settings(row)
    traced["seeds"] = _seeds(kind, row, rows)
    traced["versions"] = _versions(row)
    traced["machine"] = _machine(row, setup)
    traced["files"] = _files(Path(store.path).parent / "runs", kind, row)
    return traced


def traced_table(traced: Traced) -> pa.Table:
    """The same as a table: section, name, value as text."""
    rows = [
        (section, name, cell_text(value))
        for section, values in traced.items()
        for name, value in values.items()
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    return pa.table(columns, names=["section", "name", "value"])


def _or(value: Any, otherwise: str) -> Any:
    return otherwise if value is None or value == "" else value


def _row_of(store: Store, row: Mapping[str, Any], key: str, text: str) -> dict[str, Any] | None:
    """What a run names by a column; None if it names nothing, or nothing that is here."""
    if row.get(key) is None:
        return None
    found = store.query(text, {"id": row[key]}).to_pylist()
    return dict(found[0]) if found else None


def _run(kind: str, row: Mapping[str, Any], setup: Mapping[str, Any]) -> dict[str, Any]:
    said = {"run_id": row["run_id"], "kind": kind}
    if kind == "released":
        said |= {"source": row["source"], "run_name": row["run_name"]}
    together = _or(row.get("co_train_group"), NONE) if kind == "projector" else NONE
    names = ("experiment", "status", "started_at", "seconds", "command", "git_commit")
    return (
        said
        | {name: _or(row.get(name), UNKNOWN) for name in names}
        | {
            "git_dirty": _or(setup.get("git_dirty"), UNKNOWN),
            "co_train_group": together if kind != "released" else UNKNOWN,
            "n_together": row.get("n_together", UNKNOWN if kind == "released" else NONE),
            "together": _together(kind, row, setup),
            "content_hash": row.get("content_hash", UNKNOWN),
        }
    )


def _together(kind: str, row: Mapping[str, Any], setup: Mapping[str, Any]) -> Any:
    """Ids of the runs that trained in one with this, in their order."""
    if (said := setup.get("together_json")) is not None:
        return json.loads(said)
    is_known = kind == "alignment" or row.get("n_together") == 1 or bool(setup)
    if kind == "projector":
        is_known = is_known or row["co_train_group"] is None
    return NONE if is_known else UNKNOWN


def _part(
    kind: str,
    row: Mapping[str, Any],
    key: str,
    found: Mapping[str, Any] | None,
    wanted: Sequence[str],
) -> dict[str, Any]:
    if row.get(key) is None:
        # a released run may have had one; its authors do not say which
        lacks = UNKNOWN if kind == "released" else NONE
        return dict.fromkeys((key, *wanted), lacks)
    if found is None:
        return {key: row[key]} | dict.fromkeys(wanted, UNKNOWN)
    return {key: row[key]} | {name: _or(found[name], NONE) for name in wanted}


def _encoder(
    kind: str, row: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any] | None]
) -> dict[str, Any]:
    names = ("revision", "weights_sha256")
    if row["encoder"] is None:
        return {"encoder": NONE} | dict.fromkeys(names, NONE)
    found = rows["features"] or rows["captions"] or rows["scenes"]
    if found is None or kind == "released":
        return {"encoder": row["encoder"]} | dict.fromkeys(names, UNKNOWN)
    weights = _or(found["weights_sha256"], NONE if row["encoder"] == "classical" else UNKNOWN)
    return {
        "encoder": row["encoder"],
        "revision": found["revision"],
        "weights_sha256": weights,
        "side": _or(found.get("side"), UNKNOWN),
    }


def _lm(kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "decoder":
        return dict.fromkeys(("lm", "init", "revision", "weights_sha256"), NONE)
    lacks = UNKNOWN if kind == "released" else NONE
    return {
        "lm": row["lm"],
        "init": row["lm_init"],
        "revision": _or(row.get("lm_revision"), lacks),
        "weights_sha256": row.get("lm_hash", UNKNOWN),
    }


def _start(store: Store, kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    start = row.get("start_run_id")
    if start is None:
        lacks = UNKNOWN if kind == "released" else NONE
        return {"start_run_id": lacks, "weights_sha256": lacks}
    found = store.query(_RUNS["decoder"][1], {"id": start}).to_pylist()
    return {
        "start_run_id": start,
        "weights_sha256": found[0]["weights_sha256"] if found else UNKNOWN,
    }


def _settings(row: Mapping[str, Any]) -> dict[str, Any]:
    """Every setting of the recipe by its dotted name."""
    if "recipe_json" not in row:
        return {"settings": UNKNOWN}
    flat: dict[str, Any] = {}

    def add(prefix: str, value: Any) -> None:
        if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
            value = {str(place): one for place, one in enumerate(value)}
        if isinstance(value, dict):
            for name, item in value.items():
                add(f"{prefix}.{name}" if prefix else name, item)
        else:
            flat[prefix] = _or(value, NONE)

    add("", json.loads(row["recipe_json"]))
    name = flat.pop("name", None)  # as the column recipe says it
    return flat if name in (None, row["recipe"]) else {"name": name} | flat


def _seeds(
    kind: str, row: Mapping[str, Any], rows: Mapping[str, Mapping[str, Any] | None]
) -> dict[str, Any]:
    """Of initialisation and order, and of what drew the data: manifest, separation or scenes."""
    if kind == "released":
        # its authors name one seed, and do not say of what
        return {"init": UNKNOWN, "order": UNKNOWN, "sampling": UNKNOWN, "released": row["seed"]}
    name, key = {
        "projector": ("manifest", "manifest_id"),
        "alignment": ("separation", "separation_id"),
        "decoder": ("scenes", "scene_set_id"),
    }[kind]
    found = rows[name]
    sampling = found["seed"] if found else (NONE if row[key] is None else UNKNOWN)
    return {"init": row["seed_init"], "order": row["seed_order"], "sampling": sampling}


def _versions(row: Mapping[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(row.get("versions_json", "{}"))
    return {name: said.get(name, UNKNOWN) for name in PACKAGES} | said


def _machine(row: Mapping[str, Any], setup: Mapping[str, Any]) -> dict[str, Any]:
    threads = setup.get("threads", json.loads(row.get("recipe_json", "{}")).get("threads"))
    return {
        "device": row.get("device", UNKNOWN),
        "precision": setup.get("precision", row.get("precision", UNKNOWN)),
        "threads": _or(threads, UNKNOWN),
        "platform": setup.get("platform", UNKNOWN),
        "processor": setup.get("processor", UNKNOWN),
    }


def _files(runs_dir: Path, kind: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """sha256 of each file as it is now, and whether they are those that were synced."""
    if kind == "released":
        return {"folder": UNKNOWN}
    folder = runs_dir / row["run_id"]
    hashes = {name: _or(found, UNKNOWN) for name, found in file_hashes(folder, kind).items()}
    synced = as_synced(folder, kind, row["content_hash"])
    return {"folder": f"runs/{row['run_id']}", **hashes, "as_synced": _or(synced, UNKNOWN)}
