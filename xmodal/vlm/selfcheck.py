"""Whether an LM answers questions behind a shared prefix as it answers each alone.

Most decoders do. Those that count positions by themselves (ALiBi), do not take a mask of their own
rows, or carry a state from token to token do not; they are asked one question a row.
"""

from __future__ import annotations

import copy
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from xmodal.lms.causal import LanguageModel
from xmodal.vlm.masks import DENSE, FLEX
from xmodal.vlm.packed import logits_in_rows
from xmodal.vlm.rows import lay_out

if TYPE_CHECKING:
    from xmodal.vlm.forward import Questions

TOLERANCE = 1e-4
"""Of fp32 logits, in units of max(1, |logit|)."""
LOW_TOLERANCE = 0.05
"""Of half-precision logits: root mean square of the difference, over that of the logits' spread.
Says only that a kernel computes what it should: layouts are judged in fp32 where there is room."""
_IMAGE = np.array([0, 0, 0, 0, 1, 1])


@dataclass(frozen=True)
class Packing:
    """What the self-check found."""

    exact: bool
    attention: str | None
    """The attention that packed rows are answered with; None if not exact."""
    reason: str = ""
    """Why not, in a few words."""


def packing(lm: LanguageModel, questions: Questions, n_prefix: int) -> Packing:
    """Compare both layouts once for each LM, prefix length and length of question.

    Six questions about two random prefixes: little beside a training step. If the layouts
    disagree, says so in one line on stderr.

    Args:
        lm: The frozen LM.
        questions: Those of the run; the longest and the shortest are among the six.
        n_prefix: Prefix tokens of an image.

    Raises:
        ConfigError: The LM cannot be asked behind a prefix in any layout.
    """
    key = (n_prefix, int(questions.lengths.max()))
    if key not in lm.packings:
        found = _compare(lm, questions, n_prefix)
        if not found.exact and all(known.exact for known in lm.packings.values()):
            sys.stderr.write(
                f"notice: lm {lm.name} is asked one question a row, slower and equally right: "
                f"packed rows {found.reason}\n"
            )
        lm.packings[key] = found
    known: Packing = lm.packings[key]
    return known


@torch.no_grad()
def _compare(lm: LanguageModel, questions: Questions, n_prefix: int) -> Packing:
    by_length = torch.argsort(questions.lengths, stable=True)
    places = torch.linspace(0, len(by_length) - 1, len(_IMAGE)).round().long()
    asked = by_length[places][[0, 5, 1, 4, 2, 3]]
    lengths, tokens = questions.lengths[asked].numpy(), questions.tokens[asked]
    drawn = torch.randn(2, n_prefix, lm.width, generator=torch.Generator().manual_seed(0))
    prefix = (drawn * lm.embedding_rms).to(lm.device)
    plain, shared = lay_out(_IMAGE, lengths, 1), lay_out(_IMAGE, lengths, 4)

    def reason(judge: LanguageModel, attention: str) -> str:
        """Why packed rows will not do; empty if they will."""
        want = logits_in_rows(judge, prefix, tokens, lengths, plain)
        try:
            got = logits_in_rows(judge, prefix, tokens, lengths, shared, attention)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # a model's own code may fail in any way on what it never met
            return f"are not taken ({_line(error)})"
        if difference(got, want, judge.dtype) <= 1:
            return ""
        return f"differ by {float((got - want).abs().max()):.2g} in a logit"

    try:
        logits_in_rows(lm, prefix, tokens, lengths, plain)
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"lm {lm.name} cannot be asked behind a prefix ({_line(error)}); take a decoder that "
            "takes inputs_embeds"
        ) from error
    judge = _in_fp32(lm)
    if judge is not lm and (found := reason(judge, DENSE)):
        return Packing(False, None, found)
    del judge
    reasons = {attention: reason(lm, attention) for attention in attentions(lm)}
    chosen = next((attention for attention, found in reasons.items() if not found), None)
    return Packing(chosen is not None, chosen, reasons[DENSE])


def _in_fp32(lm: LanguageModel) -> LanguageModel:
    """A copy in fp32, in which rounding hides nothing; the LM itself if there is no room for it."""
    if lm.dtype in (torch.float32, torch.float64):
        return lm
    try:
        return replace(lm, model=copy.deepcopy(lm.model).float(), packings={})
    except torch.OutOfMemoryError:
        return lm


def attentions(lm: LanguageModel) -> list[str]:
    """The ways to mask packed rows on this machine, the best first."""
    flex = lm.device.type == "cuda" and getattr(lm.model, "_supports_flex_attn", False)
    return [FLEX, DENSE] if flex else [DENSE]


def difference(got: Tensor, want: Tensor, dtype: torch.dtype) -> float:
    """How far logits are from others, in units of what rounding may do: equal if at most 1.

    Args:
        got: float32 [Q, vocabulary].
        want: The same shape.
        dtype: That the LM computed in.
    """
    want = want.detach()
    apart = (got.detach() - want).abs()
    if not torch.isfinite(apart).all():
        return float("inf")
    if dtype in (torch.float32, torch.float64):
        return float((apart / want.abs().clamp_min(1)).max()) / TOLERANCE
    spread = (want - want.mean(dim=1, keepdim=True)).pow(2).mean().sqrt()
    return float(apart.pow(2).mean().sqrt() / spread.clamp_min(1e-6)) / LOW_TOLERANCE


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
