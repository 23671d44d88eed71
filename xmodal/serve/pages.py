"""What each page shows: from an open store and the address to the values of a template."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

from taxonomy.errors import ConfigError, StoreError
from taxonomy.sources.picture_files import PictureError
from xmodal.report.facts import dataset as data
from xmodal.report.facts import runs as of_runs
from xmodal.report.facts.conditions import WHERE, Chosen, choose, featured, label
from xmodal.report.pictures import picture_bytes
from xmodal.report.plots import FIGURES
from xmodal.report.plots.rows import Picked
from xmodal.report.style import printed
from xmodal.stats.select import as_text
from xmodal.stats.words import statements
from xmodal.store import Store

Row = dict[str, Any]
Params = Mapping[str, str]

A_PAGE = 60
"""Questions."""
N_PICKED = 24
"""Pictures to pick from, at most."""
MOST_STATEMENTS = 50
MOST_RUNS = 2000
MOST_IDS = 120
"""Run ids in the address of a figure."""
ANSWERS: Mapping[str, Callable[[Row], bool]] = {
    "right": lambda row: bool(row["is_right"]),
    "wrong": lambda row: not row["is_right"],
    "yes": lambda row: bool(row["predicted"]),
    "no": lambda row: not row["predicted"],
}
SORTS: Mapping[str, Callable[[Row], Any]] = {
    "hypernym": lambda row: row["hypernym"],
    "a": lambda row: (row["a_f1"] is None, -(row["a_f1"] or 0.0), row["hypernym"]),
    "b": lambda row: (row["b_f1"] is None, -(row["b_f1"] or 0.0), row["hypernym"]),
}
"""Beside difference, in which order the rows come."""


class MissingError(Exception):
    """There is no such page; the message says what is missing."""


def home(store: Store, params: Params) -> Row:
    """Runs, chosen by columns; hypernyms; statistics in words."""
    where = {name: value for name, value in params.items() if value and name != "dataset"}
    every = choose(store, params.get("dataset") or None)
    chosen = choose(store, params.get("dataset") or None, where=where) if where else every
    return {
        "datasets": data.datasets(store),
        "dataset_id": every.dataset_id,
        "asked_dataset": params.get("dataset", ""),
        "filters": _filters(every, where),
        "filtered": where,
        "own": chosen.own,
        "released": chosen.released,
        "runs": _runs(store, chosen)[:MOST_RUNS],
        "n_runs": len(chosen.run_ids),
        "n_every": len(every.run_ids),
        "hypernyms": data.hypernyms(store, every.dataset_id, 0) if every.dataset_id else [],
        "statements": statements(store)[:MOST_STATEMENTS],
        "figures": _figures(store, ("ablation", "shuffles"), sorted(chosen.run_ids)),
        "n_drawn": MOST_IDS,
    }


def compare(store: Store, params: Params) -> Row:
    """Two runs or their conditions side by side."""
    every = choose(store, params.get("dataset") or _older_dataset(store, params.get("a", "")))
    runs = {row["run_id"]: row for row in _runs(store, every)}
    filled: Row = {"runs": list(runs.values()), "rows": [], "figures": [], "sort": "difference"}
    single = params.get("single") == "1"
    sides = {name: params.get(name, "") for name in ("a", "b")}
    filled |= {"single": single, "chosen": sides, "a": None, "b": None}
    filled["asked_dataset"] = params.get("dataset", "")
    for name, run_id in sides.items():
        if run_id and run_id not in runs:
            raise MissingError(f"no run {run_id!r} is in the store")
        filled[name] = runs.get(run_id)
    if not all(sides.values()):
        return filled
    rows = store.analysis("side-by-side", a=sides["a"], b=sides["b"], single=single).to_pylist()
    sort = params.get("sort") or "difference"
    if sort != "difference":
        if sort not in SORTS:
            raise ConfigError(f"sort must be one of difference, {', '.join(SORTS)}, got {sort!r}")
        rows.sort(key=SORTS[sort])
    ids = [sides["a"], sides["b"]] if single else _condition_runs(every, sides.values())
    sets = {name: _first(rows, f"{name}_set") for name in sides}
    return filled | {
        "rows": rows,
        "sort": sort,
        "same": not single and sides["b"] in _condition_runs(every, [sides["a"]]),
        "sets": sets,
        "concept_ids": _concept_ids(store, every),
        "dataset_id": every.dataset_id,
        # of two sets of questions it would draw one side alone
        "figures": _figures(store, ("categories",), ids) if sets["a"] == sets["b"] else [],
    }


def hypernym(store: Store, dataset_id: str, concept_id: int, params: Params) -> Row:
    """One hypernym: its scores, and a run's answers to its questions, picture by picture."""
    _dataset(store, dataset_id)
    asked = {row["concept_id"]: row for row in data.hypernyms(store, dataset_id)}
    if concept_id not in asked:
        raise MissingError("the dataset asks about no such concept")
    own = asked[concept_id]
    every = choose(store, dataset_id)
    runs = _runs(store, every)
    run_id = params.get("run") or _usual_run(store, every)
    if run_id and run_id not in {row["run_id"] for row in runs}:
        raise MissingError(f"no run {run_id!r} of this dataset is in the store")
    rows = of_runs.answers(store, run_id, None, own["hypernym"]) if run_id else []
    rows = [row for row in rows if row["hypernym_id"] == concept_id]
    sets = sorted({row["question_set"] for row in rows})
    kept = [row for row in rows if params.get("set", "") in ("", row["question_set"])]
    counted = {name: sum(map(test, kept)) for name, test in ANSWERS.items()}
    answer = params.get("answer", "")
    if answer:
        if answer not in ANSWERS:
            raise ConfigError(f"answer must be one of {', '.join(ANSWERS)}, got {answer!r}")
        kept = [row for row in kept if ANSWERS[answer](row)]
    kept.sort(key=lambda row: (-row["margin"], row["example_id"]))
    page, n_pages = _page(params, len(kept))
    labels = _labels(every)
    scores = of_runs.hypernym_scores(store, every.run_ids) if every.run_ids else []
    return {
        "dataset_id": dataset_id,
        "hypernym": own,
        "runs": runs,
        "run_id": run_id,
        "label": labels.get(run_id, ""),
        "sets": sets,
        "set": params.get("set", ""),
        "answer": answer,
        "n_all": len(rows),
        "n_found": len(kept),
        "counted": counted,
        "rows": kept[(page - 1) * A_PAGE : page * A_PAGE],
        "page": page,
        "n_pages": n_pages,
        "scores": [
            row | {"label": labels.get(row["run_ids"][0], "")}
            for row in scores
            if row["hypernym"] == own["hypernym"] and row["relation"] == own["relation"]
        ],
    }


