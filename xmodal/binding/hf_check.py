"""Whether an LM does under hooks, masks and padding what must come out, tried on a few tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from xmodal.binding.subject import Prompts

if TYPE_CHECKING:
    from xmodal.binding.hf_subject import HuggingFaceSubject

TOLERANCE = 1e-3
"""Of fp32 logits, in units of the largest."""
LOW_TOLERANCE = 0.05
"""Of half-precision logits: root mean square of the difference, over the logits' spread."""
_LONGEST = 6


def check_edits(subject: HuggingFaceSubject) -> None:
    """Put one text's residual stream into the run of another, whose answer must become its.

    Raises:
        ConfigError: Blocks are left out or run twice, or something beside the residual stream
            carries what was read.
    """
    prompts = _two_texts(subject)
    states: list[Tensor] = []
    layers: list[int] = []

    def keep(layer: int, x: Tensor) -> Tensor:
        layers.append(layer)
        states.append(x.clone())
        return x

    theirs = subject.run(prompts, edit=keep).flip(0)
    wanted = list(range(subject.n_layers + 1))
    if layers != wanted:
        raise ConfigError(
            f"lm {subject.lm.name} cannot be patched: its blocks must run once each, in their "
            f"order, got layers {layers}"
        )
    for at in wanted:

        def put(layer: int, x: Tensor, at: int = at) -> Tensor:
            return states[at].flip(0) if layer == at else x

        _same(subject, subject.run(prompts, edit=put), theirs, f"a patch of layer {at}")

    def put_last(layer: int, x: Tensor) -> Tensor:
        if layer != subject.n_layers:
            return x
        return torch.cat([x[:, :-1], states[layer].flip(0)[:, -1:]], dim=1)

    patched = subject.run(prompts, edit=put_last)
    _same(subject, patched, theirs, "a patch of the last token behind the last block")


def check_masks(subject: HuggingFaceSubject) -> None:
    """A causal mask must change nothing, and a token that sees itself alone not hang on others.

    Raises:
        ConfigError: The LM does not heed masks.
    """
    prompts = _two_texts(subject)
    ids = prompts.ids.clone()
    ids[:, -1] = ids[0, -1]
    prompts = Prompts(ids=ids)
    n, device = ids.shape[1], ids.device
    causal = torch.ones(n, n, dtype=torch.bool, device=device).tril()
    own = torch.eye(n, dtype=torch.bool, device=device)
    plain = subject.run(prompts)
    masked = subject.run(prompts, masks=[causal] * subject.n_layers)
    _same(subject, masked, plain, "a mask that cuts nothing")
    alone = subject.run(prompts, masks=[own] * subject.n_layers)
    _same(subject, alone, alone[:1].expand_as(alone), "a mask that leaves the token itself")


def check_padding(subject: HuggingFaceSubject) -> None:
    """A padded text must be answered as it is without.

    Raises:
        ConfigError: The LM does not heed padding.
    """
    ids = _two_texts(subject).ids
    n, pad = ids.shape[1], 2
    seen = torch.arange(n + pad, device=ids.device).expand(len(ids), -1) >= pad
    padded = Prompts(
        ids=torch.nn.functional.pad(ids, (pad, 0), value=int(ids[0, 0])),
        positions=(seen.long().cumsum(-1) - 1).clamp_min(0),
        seen=seen,
    )
    _same(subject, subject.run(padded), subject.run(Prompts(ids=ids)), "padding on the left")


def _two_texts(subject: HuggingFaceSubject) -> Prompts:
    """Two rows of items without an order to them, which end in different ones."""
    items = subject.task.item_ids[:_LONGEST]
    return Prompts(ids=torch.stack([items, items.flip(0)]))


def _same(subject: HuggingFaceSubject, got: Tensor, want: Tensor, what: str) -> None:
    apart = (got - want).float()
    if subject.lm.dtype in (torch.float32, torch.float64):
        off = float(apart.abs().max() / want.abs().max().clamp_min(1e-6)) / TOLERANCE
    else:
        spread = (want - want.mean(dim=1, keepdim=True)).pow(2).mean().sqrt()
        off = float(apart.pow(2).mean().sqrt() / spread.clamp_min(1e-6)) / LOW_TOLERANCE
    if not off <= 1:
        raise ConfigError(
            f"lm {subject.lm.name} cannot be probed so: {what} changes a logit by "
            f"{float(apart.abs().max()):.2g} from what it must be"
        )
