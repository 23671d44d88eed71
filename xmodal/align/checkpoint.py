"""Where a run was when it was last saved: one file, put in place by one rename."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from taxonomy.errors import DataError
from xmodal.align.trainer import TrainState
from xmodal.align.validation import Looks
from xmodal.files import write_whole


@dataclass(frozen=True)
class Checkpoint:
    """state.safetensors of a run."""

    path: Path

    def save(self, run_id: str, state: TrainState) -> None:
        """Everything that a killed run needs to go on with the same bits."""
        tensors: dict[str, Tensor] = {}
        for name, value in state.aligner.state_dict().items():
            tensors[f"aligner/{name}"] = value.detach()
        for index, moments in state.optimiser.state_dict()["state"].items():
            for name, value in moments.items():
                tensors[f"optimiser/{index}/{name}"] = torch.as_tensor(value)
        said: dict[str, Any] = {
            "run_id": run_id,
            "step": state.step,
            "rows": state.rows,
            "seconds": state.seconds,
            "metrics": state.metrics,
        }
        if (looks := state.looks) is not None:
            said["looks"] = [looks.best, looks.best_step, looks.bar, looks.n_since]
            for name, value in looks.weights.items():
                tensors[f"best/{name}"] = value
        self.path.parent.mkdir(parents=True, exist_ok=True)
        header = {"state": json.dumps(said)}
        write_whole(self.path, lambda path: save_file(tensors, path, metadata=header))

    def load(self, run_id: str, fresh: TrainState) -> bool:
        """Put the saved state in the place of a fresh one.

        Args:
            run_id: Of the run that goes on.
            fresh: From Trainer.start(); changed in place.

        Returns:
            Whether there was a state.

        Raises:
            DataError: The saved state is damaged, of another run, or of another shape.
        """
        if not self.path.is_file():
            return False
        try:
            tensors = load_file(self.path)
            with safe_open(self.path, "pt") as file:
                said = json.loads((file.metadata() or {})["state"])
            if said["run_id"] != run_id:
                raise ValueError(f"it is of run {said['run_id']}, not {run_id}")
            _restore(fresh, tensors, said)
        except (OSError, KeyError, RuntimeError, ValueError, SafetensorError) as error:
            reason = " ".join(str(error).split())
            raise DataError(
                f"{self.path} cannot be resumed from ({reason}); delete it to train anew"
            ) from error
        return True

    def drop(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


def _restore(state: TrainState, tensors: Mapping[str, Tensor], said: Mapping[str, Any]) -> None:
    parts: dict[str, dict[str, Tensor]] = {"aligner": {}, "best": {}, "optimiser": {}}
    for key, value in tensors.items():
        what, name = key.split("/", 1)
        parts[what][name] = value
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in parts["optimiser"].items():
        index, name = key.split("/")
        moments.setdefault(int(index), {})[name] = value
    state.aligner.load_state_dict(parts["aligner"])
    packed = state.optimiser.state_dict()
    packed["state"] = moments
    state.optimiser.load_state_dict(packed)
    state.step, state.seconds = int(said["step"]), float(said["seconds"])
    state.rows = said["rows"]
    state.metrics = [(int(s), str(n), float(v)) for s, n, v in said["metrics"]]
    if "looks" in said:
        best, step, bar, n_since = said["looks"]
        device = state.aligner.like.device
        weights = {name: value.to(device) for name, value in parts["best"].items()}
        state.looks = Looks(float(best), int(step), weights, float(bar), int(n_since))
