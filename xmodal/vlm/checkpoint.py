"""Where runs were when they were last saved: one file for all runs that train together.

One file, put in place by one rename, so that the runs of a group are always at the same step of
it: only then does a killed group go on to the same bits.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from taxonomy.errors import DataError
from taxonomy.reading import record_of
from xmodal.files import write_whole
from xmodal.run_record import metrics_of
from xmodal.tensors import (
    check_moments,
    check_shapes,
    moment_of,
    read_header,
    read_said,
    read_tensors,
    split_name,
)
from xmodal.vlm.early_stop import Looks
from xmodal.vlm.trainer import TrainState

_ANEW = "delete it to train anew"


@dataclass(frozen=True)
class Checkpoint:
    """state.safetensors of a run, or of a group of runs."""

    path: Path

    def save(self, states: Mapping[str, TrainState]) -> None:
        """Everything killed runs need to go on with the same bits; states by run id."""
        tensors: dict[str, Tensor] = {}
        header = {}
        for run_id, state in states.items():
            for name, value in state.projector.state_dict().items():
                tensors[f"{run_id}/projector/{name}"] = value.detach()
            for index, moments in state.optimiser.state_dict()["state"].items():
                for name, value in moments.items():
                    tensors[f"{run_id}/optimiser/{index}/{name}"] = torch.as_tensor(value)
            said = {"step": state.step, "seconds": state.seconds, "metrics": state.metrics}
            if (looks := state.looks) is not None:
                said["looks"] = [looks.best_loss, looks.best_step, looks.n_since]
                for name, value in looks.weights.items():
                    tensors[f"{run_id}/best/{name}"] = value
            header[run_id] = json.dumps(said)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, lambda path: save_file(tensors, path, metadata=header))

    def run_ids(self) -> frozenset[str]:
        """The runs whose states are saved; none if the file is missing or damaged."""
        try:
            return frozenset(read_header(self.path, _ANEW))
        except DataError:
            return frozenset()

    def load(self, fresh: Mapping[str, TrainState]) -> None:
        """Put the saved states in the place of fresh ones; nothing if none was saved.

        Args:
            fresh: Of every saved run, from Trainer.start(); changed in place.

        Raises:
            DataError: The saved states are damaged, of other runs, or of another shape.
        """
        if not self.path.is_file():
            return
        tensors = read_tensors(self.path, _ANEW)
        for run_id, state in fresh.items():
            _restore(state, run_id, tensors, self.path)

    def drop(self) -> None:
        """Remove the file; of a group its folder too, with what a kill left in it."""
        self.path.unlink(missing_ok=True)
        if self.path.parent.parent.name == GROUPS:
            shutil.rmtree(self.path.parent, ignore_errors=True)


GROUPS = ".groups"
"""Folder of the groups' states, beside the run folders."""


def group_checkpoint(runs_dir: Path, group_id: str) -> Checkpoint:
    """Where the states of a group are saved."""
    return Checkpoint(runs_dir / GROUPS / group_id / "state.safetensors")


@dataclass(frozen=True, kw_only=True)
class _Said:
    """What the header says of a run."""

    step: int
    seconds: float
    metrics: list[Any]
    looks: list[Any] | None = None


def _restore(state: TrainState, run_id: str, tensors: Mapping[str, Tensor], path: Path) -> None:
    where = f"the state of {run_id} in {path}"
    said = record_of(_Said, read_said(path, run_id, _ANEW), where)
    weights: dict[str, Tensor] = {}
    best: dict[str, Tensor] = {}
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        owner, what, name = split_name(path, key, 3, _ANEW)
        if owner == run_id and what == "projector":
            weights[name] = value
        elif owner == run_id and what == "best":
            best[name] = value.to(next(state.projector.parameters()).device)
        elif owner == run_id:
            moment_of(path, name, moments, value, _ANEW)
    check_shapes(path, state.projector.state_dict(), weights, _ANEW)
    check_moments(path, state.optimiser, moments, _ANEW)
    metrics = metrics_of(said.metrics, where)
    looks = None
    if said.looks is not None:
        if [type(one) for one in said.looks] != [float, int, int]:
            raise DataError(f"{where}: looks must be loss, step and looks since; {_ANEW}")
        if best:  # none before the first look that was better than nothing
            check_shapes(path, weights, best, _ANEW)
        loss, step, n_since = said.looks
        looks = Looks(loss, step, best, n_since)
    state.projector.load_state_dict(weights)
    packed = state.optimiser.state_dict()
    packed["state"] = moments
    state.optimiser.load_state_dict(packed)
    state.step, state.seconds, state.metrics = said.step, said.seconds, metrics
    state.looks = looks if looks is not None else state.looks