def run(store: Store, run_id: str) -> Row:
    """One run: settings, where it comes from, scores, learning curve."""
    found = of_runs.runs(store, {run_id})
    if not found:
        raise MissingError("no such run is in the store")
    row = found[0]
    kept = dict(store.load_run(run_id)) if row["source"] == "own" else {}
    every = choose(store, row["dataset"]) if row["source"] == "own" else choose(store)
    (condition,) = store.query(
        "SELECT * EXCLUDE (hidden_settings, shared_settings) FROM run_condition WHERE run_id = $id",
        {"id": run_id},
    ).to_pylist()
    scores = store.analysis("hypernym-f1", run=run_id).to_pylist()
    return {
        "run": row,
        "label": _labels(every).get(run_id) or label(condition),
        "condition": {
            name: as_text(condition[name]) for name in WHERE if condition[name] is not None
        },
        "recipe": _pretty(kept.get("recipe_json")),
        "metrics": kept.get("last_metrics", {}),
        "scores": [one for one in scores if one["run_id"] == run_id],
        "concept_ids": _concept_ids(store, every),
        "dataset_id": every.dataset_id,
        "figures": _figures(store, ("learning",), [run_id]),
        "others": [one for one in _condition_runs(every, [run_id]) if one != run_id],
    }


def picture(store: Store, dataset_id: str, image_id: int) -> Row:
    """One picture: all questions about it, and all runs' answers."""
    _dataset(store, dataset_id)
    found = data.images(store, dataset_id, [image_id]).get(image_id)
    if found is None:
        raise MissingError("the dataset has no such picture")
    labels = _labels(choose(store, dataset_id))
    rows = store.analysis("picture-answers", dataset=dataset_id, image=image_id).to_pylist()
    return {
        "dataset_id": dataset_id,
        "image": found,
        "labels": labels,
        "questions": [
            {"concept": name, "concept_id": concept_id, "role": role, "rows": list(of)}
            for (name, concept_id, role), of in groupby(
                rows, key=lambda row: (row["concept"], row["concept_id"], row["role"])
            )
        ],
    }


def trying(store: Store, params: Params) -> Row:
    """The form to ask a run about a picture: runs, and some test pictures to pick from."""
    rows = store.analysis("sources").to_pylist()
    runs = [row for row in rows if row["source"] == "own"]
    chosen = {row["run_id"]: row for row in runs}.get(params.get("run") or "")
    if params.get("run") and chosen is None:
        raise MissingError(f"no trained run {params['run']!r} is in the store")
    labels: dict[str, str] = {}
    for dataset_id in {row["dataset"] for row in runs}:
        labels |= _labels(choose(store, dataset_id))
    usual = params.get("dataset") or (chosen or (runs[-1] if runs else {})).get("dataset")
    picked = _number(params.get("image") or "")
    shown = _picked(store, usual, picked) if usual else {}
    if picked is not None and picked not in shown:
        raise MissingError("the dataset has no such picture")
    return {
        "runs": sorted(
            (row | {"label": labels.get(row["run_id"], "")} for row in runs),
            key=lambda row: (row["label"], row["run_id"]),
        ),
        "run_id": chosen["run_id"] if chosen else "",
        "dataset_id": usual,
        "image_id": picked,
        "images": shown,
        "concepts": params.get("concepts") or "",
        "answers": None,
        "error": "",
        "shown": "",
        "file_name": "",
    }


