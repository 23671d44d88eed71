"""Scene sets on disk: scenes, and the tokens that a frozen encoder makes of their pictures.

The tokens lie in one memory-mapped file, float16 [M, P, Dv], by number of objects; they come out
standardised by channel, as the record says. The last tenth of the scenes of each number of
objects is for evaluation. A set is made piece by piece in a hidden folder beside the others, and
takes its place by one rename; a call that finds such a folder makes the rest.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from taxonomy.errors import DataError
from taxonomy.reading import read_json, read_object, record_of
from xmodal.arrays import map_npy
from xmodal.binding.render import render
from xmodal.binding.scene_config import Objects, SceneSetConfig, draw_objects, places_of
from xmodal.features.encoders.encoder import Encoder
from xmodal.features.encoders.load import load_encoder
from xmodal.features.shards import ArrayFile
from xmodal.files import file_sha256, own, write_whole

TOKENS, SCENES, RECORD = "tokens.npy", "scenes.npz", "scene_set.json"
CHUNK = 512
"""Scenes that are made, written and noted together."""
Progress = Callable[[int, int], None]
"""Called with (scenes done, scenes in all)."""


@dataclass(frozen=True, kw_only=True)
class SceneRecord:
    """What is said of a finished set."""

    scene_set_id: str
    config: SceneSetConfig
    encoder_version: str
    revision: str
    weights_sha256: str | None
    side: int
    """Pixels of a picture's side."""
    n_image_tokens: int
    """P."""
    width: int
    """Dv."""
    mean: tuple[float, ...]
    """Of each channel over the tokens of all training scenes."""
    std: tuple[float, ...]
    """1 for a channel that never changes."""
    sha256: str
    """Of scenes and tokens."""
    path: Path


