"""The processes that make shards.

On a CPU every process decodes and encodes its own shards, on one thread, so that the bytes do
not depend on how many there are. On a GPU they decode, and this process encodes.
"""

from __future__ import annotations

import itertools
import multiprocessing
import multiprocessing.connection
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from taxonomy.errors import XmodalError
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.encoder import Encoder
from xmodal.features.encoders.load import OWN, load_encoder
from xmodal.features.encoders.preparation import Preparation
from xmodal.features.pca import Pca, one_thread
from xmodal.features.shards import ArrayFile, Bad, Block, Maker, Note, Notes, Shard, decode
from xmodal.machine import n_cores
from xmodal.processes import end_with_parent

_AHEAD = 2
"""Shards a process that wait for it or for this process, at most."""

_WORTH = 8
"""Shards of the package's encoders that are worth the seconds that a process takes to start."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a crew is to make, small enough to send to another process."""

    config: FeatureConfig
    file: ArrayFile
    notes: Notes
    device: str = "cpu"
    batch_size: int | None = None
    """Pictures the encoder sees at once; None for what suits it."""
    skip_bad: bool = False
    pca: Path | None = None
    """Where the fitted pca lies."""
    fit: str = ""
    """Its hash."""

    def maker(self, encoder: Encoder) -> Maker:
        """What makes the shards, with an encoder that is loaded already."""
        pool = None
        if self.pca is not None:
            from safetensors.torch import load_file

            pool = Pca(**load_file(self.pca))
        return Maker(
            encoder=encoder,
            file=self.file,
            notes=self.notes,
            seed=self.config.seed,
            batch_size=self.batch_size or encoder.batch_size,
            mean=self.config.pooling == "mean",
            pool=pool,
            fit=self.fit,
        )


def make_shards(
    order: Order,
    shards: Sequence[Shard],
    encoder: Encoder,
    workers: int | None = 1,
    decode_apart: bool | None = None,
) -> Iterator[tuple[Shard, Note]]:
    """Make shards, some at a time, and give each as soon as it is whole.

    Args:
        order: What they are made of.
        shards: Those that are missing.
        encoder: The order's, loaded in this process.
        workers: Processes; None for as many as suit the encoder and the work left.
        decode_apart: Processes decode only; None for that on a GPU.

    Raises:
        DataError: A picture cannot be used; shards that were whole by then stay.
        XmodalError: A process was ended from outside.
    """
    workers = min(workers or workers_for(order.config.encoder, len(shards)), len(shards))
    apart = order.device != "cpu" if decode_apart is None else decode_apart
    if workers <= 1:
        yield from _alone(order, shards, encoder)
        return
    try:
        if apart:
            yield from _decoders(order, shards, encoder, workers)
        else:
            yield from _encoders(order, shards, workers)
    except BrokenProcessPool as error:
        raise XmodalError(
            "a process that extracts features was ended from outside, often for want of memory; "
            f"run the command again to go on, with fewer workers than {workers}"
        ) from error


def workers_for(encoder: str, n_shards: int) -> int:
    """One a core; of the package's quick encoders one alone for a few shards."""
    return min(n_cores(), max(n_shards // _WORTH, 1)) if encoder in OWN else n_cores()


def _alone(order: Order, shards: Sequence[Shard], encoder: Encoder) -> Iterator[tuple[Shard, Note]]:
    maker = order.maker(encoder)
    for shard in shards:
        block, bad = decode(shard, encoder.preparation, order.skip_bad)
        with one_thread():
            note = maker.make(shard, block, bad)
        yield shard, note


def _encoders(order: Order, shards: Sequence[Shard], workers: int) -> Iterator[tuple[Shard, Note]]:
    """Processes that do everything; shards come as they are done."""
    with _pool(workers, _prepare, (order,)) as pool:
        left = iter(shards)
        running: dict[Future[Note], Shard] = {}
        for shard in itertools.islice(left, workers * _AHEAD):
            running[pool.submit(_work, shard)] = shard
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
                for shard in itertools.islice(left, 1):
                    running[pool.submit(_work, shard)] = shard


def _decoders(
    order: Order, shards: Sequence[Shard], encoder: Encoder, workers: int
) -> Iterator[tuple[Shard, Note]]:
    """Processes that decode, in order; this one encodes."""
    maker = order.maker(encoder)
    with _pool(workers, end_with_parent, ()) as pool:
        left = iter(shards)
        ahead: deque[tuple[Shard, Future[tuple[Block, Bad]]]] = deque()

        def send(n: int) -> None:
            for shard in itertools.islice(left, n):
                future = pool.submit(_decode, shard, encoder.preparation, order.skip_bad)
                ahead.append((shard, future))

        send(workers * _AHEAD)
        while ahead:
            shard, future = ahead.popleft()
            block, bad = future.result()
            send(1)
            yield shard, maker.make(shard, block, bad)


@contextmanager
def _pool(
    workers: int, prepare: Callable[..., None], given: tuple[object, ...]
) -> Iterator[Executor]:
    """A pool whose waiting work is given up when something fails."""
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, prepare, given)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_order: Order
_maker: Maker


def _prepare(order: Order) -> None:
    """Set a process up that encodes."""
    global _order, _maker
    end_with_parent()
    torch.set_num_threads(1)
    _order = order
    _maker = order.maker(load_encoder(order.config, order.device))


def _work(shard: Shard) -> Note:
    block, bad = decode(shard, _maker.encoder.preparation, _order.skip_bad)
    return _maker.make(shard, block, bad)


def _decode(shard: Shard, prepare: Preparation, skip_bad: bool) -> tuple[Block, Bad]:
    return decode(shard, prepare, skip_bad)
