"""The only trained part: from image features to prefix tokens of the LM."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from taxonomy.errors import ConfigError
from taxonomy.model import one_of


@dataclass(frozen=True, kw_only=True)
class ProjectorConfig:
    """Shape of a projector. P patches, K prefix tokens, Dv and Dl widths."""

    kind: str = "mlp"
    """linear or mlp (the paper's: Linear, GELU, Linear on every patch token)."""
    hidden: int | None = None
    """Hidden width of mlp; None means Dl, as in the paper."""
    n_tokens: int = 1
    """Prefix tokens made from one patch token; K = P * n_tokens."""
    dropout: float = 0.0
    """Dropout on the input and on the hidden layer, share of values."""
    scaled: bool = False
    """Multiply the output by the root mean square of the LM's token embeddings, so that it
    starts on their scale."""

    def __post_init__(self) -> None:
        one_of("projector kind", self.kind, ("linear", "mlp"))
        if self.n_tokens < 1:
            raise ConfigError(f"n_tokens must be at least 1, got {self.n_tokens}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"dropout must be in [0, 1), got {self.dropout}")

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name."""
        return asdict(self)


class Projector(nn.Module):
    """Maps image features [B, P, Dv] to prefix tokens [B, K, Dl]."""

    def __init__(
        self, config: ProjectorConfig, width_in: int, width_out: int, embedding_rms: float = 1.0
    ) -> None:
        """Draw the weights from torch's global generator.

        Args:
            config: Shape.
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
        if config.kind == "linear":
            self.layers = nn.Sequential(nn.Linear(width_in, wide))
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
            [B, K, Dl] in the features' dtype, K = P * n_tokens.
        """
        if features.ndim != 3 or features.shape[-1] != self.width_in:
            raise ValueError(
                f"features must be [B, P, {self.width_in}], got {list(features.shape)}"
            )
        out: Tensor = self.layers(self.drop(features)) * self.scale
        return out.reshape(len(features), -1, self.width_out)
