"""A run's own folder: the only place a run writes to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from taxonomy.errors import DataError
from taxonomy.hashing import canonical_json
from xmodal.files import write_whole
from xmodal.vlm.checkpoint import Checkpoint
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

    @property
    def checkpoint(self) -> Checkpoint:
        """Where the run was when it was last saved, if it trains alone."""
        return Checkpoint(self.path / "state.safetensors")

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


def _write_text(path: Path, text: str) -> None:
    path.write_text(text)
