"""Manifests, runs with where they come from, and what runs answered, as rows for pages."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import pyarrow.compute as pc

from taxonomy.hashing import keyed_order
from xmodal.store import Store

Row = dict[str, Any]

_MANIFESTS = """
SELECT
    manifest.* EXCLUDE (summary_json),
    (summary_json::JSON ->> 'n_training_questions')::BIGINT AS n_training_questions,
    (SELECT count(*) FROM run WHERE run.manifest_id = manifest.manifest_id) AS n_runs
FROM manifest
WHERE dataset_id = $dataset
ORDER BY ratio, shuffle, design, seed, manifest_id
"""


def manifests(store: Store, dataset_id: str) -> list[Row]:
    """One row per manifest of a dataset, with n_training_questions (NULL if unknown), n_runs."""
    rows: list[Row] = store.query(_MANIFESTS, {"dataset": dataset_id}).to_pylist()
    return rows


def exposure(store: Store, manifest_id: str) -> list[Row]:
    """Rows of @exposure of one manifest: what its training says about each hypernym."""
    rows: list[Row] = store.analysis("exposure", manifest=manifest_id).to_pylist()
    return rows


def runs(store: Store, run_ids: Collection[str]) -> list[Row]:
    """Rows of @sources of these runs, with versions (name to version) beside.

    Scores stand beside them: held_out_f1, blind_f1, seen_f1, leaf_f1 of @runs-overview, missing in
    released runs.
    """
    scores = {row["run_id"]: row for row in store.analysis("runs-overview").to_pylist()}
    names = ("held_out_f1", "blind_f1", "seen_f1", "leaf_f1")
    out = []
    for row in store.analysis("sources").to_pylist():
        if row["run_id"] in run_ids:
            found = scores.get(row["run_id"], {})
            versions = json.loads(row["versions_json"]) if row["versions_json"] else {}
            out.append(row | {name: found.get(name) for name in names} | {"versions": versions})
    return out


def hypernym_scores(store: Store, run_ids: Collection[str]) -> list[Row]:
    """Rows of @hypernym-points of these runs, with run_ids: by condition, set and hypernym."""
    rows: list[Row] = store.analysis("hypernym-points", runs=",".join(sorted(run_ids))).to_pylist()
    return rows


def answers(
    store: Store, run_id: str, question_set: str | None = None, hypernym: str | None = None
) -> list[Row]:
    """Rows of @answers: questions with picture, true and given answer, and margin."""
    found = store.analysis("answers", run=run_id, question_set=question_set, hypernym=hypernym)
    rows: list[Row] = found.filter(pc.equal(found["run_id"], run_id)).to_pylist()
    return rows


def sampled(rows: Collection[Row], n: int) -> list[Row]:
    """At most n questions, the same for every run that was asked them: by hash of their ids.

    Half of them with the answer Yes where there are enough of both.
    """
    by_id = {row["example_id"]: row for row in rows}
    ordered = [by_id[one] for one in keyed_order(by_id, "report", "question")]
    yes = [row for row in ordered if row["answer"]]
    no = [row for row in ordered if not row["answer"]]
    n_yes = min(len(yes), max(n - n // 2, n - len(no)))
    kept = yes[:n_yes] + no[: n - n_yes]
    return kept
