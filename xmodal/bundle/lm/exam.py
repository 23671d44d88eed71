"""The text-only examination: does the LM know the pairs whose question it never read?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from taxonomy.phrases import phrase
from xmodal.bundle.lm.corpus import CAPTION, QUESTION, Bools, Lexicon, context


@dataclass(frozen=True, kw_only=True)
class Exam:
    """Text-only scores, fractions; macro-F1 per hypernym, then the mean over hypernyms."""

    macro_f1_withheld: float
    """Pairs of pictured leaves whose question form the corpus lacks."""
    n_withheld: int
    macro_f1_stated: float
    """All pairs of the leaves that no picture shows and no hypernym question names."""
    n_stated: int
    n_stated_leaves: int
    macro_f1_asked: float
    """Pairs of pictured leaves whose question form the corpus has."""
    leaf_accuracy: float
    """One Yes and one No a pictured leaf."""


@torch.no_grad()
def yes_margins(
    model: Any, tokenizer: Any, names: list[str], asked: list[str], question: str = QUESTION
) -> torch.Tensor:
    """Logit of yes minus logit of no for name/asked pairs, captioned; float32 [N]."""
    yes, no = tokenizer.convert_tokens_to_ids(["yes", "no"])
    lines = [
        f"{context(name, CAPTION)} {question.format(phrase(other))}"
        for name, other in zip(names, asked, strict=True)
    ]
    margins = []
    for start in range(0, len(lines), 512):
        batch = tokenizer(lines[start : start + 512], padding=True, return_tensors="pt")
        last = batch["attention_mask"].sum(1) - 1
        hidden = model.model(input_ids=batch["input_ids"], use_cache=False).last_hidden_state
        logits = model.lm_head(hidden[torch.arange(len(last)), last])
        margins.append((logits[:, yes] - logits[:, no]).float())
    return torch.cat(margins)


def _macro_f1(predicted: Bools, true: Bools, asked: Bools) -> float:
    """Mean over hypernyms (columns) of the mean F1 of yes and no among asked cells."""
    scores = []
    for p, t, a in zip(predicted.T, true.T, asked.T, strict=True):
        p, t = p[a], t[a]
        if t.all() or not t.any():
            continue
        halves = []
        for answer in (True, False):
            hit = int(((p == answer) & (t == answer)).sum())
            halves.append(2 * hit / (int((p == answer).sum()) + int((t == answer).sum())))
        scores.append(sum(halves) / 2)
    return float(np.mean(scores)) if scores else float("nan")


def examine(model: Any, tokenizer: Any, lexicon: Lexicon) -> Exam:
    """Ask every (leaf, hypernym) pair that is true or false, in text."""
    leaves, hypernyms = lexicon.leaves, lexicon.hypernyms
    grid = [(leaf, hypernym) for leaf in leaves for hypernym in hypernyms]
    text = lexicon.wording.question
    margins = yes_margins(model, tokenizer, [g[0] for g in grid], [g[1] for g in grid], text)
    predicted = (margins > 0).numpy().reshape(len(leaves), len(hypernyms))
    spoken = lexicon.true | lexicon.false
    pictured = np.arange(len(leaves))[:, None] < lexicon.n_pictured
    stated = lexicon.withheld.all(axis=1, keepdims=True) & ~pictured & spoken
    withheld = lexicon.withheld & pictured & spoken
    asked = ~lexicon.withheld & pictured & spoken
    names = list(leaves[: lexicon.n_pictured])
    same = yes_margins(model, tokenizer, names, names) > 0
    others = [
        next(
            b
            for j, b in enumerate(names[i + 1 :] + names[:i], i + 1)
            if not lexicon.related[i, j % len(names)]
        )
        for i in range(len(names))
    ]
    other = yes_margins(model, tokenizer, names, others) < 0
    return Exam(
        macro_f1_withheld=_macro_f1(predicted, lexicon.true, withheld),
        n_withheld=int(withheld.sum()),
        macro_f1_stated=_macro_f1(predicted, lexicon.true, stated),
        n_stated=int(stated.sum()),
        n_stated_leaves=int(stated.any(axis=1).sum()),
        macro_f1_asked=_macro_f1(predicted, lexicon.true, asked),
        leaf_accuracy=float(torch.cat([same, other]).float().mean()),
    )
