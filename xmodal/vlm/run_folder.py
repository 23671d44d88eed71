"""A run's own folder: the only place a run writes to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from taxonomy.errors import DataError
from taxonomy.hashing import canonical_json
from xmodal.files import write_whole
from xmodal.vlm.projector import Projector, ProjectorConfig
from xmodal.vlm.trainer import Metrics, TrainState

FILES = ("metrics.parquet", "predictions.parquet", "projector.safetensors")
"""What a finished run leaves beside run.json."""


@dataclass(frozen=True)
class RunFolder:
    """runs/<run_id>/ with run.json, metrics, predictions, projector and resume state."""

    path: Path

    def record(self) -> dict[str, Any] | None:
        """What run.json says; None if there is none yet.

        Raises:
            DataError: It is damaged.
        """
        try:
            content = (self.path / "run.json").read_text()
        except FileNotFoundError:
            return None
        try:
            said = json.loads(content)
            if not isinstance(said, dict) or not {"status", "started_at"} <= said.keys():
                raise ValueError("it is not the record of a run")
        except ValueError as error:
            raise DataError(
                f"{self.path / 'run.json'} is damaged ({error}); delete the folder to train anew"
            ) from error
        return said

    def is_whole(self) -> bool:
        """Whether every file that a finished run leaves is there."""
        return all((self.path / name).is_file() for name in FILES)

    def write_record(self, record: dict[str, Any]) -> None:
        """Write run.json."""
        self.path.mkdir(parents=True, exist_ok=True)
        text = json.dumps(record, indent=1)
        write_whole(self.path / "run.json", lambda path: _write_text(path, text))

    def save_state(self, state: TrainState) -> None:
        """Everything a killed run needs to go on with the same bits."""
        tensors: dict[str, Tensor] = {
            f"projector.{name}": value.detach()
            for name, value in state.projector.state_dict().items()
        }
        for index, moments in state.optimiser.state_dict()["state"].items():
            for name, value in moments.items():
                tensors[f"optimiser.{index}.{name}"] = torch.as_tensor(value)
        header = {
            "step": str(state.step),
            "seconds": str(state.seconds),
            "metrics": json.dumps(state.metrics),
        }
        write_whole(
            self.path / "state.safetensors",
            lambda path: save_file(tensors, path, metadata=header),
        )

    def load_state(self, fresh: TrainState) -> TrainState:
        """The saved state in the place of a fresh one; the fresh one if nothing was saved.

        Raises:
            DataError: The saved state is damaged or of another shape.
        """
        path = self.path / "state.safetensors"
        if not path.is_file():
            return fresh
        try:
            return _restore(path, fresh)
        except (OSError, KeyError, RuntimeError, ValueError, SafetensorError) as error:
            raise DataError(
                f"{path} cannot be resumed from ({error}); delete it to train anew"
            ) from error

    def save_projector(self, state: TrainState, header: dict[str, str]) -> None:
        """The trained projector's weights; equal weights and header give equal bytes.

        The header is one entry of JSON: safetensors writes several in random order.
        """
        projector = state.projector
        tensors = {name: value.detach() for name, value in projector.state_dict().items()}
        shape = {
            "config": projector.config.as_dict(),
            "width_in": projector.width_in,
            "width_out": projector.width_out,
            "scale": projector.scale,
        }
        text = canonical_json({**header, **shape})
        write_whole(
            self.path / "projector.safetensors",
            lambda path: save_file(tensors, path, metadata={"xmodal": text}),
        )

    def load_projector(self) -> Projector:
        """The trained projector, in evaluation mode, fp32 on the CPU.

        Raises:
            DataError: The run left no projector, or its file is damaged.
        """
        path = self.path / "projector.safetensors"
        if not path.is_file():
            raise DataError(f"{path} is missing: the run is not finished, or its folder lost it")
        try:
            with safe_open(path, "pt") as file:
                said = json.loads((file.metadata() or {})["xmodal"])
            projector = Projector(
                ProjectorConfig(**said["config"]), said["width_in"], said["width_out"]
            )
            projector.scale = float(said["scale"])
            projector.load_state_dict(load_file(path))
        except (OSError, KeyError, TypeError, RuntimeError, ValueError, SafetensorError) as error:
            raise DataError(
                f"{path} cannot be read ({error}); delete the folder to train anew"
            ) from (error)
        return projector.eval()

    def write_metrics(self, metrics: Metrics) -> None:
        """metrics.parquet: step, name, value."""
        table = pa.table(
            {
                "step": pa.array([step for step, _, _ in metrics], pa.int64()),
                "name": pa.array([name for _, name, _ in metrics], pa.string()),
                "value": pa.array([value for _, _, value in metrics], pa.float64()),
            }
        )
        write_whole(self.path / "metrics.parquet", lambda path: pq.write_table(table, path))

    def write_predictions(self, predictions: pa.Table) -> None:
        """predictions.parquet: image_mode, example_id, logit_yes, logit_no, predicted."""
        write_whole(
            self.path / "predictions.parquet",
            lambda path: pq.write_table(predictions, path, compression="zstd"),
        )

    def drop_state(self) -> None:
        """Remove the resume state of a finished run."""
        (self.path / "state.safetensors").unlink(missing_ok=True)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text)


def _restore(path: Path, fresh: TrainState) -> TrainState:
    tensors = load_file(path)
    with safe_open(path, "pt") as file:
        header = file.metadata() or {}
    own = {
        name.removeprefix("projector."): value
        for name, value in tensors.items()
        if name.startswith("projector.")
    }
    fresh.projector.load_state_dict(own)
    packed = fresh.optimiser.state_dict()
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimiser."):
            _, index, what = name.split(".", 2)
            moments.setdefault(int(index), {})[what] = value
    packed["state"] = moments
    fresh.optimiser.load_state_dict(packed)
    fresh.step = int(header["step"])
    fresh.seconds = float(header["seconds"])
    fresh.metrics = [(int(s), str(n), float(v)) for s, n, v in json.loads(header["metrics"])]
    return fresh
