"""The only trained part: from image features to prefix tokens of the LM."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from taxonomy.errors import ConfigError
from taxonomy.model import one_of

KINDS = ("linear", "mlp", "resampler")


@dataclass(frozen=True, kw_only=True)
class ProjectorConfig:
    """Shape of a projector. P patches, K prefix tokens, Dv and Dl widths."""

    kind: str = "mlp"
    """linear or mlp (the paper's: Linear, GELU, Linear on every patch token); or resampler: K
    learned queries, each attending to all patch tokens, then the same mlp."""
    hidden: int | None = None
    """Hidden width of mlp, width of the queries of resampler; None means Dl, as in the paper."""
    n_tokens: int = 1
    """For linear and mlp: prefix tokens made from one patch token; K = P * n_tokens."""
    dropout: float = 0.0
    """Dropout on the input and on the hidden layer, share of values."""
    scaled: bool = False
    """Multiply the output by the root mean square of the LM's token embeddings, so that it
    starts on their scale."""
    prefix_tokens: int | None = None
    """K itself. For linear and mlp a multiple of P, instead of n_tokens; for resampler the number
    of its queries, which must be given."""

    def __post_init__(self) -> None:
        one_of("projector kind", self.kind, KINDS)
        if self.n_tokens < 1:
            raise ConfigError(f"n_tokens must be at least 1, got {self.n_tokens}")
        if self.prefix_tokens is not None and self.prefix_tokens < 1:
            raise ConfigError(f"prefix_tokens must be at least 1, got {self.prefix_tokens}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must be in [0, 1), got {self.dropout}")
        if self.kind == "resampler" and self.prefix_tokens is None:
            raise ConfigError(
                "projector resampler needs prefix_tokens, the number of its queries: "
                "give --prefix-tokens"
            )
        if self.prefix_tokens is not None and self.n_tokens != 1:
            raise ConfigError(
                f"prefix_tokens {self.prefix_tokens} and n_tokens {self.n_tokens} both say how "
                "many prefix tokens there are: give one"
            )

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name; what came later only where it is set."""
        settings = asdict(self)
        if self.prefix_tokens is None:
            del settings["prefix_tokens"]
        return settings

    def for_patches(self, n_patches: int) -> ProjectorConfig:
        """The same with n_tokens in the place of prefix_tokens, for linear and mlp.

        Raises:
            ConfigError: prefix_tokens cannot be made from so many patch tokens.
        """
        if self.kind == "resampler" or self.prefix_tokens is None:
            return self
        n_tokens, rest = divmod(self.prefix_tokens, n_patches)
        if rest:
            raise ConfigError(
                f"prefix_tokens of projector {self.kind} must be a multiple of the {n_patches} "
                f"patch tokens of an image, got {self.prefix_tokens}; projector resampler takes "
                "any number"
            )
        return replace(self, prefix_tokens=None, n_tokens=n_tokens)

    def n_prefix(self, n_patches: int) -> int:
        """K, the prefix tokens of an image with so many patch tokens."""
        if self.prefix_tokens is not None:
            return self.prefix_tokens
        return n_patches * self.n_tokens


class Resampler(nn.Module):
    """K learned queries attend to the patches; then Linear, GELU, Linear on each."""

    def __init__(self, config: ProjectorConfig, width_in: int, width_out: int) -> None:
        """Draw the weights from torch's global generator."""
        super().__init__()
        width = config.hidden or width_out
        self.n_heads = next(n for n in (8, 4, 2, 1) if width % n == 0)
        self.queries = nn.Parameter(torch.randn(config.prefix_tokens or 1, width))
        self.norm = nn.LayerNorm(width_in)
        # no bias on the keys: the softmax would take it out again
        self.keys = nn.Linear(width_in, width, bias=False)
        self.values = nn.Linear(width_in, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(config.dropout),
            nn.Linear(width, width_out),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Prefix tokens [B, K, Dl] from float [B, P, Dv]."""
        patches = self.norm(features)
        shape = (len(features), -1, self.n_heads, self.queries.shape[1] // self.n_heads)
        queries = self.queries[None].expand(len(features), -1, -1)
        query, key, value = (
            x.reshape(shape).transpose(1, 2)
            for x in (queries, self.keys(patches), self.values(patches))
        )
        gathered = nn.functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.mlp(queries + gathered.transpose(1, 2).flatten(2))
        return out


class Projector(nn.Module):
    """Maps image features [B, P, Dv] to prefix tokens [B, K, Dl]."""

    def __init__(
        self, config: ProjectorConfig, width_in: int, width_out: int, embedding_rms: float = 1.0
    ) -> None:
        """Draw the weights from torch's global generator.

        Args:
            config: Shape; for linear and mlp as for_patches gives it.
            width_in: Dv, channels of a patch token.
            width_out: Dl, width of the LM's embeddings.
            embedding_rms: Root mean square of the LM's token embeddings, for scaled.
        """
        super().__init__()
        self.config = config
        self.width_in, self.width_out = width_in, width_out
        self.scale = embedding_rms if config.scaled else 1.0
        wide = width_out * config.n_tokens
        hidden = config.hidden or width_out
        self.drop = nn.Dropout(config.dropout)
        self.layers: nn.Module
        if config.kind == "linear":
            self.layers = nn.Sequential(nn.Linear(width_in, wide))
        elif config.kind == "resampler":
            self.layers = Resampler(config, width_in, width_out)
        else:
            self.layers = nn.Sequential(
                nn.Linear(width_in, hidden),
                nn.GELU(),
                nn.Dropout(config.dropout),
                nn.Linear(hidden, wide),
            )

    def forward(self, features: Tensor) -> Tensor:
        """Project patch features to prefix tokens.

        Args:
            features: float [B, P, Dv].

        Returns:
            [B, K, Dl] in the features' dtype.
        """
        if features.ndim != 3 or features.shape[-1] != self.width_in:
            raise ValueError(
                f"features must be [B, P, {self.width_in}], got {list(features.shape)}"
            )
        out: Tensor = self.layers(self.drop(features)) * self.scale
        return out.reshape(len(features), -1, self.width_out)
