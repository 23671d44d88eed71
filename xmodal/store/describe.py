"""One run as a user asks for it by id, own or released."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from xmodal.store.cells import plain
from xmodal.store.ids import resolve_id
from xmodal.store.render import emit
from xmodal.store.traced import provenance, traced_table

if TYPE_CHECKING:
    from xmodal.store.store import Store

_OWN = "SELECT run_id FROM run ORDER BY run_id"
_ALIGNED = "SELECT run_id FROM align_run ORDER BY run_id"
_BINDING = "SELECT run_id FROM binding_run ORDER BY run_id"
_CARDS = "SELECT run_id FROM card_run ORDER BY run_id"
_RELEASED = "SELECT run_id FROM released_run ORDER BY run_id"


def describe_run(store: Store, run_id: str) -> dict[str, Any]:
    """Everything stored about one run, in few lines.

    Args:
        store: Open, to read.
        run_id: Id of an own or a released run, of an alignment or a binding run, or its beginning.

    Returns:
        Its columns; `last_metrics` by name of an own run; `macro_f1` by question set, of an
        alignment and a binding run its columns only.

    Raises:
        StoreError: An id that is unknown or ambiguous.
    """
    own, released, aligned, binding, cards = (
        store.query(text)["run_id"].to_pylist()
        for text in (_OWN, _RELEASED, _ALIGNED, _BINDING, _CARDS)
    )
    found = resolve_id("run", run_id, own + released + aligned + binding + cards)
    for text, ids in (
        ("FROM align_run WHERE run_id = $id", aligned),
        ("FROM binding_run WHERE run_id = $id", binding),
        ("FROM card_run WHERE run_id = $id", cards),
    ):
        if found in ids:
            return dict(store.query(text, {"id": found}).to_pylist()[0])
    scores = store.query(
        "SELECT question_set, macro_f1 FROM score_mean WHERE run_id = $id ORDER BY question_set",
        {"id": found},
    ).to_pylist()
    macro_f1 = {"macro_f1": {row["question_set"]: row["macro_f1"] for row in scores}}
    if found in own:
        return store.load_run(found) | macro_f1
    (row,) = store.query("SELECT * FROM released_run WHERE run_id = $id", {"id": found}).to_pylist()
    return dict(row) | macro_f1


def runs_beside(store: Store) -> list[str]:
    """A line for each kind of runs that are in the store beside own ones."""
    return [
        f"{n} {kind} beside these: `xmodal query {query}`"
        for text, kind, query in (
            (_RELEASED, "released runs", '"from released_run"'),
            (_ALIGNED, "alignments", "@align-runs"),
            (_BINDING, "binding runs", "@binding-runs"),
            (_CARDS, "shared projectors", "@transfer"),
        )
        if (n := store.query(text).num_rows)
    ]


def emit_provenance(store: Store, run_id: str, fmt: str) -> None:
    """Write what a run was made from to stdout.

    Args:
        store: Open, to read.
        run_id: Id of a run of any kind, or its beginning.
        fmt: One of xmodal.store.render.FORMATS; json is one object, a member a section.

    Raises:
        StoreError: An id that is unknown or ambiguous.
    """
    traced = provenance(store, run_id)
    if fmt == "json":
        sys.stdout.write(json.dumps(plain(traced), indent=2, ensure_ascii=False) + "\n")
    else:
        emit(traced_table(traced), fmt)