def make_scene_set(
    config: SceneSetConfig,
    root: Path,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> tuple[SceneRecord, bool]:
    """Draw, render and encode the scenes of a config, unless that was done.

    Args:
        config: Scenes and encoder.
        root: Folder of sets; one subfolder each.
        device: Where pictures are drawn, and where a transformers model computes.
        progress: Called after each piece.

    Returns:
        The set, and whether it had to be made.

    Raises:
        ConfigError: A setting that the encoder does not have.
        DataError: The encoder cannot be read or gives no finite tokens, the disk is too small, or
            another process is at it. Whole pieces stay for the next call.
    """
    encoder = load_encoder(config.features, device)
    made_id = config.id_with(encoder)
    if (root / made_id / RECORD).is_file():
        return read_record(root / made_id), False
    part = root / f".{made_id}.part"
    (part / "whole").mkdir(parents=True, exist_ok=True)
    with own(part):
        try:
            _Build(part, made_id, config, encoder, torch.device(device), progress).run()
        except BaseException:
            if not any(part.glob("*.json")):
                shutil.rmtree(part, ignore_errors=True)
                if not any(root.iterdir()):
                    root.rmdir()
            raise
        shutil.rmtree(part)
    return read_record(root / made_id), True


def read_record(path: Path) -> SceneRecord:
    """What is said of the set in a folder.

    Raises:
        DataError: The folder holds no whole scene set.
    """
    try:
        return record_of(SceneRecord, read_json(path / RECORD), RECORD, path=path)
    except DataError as error:
        raise DataError(
            f"{path} holds no whole scene set ({error}); delete it to make it anew"
        ) from error


def train_rows(config: SceneSetConfig) -> list[int]:
    """Rows of all scenes that training may see, ascending."""
    return [row for n in config.counts() for row in rows_of(config, n, "train")]


def rows_of(config: SceneSetConfig, n_objects: int, part: str) -> range:
    """Rows of the scenes of one number of objects: train, or test, the last tenth."""
    start = 0
    for n, count in config.counts().items():
        cut = start + count - count // 10
        if n == n_objects:
            return range(start, cut) if part == "train" else range(cut, start + count)
        start += count
    raise ValueError(f"a set has {config.n_from} to {config.n_to} objects, got {n_objects}")


@dataclass
class _Build:
    """One set in the making."""

    part: Path
    made_id: str
    config: SceneSetConfig
    encoder: Encoder
    device: torch.device
    progress: Progress | None

    def run(self) -> None:
        """Make files and record, and put them in place."""
        objects = draw_objects(self.config)
        side = self.encoder.preparation.side
        _, n_tokens, width = self.encoder.encode(torch.ones(1, 3, side, side)).shape
        whole = self.part / "whole"
        file = ArrayFile(
            path=whole / TOKENS, shape=(len(objects), n_tokens, width), dtype="float16"
        )
        if not file.is_there():
            self._check_room(len(objects) * file.row_bytes)
            file.make()
        self._fill(objects, file)
        np.savez(whole / SCENES, **objects.arrays(), allow_pickle=False)
        mean, std = _moments(file.path, train_rows(self.config))
        content = "".join(sha256(one.tobytes()).hexdigest() for one in objects.arrays().values())
        record = SceneRecord(
            scene_set_id=self.made_id,
            config=self.config,
            encoder_version=self.encoder.version,
            revision=self.encoder.revision,
            weights_sha256=self.encoder.weights_sha256,
            side=side,
            n_image_tokens=n_tokens,
            width=width,
            mean=mean,
            std=std,
            sha256=sha256((content + file_sha256(file.path)).encode()).hexdigest(),
            path=self.part.parent / self.made_id,
        )
        with (whole / SCENES).open("rb") as written:
            os.fsync(written.fileno())
        text = json.dumps({**asdict(record), "path": None}, indent=1) + "\n"
        write_whole(whole / RECORD, lambda path: path.write_text(text))
        if record.path.exists():
            shutil.rmtree(record.path)
        os.replace(whole, record.path)

    def _check_room(self, needed: int) -> None:
        free = shutil.disk_usage(self.part).free
        if needed > free:
            raise DataError(
                f"{self.part.parent} needs {needed / 1e9:.1f} GB for the tokens of the scenes, "
                f"{free / 1e9:.1f} GB are free: take fewer scenes, or move the store"
            )

    def _fill(self, objects: Objects, file: ArrayFile) -> None:
        """Make the pieces that are not whole; a piece has one number of objects."""
        done, total = 0, len(objects)
        start = 0
        for n, count in self.config.counts().items():
            for first in range(start, start + count, CHUNK):
                last = min(first + CHUNK, start + count)
                note = self.part / f"{first:012d}.json"
                digest = _noted(note) if note.is_file() else None
                if digest is None or file.digest(first, last - first) != digest:
                    digest = file.write(first, self._tokens(objects, slice(first, last), n))
                    _note(note, digest)
                done += last - first
                if self.progress is not None:
                    self.progress(done, total)
            start += count

    def _tokens(self, objects: Objects, rows: slice, n: int) -> torch.Tensor:
        """float32 [rows, P, Dv] on the CPU."""
        places = places_of(objects, rows, n).to(self.device)
        colours, shapes = (
            torch.from_numpy(one[rows, :n]).to(self.device)
            for one in (objects.colours, objects.shapes)
        )
        side, parts = self.encoder.preparation.side, []
        for at in range(0, len(colours), self.encoder.batch_size):
            some = slice(at, at + self.encoder.batch_size)
            pixels = render(colours[some], shapes[some], places[some], side)
            parts.append(self.encoder.encode(pixels.cpu()))
        tokens = torch.cat(parts)
        if not bool(tokens.half().isfinite().all()):
            raise DataError(
                f"encoder {self.config.features.encoder!r} gives numbers that are not finite or "
                f"above 65504, which tokens on disk cannot be: take another layer than "
                f"{self.config.features.layer!r}"
            )
        return tokens


def _noted(path: Path) -> str | None:
    """The hash that is noted of a piece; None for a note that cannot be read."""
    try:
        found = read_object(path).get("sha256")
    except DataError:
        return None
    return found if isinstance(found, str) else None


def _note(path: Path, digest: str) -> None:
    write_whole(path, lambda made: made.write_text(json.dumps({"sha256": digest})))


def _moments(path: Path, rows: list[int]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation by channel of the tokens of some rows."""
    tokens: Any = map_npy(path, "delete its folder to make the set anew")
    total = np.zeros(tokens.shape[-1])
    squares = np.zeros(tokens.shape[-1])
    n = len(rows) * tokens.shape[1]
    for first in range(0, len(rows), CHUNK):
        total += tokens[rows[first : first + CHUNK]].sum((0, 1), dtype=np.float64)
    mean = total / n
    for first in range(0, len(rows), CHUNK):
        some = tokens[rows[first : first + CHUNK]].astype(np.float64)
        squares += ((some - mean) ** 2).sum((0, 1))
    std = np.sqrt(squares / n)
    std[std < 1e-6] = 1.0
    return tuple(mean.tolist()), tuple(std.tolist())
