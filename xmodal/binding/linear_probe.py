"""Linear probes: which attribute of its object can be read off a token, and from which layer on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pyarrow as pa
import torch
from torch import Tensor

from taxonomy.errors import ConfigError, unknown
from xmodal.binding.examples import batches, count, draw_queries, some
from xmodal.binding.softmax_regression import Design
from xmodal.binding.subject import Edit, Prompts, Subject
from xmodal.binding.task import Scenes, generators
from xmodal.binding_tables import LINEAR

TOKENS = ("colour", "shape", "association-shape", "association-item", "query", "answer")
"""Roles that are probed; of an image context those that it has. The object of query and answer
is the one that is asked for; where they are one token, it goes by the name of answer. context-end
can be asked for by name: it stands before the question, so that it is at chance by construction."""
PER_OBJECT = TOKENS[:4]
ATTRIBUTES = ("colour", "shape", "item", "index")
"""What is read off. index: the place of the object in the context."""
BOUND = (
    ("shape", "colour"),
    ("association-shape", "colour"),
    ("association-item", "shape"),
    ("association-item", "colour"),
)
"""(token, attribute) of the binding signature: entities that come to hold what they are bound to
and are not themselves. A token holds nothing of what comes after it: colour stands before its
shape, and an association's shape before its item."""


@dataclass(frozen=True)
class Signature:
    """How much of a bound attribute is read off a token, by layer, above the permuted null."""

    n_objects: int
    token: str
    attribute: str
    layers: tuple[int, ...]
    excess: tuple[float, ...]
    """Accuracy minus that with permuted labels, by layer."""
    surge_to: int
    """Layer at which it has risen the most over the layer before it in `layers`; the first of
    several."""
    surge: float
    """That rise; below 0 where it falls throughout."""


def linear_probes(
    subject: Subject,
    scenes: Sequence[Scenes],
    *,
    tokens: Sequence[str] | None = None,
    attributes: Sequence[str] = ATTRIBUTES,
    layers: Sequence[int] | None = None,
    train_ratio: float = 0.75,
    ridge: float = 1e-3,
    seed: int = 0,
    batch: int = 128,
) -> pa.Table:
    """Read each attribute off each kind of token at each layer, and off permuted labels.

    A probe is a softmax regression over the tokens of a kind of all objects; features are
    standardised by the train part. Examples, not tokens, are split, so that no scene is in both
    parts. Permuted labels are exchanged among all tokens of a part.

    Args:
        subject: The decoder.
        scenes: Of one run; one for each number of objects.
        tokens: Roles; None for those of TOKENS that the prompts have.
        attributes: Of ATTRIBUTES.
        layers: 0 to L; None for all. Activations of all of them are held at once.
        train_ratio: Share of the examples that probes are fitted on, 0 to 1.
        ridge: Of the regression, on standardised features.
        seed: Of the objects asked for, the split and the permutation.
        batch: Examples at a time through the subject.

    Returns:
        Table of schema LINEAR; n_train and n_test count tokens, n_classes those of the train
        part. A test label that the train part lacks cannot be got right.

    Raises:
        ConfigError: An unknown or missing role, attribute or layer, or an empty part.
    """
    chosen = list(range(subject.n_layers + 1)) if layers is None else list(layers)
    for layer in chosen:
        if not 0 <= layer <= subject.n_layers:
            raise ConfigError(f"layers must be from 0 to {subject.n_layers}, got {layer}")
    for name in attributes:
        if name not in ATTRIBUTES:
            raise ConfigError(unknown("attribute", name, ATTRIBUTES))
    if not (scenes and chosen and attributes):
        raise ConfigError("a linear probe needs scenes, layers and attributes, got none of one")
    if not ridge > 0:
        raise ConfigError(f"ridge must be above 0, got {ridge}")
    rows: list[dict[str, object]] = []
    for one in scenes:
        query = draw_queries(one, seed, "linear")
        held = activations(subject, one, query, tokens=tokens, layers=chosen, batch=batch)
        for token, features in held.items():
            values = _labels(one, query, per_object=token in PER_OBJECT)
            kept = {name: values[name] for name in attributes}
            for at, found in _probed(features, kept, train_ratio, ridge, seed):
                of = {"n_objects": one.n_objects, "layer": chosen[at], "token": token}
                rows.append(of | found)
    return pa.Table.from_pylist(rows, LINEAR)


def activations(
    subject: Subject,
    scenes: Scenes,
    query: Tensor,
    *,
    tokens: Sequence[str] | None = None,
    layers: Sequence[int],
    batch: int = 128,
) -> dict[str, Tensor]:
    """Residual streams at the tokens of each role, float32 [layers, B, N or 1, W].

    Args:
        subject: The decoder.
        scenes: Of one run.
        query: int64 [B]: the object asked for.
        tokens: Roles; None for those of TOKENS that the prompts have.
        layers: Of these, in this order.
        batch: Examples at a time.
    """
    parts: dict[str, list[Tensor]] = {}
    for which in batches(count(scenes), batch):
        prompts = subject.prompts(some(scenes, which), query[which])
        roles = _roles(prompts, tokens)
        kept: dict[int, dict[str, Tensor]] = {}
        subject.logits(prompts, edit=_keeper(prompts, roles, set(layers), kept))
        for role in roles:
            parts.setdefault(role, []).append(torch.stack([kept[one][role] for one in layers]))
    return {role: torch.cat(each, dim=1) for role, each in parts.items()}


