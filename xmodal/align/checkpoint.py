"""Where a run was when it was last saved: one file, put in place by one rename."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from taxonomy.reading import record_of
from xmodal.align.trainer import TrainState
from xmodal.align.validation import Looks
from xmodal.files import write_whole
from xmodal.run_record import metrics_of
from xmodal.tensors import (
    check_moments,
    check_shapes,
    damaged,
    moment_of,
    read_said,
    read_tensors,
    split_name,
)

_ANEW = "delete it to train anew"


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
        tensors = read_tensors(self.path, _ANEW)
        where = f"the state in {self.path}"
        said = record_of(_Said, read_said(self.path, "state", _ANEW), where)
        if said.run_id != run_id:
            raise damaged(self.path, f"it is of run {said.run_id}, not {run_id}", _ANEW)
        _restore(fresh, tensors, said, self.path)
        return True

    def drop(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What the header says."""

    run_id: str
    step: int
    rows: int | None
    seconds: float
    metrics: list[Any]
    looks: list[Any] | None = None


def _restore(state: TrainState, tensors: Mapping[str, Tensor], said: _Said, path: Path) -> None:
    parts: dict[str, dict[str, Tensor]] = {"aligner": {}, "best": {}, "optimiser": {}}
    for key, value in tensors.items():
        what, name = split_name(path, key, 2, _ANEW)
        if what not in parts:
            raise damaged(path, f"it has an unknown tensor {key}", _ANEW)
        parts[what][name] = value
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in parts["optimiser"].items():
        moment_of(path, key, moments, value, _ANEW)
    check_shapes(path, state.aligner.state_dict(), parts["aligner"], _ANEW)
    check_moments(path, state.optimiser, moments, _ANEW)
    metrics = metrics_of(said.metrics, f"the state in {path}")
    looks = _looks(state, said, parts["best"], path)
    state.aligner.load_state_dict(parts["aligner"])
    packed = state.optimiser.state_dict()
    packed["state"] = moments
    state.optimiser.load_state_dict(packed)
    state.step, state.seconds, state.rows, state.metrics = (
        *(said.step, said.seconds, said.rows),
        metrics,
    )
    state.looks = looks if looks is not None else state.looks


def _looks(state: TrainState, said: _Said, best: Mapping[str, Tensor], path: Path) -> Looks | None:
    if said.looks is None:
        return None
    if [type(one) for one in said.looks] != [float, int, float, int]:
        raise damaged(path, "its looks are not value, step, bar and looks since", _ANEW)
    if best:  # none before the first look that was better than nothing
        check_shapes(path, state.aligner.state_dict(), best, _ANEW)
    device = state.aligner.like.device
    weights = {name: value.to(device) for name, value in best.items()}
    value, step, bar, n_since = said.looks
    return Looks(value, step, weights, bar, n_since)
