"""Score a projector on a manifest's questions, with pictures and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taxonomy.errors import ManifestError
from taxonomy.hashing import hash63
from taxonomy.model import one_of
from xmodal.features.extract import FeatureSet
from xmodal.vlm.forward import Questions, answer_logits
from xmodal.vlm.lm import LanguageModel
from xmodal.vlm.projector import Projector
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
    shown: Tensor,
    questions: Questions,
    examples: Examples,
    *,
    batch_size: int = 1024,
) -> Scores:
    """Answer each question behind a prefix made of what is shown.

    Args:
        lm: The frozen LM.
        project: From rows of shown to prefix tokens [B, K, Dl].
        shown: One row for each image that examples name, in ascending order of image.
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


def _shown(
    features: FeatureSet,
    examples: Examples,
    images: np.ndarray[Any, Any],
    image_mode: str,
    train_images: np.ndarray[Any, Any] | None,
    seed: int,
) -> Tensor:
    """Features [B, P, Dv] for each of the images, in their order."""
    array = features.open()
    if image_mode == "real":
        return torch.from_numpy(np.ascontiguousarray(array[images]))
    if image_mode == "zero":
        return torch.zeros(len(images), *array.shape[1:])
    if image_mode == "other-leaf":
        first = np.searchsorted(examples.image, images)
        leaf = examples.leaf[first]
        return torch.from_numpy(array[images[_other(leaf, seed)]])
    base = array[images if train_images is None else train_images]
    mean = torch.from_numpy(base.mean(axis=0))
    if image_mode == "mean":
        return mean.expand(len(images), -1, -1).clone()
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
