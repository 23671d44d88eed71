"""The folder of an alignment: its record, its projections, what it answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from safetensors.torch import save_file

from taxonomy.errors import DataError
from taxonomy.hashing import canonical_json
from taxonomy.reading import record_of
from xmodal.align.checkpoint import Checkpoint
from xmodal.align.projection import Aligner, AlignerConfig
from xmodal.files import write_whole
from xmodal.run_record import RecordFolder
from xmodal.tables import WEIGHTS
from xmodal.tensors import filled, read_said, read_tensors

_ANEW = "delete the folder to train anew"


@dataclass(frozen=True)
class AlignFolder(RecordFolder):
    """runs/<run_id>/ with run.json, metrics, projections and, while it trains, its state."""

    FILES = ("metrics.parquet", WEIGHTS)

    @property
    def checkpoint(self) -> Checkpoint:
        """Where the run was when it was last saved."""
        return Checkpoint(self.path / "state.safetensors")

    def save_aligner(self, aligner: Aligner, run_id: str, trained: Sequence[int]) -> None:
        """The trained projections; equal weights and run give equal bytes.

        Args:
            aligner: What is kept of a run.
            run_id: Whose.
            trained: Concept ids of the classes that it was trained on; empty for captions.
        """
        tensors = {name: value.detach().cpu() for name, value in aligner.state_dict().items()}
        said = {
            "run_id": run_id,
            "trained": list(trained),
            "config": aligner.config.as_dict(),
            "text_width": aligner.text.width_in,
            "image_width": aligner.image.width_in,
        }
        text = canonical_json(said)
        write_whole(
            self.path / WEIGHTS, lambda path: save_file(tensors, path, metadata={"xmodal": text})
        )

    def load_aligner(self) -> tuple[Aligner, frozenset[int]]:
        """The trained projections and the classes that they were trained on.

        In evaluation mode, fp32 on the CPU.

        Raises:
            DataError: The run left none, or the file is damaged.
        """
        path = self.path / WEIGHTS
        if not path.is_file():
            raise DataError(f"{path} is missing: the run is not finished, or its folder lost it")
        said = record_of(_Said, read_said(path, "xmodal", _ANEW), f"the header of {path}")
        made = filled(
            path,
            lambda: Aligner(said.config, said.text_width, said.image_width),
            read_tensors(path, _ANEW),
            _ANEW,
        )
        return made.eval(), said.trained


@dataclass(frozen=True)
class _Said:
    """The header of the weights' file."""

    run_id: str
    trained: frozenset[int]
    config: AlignerConfig
    text_width: int
    image_width: int
