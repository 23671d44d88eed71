"""Scenes of a set as training takes them: objects, their image tokens, and which token shows what.

Letters as in xmodal.binding.task.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taxonomy.errors import ConfigError, DataError
from taxonomy.model import one_of
from xmodal.arrays import map_npy, read_npz
from xmodal.binding.scene_config import Objects
from xmodal.binding.scene_set import SCENES, TOKENS, SceneRecord, read_record, rows_of
from xmodal.binding.scenes import Places, grid_of, patch_objects
from xmodal.binding.task import Scenes, n_gaps
from xmodal.binding.vocabulary import MOST_ITEMS

PARTS = ("train", "test")


@dataclass(frozen=True)
class Shown:
    """Scenes of a set, all with N objects."""

    rows: Tensor
    """int64 [R, B]: of the set."""
    colours: Tensor
    """int64 [R, B, N], from 0."""
    shapes: Tensor
    """int64 [R, B, N], from 0."""
    places: Places
    """[R, B, N]."""
    image: Tensor
    """float32 [R, B, P, Dv], standardised."""

    def patch_objects(self, least: float = 0.5) -> Tensor | None:
        """The object that each image token shows, for grounding.

        Args:
            least: Share of the token's part of the picture that the object's square must cover.

        Returns:
            int64 [R, B, P], -1 for no object; None where the tokens are no square.
        """
        grid = grid_of(self.image.shape[-2])
        return None if grid is None else patch_objects(self.places, grid, least)


@dataclass(frozen=True, eq=False)
class SceneSet:
    """A finished set, open to read."""

    record: SceneRecord
    objects: Objects
    tokens: Any
    """float16 [M, P, Dv]: memory-mapped, or a tensor on the device."""
    device: torch.device

    @property
    def n_image_tokens(self) -> int:
        """P."""
        return self.record.n_image_tokens

    @property
    def width(self) -> int:
        """Channels of an image token, Dv."""
        return self.record.width

    def rows(self, n_objects: int, part: str = "train") -> range:
        """Rows of the scenes of one number of objects.

        Raises:
            ConfigError: The set has no such scenes.
        """
        one_of("part", part, PARTS)
        config = self.record.config
        if not config.n_from <= n_objects <= config.n_to:
            raise ConfigError(
                f"scene set {self.record.scene_set_id} has scenes of {config.n_from} to "
                f"{config.n_to} objects, got {n_objects}"
            )
        return rows_of(config, n_objects, part)

    def take(self, rows: Tensor, n_objects: int) -> Shown:
        """Scenes by row.

        Args:
            rows: int64 [R, B], of one part, all of scenes with that many objects.
            n_objects: N.
        """
        there = (self.rows(n_objects, part) for part in PARTS)
        if not any(bool(((rows >= one.start) & (rows < one.stop)).all()) for one in there):
            raise ValueError(f"rows must be of one part, all with {n_objects} objects")
        return self._taken(rows, n_objects)

    def _taken(self, rows: Tensor, n_objects: int) -> Shown:
        rows = rows.to(self.device)
        colours, shapes, centres, sizes = (one[rows, :n_objects] for one in self._held)
        if isinstance(self.tokens, Tensor):
            image = self.tokens[rows]
        else:
            image = torch.from_numpy(self.tokens[rows.cpu().numpy()]).to(self.device)
        mean, std = self._moments
        image = (image.float() - mean) / std
        return Shown(rows, colours, shapes, Places(centres, sizes), image)

    @functools.cached_property
    def _held(self) -> list[Tensor]:
        """Colours, shapes, centres and sizes on the device, where rows are picked."""
        of = self.objects
        arrays = (of.colours, of.shapes, of.centres, of.sizes)
        return [torch.from_numpy(one).to(self.device) for one in arrays]

    @functools.cached_property
    def _moments(self) -> tuple[Tensor, Tensor]:
        return (
            torch.tensor(self.record.mean, device=self.device),
            torch.tensor(self.record.std, device=self.device),
        )

    def draw(
        self, of: Sequence[torch.Generator], count: int, n_objects: int, part: str = "train"
    ) -> Shown:
        """Scenes at random, with replacement.

        Args:
            of: One generator a run; all on one device.
            count: Scenes of each run, B.
            n_objects: N.
            part: train or test; no scene is in both.

        Raises:
            ConfigError: The set has no such scenes.
        """
        there = self.rows(n_objects, part)
        drawn = [
            torch.randint(there.start, there.stop, (count,), generator=one, device=one.device)
            for one in of
        ]
        return self._taken(torch.stack(drawn), n_objects)


def load_scene_set(path: Path, device: str | torch.device = "cpu") -> SceneSet:
    """A finished set, to draw from.

    Args:
        path: Its folder.
        device: Where scenes and tokens come out. On a GPU all tokens are held there, if they take
            less than half of what is free.

    Raises:
        DataError: The folder holds no whole scene set.
    """
    record, device = read_record(path), torch.device(device)
    names = [one.name for one in fields(Objects)]
    advice = "delete its folder to make the set anew"
    found, arrays = read_npz(path / SCENES, names, advice)
    if lacking := [name for name in names if name not in arrays]:
        raise DataError(
            f"{path / SCENES} has no array {lacking[0]}, but {', '.join(found)}; {advice}"
        )
    objects = Objects(**arrays)
    _check_objects(path / SCENES, objects, record)
    tokens: Any = map_npy(path / TOKENS, advice)
    want = (len(objects), record.n_image_tokens, record.width)
    if tokens.shape != want or tokens.dtype != np.float16 or len(objects) != record.config.n_scenes:
        raise DataError(
            f"{path / TOKENS} must hold {want}, got {tokens.shape}; delete its folder to make "
            "the set anew"
        )
    if device.type == "cuda" and 2 * tokens.nbytes < torch.cuda.mem_get_info(device)[0]:
        tokens = torch.from_numpy(np.array(tokens)).to(device)
    return SceneSet(record, objects, tokens, device)


def _check_objects(path: Path, objects: Objects, record: SceneRecord) -> None:
    """Refuse scenes of other shapes and kinds of numbers than a set of that record has."""
    n, most = record.config.n_scenes, record.config.n_to
    want = {"n_objects": (n,), "colours": (n, most), "shapes": (n, most), "sizes": (n, most)}
    want["centres"] = (n, most, 2)
    for name, shape in want.items():
        array = getattr(objects, name)
        kind = np.dtype(np.float32 if name in ("centres", "sizes") else np.int64)
        if array.shape != shape or array.dtype != kind:
            raise DataError(
                f"{name} of {path} must be {kind} {list(shape)}, got {array.dtype} "
                f"{list(array.shape)}; delete its folder to make the set anew"
            )


def with_items(shown: Shown, of: Sequence[torch.Generator], n_items: int) -> Scenes:
    """The scenes with items and an order of associations, drawn anew.

    Args:
        shown: R runs.
        of: One generator a run.
        n_items: Of the vocabulary.

    Raises:
        ConfigError: There are fewer items than objects.
    """
    count, n = shown.colours.shape[1:]
    if not n <= n_items <= MOST_ITEMS:
        raise ConfigError(
            f"n_items must be from {n}, one for each object, to {MOST_ITEMS}, got {n_items}"
        )
    gaps_of = n_gaps(n)
    total = n_items + n + gaps_of
    drawn = torch.stack([torch.rand(count, total, generator=one, device=one.device) for one in of])
    first, second, gaps = torch.split(drawn, [n_items, n, gaps_of], dim=-1)
    items, order = first.topk(n).indices, second.topk(n).indices
    device = shown.colours.device
    return Scenes(shown.colours, shown.shapes, items.to(device), order.to(device), gaps.to(device))


def scenes_of_set(
    scene_set: SceneSet,
    of: Sequence[torch.Generator],
    count: int,
    n_objects: int,
    *,
    n_items: int = 16,
    part: str = "train",
) -> tuple[Scenes, Tensor]:
    """Scenes of a set for the retrieval task, in place of task.draw_scenes.

    Args:
        scene_set: Open.
        of: One generator a run.
        count: Scenes of each run, B.
        n_objects: N.
        n_items: Of the vocabulary.
        part: train or test.

    Returns:
        The scenes, and their image tokens, float32 [R, B, P, Dv].
    """
    shown = scene_set.draw(of, count, n_objects, part)
    return with_items(shown, of, n_items), shown.image
