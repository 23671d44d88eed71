"""The folder of an alignment: its record, its projections, what it answered."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from taxonomy.errors import DataError
from taxonomy.hashing import canonical_json
from xmodal.align.checkpoint import Checkpoint
from xmodal.align.projection import Aligner, AlignerConfig, ProjectionConfig
from xmodal.files import write_whole
from xmodal.run_record import RecordFolder
from xmodal.tables import WEIGHTS


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
        try:
            with safe_open(path, "pt") as file:
                said = json.loads((file.metadata() or {})["xmodal"])
            aligner = Aligner(_config(said["config"]), said["text_width"], said["image_width"])
            aligner.load_state_dict(load_file(path))
            trained = frozenset(said["trained"])
        except (OSError, KeyError, TypeError, RuntimeError, ValueError, SafetensorError) as error:
            reason = " ".join(str(error).split())
            raise DataError(
                f"{path} cannot be read ({reason}); delete the folder to train anew"
            ) from error
        return aligner.eval(), trained


def _config(said: dict[str, Any]) -> AlignerConfig:
    sides = {name: ProjectionConfig(**said[name]) for name in ("text", "image")}
    return AlignerConfig(**(said | sides))
