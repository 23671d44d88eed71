"""A manifest's questions answered from probabilities of leaves, and how well.

A question is asked with Yes as often as with No, while a concept is true of few pictures. So
the probability p of a concept is weighed against its share s of the training pictures:
score = p (1 - s) / (p (1 - s) + (1 - p) s), the probability of Yes where both answers are as
likely beforehand. Yes is said above one half, which is where p > s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.errors import ManifestError
from taxonomy.manifest.draws import Bools, Floats, Ints
from taxonomy.model import Manifest
from xmodal.features.truth import Truth


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Questions of one split. Q questions."""

    example_id: Ints
    image: Ints
    """int64 [Q]: ids."""
    leaf: Ints
    """int64 [Q]: row of the asked leaf in truth; -1 for what is no leaf question."""
    target: Ints
    """int64 [Q]: column of the asked target in truth; -1 for a leaf question."""
    answer: Bools
    question_set: np.ndarray[Any, Any]


def read_asked(manifest: Manifest, truth: Truth, split: str) -> Asked:
    """A manifest's questions of one split, in ascending order of their ids."""
    table = manifest.examples.filter(pc.field("split") == split).sort_by("example_id")
    asked = table["asked_id"].to_numpy().astype(np.int64)
    about_leaf = table["kind"].to_numpy(zero_copy_only=False) == "leaf"
    leaf, target = np.full((2, len(asked)), -1, dtype=np.int64)
    leaf[about_leaf] = _rows_of(truth.leaf_ids, asked[about_leaf], manifest)
    target[~about_leaf] = _rows_of(truth.target_ids, asked[~about_leaf], manifest)
    return Asked(
        example_id=table["example_id"].to_numpy(),
        image=table["image_id"].to_numpy().astype(np.int64),
        leaf=leaf,
        target=target,
        answer=table["answer"].to_numpy(zero_copy_only=False).astype(bool),
        question_set=table["question_set"].to_numpy(zero_copy_only=False).astype(str),
    )


def _rows_of(known: Ints, asked: Ints, manifest: Manifest) -> Ints:
    """Places of concepts among the known ones."""
    rows = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    if (wrong := known[rows] != asked).any():
        raise ManifestError(
            f"manifest {manifest.manifest_id} asks concept {int(asked[wrong][0])}, of which the "
            f"dataset has no true pair of relation {manifest.config.relation!r}; build it anew"
        )
    return rows.astype(np.int64)


def scores(mass: Floats, share: Floats, truth: Truth, asked: Asked) -> Floats:
    """The probability of Yes to each question, both answers as likely beforehand.

    Args:
        mass: float64 [N, L], probabilities of the label leaf of every picture that is asked
            about, in ascending order of id.
        share: float64 [L], share of the training pictures that carry a leaf's labels.
        truth: What is true of a leaf.
        asked: The questions.

    Returns:
        float64 [Q] in [0, 1]; 0 where no training picture is what is asked.
    """
    row = np.unique(asked.image, return_inverse=True)[1]
    p, s = np.empty(len(row)), np.empty(len(row))
    about_leaf = asked.target < 0
    p[about_leaf] = mass[row[about_leaf], asked.leaf[about_leaf]]
    s[about_leaf] = share[asked.leaf[about_leaf]]
    for target in np.unique(asked.target[~about_leaf]):
        rows, under = asked.target == target, truth.used[:, target]
        p[rows] = mass[:, under].sum(axis=1)[row[rows]]
        s[rows] = share[under].sum()
    p, s = np.clip(p, 0.0, 1.0), np.clip(s, 0.0, 1.0)
    yes, no = p * (1 - s), (1 - p) * s
    scored: Floats = np.divide(yes, yes + no, out=np.zeros_like(p), where=yes + no > 0)
    return scored


def score_table(manifest: Manifest, method: str, asked: Asked, predicted: Bools) -> pa.Table:
    """Macro-F1 by question set, as the store's analyses have it.

    A hypernym whose answers are all Yes or all No has no F1: left out and counted.
    """
    rows = []
    for name in sorted(set(asked.question_set.tolist())):
        of = asked.question_set == name
        groups = [of & (asked.target == target) for target in np.unique(asked.target[of])]
        every = [macro_f1(asked.answer[group], predicted[group]) for group in groups]
        found = [f1 for f1 in every if f1 is not None]
        about_hypernyms = name != "leaf"
        rows.append(
            {
                "manifest_id": manifest.manifest_id,
                "shuffle": manifest.config.shuffle,
                "method": method,
                "question_set": name,
                "macro_f1": float(np.mean(found)) if found else None,
                "n_hypernyms": len(found) if about_hypernyms else None,
                "n_single_class": len(groups) - len(found),
                "n_questions": int(of.sum()),
            }
        )
    return pa.Table.from_pylist(rows)


def macro_f1(answer: Bools, said: Bools) -> float | None:
    """Mean F1 of Yes and of No; None where the answers are all Yes or all No."""
    if answer.all() or not answer.any():
        return None
    wrong = int((answer != said).sum())
    hits = int((answer & said).sum()), int((~answer & ~said).sum())
    return sum(2 * hit / (2 * hit + wrong) for hit in hits) / 2
