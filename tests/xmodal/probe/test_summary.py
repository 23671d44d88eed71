"""The scores of a probe, by hand."""

from __future__ import annotations

import pyarrow as pa
import pytest

from xmodal.probe.summary import summarise
from xmodal.store.findings import TEXT_PROBE_ANSWER


def answers(*rows: tuple[int, bool, bool, int | None]) -> pa.Table:
    """From (hypernym, answer, predicted, rank)."""
    return pa.Table.from_pylist(
        [
            {
                "leaf_id": number,
                "hypernym_id": hypernym,
                "answer": answer,
                "score_yes": -1.0,
                "score_no": -2.0,
                "predicted": predicted,
                "rank": rank,
                "drawn": True,
            }
            for number, (hypernym, answer, predicted, rank) in enumerate(rows)
        ],
        schema=TEXT_PROBE_ANSWER,
    )


def test_yes_no_scores() -> None:
    found = summarise(
        answers(
            (1, True, True, None),
            (1, True, False, None),
            (1, False, False, None),
            (2, True, False, None),
            (2, False, False, None),
            (3, True, True, None),
        )
    )
    # 1: Yes tp=1 fn=1 -> 2/3, No tp=1 fp=1 -> 2/3; 2: Yes 0, No tp=1 fp=1 -> 2/3, mean 1/3
    # 3: Yes only -> no F1. Accuracy 2/3, 1/2 and 1
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1 / 3) / 2, abs=1e-12)
    assert found["accuracy"] == pytest.approx(4 / 6, abs=1e-12)
    assert found["hypernym_accuracy"] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3, abs=1e-12)
    assert found["yes_ratio"] == pytest.approx(2 / 6, abs=1e-12)
    assert (found["n_hypernyms"], found["n_single_class"], found["n_questions"]) == (3, 1, 6)
    assert found["mean_rank"] is None
    assert found["mrr"] is None


def test_what_was_asked_beside_is_in_no_score() -> None:
    drawn = answers((1, True, True, None), (1, False, True, None))
    more = answers((1, False, False, None), (2, False, True, None))
    undrawn = more.set_column(
        more.column_names.index("drawn"), TEXT_PROBE_ANSWER.field("drawn"), pa.array([False] * 2)
    )
    assert summarise(pa.concat_tables([undrawn, drawn])) == summarise(drawn)


def test_choice_scores() -> None:
    found = summarise(answers((1, True, True, 1), (1, True, False, 4), (2, True, False, 2)))
    assert found["mean_rank"] == pytest.approx(7 / 3, abs=1e-12)
    assert found["mrr"] == pytest.approx((1 + 1 / 4 + 1 / 2) / 3, abs=1e-12)
    assert found["accuracy"] == pytest.approx(1 / 3, abs=1e-12)
    # true pairs only: there is no F1 of No
    assert (found["macro_f1"], found["yes_ratio"], found["n_single_class"]) == (None, None, None)
