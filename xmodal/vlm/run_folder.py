"""A run's own folder: the only place a run writes to."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from taxonomy.errors import DataError
from taxonomy.hashing import canonical_json
from xmodal.files import write_whole
from xmodal.run_record import RecordFolder
from xmodal.vlm.checkpoint import Checkpoint
from xmodal.vlm.projector import Projector, ProjectorConfig
from xmodal.vlm.trainer import TrainState


@dataclass(frozen=True)
class RunFolder(RecordFolder):
    """runs/<run_id>/ with run.json, metrics, predictions, projector and resume state."""

    FILES = ("metrics.parquet", "predictions.parquet", "projector.safetensors")

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

    def write_predictions(self, predictions: pa.Table) -> None:
        """predictions.parquet: image_mode, example_id, logit_yes, logit_no, predicted."""
        write_whole(
            self.path / "predictions.parquet",
            lambda path: pq.write_table(predictions, path, compression="zstd"),
        )
