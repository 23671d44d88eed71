"""What a scene set is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from taxonomy.errors import ConfigError
from taxonomy.hashing import content_id
from xmodal.binding.render import VERSION
from xmodal.binding.scenes import Places, SceneLayout, draw_places
from xmodal.binding.task import draw_scenes, generators
from xmodal.binding.vocabulary import MOST_ITEMS, Vocabulary
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.encoder import Encoder

ENCODER = "classical"
"""Of the package's own encoders the one that says on which side an object stands: embedded-ssl
gives sum and distance of a picture's tokens and its mirror image's, the same for both."""
FEWEST = 10
"""Scenes of each number of objects, at least; a tenth of them is held out."""
_AT_A_TIME = 1024


def _patches() -> FeatureConfig:
    return FeatureConfig(encoder=ENCODER, pooling="patches", n_views=1)


@dataclass(frozen=True, kw_only=True)
class SceneSetConfig:
    """Scenes, and the encoder that sees them."""

    features: FeatureConfig = field(default_factory=_patches)
    """Encoder, layer and side; pooling patches. See encoders.load.config_for."""
    layout: SceneLayout = field(default_factory=SceneLayout)
    n_colours: int = 16
    """The first so many of the palette."""
    n_shapes: int = 16
    n_from: int = 2
    """Fewest objects of a scene."""
    n_to: int = 16
    """Most objects: training and what is out of distribution share a set."""
    n_scenes: int = 20_000
    """In all; the same number, to one, for each number of objects."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.features.pooling != "patches":
            raise ConfigError(
                f"pooling must be patches for scenes, got {self.features.pooling!r}: one vector "
                "would not say what is where"
            )
        sizes = {"n_colours": self.n_colours, "n_shapes": self.n_shapes}
        Vocabulary(**sizes)
        most = min(*sizes.values(), MOST_ITEMS, self.layout.most_objects)
        if not 1 <= self.n_from <= self.n_to <= most:
            raise ConfigError(
                f"objects must be from 1 to {most}, the fewest of colours, shapes, items and "
                f"cells of the grid, got {self.n_from}-{self.n_to}"
            )
        for n, wanted in self.counts().items():
            if wanted < FEWEST:
                raise ConfigError(
                    f"n_scenes must be at least {FEWEST * (self.n_to - self.n_from + 1)}, "
                    f"{FEWEST} for each number of objects, got {self.n_scenes}"
                )
            if 2 * wanted > (there := self._distinct(n)):
                raise ConfigError(
                    f"{wanted} scenes of {n} objects are too many: layout fixed has {there} "
                    f"distinct ones with {self.n_colours} colours and {self.n_shapes} shapes, and "
                    "at most half of them are drawn; take fewer scenes or another layout"
                )

    def _distinct(self, n: int) -> float:
        if self.layout.kind != "fixed":
            return math.inf
        return math.perm(self.n_colours, n) * math.perm(self.n_shapes, n)

    def counts(self) -> dict[int, int]:
        """Scenes by number of objects, ascending."""
        numbers = range(self.n_from, self.n_to + 1)
        each, more = divmod(self.n_scenes, len(numbers))
        return {n: each + (i < more) for i, n in enumerate(numbers)}

    def id_with(self, encoder: Encoder) -> str:
        """Id of the set that this config and its encoder make."""
        # of a model's other settings its version is a hash, as of its weights
        said = {"layer": self.features.layer, "precision": self.features.precision}
        if encoder.weights_sha256 is None:
            said["encoder"] = self.features.encoder
        return content_id(
            {
                "scenes": self.scenes_dict(),
                "renderer": VERSION,
                "features": said,
                "version": encoder.version,
            }
        )

    def scenes_dict(self) -> dict[str, Any]:
        """What decides the scenes, by name."""
        names = ("n_colours", "n_shapes", "n_from", "n_to", "n_scenes", "seed")
        return {name: getattr(self, name) for name in names} | {"layout": self.layout.as_dict()}


Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Objects:
    """Scenes of a set, by number of objects; behind a scene's objects -1 and zeros."""

    n_objects: Array
    """int64 [M]."""
    colours: Array
    """int64 [M, most objects]."""
    shapes: Array
    """int64 [M, most objects]."""
    centres: Array
    """float32 [M, most objects, 2]."""
    sizes: Array
    """float32 [M, most objects]."""

    def __len__(self) -> int:
        return len(self.n_objects)

    def arrays(self) -> dict[str, Array]:
        """By name, in order."""
        return dict(vars(self))


def draw_objects(config: SceneSetConfig) -> Objects:
    """The scenes of a set, no two alike; drawn on the CPU, so the same on every machine."""
    parts = [
        _padded(_drawn(config, n, wanted), n, config.n_to) for n, wanted in config.counts().items()
    ]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return Objects(**arrays)


def _drawn(config: SceneSetConfig, n: int, wanted: int) -> list[Array]:
    """Colours, shapes, centres and sizes of so many distinct scenes of n objects."""
    words = Vocabulary(n_colours=config.n_colours, n_shapes=config.n_shapes, n_items=MOST_ITEMS)
    seen: set[bytes] = set()
    rounds: list[Sequence[Array]] = []
    while len(seen) < wanted:
        of = generators([config.seed], "scene-set", n, len(rounds))
        scenes = draw_scenes(of, _AT_A_TIME, n, words)
        places = draw_places(of[0], _AT_A_TIME, n, config.layout)
        drawn = [
            one.numpy()
            for one in (scenes.colours[0], scenes.shapes[0], places.centres, places.sizes)
        ]
        new = []
        for i in range(_AT_A_TIME):
            key = b"".join(one[i].tobytes() for one in drawn)
            if key not in seen and len(seen) < wanted:
                seen.add(key)
                new.append(i)
        rounds.append([one[new] for one in drawn])
    return [np.concatenate(parts) for parts in zip(*rounds, strict=True)]


def _padded(drawn: list[Array], n: int, most: int) -> dict[str, Array]:
    def wide(one: Array, fill: float) -> Array:
        out = np.full((len(one), most, *one.shape[2:]), fill, one.dtype)
        out[:, :n] = one
        return out

    return {
        "n_objects": np.full(len(drawn[0]), n),
        "colours": wide(drawn[0], -1),
        "shapes": wide(drawn[1], -1),
        "centres": wide(drawn[2], 0),
        "sizes": wide(drawn[3], 0),
    }


def places_of(objects: Objects, rows: Array | slice, n: int) -> Places:
    """Places of some scenes that all have n objects, on the CPU."""
    return Places(
        torch.from_numpy(objects.centres[rows, :n]), torch.from_numpy(objects.sizes[rows, :n])
    )
