"""The scores of a probe's answers: over all, and by hypernym as the paper has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from taxonomy.manifest.draws import Bools


def macro_f1(answer: Bools, predicted: Bools) -> float | None:
    """Mean of the F1 of Yes and the F1 of No; None where all answers are the same."""
    if answer.all() or not answer.any():
        return None
    halves = []
    for said in (True, False):
        hit = int(((predicted == said) & (answer == said)).sum())
        halves.append(2 * hit / (int((predicted == said).sum()) + int((answer == said).sum())))
    return sum(halves) / 2


def summarise(answers: pa.Table) -> dict[str, Any]:
    """Scores of one task in one phrasing.

    Args:
        answers: TEXT_PROBE_ANSWER; those that were not drawn do not count.

    Returns:
        accuracy over questions; hypernym_accuracy, the mean over hypernyms; macro_f1, the mean
        over the hypernyms asked with both answers, the others counted in n_single_class;
        yes_ratio, the share of questions answered Yes; mean_rank and mrr of the true
        hypernyms. None where it means nothing: sentence and choice have true pairs only.
    """
    answers = answers.filter(answers["drawn"])
    answer, predicted = (answers[name].to_numpy() for name in ("answer", "predicted"))
    hypernym = answers["hypernym_id"].to_numpy()
    groups = [hypernym == one for one in np.unique(hypernym)]
    scores = [macro_f1(answer[group], predicted[group]) for group in groups]
    known = [score for score in scores if score is not None]
    both = bool((~answer).any())
    rank = answers["rank"].drop_null().to_numpy()
    right = predicted == answer
    return {
        "accuracy": float(right.mean()),
        "hypernym_accuracy": float(np.mean([right[group].mean() for group in groups])),
        "macro_f1": float(np.mean(known)) if known else None,
        "yes_ratio": float(predicted.mean()) if both else None,
        "mean_rank": float(rank.mean()) if len(rank) else None,
        "mrr": float((1 / rank).mean()) if len(rank) else None,
        "n_hypernyms": len(groups),
        "n_single_class": len(groups) - len(known) if both else None,
        "n_questions": len(answer),
    }
