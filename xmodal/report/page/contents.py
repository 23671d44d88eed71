"""What the report's template is filled with, all of it from the store."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from xmodal.report.answer import answers
from xmodal.report.facts import dataset as data
from xmodal.report.facts import runs as of_runs
from xmodal.report.facts.conditions import Chosen, featured, label
from xmodal.report.page.figures import figures
from xmodal.stats.words import marked, sentence
from xmodal.store import Store

Row = dict[str, Any]

N_SAMPLES = 6
"""Pictures of a hypernym in the table of pictures, at most."""
N_EACH = 6
"""Right and wrong answers that are shown of one run about one hypernym, at most of each."""
MOST_STATEMENTS = 200
MOST_MANIFESTS = 500
_SECTIONS = (
    *(("answer", "Answer"), ("results", "Results"), ("statistics", "Statistics")),
    *(("data", "Pictures"), ("taxonomy", "Taxonomy"), ("manifests", "Manifests")),
    *(("hypernyms", "Right and wrong"), ("runs", "Runs"), ("words", "Meaning")),
)


@dataclass(frozen=True, kw_only=True)
class Block:
    """What one run answered about one hypernym, and the score of its condition."""

    label: str
    run_id: str
    manifest_seed: int
    score: Row | None
    n_right: int
    n_wrong: int
    right: list[Row]
    """Rows of @answers, N_EACH at most."""
    wrong: list[Row]


def contents(store: Store, chosen: Chosen) -> Row:
    """Values for the template but for pictures and what depends on the page's size.

    Args:
        store: Open, to read.
        chosen: What the page is about.
    """
    relations = sorted({row["relation"] for row in (*chosen.own, *chosen.released)})
    relation = "hypernym" if "hypernym" in relations or not relations else relations[0]
    said, n_left = _statements(store, chosen)
    looked_at = featured(store, chosen.own)
    filled: Row = {
        "relation": relation,
        "own": chosen.own,
        "released": chosen.released,
        "n_conditions": len(chosen.own) + len(chosen.released),
        "answers": answers(chosen.own, store.analysis("scrambled").to_pylist(), chosen.released),
        "figures": figures(store, sorted(chosen.run_ids), looked_at),
        "statements": said,
        "n_statements_left": n_left,
        "featured": looked_at,
        "run_rows": _runs(store, chosen),
        "dataset": None,
        "cards": [],
        "carded": set(),
    }
    filled["newest"] = max((r["started_at"] or "" for r in filled["run_rows"]), default="")
    if chosen.dataset_id is not None:
        filled |= _of_dataset(store, chosen, looked_at, relation)
    left_out = set() if filled["cards"] else {"hypernyms"}
    left_out |= set() if filled["dataset"] else {"data", "taxonomy", "manifests"}
    filled["sections"] = [(name, text) for name, text in _SECTIONS if name not in left_out]
    return filled


def picture_ids(filled: Row, n_samples: int, n_each: int) -> list[int]:
    """Images that the page shows, each once."""
    ids = {i for row in filled.get("hypernyms", ()) for i in row["sample_ids"][:n_samples]}
    for card in filled["cards"]:
        for block in card["blocks"]:
            for shown in (block.right, block.wrong):
                ids |= {row["image_id"] for row in of_runs.sampled(shown, n_each)}
    return sorted(ids)


def cards_of(filled: Row, n_each: int) -> list[Row]:
    """Cards with n_each right and wrong answers at most."""
    return [
        card | {"blocks": [_cut(block, n_each) for block in card["blocks"]]}
        for card in filled["cards"]
    ]


def _cut(block: Block, n_each: int) -> Row:
    return vars(block) | {
        "right": of_runs.sampled(block.right, n_each),
        "wrong": of_runs.sampled(block.wrong, n_each),
    }


def _statements(store: Store, chosen: Chosen) -> tuple[list[Row], int]:
    """Stored results about these runs in words, by what both sides have in common.

    Returns:
        Rows with given, texts and notes, confirmatory results first; and how many texts are left
        out.
    """
    groups: dict[str, Row] = {}
    n_all = 0
    for row in store.analysis("stats").to_pylist():
        if not set(chain(*json.loads(row["runs_json"]).values())) <= chosen.run_ids:
            continue
        n_all += 1
        if n_all > MOST_STATEMENTS:
            continue
        text = sentence(marked(row))
        said = groups.setdefault(row["given"], {"given": row["given"], "texts": {}, "notes": {}})
        said["texts"][text] = 1
        if row["note"]:
            said["notes"][sentence(row["note"])] = 1
    return list(groups.values()), max(0, n_all - MOST_STATEMENTS)


def _runs(store: Store, chosen: Chosen) -> list[Row]:
    labels = {run: row["label"] for row in chosen.own for run in row["run_ids"]}
    rows = of_runs.runs(store, chosen.run_ids)
    for row in rows:
        row["label"] = labels.get(row["run_id"]) or label(row)
    return rows


def _of_dataset(store: Store, chosen: Chosen, looked_at: Sequence[Row], relation: str) -> Row:
    assert chosen.dataset_id is not None
    (dataset,) = (r for r in data.datasets(store) if r["dataset_id"] == chosen.dataset_id)
    asked = data.hypernyms(store, chosen.dataset_id, N_SAMPLES)
    cards = _cards(store, asked, looked_at)
    drawn_up = of_runs.manifests(store, chosen.dataset_id)
    return {
        "dataset": dataset,
        "hypernyms": [row for row in asked if row["relation"] == relation],
        "steps": list(_steps(data.tree(store, chosen.dataset_id))),
        "manifests": drawn_up[:MOST_MANIFESTS],
        "n_manifests_left": max(0, len(drawn_up) - MOST_MANIFESTS),
        "exposures": [
            {
                "manifest_id": manifest_id,
                "labels": [r["label"] for r in looked_at if r["manifest_id"] == manifest_id],
                "rows": of_runs.exposure(store, manifest_id),
            }
            for manifest_id in dict.fromkeys(row["manifest_id"] for row in looked_at)
        ],
        "cards": cards,
        "carded": {card["concept_id"] for card in cards},
    }


def _cards(store: Store, asked: Sequence[Row], looked_at: Sequence[Row]) -> list[Row]:
    """Of each hypernym that the runs were asked, what they answered."""
    told = {row["run_id"]: _by_hypernym(store, row) for row in looked_at}
    every = {run for row in looked_at for run in row["run_ids"]}
    scores = {
        (run_id, row["question_set"], row["hypernym"]): row
        for row in (of_runs.hypernym_scores(store, every) if every else ())
        for run_id in row["run_ids"]
    }
    cards = []
    for hypernym in asked:
        blocks = []
        for row in looked_at:
            said = told[row["run_id"]].get(hypernym["concept_id"], [])
            if not said:
                continue
            right = [one for one in said if one["is_right"]]
            wrong = [one for one in said if not one["is_right"]]
            blocks.append(
                Block(
                    label=row["label"],
                    run_id=row["run_id"],
                    manifest_seed=row["manifest_seed"],
                    score=scores.get((row["run_id"], row["hypernym_set"], hypernym["hypernym"])),
                    n_right=len(right),
                    n_wrong=len(wrong),
                    right=of_runs.sampled(right, N_EACH),
                    wrong=of_runs.sampled(wrong, N_EACH),
                )
            )
        if blocks:
            cards.append(hypernym | {"blocks": blocks})
    return cards


def _by_hypernym(store: Store, row: Row) -> dict[int, list[Row]]:
    out: dict[int, list[Row]] = defaultdict(list)
    for one in of_runs.answers(store, row["run_id"], row["hypernym_set"]):
        out[one["hypernym_id"]].append(one)
    return out


def _steps(nodes: Sequence[data.Node]) -> Iterator[tuple[str, data.Node | None]]:
    """The outline as lists that open and close: "open", "line" or "close", and the node."""
    open_at: list[int] = []
    for node, after in zip(nodes, (*nodes[1:], None), strict=True):
        while open_at and open_at[-1] >= node.depth:
            open_at.pop()
            yield "close", None
        if after is not None and after.depth > node.depth:
            open_at.append(node.depth)
            yield "open", node
        else:
            yield "line", node
    for _ in open_at:
        yield "close", None
