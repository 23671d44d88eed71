"""One vector a picture, out of the bytes of its file."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch

from taxonomy.errors import ConfigError, DataError
from xmodal.align.parts import Rows
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.encoder import Encoder
from xmodal.features.encoders.load import load_encoder
from xmodal.features.encoders.preparation import Pixels, Preparation
from xmodal.features.extract import feature_set_id
from xmodal.features.pictures import BadPictureError, as_tensor, picture_of
from xmodal.machine import n_cores

POOLINGS = ("mean", "cls")
"""What becomes of a picture's tokens: their mean, or the class token."""

Picture = tuple[str, bytes]
"""Its name, for messages, and its file's bytes."""


@dataclass(frozen=True, kw_only=True)
class PictureEncoder:
    """A frozen encoder and how its tokens become one vector."""

    config: FeatureConfig
    encoder: Encoder
    batch_size: int
    """Pictures that the encoder sees at once."""

    @classmethod
    def load(
        cls, config: FeatureConfig, device: str = "cpu", batch_size: int | None = None
    ) -> PictureEncoder:
        """Load the encoder of a config.

        Args:
            config: With pooling mean or cls; views, n_components and seed do not matter.
            device: Where a transformers model computes.
            batch_size: None for what suits the encoder.

        Raises:
            ConfigError: A pooling that needs a dataset or gives many vectors, or a setting that
                the encoder does not have.
            DataError: The encoder cannot be found or read.
        """
        if config.pooling not in POOLINGS:
            raise ConfigError(
                f"pooling must be mean or cls for pictures of no dataset, one vector each, got "
                f"{config.pooling!r}: encode with --pool mean, and train on such pictures"
            )
        if config.dtype != "float32":
            raise ConfigError(
                f"dtype must be float32 for pictures of no dataset, got {config.dtype!r}"
            )
        if batch_size is not None and batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, got {batch_size}")
        encoder = load_encoder(config, device)
        return cls(config=config, encoder=encoder, batch_size=batch_size or encoder.batch_size)

    def id_for(self, content: str) -> str:
        """Hash of what is encoded and of all of the config that decides a vector."""
        usual = FeatureConfig()
        of = replace(self.config, n_views=1, n_components=usual.n_components, seed=usual.seed)
        return feature_set_id(content, of, self.encoder)

    def encode(
        self,
        pictures: Iterable[Picture],
        *,
        on_bad: Callable[[str, str], None] | None = None,
        on_batch: Callable[[int], None] | None = None,
    ) -> Rows:
        """Vectors of pictures, in order; several are decoded meanwhile.

        Args:
            pictures: N of them, taken as they are needed.
            on_bad: Called with the message about a picture that cannot be decoded, and its name;
                its vector is NaN. None to fail.
            on_batch: Called after each batch with the number of its pictures.

        Returns:
            float32 [N, Dv].

        Raises:
            BadPictureError: A picture cannot be decoded and on_bad is None.
            DataError: The encoder gives NaN or infinity.
        """
        prepared = _prepared(pictures, self.encoder.preparation, self.batch_size)
        parts = [np.empty((0, self._width()), np.float32)]
        while batch := list(islice(prepared, self.batch_size)):
            good = [pixels for _, pixels in batch if not isinstance(pixels, BadPictureError)]
            rows = np.full((len(batch), parts[0].shape[1]), np.nan, np.float32)
            where = []
            for place, (name, pixels) in enumerate(batch):
                if not isinstance(pixels, BadPictureError):
                    where.append(place)
                elif on_bad is None:
                    raise pixels
                else:
                    on_bad(str(pixels), name)
            if good:
                rows[where] = self._vectors(np.stack(good))
            for place in where:
                if not np.isfinite(rows[place]).all():
                    raise DataError(
                        f"encoder {self.encoder.name!r} gives no finite vector for picture "
                        f"{batch[place][0]}: take precision float32 or another encoder"
                    )
            parts.append(rows)
            if on_batch is not None:
                on_batch(len(batch))
        return np.concatenate(parts)

    def _width(self) -> int:
        side = self.encoder.preparation.side
        return int(self._vectors(np.full((1, side, side, 3), 255, np.uint8)).shape[1])

    @torch.no_grad()
    def _vectors(self, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> Rows:
        """uint8 [B, S, S, 3] to float32 [B, Dv]."""
        tokens = self.encoder.encode(as_tensor(pixels))
        pooled = tokens[:, 0] if self.config.pooling == "cls" else tokens.mean(1)
        vectors: Rows = pooled.numpy()
        return vectors


def encode_pictures(
    pictures: Iterable[bytes],
    config: FeatureConfig,
    *,
    names: Iterable[str] | None = None,
    device: str = "cpu",
    batch_size: int | None = None,
) -> Rows:
    """Vectors of pictures that are given as bytes.

    Args:
        pictures: Files of any kind that Pillow reads.
        config: Encoder, and pooling mean or cls.
        names: What to call each in messages; None for their numbers.
        device: Where a transformers model computes.
        batch_size: None for what suits the encoder.

    Returns:
        float32 [N, Dv].

    Raises:
        ConfigError: A setting that does not fit.
        DataError: The encoder cannot be read, or a picture cannot be decoded; names it.
    """
    contents = list(pictures)
    called = map(str, range(len(contents))) if names is None else names
    encoder = PictureEncoder.load(config, device, batch_size)
    return encoder.encode(zip(called, contents, strict=True))


def _prepared(
    pictures: Iterable[Picture], prepare: Preparation, ahead: int
) -> Iterator[tuple[str, Pixels | BadPictureError]]:
    """Pictures as the encoder sees them, in order, so many of them decoded before they are due."""
    pool = ThreadPoolExecutor(n_cores())
    waiting: deque[tuple[str, Future[Pixels | BadPictureError]]] = deque()
    try:
        for name, content in pictures:
            waiting.append((name, pool.submit(_prepare, name, content, prepare)))
            if len(waiting) > ahead:
                called, future = waiting.popleft()
                yield called, future.result()
        while waiting:
            called, future = waiting.popleft()
            yield called, future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def _prepare(name: str, content: bytes, prepare: Preparation) -> Pixels | BadPictureError:
    try:
        return prepare(picture_of(content, name))
    except BadPictureError as error:
        return error
