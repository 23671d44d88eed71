"""From prefix tokens and questions to the logits of the answer token.

Questions about one image may share a row behind one copy of its prefix (packed), or stand in rows
of their own (plain); the results are equal. rows.py says which layout costs least, selfcheck.py
whether an LM can be packed at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from xmodal.lms.causal import LanguageModel
from xmodal.vlm.masks import DENSE
from xmodal.vlm.packed import logits_in_rows
from xmodal.vlm.prompts import PromptTemplate
from xmodal.vlm.rows import cheapest, lay_out
from xmodal.vlm.selfcheck import packing


@dataclass(frozen=True)
class Questions:
    """Tokenised questions, one row for each asked concept. T text tokens."""

    tokens: Tensor
    """int64 [N, T], right-padded with 0."""
    lengths: Tensor
    """int64 [N]."""
    yes_id: int
    no_id: int


def tokenise(
    lm: LanguageModel,
    prompt: PromptTemplate,
    phrases: list[str],
    targets: Sequence[bool] | None = None,
) -> Questions:
    """Tokenise one question for each phrase.

    Args:
        lm: The frozen LM.
        prompt: Its question, and that of its relation's targets.
        phrases: Asked forms.
        targets: Which phrases are targets; None for none, as under the relation hypernym.

    Raises:
        ConfigError: The LM's tokenizer does not know a word of the targets' question.
    """
    if prompt.target_question is not None:
        _check_known(lm, prompt.target_question)
    asked = zip(phrases, targets or [False] * len(phrases), strict=True)
    ids = [lm.token_ids(prompt.text(phrase, target=target)) for phrase, target in asked]
    tokens = torch.zeros(len(ids), max(map(len, ids)), dtype=torch.int64)
    for row, found in zip(tokens, ids, strict=True):
        row[: len(found)] = torch.tensor(found)
    lengths = torch.tensor([len(found) for found in ids])
    return Questions(tokens, lengths, lm.answer_id(prompt.yes), lm.answer_id(prompt.no))


def _check_known(lm: LanguageModel, question: str) -> None:
    """A word-level tokenizer would turn words that it never met into one unknown token."""
    unknown_id = lm.tokenizer.unk_token_id
    if unknown_id is not None and unknown_id in lm.token_ids(question.format(phrase="")):
        asked = question.strip().format(phrase="...")
        raise ConfigError(
            f"lm {lm.name!r} does not know the words of {asked!r}; take another LM "
            "(embedded-parts knows parts)"
        )


def answer_logits(
    lm: LanguageModel,
    prefix: Tensor,
    questions: Questions,
    image: Tensor,
    asked: Tensor,
    packed: bool | None = None,
) -> Tensor:
    """Logits at the answer position over the whole vocabulary.

    Args:
        lm: The frozen LM.
        prefix: [B, K, Dl] prefix tokens, one row an image. They stand where the LM's embedding
            layer would put its output, behind any factor of that layer (Gemma's square root of
            the width) and before whatever the LM does to its input.
        questions: Tokenised questions.
        image: int64 [Q], ascending, the row of prefix each question is about.
        asked: int64 [Q], the row of questions it asks.
        packed: One row for all questions of an image; False for one row a question; None takes
            the cheapest layout, packed only if the LM was found to answer the same that way.

    Returns:
        float32 [Q, vocabulary].
    """
    lengths = questions.lengths[asked].cpu().numpy()
    images = image.cpu().numpy()
    n_prefix = len(lm.start_ids) + prefix.shape[1]
    attention = DENSE
    if packed is None:
        rows = cheapest(images, lengths, n_prefix, prefix.shape[2])
        if rows.packed:
            found = packing(lm, questions, prefix.shape[1])
            rows = rows if found.exact else lay_out(images, lengths, 1)
            attention = found.attention or DENSE
    else:
        rows = lay_out(images, lengths, int(np.bincount(images).max()) if packed else 1)
    return logits_in_rows(lm, prefix, questions.tokens[asked], lengths, rows, attention)
