"""Interchange interventions: does the last token carry where to look, or what to look for?

With n objects (key k, answer e; in the task: colour and shape) and indices q, c, s, t the base
run asks for k_q. In the counterfactual the answers of c and s have changed places, then the keys
of c and t, and the key now at c is asked for: c holds (k_t, e_s), t (k_c, e_t), s (k_s, e_c).
Associations are the same, in the same order. The residual stream of the counterfactual's last
token is put into the base run; what that then answers, the item of a base answer, says what the
token carried:

    e_c: positional, the index c    e_t: symbolic, the key k_t
    e_s: reflexive, the answer      e_q: no effect
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa
import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from taxonomy.model import one_of
from xmodal.binding.examples import batches, count, some
from xmodal.binding.subject import Edit, Prompts, Subject
from xmodal.binding.task import Scenes, generators
from xmodal.binding_tables import INTERCHANGE

PATCHES = ("counterfactual", "random-direction", "permuted")
"""What is put in: the counterfactual's residual stream; the base's own plus a random vector of
the length of the difference of the two; the counterfactual's of another example."""
ANSWERS = ("open", "scene")
"""What counts as an answer: the highest of the whole vocabulary, or of the items of the scene. An
LM's highest is often no item at all, but a space or a mark."""


@runtime_checkable
class Patchable(Protocol):
    """A subject that computes several patches of the last token in one run."""

    def patched(self, prompts: Prompts, layers: Sequence[int], values: Tensor) -> Tensor:
        """float [B, K, V] of K patches: the layers, and float [K, B, W] put in there."""


@dataclass(frozen=True)
class Roles:
    """The indices of each example, int64 [B]."""

    q: Tensor
    """Asked for in the base."""
    c: Tensor
    """Holds what the counterfactual asks for."""
    s: Tensor
    """Changes answers with c."""
    t: Tensor
    """Changes keys with c."""

    def some(self, which: slice) -> Roles:
        """Of a part of the examples."""
        return Roles(self.q[which], self.c[which], self.s[which], self.t[which])


@dataclass(frozen=True)
class Answered:
    """How the unpatched runs went; a patch says little about a subject that cannot answer."""

    n_objects: int
    n_examples: int
    n_base_right: int
    n_counterfactual_right: int
    n_drawn_ambiguous: int
    """Examples with s = t; 0 unless as published."""


@dataclass(frozen=True)
class Interchanged:
    """Result of the interventions."""

    table: pa.Table
    """Of schema INTERCHANGE."""
    answered: tuple[Answered, ...]
    """One for each number of objects."""


def draw_roles(scenes: Scenes, seed: int, *, as_published: bool = False) -> Roles:
    """Draw the four indices of each example.

    Args:
        scenes: Of one run.
        seed: With N it decides the draw.
        as_published: Draw s and t independently, so that they are one with probability
            1 / (N - 2); False draws four different ones.

    Raises:
        ConfigError: Too few objects.
    """
    n, rows = scenes.n_objects, count(scenes)
    least = 3 if as_published else 4
    if n < least:
        why = "q, c and s" if as_published else "q, c, s and t"
        hint = "" if as_published or n < 3 else ", or draw s and t as published, from 3 objects on"
        raise ConfigError(
            f"an interchange needs at least {least} objects, {why} all different, got {n}: "
            f"take more{hint}"
        )
    of = generators([seed], "interchange", n)[0]
    drawn = torch.rand(rows, n, generator=of).argsort(dim=1)
    q, c = drawn[:, 0], drawn[:, 1]
    if not as_published:
        return Roles(q, c, drawn[:, 2], drawn[:, 3])
    s, t = (
        drawn.gather(1, 2 + torch.randint(n - 2, (rows, 1), generator=of))[:, 0] for _ in range(2)
    )
    return Roles(q, c, s, t)


