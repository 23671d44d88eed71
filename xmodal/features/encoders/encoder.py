"""What an image encoder is to the rest of the package."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from xmodal.features.encoders.preparation import Preparation


class Encoder(Protocol):
    """Frozen: the same pixels give the same tokens, whatever else is in the batch.

    A batch may change the last bits.
    """

    @property
    def name(self) -> str:
        """As it was asked for: classical, a folder, a name on the hub."""

    @property
    def version(self) -> str:
        """What tells it from another encoder of that name: a number, or a hash of its weights."""

    @property
    def revision(self) -> str:
        """For the reader: a commit of the hub where there is one, else the version."""

    @property
    def weights_sha256(self) -> str | None:
        """Hash of all weights; None without weights."""

    @property
    def preparation(self) -> Preparation:
        """How a picture becomes pixels; its side is S."""

    @property
    def training_pictures(self) -> frozenset[str]:
        """sha256 of each picture file that it was trained on; empty if none is known."""

    @property
    def batch_size(self) -> int:
        """Pictures that it likes to see at once."""

    def encode(self, pixels: Tensor) -> Tensor:
        """Tokens of pictures.

        Args:
            pixels: float32 [B, 3, S, S], RGB in [0, 1], on the CPU.

        Returns:
            float32 [B, P, Dv] on the CPU, patches in reading order.
        """
