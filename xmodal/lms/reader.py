"""What reads texts, a frozen LM or anything else, and what is asked of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from taxonomy.model import one_of
from xmodal.layers import layer_index

POOLINGS = ("last", "mean", "eos", "cls", "s2")
SOUND = {"decoder": "last", "encoder": "mean"}
"""Pooling of each kind unless told otherwise. A decoder's last token alone has read the whole text;
an encoder's last token is a separator."""
LONGEST = 512
"""Tokens of a text, at most, unless told otherwise."""


@dataclass(frozen=True)
class Pooling:
    """Which hidden states become a text's vector."""

    name: str
    """last: of the last token; mean: the mean over the text's own tokens, without special ones;
    eos: of an end-of-text token put behind the text; cls: of the first token; s2: as the paper's
    code does, the last token for decoders and encoders alike, which is an encoder's separator."""
    layer: str = "last"
    """last is what the model returns, behind its final norm where it has one; a number N is the
    state behind block N, 0 the embeddings; penultimate is -2. Most decoders give the state behind
    their last block with the final norm already, so that its number is last by another name."""

    def __post_init__(self) -> None:
        one_of("pooling", self.name, POOLINGS)
        layer_index(self.layer)


@dataclass(frozen=True)
class Tokenised:
    """A text as token ids."""

    ids: tuple[int, ...]
    own: tuple[bool, ...]
    """Whether each token is the text's own; else a special one."""
    cut: bool
    """Whether the text was longer."""
    unknown: bool = False
    """Whether it has a word that the tokenizer does not know."""


class TextReader(Protocol):
    """What makes one vector of a text."""

    @property
    def name(self) -> str:
        """As the user named it."""

    @property
    def init(self) -> str:
        """Where its weights are from; none without weights."""

    @property
    def revision(self) -> str | None:
        """The commit that a hub model came from."""

    @property
    def kind(self) -> str:
        """decoder, encoder or words."""

    @property
    def sha256(self) -> str:
        """Hash of the weights, or of what stands for them."""

    @property
    def n_parameters(self) -> int:
        """Weights without the head."""

    @property
    def tokens_id(self) -> str:
        """Hash of what decides the tokens."""

    def pooling(self, name: str | None = None, layer: str | None = None) -> Pooling:
        """Which states are taken: those asked for, or the sound ones.

        Raises:
            ConfigError: It has no such states.
        """

    def tokenise(self, texts: Sequence[str], pooling: Pooling, longest: int) -> list[Tokenised]:
        """Token ids of texts, at most longest of each.

        Raises:
            ConfigError: A pooling that it does not have.
            DataError: A text holds no token of its own.
        """

    def encode(
        self,
        texts: Sequence[str],
        pooling: Pooling | None = None,
        *,
        longest: int = LONGEST,
        batch_tokens: int | None = None,
        on_batch: Callable[[int], None] | None = None,
        read: Sequence[Tokenised] | None = None,
    ) -> Tensor:
        """Vectors of texts, float32 [N, D] on the CPU.

        Args:
            texts: N of them.
            pooling: None for the sound one.
            longest: Tokens of a text, at most.
            batch_tokens: Of a batch; None for what suits the device.
            on_batch: Called after each batch with the number of its texts.
            read: What tokenise makes of them, where that is known.

        Raises:
            DataError: A text that gives no finite vector.
        """
