"""Pairs of a text and a picture, as rows of two feature matrices."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import torch
from torch import Tensor

from taxonomy.errors import DataError

_AT_A_TIME = 16384
"""Rows of features looked at together."""


@dataclass(frozen=True)
class Batch:
    """The pairs of one step."""

    text: Tensor
    """float [B, Dt]."""
    image: Tensor
    """float [B, Dv]."""
    same: tuple[Tensor, ...] = ()
    """int64 [B] each: pairs with one number in any of them are no negatives of one another."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """N pairs. Text and image features may be used by several pairs."""

    text: Tensor
    """float [Nt, Dt], of texts."""
    image: Tensor
    """float [M, Dv], of pictures."""
    text_row: Tensor | None = None
    """int64 [N], the row of each pair's text; None if pair i has row i."""
    image_row: Tensor | None = None
    """int64 [N], the row of each pair's picture; None if pair i has row i."""
    group: Tensor | None = None
    """int64 [N], such as the class that a pair shows: of one group means of one content."""

    def __post_init__(self) -> None:
        for name in ("text", "image"):
            self._check(name, getattr(self, name), getattr(self, f"{name}_row"))
        n_text, n_image = len(self._rows("text")), len(self._rows("image"))
        if n_text != n_image:
            raise DataError(
                f"every text needs its picture, got {n_text} texts and {n_image} pictures: give "
                "image_row, the row of each text's picture"
            )
        if n_text < 2:
            raise DataError(f"pairs must be at least 2, for a negative each, got {n_text}")
        if self.group is not None and self.group.shape != (n_text,):
            raise DataError(f"group must be [{n_text}], one a pair, got {list(self.group.shape)}")

    def __len__(self) -> int:
        return len(self._rows("text"))

    @property
    def widths(self) -> tuple[int, int]:
        """Dt and Dv."""
        return self.text.shape[1], self.image.shape[1]

    @cached_property
    def same(self) -> tuple[Tensor, ...]:
        """int64 [N] each: equal text, equal picture, equal group.

        Rows of features with the same bytes are the same text or picture.
        """
        ids = [_contents(self.text)[self._rows("text")], _contents(self.image)[self._rows("image")]]
        if self.group is not None:
            ids.append(self.group.cpu())
        return tuple(ids)

    def take(
        self, chosen: Tensor, *, device: torch.device, dtype: torch.dtype, mask: bool
    ) -> Batch:
        """The pairs of some rows.

        Args:
            chosen: int64 [B].
            device: Where the batch goes.
            dtype: Of the batch's features.
            mask: Say which of them are the same.
        """
        text, image = (
            features[self._rows(name)[chosen].to(features.device)].to(device, dtype)
            for name, features in (("text", self.text), ("image", self.image))
        )
        same = tuple(ids[chosen].to(device) for ids in self.same) if mask else ()
        return Batch(text, image, same)

    def _rows(self, name: str) -> Tensor:
        rows: Tensor | None = getattr(self, f"{name}_row")
        return torch.arange(len(getattr(self, name))) if rows is None else rows.cpu()

    def _check(self, name: str, features: Tensor, rows: Tensor | None) -> None:
        if features.ndim != 2 or not features.is_floating_point():
            raise DataError(
                f"{name} features must be float [N, width], got {features.dtype} "
                f"{list(features.shape)}"
            )
        for start in range(0, len(features), _AT_A_TIME):
            good = features[start : start + _AT_A_TIME].isfinite().all(1)
            if not good.all():
                row = start + int((~good).nonzero()[0])
                raise DataError(
                    f"{name} features must be finite, got NaN or infinity in row {row}: extract "
                    "them again or leave the row out"
                )
        if rows is None:
            return
        if rows.ndim != 1 or rows.dtype != torch.int64:
            raise DataError(f"{name}_row must be int64 [N], got {rows.dtype} {list(rows.shape)}")
        if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < len(features):
            raise DataError(
                f"{name}_row must be in [0, {len(features)}), got {int(rows.min())} to "
                f"{int(rows.max())}"
            )


def _contents(features: Tensor) -> Tensor:
    """int64 [N]: one number for each content of a row."""
    known: dict[bytes, int] = {}
    found = []
    for start in range(0, len(features), _AT_A_TIME):
        for row in features[start : start + _AT_A_TIME].detach().cpu().contiguous():
            digest = blake2b(row.view(torch.uint8).numpy().data, digest_size=16).digest()
            found.append(known.setdefault(digest, len(known)))
    return torch.tensor(found)