def counterfactual(scenes: Scenes, roles: Roles) -> Scenes:
    """The scenes with the answers of c and s, and the keys of c and t, changed about.

    A shape takes its item along, and the association that stood first still does. Query index c.

    Args:
        scenes: Of one run; they are not changed.
        roles: The indices.
    """
    n, device = scenes.n_objects, scenes.colours.device
    keys = _exchange(roles.c.to(device), roles.t.to(device), n)[None]
    answers = _exchange(roles.c.to(device), roles.s.to(device), n)[None]
    return Scenes(
        colours=scenes.colours.gather(-1, keys),
        shapes=scenes.shapes.gather(-1, answers),
        items=scenes.items.gather(-1, answers),
        # a shape's new object, at the association's old place
        order=answers.gather(-1, scenes.order),
        gaps=scenes.gaps,
    )


def interchange(
    subject: Subject,
    scenes: Sequence[Scenes],
    *,
    seed: int = 0,
    as_published: bool = False,
    answers: str = "open",
    batch: int = 128,
) -> Interchanged:
    """Patch every layer of every example with each of PATCHES, and count the answers.

    Args:
        subject: The decoder; where it is Patchable, all patches of an example share a run.
        scenes: Of one run; one for each number of objects.
        seed: Of the indices, the random directions and the permutation.
        as_published: Draw s and t as the authors did; an answer that is symbolic and reflexive
            at once, as s = t, is then counted as ambiguous and as neither.
        answers: Of ANSWERS.
        batch: Examples at a time; the counts do not hang on it.

    Raises:
        ConfigError: Too few objects, fewer than two examples, or no examples at all.
    """
    rows: list[dict[str, object]] = []
    answered = []
    one_of("answers", answers, ANSWERS)
    if not scenes:
        raise ConfigError("an interchange needs scenes, got none")
    for one in scenes:
        roles = draw_roles(one, seed, as_published=as_published)
        made, how = _one_size(subject, one, roles, seed, answers == "scene", batch)
        rows += made
        answered.append(how)
    return Interchanged(pa.Table.from_pylist(rows, INTERCHANGE), tuple(answered))


def last_activations(subject: Subject, prompts: Prompts) -> tuple[Tensor, Tensor]:
    """Residual stream of the last token after each layer, and the logits.

    Returns:
        float32 [L + 1, B, W], and float [B, V].
    """
    kept: list[Tensor] = []

    def edit(_: int, x: Tensor) -> Tensor:
        kept.append(x[_each(x), _last(prompts).to(x.device)].float().clone())
        return x

    logits = subject.logits(prompts, edit=edit)
    return torch.stack(kept), logits


def patch(prompts: Prompts, layer: int, value: Tensor) -> Edit:
    """An edit that puts a residual stream in at the last token.

    Args:
        prompts: What is read.
        layer: From 0 to L.
        value: float [B, W].
    """

    def edit(at: int, x: Tensor) -> Tensor:
        if at != layer:
            return x
        x = x.clone()
        x[_each(x), _last(prompts).to(x.device)] = value.to(x)
        return x

    return edit


def _one_size(
    subject: Subject, scenes: Scenes, roles: Roles, seed: int, among_items: bool, batch: int
) -> tuple[list[dict[str, object]], Answered]:
    """Rows of the table of one number of objects."""
    n, total = scenes.n_objects, count(scenes)
    if total < 2:
        raise ConfigError(f"an interchange needs at least 2 examples to permute, got {total}")
    given = counterfactual(scenes, roles)
    # base and counterfactual have the same items
    items = subject.token_of(scenes.items[0])
    among = items if among_items else None
    parts = [
        last_activations(subject, subject.prompts(some(given, which), roles.c[which]))
        for which in batches(total, batch)
    ]
    theirs = torch.cat([one for one, _ in parts], dim=1)
    own_answers = torch.cat(
        [
            answer(logits, None if among is None else among[which])
            for which, (_, logits) in zip(batches(total, batch), parts, strict=True)
        ]
    )
    of = generators([seed], "interchange", "controls", n)[0]
    other = _derangement(total, of).to(theirs.device)
    directions = torch.randn(theirs.shape, generator=of).to(theirs)
    answers: list[Tensor] = []
    base_answers: list[Tensor] = []
    for which in batches(total, batch):
        prompts = subject.prompts(some(scenes, which), roles.q[which])
        base, logits = last_activations(subject, prompts)
        length = (theirs[:, which] - base).norm(dim=-1, keepdim=True)
        unit = torch.nn.functional.normalize(directions[:, which], dim=-1)
        values = [theirs[:, which], base + unit * length, theirs[:, other[which]]]
        allowed = None if among is None else among[which]
        answers.append(_patched_answers(subject, prompts, torch.stack(values), allowed))
        base_answers.append(answer(logits, allowed))
    items = items.cpu()
    right = torch.cat(base_answers).cpu() == _at(items, roles.q)
    theirs_right = own_answers.cpu() == _at(items, roles.s)
    how = Answered(
        n_objects=n,
        n_examples=total,
        n_base_right=int(right.sum()),
        n_counterfactual_right=int(theirs_right.sum()),
        n_drawn_ambiguous=int((roles.s == roles.t).sum()),
    )
    got = torch.cat(answers, dim=-1).cpu()
    rows = [
        {"n_objects": n, "layer": layer, "patch": name, "n_examples": total}
        | classified(got[i, layer], items, roles)
        for layer in range(got.shape[1])
        for i, name in enumerate(PATCHES)
    ]
    return rows, how


