"""How often a decoder answers right, by kind of context and number of objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from xmodal.binding.batches import scenes_for
from xmodal.binding.decoder import Decoder
from xmodal.binding.pictures import ScenePictures
from xmodal.binding.recipes import Recipe
from xmodal.binding.task import Layout, generators, lay_out
from xmodal.binding.vocabulary import EXPANDED, ITEM_0, SHAPE_0, Vocabulary

Row = dict[str, Any]
_AT_ONCE = 256
"""Sequences a pass."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a look asks."""

    context: str = "text"
    """text or image; a text context has no noise and no offsets, whatever was trained on."""
    vocabulary: str = "base"
    """base or expanded."""
    question: str = "two"
    """two, colour-shape or shape-item."""


def looks_of(recipe: Recipe, pictures: ScenePictures | None, *, end: bool) -> list[Asked]:
    """What is asked at a look: two-hop questions in text, and in images where there are any.

    Args:
        recipe: Of the run.
        pictures: Of scenes; None without.
        end: The end of a stage, where one-hop questions and the expanded vocabulary come in.
    """
    contexts = ["text"] if pictures is None else ["text", "image"]
    asked = [Asked(context=context) for context in contexts]
    if end:
        asked += [Asked(question=one) for one in ("colour-shape", "shape-item")]
        if any(stage.expanded for stage in recipe.stages):
            asked.append(Asked(vocabulary="expanded"))
    return asked


@torch.no_grad()
def accuracy(
    decoder: Decoder,
    recipe: Recipe,
    asked: Asked,
    n_objects: int,
    count: int,
    *,
    purpose: str = "look",
    pictures: ScenePictures | None = None,
) -> list[Row]:
    """Answers to one question each about fresh scenes; the same scenes for every run and step.

    Every place in the context is asked about as often as any other, to one.

    Args:
        decoder: R runs.
        recipe: Of the runs.
        asked: What.
        n_objects: Of each scene.
        count: Scenes.
        purpose: Draws other scenes.
        pictures: For image contexts; scenes of their part test.

    Returns:
        One row a run: n_questions, n_right, n_in_scene, loss (mean cross-entropy, nats).
    """
    words: Vocabulary = EXPANDED if asked.vocabulary == "expanded" else recipe.vocabulary
    layout = Layout(
        context=asked.context, hops=asked.question, order=recipe.order, marker=recipe.marker
    )
    device, n_runs = decoder.embed.device, decoder.n_runs
    right = torch.zeros(n_runs, device=device, dtype=torch.int64)
    within, loss = torch.zeros_like(right), torch.zeros(n_runs, device=device, dtype=torch.float64)
    for start in range(0, count, _AT_ONCE):
        n = min(_AT_ONCE, count - start)
        of = generators([0], purpose, asked.context, words.n_items, n_objects, start, device=device)
        scenes, image = scenes_for(of, n, n_objects, words, layout, pictures, "test")
        sequences = lay_out(scenes, layout, 0 if image is None else image.shape[-2])
        # of every place in the context in turn: objects stand in the order of their numbers
        which = (start + torch.arange(n, device=device)) % n_objects
        sequences = sequences.each(which).repeated(n_runs)
        shown = None if image is None else image.expand(n_runs, *image.shape[1:])
        logits = decoder(sequences, shown)[:, :, 0].float()
        targets, found = sequences.targets[..., 0], logits.argmax(-1)
        right += (found == targets).sum(1)
        present = scenes.items + ITEM_0
        if asked.question == "colour-shape":
            present = scenes.shapes + SHAPE_0
        within += (found[..., None] == present).any(-1).sum(1)
        loss += (
            F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
            .view(n_runs, -1)
            .double()
            .sum(1)
        )
    return [
        {
            "n_questions": count,
            "n_right": int(right[run]),
            "n_in_scene": int(within[run]),
            "loss": float(loss[run]) / count,
        }
        for run in range(n_runs)
    ]


def look(
    decoder: Decoder,
    recipe: Recipe,
    step: int,
    stage: str,
    *,
    ends_stage: bool,
    pictures: ScenePictures | None = None,
) -> list[list[Row]]:
    """Rows of table binding_accuracy at a moment, for each run."""
    count = recipe.n_evaluated * (4 if ends_stage else 1)
    found: list[list[Row]] = [[] for _ in range(decoder.n_runs)]
    for asked in looks_of(recipe, pictures, end=ends_stage):
        for n in range(recipe.n_from, recipe.n_most + 1):
            rows = accuracy(decoder, recipe, asked, n, count, pictures=pictures)
            for of_run, row in zip(found, rows, strict=True):
                of_run.append(
                    {
                        "step": step,
                        "stage": stage,
                        "ends_stage": ends_stage,
                        "context": asked.context,
                        "vocabulary": asked.vocabulary,
                        "question": asked.question,
                        "n_objects": n,
                        "in_distribution": n <= recipe.n_to,
                    }
                    | row
                )
    return found


def mean_accuracy(rows: Sequence[Row], *, in_distribution: bool, context: str = "text") -> float:
    """Mean over object counts of the share of two-hop questions that were answered right."""
    shares = [
        row["n_right"] / row["n_questions"]
        for row in rows
        if row["in_distribution"] == in_distribution
        and (row["context"], row["question"], row["vocabulary"]) == (context, "two", "base")
    ]
    return float(sum(shares) / len(shares))
