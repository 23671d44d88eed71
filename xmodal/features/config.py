"""What a feature set is made of: the encoder, what becomes of its tokens, how they are kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from taxonomy.errors import ConfigError
from taxonomy.model import one_of
from xmodal.layers import layer_index

POOLINGS = ("pca", "patches", "cls", "mean", "given")
OUTPUT = "output"
"""The layer of an encoder that gives one kind of tokens only."""
FITS = ("own", "crop", "square", "pad")
DTYPES = ("float32", "bfloat16")
_FIRST = ("encoder", "pooling", "n_components", "n_views", "seed")
"""The settings that every feature set has named since the first; see as_dict."""


@dataclass(frozen=True, kw_only=True)
class FeatureConfig:
    """What is extracted: the encoder and what becomes of its patch tokens."""

    encoder: str = "embedded-ssl"
    """classical (oriented gradients, colour and coverage on an 8 x 8 grid of patches),
    embedded-ssl (these and what a small net learnt from the embedded training pictures), a local
    folder, or a name on the model hub. Of imported features, the name they were given."""
    pooling: str = "pca"
    """patches: the tokens as they are; mean: their mean; cls: the class token alone; pca: one
    vector, principal components of all tokens together, fitted on the training pictures
    without labels; given: as imported."""
    n_components: int = 256
    """Width after pca."""
    n_views: int = 5
    """Views of a training picture: the picture itself and n_views - 1 augmented ones.
    Validation and test pictures have the first only."""
    seed: int = 0
    """Seed of the augmentation and of the randomised PCA."""
    layer: str = OUTPUT
    """Of a transformers model: last is what it returns, after its final layernorm where it has
    one; a number N is the state behind block N without that layernorm, 0 the embeddings,
    -1 behind the last block; penultimate is -2."""
    side: int | None = None
    """Width and height of the pictures that a transformers model sees, pixels; None for those
    of its image processor."""
    fit: str = "own"
    """How a picture becomes a square. crop: shortest side resized, centre cut out; square: both
    sides resized; pad: whole on white; own: as the encoder's image processor says."""
    dtype: str = "float32"
    """Of the numbers on disk: float32 or bfloat16."""
    precision: str = "float32"
    """What a transformers model computes in: float32 or bfloat16."""
    revision: str | None = None
    """Of a model on the hub, as asked for."""

    def __post_init__(self) -> None:
        one_of("pooling", self.pooling, POOLINGS)
        one_of("fit", self.fit, FITS)
        one_of("dtype", self.dtype, DTYPES)
        one_of("precision", self.precision, DTYPES)
        for name in ("n_views", "n_components"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.side is not None and self.side < 1:
            raise ConfigError(f"side must be at least 1 pixel, got {self.side}")
        if self.layer != OUTPUT:
            layer_index(self.layer)

    def as_dict(self) -> dict[str, Any]:
        """Settings by name. Those that came later are named only where they are changed.

        Ids of feature sets and runs hash it: an old config keeps its id.
        """
        default = {field.name: field.default for field in fields(self)}
        given = asdict(self)
        return {k: v for k, v in given.items() if k in _FIRST or v != default[k]}
