"""Score a projector on a manifest's questions, with pictures and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from taxonomy.errors import ManifestError, XmodalError
from taxonomy.hashing import hash63, keyed_order
from taxonomy.model import one_of
from xmodal.features.extract import FeatureSet
from xmodal.lms.causal import LanguageModel
from xmodal.vlm.forward import Questions, answer_logits
from xmodal.vlm.projector import Projector
from xmodal.vlm.selfcheck import TOLERANCE
from xmodal.vlm.trainset import Examples

IMAGE_MODES = ("real", "zero", "mean", "noise", "other-leaf")


@dataclass(frozen=True)
class Scores:
    """Logits of the two answers; float32 [N] each, in the order of the questions."""

    logit_yes: np.ndarray[tuple[int], np.dtype[np.float32]]
    logit_no: np.ndarray[tuple[int], np.dtype[np.float32]]

    @property
    def predicted(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """Whether Yes has the larger logit."""
        return self.logit_yes > self.logit_no


class Shown(Protocol):
    """What stands in for the pictures: features [B, P, Dv] of B of them, by place."""

    def __getitem__(self, places: Tensor, /) -> Tensor: ...


@dataclass(frozen=True)
class _Stored:
    """Rows of features on disk, read when they are asked for."""

    features: FeatureSet
    rows: np.ndarray[Any, Any]

    def __getitem__(self, places: Tensor, /) -> Tensor:
        return self.features.take(self.rows[places.numpy()])


@torch.no_grad()
def score(
    lm: LanguageModel,
    projector: Projector,
    features: FeatureSet,
    questions: Questions,
    examples: Examples,
    *,
    image_mode: str = "real",
    train_images: np.ndarray[Any, Any] | None = None,
    seed: int = 0,
    batch_size: int = 1024,
) -> Scores:
    """Answer each question about its picture, or about something put in its place.

    Args:
        lm: The frozen LM.
        projector: The trained projector.
        features: Features of the dataset.
        questions: Tokenised questions; examples.asked are its rows.
        examples: What is asked, in ascending order of image.
        image_mode: real; zero, mean (of the training pictures) or noise features (normal,
            with the training pictures' mean and spread); other-leaf (the features of a
            picture of another leaf, drawn from the seed).
        train_images: Ids of the training pictures, for mean and noise.
        seed: For noise and other-leaf.
        batch_size: Questions a forward pass.

    Raises:
        ManifestError: other-leaf, and all questions are about one leaf.
    """
    one_of("image_mode", image_mode, IMAGE_MODES)
    projector.eval()
    images = np.unique(examples.image)
    shown = _shown(features, examples, images, image_mode, train_images, seed)
    return ask(lm, projector, shown, questions, examples, batch_size=batch_size)


@torch.no_grad()
def ask(
    lm: LanguageModel,
    project: Callable[[Tensor], Tensor],
    shown: Shown,
    questions: Questions,
    examples: Examples,
    *,
    batch_size: int = 1024,
) -> Scores:
    """Answer each question behind a prefix made of what is shown.

    Args:
        lm: The frozen LM.
        project: From rows of shown to prefix tokens [B, K, Dl].
        shown: One row for each image that examples name, in ascending order of image: a tensor, or
            what gives rows of one.
        questions: Tokenised questions; examples.asked are its rows.
        examples: What is asked, in ascending order of image.
        batch_size: Questions a forward pass.
    """
    image = np.unique(examples.image, return_inverse=True)[1]
    yes, no = [], []
    for start in range(0, len(examples), batch_size):
        stop = min(start + batch_size, len(examples))
        used, local = np.unique(image[start:stop], return_inverse=True)
        logits = answer_logits(
            lm,
            project(shown[torch.from_numpy(used)].to(lm.device)),
            questions,
            torch.from_numpy(local),
            torch.from_numpy(examples.asked[start:stop]),
        )
        yes.append(logits[:, questions.yes_id])
        no.append(logits[:, questions.no_id])
    return Scores(torch.cat(yes).cpu().numpy(), torch.cat(no).cpu().numpy())


@torch.no_grad()
def one_by_one(
    lm: LanguageModel,
    projector: Projector,
    features: FeatureSet,
    questions: Questions,
    examples: Examples,
    rows: np.ndarray[Any, Any],
    *,
    image_mode: str = "real",
    train_images: np.ndarray[Any, Any] | None = None,
    seed: int = 0,
) -> Scores:
    """Answers to some of the questions, each alone through the LM's own forward pass.

    Shares with score() only what is shown: no batch, no padding, no packing, no shortened head.

    Args:
        lm: As for score(), and so are all others but rows.
        projector: The trained projector.
        features: Features of the dataset.
        questions: Tokenised questions.
        examples: All that is asked; other-leaf draws among their images.
        rows: int64 [n], those of examples to answer.
        image_mode: What is shown.
        train_images: Ids of the training pictures.
        seed: For noise and other-leaf.
    """
    one_of("image_mode", image_mode, IMAGE_MODES)
    projector.eval()
    images, place = np.unique(examples.image, return_inverse=True)
    shown = _shown(features, examples, images, image_mode, train_images, seed)
    said = np.zeros((2, len(rows)), dtype=np.float32)
    for n, row in enumerate(rows):
        asked = int(examples.asked[row])
        text = questions.tokens[asked, : int(questions.lengths[asked])]
        parts = [
            lm.embed(torch.tensor([lm.start_ids], dtype=torch.int64, device=lm.device)),
            projector(shown[torch.tensor([place[row]])].to(lm.device)).to(lm.dtype),
            lm.embed(text[None].to(lm.device)),
        ]
        logits = lm.model(inputs_embeds=torch.cat(parts, dim=1), use_cache=False).logits[0, -1]
        said[:, n] = logits[[questions.yes_id, questions.no_id]].float().cpu().numpy()
    return Scores(said[0], said[1])


def verify(
    batched: Scores, alone: Scores, examples: Examples, rows: np.ndarray[Any, Any], dtype: Any
) -> float:
    """The largest difference between two scorings, in units of max(1, |logit|).

    Args:
        batched: Of all examples.
        alone: Of rows of them.
        examples: What was asked.
        rows: int64 [n].
        dtype: That the LM computed in. Beyond 1e-4 in fp32, and 2e-2 at half precision whose
            rounding alone makes about 4e-3, the scorings are not the same.

    Raises:
        XmodalError: They differ by more than that; names the furthest question.
    """
    limit = TOLERANCE if dtype in (torch.float32, torch.float64) else 2e-2
    got = np.stack([batched.logit_yes[rows], batched.logit_no[rows]]).astype(np.float64)
    want = np.stack([alone.logit_yes, alone.logit_no]).astype(np.float64)
    apart = np.abs(got - want) / np.maximum(1, np.abs(want))
    apart = np.where(np.isfinite(apart), apart, np.inf)
    which, at = np.unravel_index(int(apart.argmax()), apart.shape)
    largest = float(apart[which, at])
    if largest > limit:
        answer = ("Yes", "No")[int(which)]
        raise XmodalError(
            f"batched scoring is off by {largest:.2g} max(1, |logit|), more than {limit:g}: the "
            f"logit of {answer} of example {examples.example_id[rows[at]]} is {got[which, at]:.6g} "
            f"in its batch and {want[which, at]:.6g} alone"
        )
    return largest


def sample(examples: Examples, n: int | None, seed: int) -> np.ndarray[Any, Any]:
    """Rows of n questions drawn by their ids, ascending; all of them if None."""
    rows = range(len(examples))
    if n is None or n >= len(examples):
        return np.array(rows, dtype=np.int64)
    ids = examples.example_id
    chosen = keyed_order((int(i) for i in ids), seed, "verify")[:n]
    return np.flatnonzero(np.isin(ids, chosen))


def _shown(
    features: FeatureSet,
    examples: Examples,
    images: np.ndarray[Any, Any],
    image_mode: str,
    train_images: np.ndarray[Any, Any] | None,
    seed: int,
) -> Shown:
    """Features [P, Dv] for each of the images, in their order."""
    array = features.open()
    if image_mode == "real":
        return _Stored(features, images)
    if image_mode == "zero":
        return torch.zeros(1, *array.shape[1:]).expand(len(images), -1, -1)
    if image_mode == "other-leaf":
        first = np.searchsorted(examples.image, images)
        leaf = examples.leaf[first]
        return _Stored(features, images[_other(leaf, seed)])
    base = array[images if train_images is None else train_images]
    mean = torch.from_numpy(base.mean(axis=0))
    if image_mode == "mean":
        return mean.expand(len(images), -1, -1)
    generator = torch.Generator().manual_seed(hash63(seed, "noise"))
    drawn = torch.randn((len(images), *array.shape[1:]), generator=generator)
    return mean + drawn * torch.from_numpy(base.std(axis=0))


def _other(leaf: np.ndarray[Any, Any], seed: int) -> np.ndarray[Any, Any]:
    """For each image the place of an image of another leaf."""
    order = np.argsort(leaf, kind="stable")
    first = np.searchsorted(leaf[order], leaf, side="left")
    n_same = np.searchsorted(leaf[order], leaf, side="right") - first
    if (n_same == len(leaf)).any():
        raise ManifestError(
            "image mode other-leaf needs questions about two leaves or more, got one leaf"
        )
    # places in `order`, counted without the leaf's own stretch of it
    drawn = np.random.default_rng(hash63(seed, "other-leaf")).integers(len(leaf) - n_same)
    place: np.ndarray[Any, Any] = order[np.where(drawn < first, drawn, drawn + n_same)]
    return place
