"""Statistics in the store: counts that are resampled come out, results and plans go in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from xmodal.store.stat_rows import PlanRow, StatRow

if TYPE_CHECKING:
    from xmodal.store.store import Store

# rows come in a fixed order: leaves are drawn by their places
_LEAF_ANSWERS = """
SELECT run_id, hypernym_id, concept.name AS hypernym, leaf_id, answer, n, n_right
FROM leaf_answer
JOIN run USING (run_id)
LEFT JOIN concept
    ON concept.dataset_id = run.dataset_id AND concept.concept_id = leaf_answer.hypernym_id
WHERE
    run_id IN (SELECT unnest($runs))
    AND image_mode = $image_mode
    AND question_set = $question_set
ORDER BY hypernym_id, leaf_id, answer, run_id
"""
_DISCORDANT = """
WITH pair AS (
    SELECT unnest($a::VARCHAR[]) AS a, unnest($b::VARCHAR[]) AS b
),

of_a AS (
    SELECT pair.a, pair.b, example_id, label_leaf_id, predicted = answer AS is_right
    FROM pair
    JOIN answered ON answered.run_id = pair.a AND answered.image_mode = $mode_a
    JOIN run ON run.run_id = pair.a
    JOIN example USING (manifest_id, example_id)
    WHERE split = 'test' AND question_set = $set_a
),

of_b AS (
    SELECT pair.a, pair.b, example_id, predicted = answer AS is_right
    FROM pair
    JOIN answered ON answered.run_id = pair.b AND answered.image_mode = $mode_b
    JOIN run ON run.run_id = pair.b
    JOIN example USING (manifest_id, example_id)
    WHERE split = 'test' AND question_set = $set_b
)

SELECT
    label_leaf_id AS leaf_id,
    count(*) AS n,
    count(*) FILTER (of_a.is_right AND NOT of_b.is_right) AS only_a,
    count(*) FILTER (of_b.is_right AND NOT of_a.is_right) AS only_b
FROM of_a
JOIN of_b USING (a, b, example_id)
GROUP BY ALL
ORDER BY leaf_id
"""


def leaf_answers(
    store: Store, runs: Sequence[str], *, image_mode: str, question_set: str
) -> pa.Table:
    """Counts of right answers by run, hypernym and leaf, as the view leaf_answer has them.

    Args:
        store: An open store.
        runs: Run ids.
        image_mode: real, or a withheld picture's.
        question_set: held_out, seen, unasked or leaf.

    Returns:
        Columns run_id, hypernym_id, hypernym, leaf_id, answer, n, n_right.
    """
    given = {"runs": list(runs), "image_mode": image_mode, "question_set": question_set}
    return store.query(_LEAF_ANSWERS, given)


def discordant(
    store: Store, pairs: Sequence[tuple[str, str]], *, modes: tuple[str, str], sets: tuple[str, str]
) -> pa.Table:
    """By leaf, the questions that one run of a pair alone answered right, over all pairs.

    Args:
        store: An open store.
        pairs: Ids of two runs each.
        modes: Image modes of the first and of the second runs.
        sets: Their question sets. Only questions that both were asked count.

    Returns:
        Columns leaf_id, n (questions), only_a, only_b; no row where no question is shared, as
        between two shuffles.
    """
    given = {
        "a": [pair[0] for pair in pairs], "b": [pair[1] for pair in pairs],
        "mode_a": modes[0], "mode_b": modes[1], "set_a": sets[0], "set_b": sets[1],
    }  # fmt: skip
    return store.query(_DISCORDANT, given)


def run_units(store: Store) -> list[dict[str, Any]]:
    """Rows of the view run_unit, by run id."""
    rows: list[dict[str, Any]] = store.query("FROM run_unit ORDER BY run_id").to_pylist()
    return rows


def hypernym_rows(store: Store, question_set: str | None = None) -> pa.Table:
    """Rows of the view score_beside, of one question set if it is given, in a fixed order."""
    return store.query(
        "FROM score_beside WHERE $set IS NULL OR question_set = $set "
        "ORDER BY run_id, question_set, hypernym",
        {"set": question_set},
    )


def add_stats(store: Store, rows: Sequence[StatRow]) -> None:
    """Store results; each takes the place of an earlier one of its id."""
    with store.transaction():
        store.execute(
            "DELETE FROM stat WHERE stat_id IN (SELECT unnest($ids))",
            {"ids": [row.stat_id for row in rows]},
        )
        store.insert_rows("stat", rows)


def add_plan(store: Store, row: PlanRow) -> bool:
    """Store a plan; False, and nothing is changed, where it is there already."""
    with store.transaction():
        known = store.query(
            "SELECT count(*) AS n FROM plan WHERE plan_id = $id", {"id": row.plan_id}
        )
        if known.to_pylist()[0]["n"]:
            return False
        store.insert_rows("plan", [row])
    return True


def plans(store: Store) -> list[dict[str, Any]]:
    """Rows of the table plan, oldest first."""
    rows: list[dict[str, Any]] = store.query("FROM plan ORDER BY created_at, plan_id").to_pylist()
    return rows
