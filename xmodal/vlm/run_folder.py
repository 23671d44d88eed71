"""A run's own folder: the only place a run writes to."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.torch import save_file

from taxonomy.errors import DataError
from taxonomy.hashing import canonical_json
from taxonomy.reading import record_of
from xmodal.files import write_whole
from xmodal.run_record import RecordFolder
from xmodal.tensors import filled, read_said, read_tensors
from xmodal.vlm.checkpoint import Checkpoint
from xmodal.vlm.projector import Projector, ProjectorConfig
from xmodal.vlm.trainer import TrainState

_ANEW = "delete the folder to train anew"


@dataclass(frozen=True)
class _Shape:
    """What the header of the weights' file says of their shape."""

    config: ProjectorConfig
    width_in: int
    width_out: int
    scale: float


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
        header = read_said(path, "xmodal", _ANEW)
        # beside the shape it tells of the run, in fields that are not needed here
        shape = {one.name: header[one.name] for one in fields(_Shape) if one.name in header}
        said = record_of(_Shape, shape, f"the header of {path}")
        projector = filled(
            path,
            lambda: Projector(said.config, said.width_in, said.width_out),
            read_tensors(path, _ANEW),
            _ANEW,
        )
        projector.scale = said.scale
        return projector.eval()

    def write_predictions(self, predictions: pa.Table) -> None:
        """predictions.parquet: image_mode, example_id, logit_yes, logit_no, predicted."""
        write_whole(
            self.path / "predictions.parquet",
            lambda path: pq.write_table(predictions, path, compression="zstd"),
        )