def classified(answers: Tensor, items: Tensor, roles: Roles) -> dict[str, int]:
    """Count answers by what they say about the last token.

    Args:
        answers: int64 [B], token ids.
        items: int64 [B, N], token ids of the base's items by object.
        roles: The indices.
    """
    one = roles.s == roles.t
    symbolic, reflexive = answers == _at(items, roles.t), answers == _at(items, roles.s)
    found = {
        "n_positional": answers == _at(items, roles.c),
        "n_symbolic": symbolic & ~one,
        "n_reflexive": reflexive & ~one,
        "n_no_effect": answers == _at(items, roles.q),
        "n_ambiguous": symbolic & one,
    }
    counts = {name: int(which.sum()) for name, which in found.items()}
    return counts | {"n_other": len(answers) - sum(counts.values())}


def answer(logits: Tensor, items: Tensor | None = None) -> Tensor:
    """What is answered, as token ids.

    Args:
        logits: float [B, ..., V].
        items: int64 [B, N], token ids among which the highest is taken; None for all.

    Returns:
        int64 [B, ...].
    """
    if items is None:
        return logits.argmax(-1)
    items = items.to(logits.device)
    items = items.view(len(items), *(1,) * (logits.dim() - 2), -1)
    items = items.expand(*logits.shape[:-1], -1)
    highest = logits.gather(-1, items).argmax(-1, keepdim=True)
    return items.gather(-1, highest)[..., 0]


def _patched_answers(
    subject: Subject, prompts: Prompts, values: Tensor, items: Tensor | None
) -> Tensor:
    """What is answered, int64 [K, L + 1, B], after patches float [K, L + 1, B, W]."""
    kinds, layers = values.shape[:2]
    if isinstance(subject, Patchable):
        each = list(range(layers)) * kinds
        logits = subject.patched(prompts, each, values.flatten(0, 1))
        return answer(logits, items).T.reshape(kinds, layers, -1)
    found = [
        answer(subject.logits(prompts, edit=patch(prompts, layer, values[kind, layer])), items)
        for kind in range(kinds)
        for layer in range(layers)
    ]
    return torch.stack(found).view(kinds, layers, -1)


def _derangement(n: int, of: torch.Generator) -> Tensor:
    """int64 [n] without a fixed point: each to the next in a random circle."""
    circle = torch.randperm(n, generator=of)
    other = torch.empty_like(circle)
    other[circle] = circle.roll(1)
    return other


def _exchange(a: Tensor, b: Tensor, n: int) -> Tensor:
    """int64 [B, n]: 0 to n - 1 with a and b [B] exchanged."""
    index = torch.arange(n, device=a.device).expand(len(a), -1).clone()
    index.scatter_(1, a[:, None], b[:, None])
    return index.scatter_(1, b[:, None], a[:, None])


def _at(items: Tensor, index: Tensor) -> Tensor:
    return items.gather(1, index[:, None])[:, 0]


def _last(prompts: Prompts) -> Tensor:
    return prompts.places["answer"][:, 0]


def _each(x: Tensor) -> Tensor:
    return torch.arange(len(x), device=x.device)