def picked_bytes(values: Row) -> bytes:
    """The file of the picture that was picked in the form; empty where none was.

    Raises:
        StoreError: It is gone, or another one by now.
    """
    row = values["images"].get(values["image_id"])
    if row is None:
        return b""
    try:
        return picture_bytes(row["uri"], row["sha256"])
    except PictureError as error:
        raise StoreError(f"picture {values['image_id']}: {error}") from error


def figure_of(store: Store, name: str, runs: list[str]) -> dict[str, Any]:
    """A figure of some runs, as a specification."""
    drawn = FIGURES[name].draw(Picked(store, runs, {}))
    spec: dict[str, Any] = printed(drawn.chart).to_dict(validate=False)
    return spec


def _figures(store: Store, names: tuple[str, ...], runs: list[str]) -> list[Row]:
    """Title and caption of those figures that have something to draw."""
    out: list[Row] = []
    for name in names if 0 < len(runs) <= MOST_IDS else ():
        try:
            drawn = FIGURES[name].draw(Picked(store, runs, {}))
        except StoreError:
            continue
        out.append({"name": name, "title": drawn.title, "caption": drawn.caption, "runs": runs})
    return out


def _filters(every: Chosen, where: Params) -> list[Row]:
    """Columns in which conditions differ, with their values."""
    rows = [*every.own, *every.released]
    out = []
    for name in WHERE:
        values = sorted({as_text(row[name]) for row in rows if row[name] is not None})
        if len(values) > 1 or name in where:
            out.append({"name": name, "values": values, "value": where.get(name, "")})
    return out


def _runs(store: Store, every: Chosen) -> list[Row]:
    """Runs in the order of their conditions, each with its label."""
    labels = _labels(every)
    order = {run_id: place for place, run_id in enumerate(labels)}
    rows = of_runs.runs(store, every.run_ids)
    for row in rows:
        row["label"] = labels.get(row["run_id"]) or label(row)
    return sorted(rows, key=lambda row: (order.get(row["run_id"], len(order)), row["run_id"]))


def _labels(every: Chosen) -> dict[str, str]:
    """Label of each run's condition, in the order of the conditions."""
    rows = (*every.own, *every.released)
    return {run: row["label"] for row in rows for run in row["run_ids"]}


def _condition_runs(every: Chosen, ids: Any) -> list[str]:
    """All runs of the conditions that some runs are of."""
    wanted = set(ids)
    return [
        run
        for row in (*every.own, *every.released)
        if wanted & set(row["run_ids"])
        for run in row["run_ids"]
    ]


def _usual_run(store: Store, every: Chosen) -> str:
    looked_at = featured(store, every.own, 1)
    return str(looked_at[0]["run_id"]) if looked_at else ""


def _concept_ids(store: Store, every: Chosen) -> dict[str, int]:
    """By name, where the hypernyms' pages are."""
    if every.dataset_id is None:
        return {}
    asked = data.hypernyms(store, every.dataset_id, 0)
    return {row["hypernym"]: row["concept_id"] for row in asked}


def _dataset(store: Store, dataset_id: str) -> None:
    if dataset_id not in store.datasets()["dataset_id"].to_pylist():
        raise MissingError("no such dataset is in the store")


def _picked(store: Store, dataset_id: str, also: int | None) -> dict[int, Row]:
    """Test pictures of as many hypernyms as there is room for, and the one that was picked."""
    _dataset(store, dataset_id)
    ids = [i for row in data.hypernyms(store, dataset_id) for i in row["sample_ids"]]
    test = [row for row in data.images(store, dataset_id, ids).values() if row["split"] == "test"]
    by_leaf = {row["leaf"]: row for row in test}
    shown = {row["image_id"]: row for row in list(by_leaf.values())[:N_PICKED]}
    return (data.images(store, dataset_id, [also]) if also is not None else {}) | shown


def _older_dataset(store: Store, run_id: str) -> str | None:
    """The dataset of a run, unless it is the latest, beside which released runs stand."""
    found = store.query("SELECT dataset_id FROM run WHERE run_id = $id", {"id": run_id})
    latest = store.datasets()["dataset_id"].to_pylist()[-1:]
    of = found["dataset_id"].to_pylist()
    return of[0] if of and of != latest else None


def _page(params: Params, n: int) -> tuple[int, int]:
    n_pages = max(1, -(-n // A_PAGE))
    page = _number(params.get("page") or "1")
    if page is None or not 1 <= page <= n_pages:
        raise MissingError(f"there is no such page, but 1 to {n_pages}")
    return page, n_pages


def _number(text: str) -> int | None:
    """A small whole number; None for nothing.

    Raises:
        MissingError: It is something else.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise MissingError("there is no such number here")
    return int(text)


def _first(rows: list[Row], name: str) -> str:
    return next((str(row[name]) for row in rows if row[name] is not None), "")


def _pretty(text: str | None) -> str:
    return json.dumps(json.loads(text), indent=1, sort_keys=True) if text else ""
