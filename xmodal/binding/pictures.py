"""Image tokens for training and evaluation, from a scene set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from xmodal.binding import vocabulary as words
from xmodal.binding.shown import SceneSet, Shown, scenes_of_set
from xmodal.binding.task import Scenes, Sequences
from xmodal.binding.vocabulary import Vocabulary


@dataclass(frozen=True)
class Grounding:
    """Questions of feature grounding."""

    sequences: Sequences
    """[R, B, 6]: three questions, of one image token or word each. Which colour does the token
    show? Which shape? And back: which token shows this word (answered by `candidates`, not by a
    word: its target is the word itself, and is not used)."""
    image: Tensor
    """float [R, B, 2, Dv]: the token that is asked about, for the first two questions."""
    tokens: Tensor
    """float [R, B, Dv]: the tokens among which the third question chooses."""
    positive: Tensor
    """bool [R, B, B]: whether the token of the column shows the word of the row."""


@dataclass(frozen=True, eq=False)
class ScenePictures:
    """A scene set, as the batches take it."""

    of: SceneSet

    @property
    def n_tokens(self) -> int:
        """Image tokens of a scene, P."""
        return self.of.n_image_tokens

    @property
    def width(self) -> int:
        """Channels of an image token, Dv."""
        return self.of.width

    def check(self, vocabulary: Vocabulary, n_from: int, n_to: int) -> None:
        """Refuse a set that does not fit what is trained.

        Raises:
            ConfigError: Its words are others, or it lacks scenes of some number of objects.
        """
        said = self.of.record.config
        for name in ("n_colours", "n_shapes"):
            if getattr(said, name) != getattr(vocabulary, name):
                raise ConfigError(
                    f"the scene set must have {name} {getattr(vocabulary, name)}, got "
                    f"{getattr(said, name)}: make one with `xmodal binding data`"
                )
        if not said.n_from <= n_from <= n_to <= said.n_to:
            raise ConfigError(
                f"the scene set must have scenes of {n_from} to {n_to} objects, got "
                f"{said.n_from} to {said.n_to}: make one with `xmodal binding data --objects "
                f"{n_from}-{n_to}`"
            )

    def draw(
        self, of: Sequence[Any], count: int, n_objects: int, vocabulary: Vocabulary, part: str
    ) -> tuple[Scenes, Tensor]:
        """Scenes with their image tokens; see scenes_of_set."""
        return scenes_of_set(self.of, of, count, n_objects, n_items=vocabulary.n_items, part=part)

    def ground(self, of: Sequence[Any], count: int, n_objects: int) -> Grounding:
        """Image tokens that show an object, with its colour and shape.

        Args:
            of: One generator a run.
            count: Tokens of each run, B.
            n_objects: Of the scenes that they are from.

        Raises:
            ConfigError: The set does not say which token shows what.
        """
        shown = self.of.draw(of, count, n_objects)
        owner = self._owners(shown)
        device = shown.image.device
        drawn = torch.stack([torch.rand(count, self.n_tokens + 1, generator=one, device=one.device)
                             for one in of]).to(device)  # fmt: skip
        # a token with an object, any of them
        which = drawn[..., :-1].masked_fill(owner < 0, -1.0).argmax(-1, keepdim=True)
        object_of = owner.gather(-1, which)
        colours = shown.colours.gather(-1, object_of)
        shapes = shown.shapes.gather(-1, object_of)
        tokens = shown.image.gather(-2, which[..., None].expand(-1, -1, -1, self.width))
        asks_shape = drawn[..., -1:] < 0.5
        word = torch.where(asks_shape, shapes + words.SHAPE_0, colours + words.COLOUR_0)
        by_shape, by_colour = (one == one.transpose(-1, -2) for one in (shapes, colours))
        ids = torch.cat(
            [
                _filled(word, words.IMAGE), _filled(word, words.ASK_PATCH_COLOUR),
                _filled(word, words.IMAGE), _filled(word, words.ASK_PATCH_SHAPE),
                word, _filled(word, words.ASK_PATCH),
            ],
            dim=-1,
        )  # fmt: skip
        places = torch.arange(2, device=device).repeat(3)
        sequences = Sequences(
            ids=ids,
            positions=places.expand_as(ids),
            segments=torch.arange(3, device=device).repeat_interleave(2),
            at=torch.tensor([1, 3, 5], device=device),
            targets=torch.cat([colours + words.COLOUR_0, shapes + words.SHAPE_0, word], dim=-1),
            kinds=("patch-colour", "patch-shape", "patch"),
        )
        return Grounding(
            sequences,
            tokens.expand(-1, -1, 2, -1),
            tokens[..., 0, :],
            torch.where(asks_shape, by_shape, by_colour),
        )

    def _owners(self, shown: Shown) -> Tensor:
        """int64 [R, B, P]: the object that a token shows, or -1; every scene has such a token.

        Where objects are small beside a token none covers half of one; then less will do.
        """
        owner = shown.patch_objects()
        if owner is None:
            raise ConfigError(
                f"grounding needs image tokens on a square grid, got {self.n_tokens} tokens"
            )
        for halvings in range(2, 8):
            without = (owner < 0).all(-1, keepdim=True)
            if not bool(without.any()):
                return owner
            more = shown.patch_objects(2.0**-halvings)
            assert more is not None
            owner = torch.where(without, more, owner)
        if bool((owner < 0).all(-1).any()):
            raise ConfigError(
                "grounding needs objects that cover a hundredth of an image token, the scene "
                "set's are smaller: make one with larger objects, `xmodal binding data "
                "--object-size`"
            )
        return owner


def _filled(like: Tensor, token: int) -> Tensor:
    return torch.full_like(like, token)
