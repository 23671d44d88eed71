"""A small decoder from scratch; several runs of one shape compute as one.

Every parameter has a leading axis R, one slice a run, so that runs of different seeds train in
the same kernels and never meet: no operation mixes two slices. Letters as in
xmodal.binding.task; W width, H heads, L layers, V tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from taxonomy.errors import ConfigError
from taxonomy.model import one_of
from xmodal.binding.task import Sequences
from xmodal.binding.vocabulary import IMAGE, N_TOKENS

POSITIONS = ("rope", "learned", "none", "random-offset")

Edit = Callable[[int, Tensor], Tensor]
"""Called with (layer, residual stream [R, B, T, W]) after the embeddings (layer 0) and after each
block (1 to L); what it returns goes on."""


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Shape of a decoder."""

    n_layers: int = 12
    width: int = 128
    n_heads: int = 4
    position: str = "rope"
    """rope: rotary; learned: a vector a position; none: the causal mask alone; random-offset:
    rotary, and while training each pair and question is shifted by a random offset."""
    rope_base: float = 100.0
    """Of the rotary wavelengths; contexts are short."""
    n_positions: int = 1024
    """Vectors of learned positions."""
    most_offset: int = 64
    """Of random-offset: positions that a sequence is stretched by at most."""
    image_width: int | None = None
    """Channels of an image token; None for a decoder that sees no images."""

    def __post_init__(self) -> None:
        one_of("position", self.position, POSITIONS)
        for name in ("n_layers", "width", "n_heads", "n_positions"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.width % (2 * self.n_heads):
            raise ConfigError(
                f"width must be a multiple of twice the heads, {2 * self.n_heads}, got {self.width}"
            )
        if not 1 < self.rope_base < math.inf:
            raise ConfigError(f"rope_base must be above 1 and finite, got {self.rope_base}")
        if self.most_offset < 0:
            raise ConfigError(f"most_offset must be at least 0, got {self.most_offset}")

    def as_dict(self) -> dict[str, Any]:
        """Every setting by name."""
        return asdict(self)

    def flops(self, n_tokens: int, n_answers: int, n_image_tokens: int = 0) -> float:
        """Of one sequence, forward: two a multiplication with a weight or an attended value.

        Args:
            n_tokens: Of the sequence, image tokens too.
            n_answers: How often the unembedding reads.
            n_image_tokens: That are brought to the decoder's width.
        """
        width = self.width
        blocks = self.n_layers * n_tokens * (2 * 12 * width**2 + 4 * n_tokens * width)
        shown = 2 * n_image_tokens * (self.image_width or 0) * width
        return float(blocks + shown + 2 * n_answers * width * N_TOKENS)

    def n_params(self) -> int:
        """Of one decoder of this shape."""
        width = self.width
        # matrices, their biases, two norms
        block = 12 * width**2 + (3 + 4) * width + 2 * width
        places = self.n_positions if self.position == "learned" else 0
        shown = 0 if self.image_width is None else self.image_width + 1
        return self.n_layers * block + (N_TOKENS + 1 + places + shown) * width


class Decoder(nn.Module):
    """Token sequences in, logits at the answers out; R decoders at once."""

    embed: nn.Parameter
    qkv: nn.Parameter
    qkv_bias: nn.Parameter
    out: nn.Parameter
    up: nn.Parameter
    up_bias: nn.Parameter
    down: nn.Parameter
    norm_in: nn.Parameter
    norm_mid: nn.Parameter
    norm: nn.Parameter
    place: nn.Parameter
    """Of learned positions."""
    image_in: nn.Parameter
    """Of decoders that see images."""
    image_bias: nn.Parameter

    def __init__(self, config: DecoderConfig, seeds: Sequence[int]) -> None:
        """Fresh weights.

        Args:
            config: The shape.
            seeds: One a run; a run's weights depend on its own seed alone.
        """
        super().__init__()
        self.config = config
        slices = [_draw(config, seed) for seed in seeds]
        for name in slices[0]:
            self.register_parameter(name, nn.Parameter(torch.stack([one[name] for one in slices])))

    @property
    def n_runs(self) -> int:
        """R."""
        return int(self.embed.shape[0])

    @property
    def n_layers(self) -> int:
        """L."""
        return self.config.n_layers

    @torch.no_grad()
    def take(self, others: Sequence[Decoder]) -> None:
        """Take the weights of decoders of one run each, in order.

        What only this one has, such as the way in for image tokens, stays as drawn.

        Raises:
            ConfigError: They are of another shape.
        """
        for run, other in enumerate(others):
            theirs = dict(other.named_parameters())
            for name, value in self.named_parameters():
                if name not in theirs:
                    if name in ("image_in", "image_bias"):
                        continue
                    raise ConfigError(f"the decoder to start from has no {name}")
                if theirs[name].shape[1:] != value.shape[1:]:
                    raise ConfigError(
                        f"the decoder to start from must have {name} of shape "
                        f"{list(value.shape[1:])}, got {list(theirs[name].shape[1:])}"
                    )
                value[run] = theirs[name][0].to(value)

    def slice(self, run: int) -> Decoder:
        """A decoder of one run, with a copy of its weights."""
        made = Decoder(self.config, [0]).to(self.embed.device, self.embed.dtype)
        with torch.no_grad():
            for name, value in self.named_parameters():
                getattr(made, name).copy_(value[run : run + 1])
        return made

    def n_params(self) -> int:
        """Of one run."""
        return sum(value.numel() for value in self.parameters()) // self.n_runs

    def forward(
        self,
        sequences: Sequences,
        image: Tensor | None = None,
        *,
        edit: Edit | None = None,
        masks: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Logits of each question's answer.

        Args:
            sequences: R of its runs.
            image: float [R, B, P, Dv], put where the ids say IMAGE, in order.
            edit: Changes the residual stream.
            masks: bool [T, T] or [R, B, 1, T, T], one a layer, in place of the sequences' own.

        Returns:
            [R, B, Q, V].
        """
        hidden = self.hidden(sequences, image, edit=edit, masks=masks)
        return self.read(hidden[..., sequences.at, :])

    def read(self, hidden: Tensor) -> Tensor:
        """Logits from the last residual stream; [R, ..., W] to [R, ..., V]."""
        flat = hidden.flatten(1, -2)
        flat = self.normed(flat)
        out = torch.bmm(flat, self.embed.to(flat.dtype).transpose(1, 2))
        return out.view(*hidden.shape[:-1], -1)

    def hidden(
        self,
        sequences: Sequences,
        image: Tensor | None = None,
        *,
        edit: Edit | None = None,
        masks: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """The last residual stream, [R, B, T, W]; arguments as of forward."""
        config, ids = self.config, sequences.ids
        n_runs, count, n_tokens = ids.shape
        x = self._embedded(ids, image)
        if config.position == "learned":
            x = x + self._learned(sequences.positions)
        turn = self._turn(sequences.positions, x.dtype)
        mask = sequences.mask()
        if edit is not None:
            x = edit(0, x)
        for layer in range(config.n_layers):
            seen = mask if masks is None else masks[layer].to(x.device)
            if seen.dim() > 2:
                seen = seen.flatten(0, 1)
            x = self._block(x.reshape(n_runs, count * n_tokens, -1), layer, count, turn, seen)
            x = x.view(n_runs, count, n_tokens, -1)
            if edit is not None:
                x = edit(layer + 1, x)
        return x

    def _embedded(self, ids: Tensor, image: Tensor | None) -> Tensor:
        n_runs = len(ids)
        run = torch.arange(n_runs, device=ids.device)[:, None, None] * N_TOKENS
        x = F.embedding(ids + run, self.embed.flatten(0, 1))
        where = ids == IMAGE
        if image is None:
            if bool(where.any()):
                raise ValueError("the sequences want image tokens, got none")
            return x
        if self.config.image_width is None:
            raise ConfigError("this decoder sees no images: give it an image_width")
        shown = self.shown(image.flatten(1, 2).to(x.dtype))
        return x.masked_scatter(where[..., None], shown.to(x.dtype))

    def shown(self, image: Tensor) -> Tensor:
        """Image tokens as the residual stream takes them; [R, N, Dv] to [R, N, W]."""
        return torch.baddbmm(self.image_bias[:, None], image, self.image_in)

    def normed(self, hidden: Tensor) -> Tensor:
        """The residual stream as the unembedding takes it; [R, N, W]."""
        return _normed(hidden, self.norm[:, None])

    def _learned(self, positions: Tensor) -> Tensor:
        most = self.config.n_positions
        if int(positions.max()) >= most:
            raise ConfigError(
                f"a sequence reaches position {int(positions.max())}, learned positions end at "
                f"{most - 1}: take a larger n_positions"
            )
        run = torch.arange(len(positions), device=positions.device)[:, None, None] * most
        return F.embedding(positions + run, self.place.flatten(0, 1))

    def _turn(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor] | None:
        """Cosines and sines of the rotary angles, [R B, 1, T, W / H]; None without rotation."""
        config = self.config
        if config.position in ("none", "learned"):
            return None
        half = config.width // config.n_heads // 2
        scale = torch.arange(half, device=positions.device, dtype=torch.float64) / half
        angle = positions.flatten(0, 1)[:, None, :, None] * config.rope_base**-scale
        both = torch.cat([angle, angle], dim=-1)
        return both.cos().to(dtype), both.sin().to(dtype)

    def _block(
        self,
        x: Tensor,
        layer: int,
        count: int,
        turn: tuple[Tensor, Tensor] | None,
        mask: Tensor,
    ) -> Tensor:
        """[R, B T, W] in and out."""
        n_runs, n, width = x.shape
        heads = self.config.n_heads
        inner = _normed(x, self.norm_in[:, layer, None])
        qkv = torch.baddbmm(self.qkv_bias[:, layer, None], inner, self.qkv[:, layer])
        parts = qkv.view(n_runs * count, n // count, 3, heads, width // heads).permute(
            2, 0, 3, 1, 4
        )
        q_and_k, v = parts[:2], parts[2]
        q, k = q_and_k if turn is None else _turned(q_and_k, *turn)
        seen = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        x = torch.baddbmm(x, seen.transpose(1, 2).reshape(n_runs, n, width), self.out[:, layer])
        inner = _normed(x, self.norm_mid[:, layer, None])
        up = torch.baddbmm(self.up_bias[:, layer, None], inner, self.up[:, layer])
        return torch.baddbmm(x, F.relu(up), self.down[:, layer])


def _draw(config: DecoderConfig, seed: int) -> dict[str, Tensor]:
    """Weights of one run.

    Biases of query and key have unit size: a head of which both are turned with the position
    looks at a fixed distance from the start, and attending to the token before is what a
    retrieval circuit grows from. With zeros, a decoder of this size is still guessing after
    ten times as many steps.
    """
    width, layers, of = config.width, config.n_layers, torch.Generator().manual_seed(seed)

    def normal(*shape: int, std: float) -> Tensor:
        return torch.randn(*shape, generator=of) * std

    each = 1 / math.sqrt(width)
    back = each / math.sqrt(2 * layers)
    bias = torch.zeros(layers, 3 * width)
    bias[:, : 2 * width] = normal(layers, 2 * width, std=1.0)
    drawn = {
        "embed": normal(N_TOKENS, width, std=0.1),
        "qkv": normal(layers, width, 3 * width, std=each),
        "qkv_bias": bias,
        "out": normal(layers, width, width, std=back),
        "up": normal(layers, width, 4 * width, std=each),
        "up_bias": torch.zeros(layers, 4 * width),
        "down": normal(layers, 4 * width, width, std=back / 2),
        "norm_in": torch.ones(layers, width),
        "norm_mid": torch.ones(layers, width),
        "norm": torch.ones(width),
    }
    if config.position == "learned":
        drawn["place"] = normal(config.n_positions, width, std=0.1)
    if config.image_width is not None:
        drawn["image_in"] = normal(config.image_width, width, std=0.1 / math.sqrt(width))
        drawn["image_bias"] = torch.zeros(width)
    return drawn


def _normed(x: Tensor, gain: Tensor) -> Tensor:
    """Mean zero, standard deviation one, times the gain; [R, N, W]."""
    return F.layer_norm(x, x.shape[-1:]) * gain


def _turned(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin
