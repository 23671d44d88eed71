"""Log probabilities of tokens of many texts, in batches that change nothing.

Texts are padded on the right: no token of a causal LM attends to what follows it, so that
positions are those of the text alone. Texts of like length go together. Logits are fp32, also
where the weights are bf16: near 20 two neighbouring bf16 numbers are 0.125 apart, which ties
Yes with No.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from taxonomy.manifest.draws import Floats, Ints
from xmodal.lms.causal import LanguageModel

OnBatch = Callable[[int, int], None]
"""Called with (texts done, texts in all)."""


@dataclass(frozen=True)
class Span:
    """Some tokens of a text, from one position to its end; those before are given."""

    ids: tuple[int, ...]
    """All tokens, with the LM's start tokens."""
    first: int
    """Position of the first token that is scored, from 1."""


@torch.no_grad()
def each_logits(
    lm: LanguageModel,
    texts: Sequence[tuple[int, ...]],
    firsts: Sequence[int],
    batch_size: int,
    progress: OnBatch | None = None,
) -> Iterator[tuple[int, Tensor]]:
    """The next-token logits of each text from one of its positions on.

    Args:
        lm: The frozen LM; T text tokens, V its vocabulary.
        texts: Token ids, one text or more tokens each.
        firsts: For each text the first position whose logits are wanted, from 0.
        batch_size: Texts a forward pass.
        progress: Called after each batch.

    Yields:
        The number of a text and float32 [T - first, V], on the LM's device; short texts first.

    Raises:
        ConfigError: A text is longer than the LM can read.
    """
    _check_lengths(lm, texts)
    order = sorted(range(len(texts)), key=lambda i: (len(texts[i]), i))
    with _fp32_head(lm):
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            low = min(firsts[row] for row in rows)
            logits = _forward(lm, [texts[row] for row in rows], low)
            for place, row in enumerate(rows):
                yield row, logits[place, firsts[row] - low : len(texts[row]) - low]
            if progress is not None:
                progress(min(start + batch_size, len(order)), len(order))


def _forward(lm: LanguageModel, texts: Sequence[tuple[int, ...]], low: int) -> Tensor:
    """float32 [B, T - low, V]: logits from position low on; meaningless behind a text's end."""
    longest = max(map(len, texts))
    ids = torch.zeros(len(texts), longest, dtype=torch.int64)
    mask = torch.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, : len(text)] = torch.tensor(text)
        mask[row, : len(text)] = 1
    can_skip = "logits_to_keep" in inspect.signature(lm.model.forward).parameters
    skip: dict[str, Any] = {"logits_to_keep": longest - low} if can_skip else {}
    given = {"input_ids": ids.to(lm.device), "attention_mask": mask.to(lm.device)}
    logits: Tensor = lm.model(**given, use_cache=False, **skip).logits
    return logits[:, low - longest :].float()


@contextmanager
def _fp32_head(lm: LanguageModel) -> Iterator[None]:
    """Let the LM's last linear layer compute in fp32; what the LM does behind it stays."""
    head = lm.model.get_output_embeddings()
    if head is None or head.weight.dtype == torch.float32:
        yield
        return
    weight = head.weight.float()
    bias = None if getattr(head, "bias", None) is None else head.bias.float()

    def in_fp32(_: Any, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return torch.nn.functional.linear(args[0].float(), weight, bias)

    handle = head.register_forward_hook(in_fp32)
    try:
        yield
    finally:
        handle.remove()


def _check_lengths(lm: LanguageModel, texts: Sequence[tuple[int, ...]]) -> None:
    most = getattr(lm.model.config.get_text_config(), "max_position_embeddings", None)
    longest = max(map(len, texts), default=0)
    if most is not None and longest > most:
        raise ConfigError(
            f"lm {lm.name!r} reads at most {most} tokens, got a text of {longest}; "
            "choose another phrasing"
        )


def span_log_probs(
    lm: LanguageModel,
    spans: Sequence[Span],
    batch_size: int,
    progress: OnBatch | None = None,
) -> tuple[Floats, Ints]:
    """Log probability of each span, given what stands before it.

    Spans that differ in their last token only share one pass: it is never fed.

    Args:
        lm: The frozen LM.
        spans: What is scored; N of them.
        batch_size: Texts a forward pass. No log probability depends on it but for rounding.
        progress: Called after each batch.

    Returns:
        float64 [N], the sum over the span's tokens, natural logarithm; int64 [N], how many
        tokens it has.
    """
    sharing: dict[tuple[int, ...], list[int]] = {}
    for number, span in enumerate(spans):
        sharing.setdefault(span.ids[:-1], []).append(number)
    fed = list(sharing)
    firsts = [min(spans[number].first for number in sharing[text]) - 1 for text in fed]
    total = np.zeros(len(spans))
    for text, logits in each_logits(lm, fed, firsts, batch_size, progress):
        norm = torch.logsumexp(logits, dim=-1).double()
        for number in sharing[fed[text]]:
            span = spans[number]
            at = torch.arange(span.first - 1 - firsts[text], len(logits), device=logits.device)
            said = torch.tensor(span.ids[span.first :], device=logits.device)
            total[number] = float((logits[at, said].double() - norm[at]).sum())
    n_tokens = np.array([len(span.ids) - span.first for span in spans], dtype=np.int64)
    return total, n_tokens
