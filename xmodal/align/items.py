"""Things that are ranked or asked for, by vectors of unit length."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from taxonomy.errors import DataError

_OFF = 1e-3
"""How far a row may be from unit length."""


@dataclass(frozen=True, kw_only=True)
class Items:
    """N things that are ranked or asked for: pictures, classes or texts."""

    ids: Tensor
    """int64 [N], unique."""
    vectors: Tensor
    """float [N, D], rows of unit length; a row of zeros has cosine 0 with everything."""
    classes: Tensor | None
    """int64 [N], the class of each; None for captions."""

    def __post_init__(self) -> None:
        if self.vectors.ndim != 2 or not self.vectors.is_floating_point():
            raise DataError(
                f"vectors must be float [N, D], got {self.vectors.dtype} {list(self.vectors.shape)}"
            )
        for name, given in (("ids", self.ids), ("classes", self.classes)):
            if given is not None and (
                given.dtype != torch.int64 or given.shape != (len(self.vectors),)
            ):
                raise DataError(
                    f"{name} must be int64 [{len(self.vectors)}], one a vector, got {given.dtype} "
                    f"{list(given.shape)}"
                )
        if len(set(self.ids.tolist())) < len(self.ids):
            raise DataError("ids must be unique, got one twice: average or leave out its copies")
        lengths = torch.linalg.vector_norm(self.vectors, dim=1, dtype=torch.float32)
        good = ((lengths - 1).abs() <= _OFF) | (lengths == 0)
        if not good.all():
            row = int((~good).nonzero()[0])
            raise DataError(
                f"vectors must have length 1, got {float(lengths[row]):g} in row {row}: divide "
                "each by its length, and leave out what is no number"
            )

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Tensor) -> Items:
        """Some of them; rows is bool [N] or int64."""
        classes = None if self.classes is None else self.classes[rows.to(self.classes.device)]
        ids, vectors = self.ids[rows.to(self.ids.device)], self.vectors[rows.to(self.device)]
        return Items(ids=ids, vectors=vectors, classes=classes)

    @property
    def device(self) -> torch.device:
        """Where the vectors are."""
        return self.vectors.device