def signatures(table: pa.Table, bound: Sequence[tuple[str, str]] = BOUND) -> list[Signature]:
    """The binding signature: how a bound attribute rises over the layers at an entity's token.

    Args:
        table: Of schema LINEAR, with at least two layers.
        bound: (token, attribute) pairs; those that the table lacks are left out.
    """
    accuracy = {
        (row["n_objects"], row["token"], row["attribute"], row["layer"], row["permuted"]): (
            row["n_right"] / row["n_test"]
        )
        for row in table.to_pylist()
    }
    found = []
    for n in sorted({key[0] for key in accuracy}):
        for token, attribute in bound:
            layers = sorted(
                key[3] for key in accuracy if key[:3] == (n, token, attribute) and not key[4]
            )
            if len(layers) < 2:
                continue
            of = (n, token, attribute)
            excess = [accuracy[*of, one, False] - accuracy[*of, one, True] for one in layers]
            rises = [after - before for before, after in pairwise(excess)]
            surge = max(rises)
            to = layers[rises.index(surge) + 1]
            found.append(Signature(*of, tuple(layers), tuple(excess), to, surge))
    return found


def _probed(
    features: Tensor, values: dict[str, Tensor], train_ratio: float, ridge: float, seed: int
) -> list[tuple[int, dict[str, object]]]:
    """Results of one role, each with the number of its layer."""
    n_layers, examples, objects, width = features.shape
    of = generators([seed], "linear", "split", examples, objects)[0]
    shuffled = torch.randperm(examples, generator=of)
    n_train = round(train_ratio * examples)
    if not 0 < n_train < examples:
        raise ConfigError(
            f"train_ratio must leave examples for both parts, got {train_ratio} of {examples}"
        )
    parts = shuffled[:n_train], shuffled[n_train:]
    train, test = (
        features[:, one.to(features.device)].reshape(n_layers, -1, width) for one in parts
    )
    design = Design(train, ridge)
    seen = design.standardised(test)
    rows: list[tuple[int, dict[str, object]]] = []
    for attribute, all_labels in values.items():
        labels = [all_labels[one].flatten() for one in parts]
        classes = torch.unique(labels[0])
        for permuted in (False, True):
            if permuted:
                mixed = generators([seed], "linear", "permuted", attribute)[0]
                labels = [one[torch.randperm(len(one), generator=mixed)] for one in labels]
            wanted = torch.searchsorted(classes, labels[0]).to(train.device)
            weights = design.fit(wanted, len(classes))
            guessed = classes[(seen @ weights).argmax(-1).cpu()]
            for at, n_right in enumerate((guessed == labels[1]).sum(1).tolist()):
                found: dict[str, object] = {
                    "attribute": attribute,
                    "permuted": permuted,
                    "n_train": len(labels[0]),
                    "n_test": len(labels[1]),
                    "n_right": n_right,
                    "n_classes": len(classes),
                }
                rows.append((at, found))
    return rows


def _labels(scenes: Scenes, query: Tensor, *, per_object: bool) -> dict[str, Tensor]:
    """int64 [B, N], or [B, 1] of the object asked for, by attribute."""
    index = torch.arange(scenes.n_objects).expand(count(scenes), -1)
    values = {
        "colour": scenes.colours[0].cpu(),
        "shape": scenes.shapes[0].cpu(),
        "item": scenes.items[0].cpu(),
        "index": index,
    }
    if per_object:
        return values
    return {name: one.gather(1, query[:, None]) for name, one in values.items()}


def _roles(prompts: Prompts, tokens: Sequence[str] | None) -> list[str]:
    there = [role for role in (*TOKENS, "context-end") if role in prompts.places]
    if tokens is None:
        one = torch.equal(prompts.places["query"], prompts.places["answer"])
        left_out = ("context-end", "query") if one else ("context-end",)
        return [role for role in there if role not in left_out]
    for role in tokens:
        if role not in there:
            raise ConfigError(unknown("kind of token", role, there))
    return list(tokens)


def _keeper(
    prompts: Prompts, roles: list[str], layers: set[int], kept: dict[int, dict[str, Tensor]]
) -> Edit:
    """An edit that changes nothing and keeps [B, N or 1, W] by layer and role."""

    def edit(layer: int, x: Tensor) -> Tensor:
        if layer in layers:
            example = torch.arange(len(x), device=x.device)[:, None]
            kept[layer] = {
                role: x[example, prompts.places[role].to(x.device)].float() for role in roles
            }
        return x

    return edit
