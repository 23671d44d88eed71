"""The folder of a decoder's run: its record, weights, curves, and its state while it trains."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import save_file
from torch import Tensor

from taxonomy.errors import DataError
from taxonomy.hashing import canonical_json
from taxonomy.reading import record_of, value_of
from xmodal.binding.decoder import Decoder, DecoderConfig
from xmodal.binding.trainer import GroupState, RunState
from xmodal.binding_tables import ACCURACY, ACCURACY_FILE, RUN_WEIGHTS
from xmodal.files import file_sha256, write_whole
from xmodal.run_record import RecordFolder, metrics_of
from xmodal.tensors import (
    check_moments,
    check_shapes,
    damaged,
    moment_of,
    read_said,
    read_tensors,
    split_name,
)

STATE = "state.safetensors"
STEPS = "steps"
"""Folder of kept weights, STEP.safetensors each."""


_ANEW = "delete it to train anew"


@dataclass(frozen=True, kw_only=True)
class SavedState:
    """What the header of a saved state says."""

    run_id: str
    step: int
    seconds: float
    drawing_seconds: float
    run: RunState
    path: Path
    """Of the file."""


@dataclass(frozen=True)
class BindingFolder(RecordFolder):
    """runs/<run_id>/ with run.json, metrics, accuracies, weights and, while it trains, state."""

    FILES = ("metrics.parquet", ACCURACY_FILE, RUN_WEIGHTS)

    def write_accuracy(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """accuracy.parquet."""
        table = pa.Table.from_pylist([dict(row) for row in rows], schema=ACCURACY)
        write_whole(self.path / ACCURACY_FILE, lambda path: pq.write_table(table, path))

    def save_decoder(self, decoder: Decoder, run: int, said: Mapping[str, Any]) -> str:
        """The trained weights of one run; returns their sha256.

        Args:
            decoder: Of the group.
            run: Which slice.
            said: What to know of them beside their shape: run_id, marker and so on.
        """
        path = self.path / RUN_WEIGHTS
        save_decoder(path, decoder.slice(run), said)
        return file_sha256(path)

    def keep(self, decoder: Decoder, run: int, step: int, said: Mapping[str, Any]) -> None:
        """The weights at a step."""
        (self.path / STEPS).mkdir(parents=True, exist_ok=True)
        save_decoder(self.path / STEPS / f"{step}.safetensors", decoder.slice(run), said)

    def kept(self) -> dict[int, Path]:
        """Kept weights by step."""
        there = (self.path / STEPS).glob("*.safetensors")
        found = {int(path.stem): path for path in there if path.stem.isdecimal()}
        return dict(sorted(found.items()))

    def save_state(self, run_id: str, state: GroupState, run: int) -> None:
        """Everything that this run needs to go on with the same bits."""
        tensors = {f"decoder/{n}": t[run] for n, t in state.decoder.named_parameters()}
        for i, optimiser in enumerate(state.optimisers):
            for index, moments in optimiser.state_dict()["state"].items():
                for name, value in moments.items():
                    kept = torch.as_tensor(value)
                    tensors[f"optimiser/{i}/{index}/{name}"] = kept[run] if kept.dim() else kept
        of = state.runs[run]
        said = {
            "run_id": run_id,
            "step": state.step,
            "seconds": state.seconds,
            "drawing_seconds": state.drawing_seconds,
            "run": {one.name: getattr(of, one.name) for one in fields(RunState)},
        }
        made = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        header = {"state": json.dumps(said)}
        self.path.mkdir(parents=True, exist_ok=True)
        write_whole(self.path / STATE, lambda path: save_file(made, path, metadata=header))

    def saved_step(self, run_id: str) -> int:
        """Steps that the saved state has behind it; 0 without one.

        Raises:
            DataError: It is damaged or of another run.
        """
        if not (self.path / STATE).is_file():
            return 0
        return self._said(run_id).step

    def _said(self, run_id: str) -> SavedState:
        path = self.path / STATE
        content = read_said(path, "state", _ANEW)
        where = f"the state in {path}"
        run = value_of(dict[str, Any], content.get("run"), f"run of {where}")
        metrics = metrics_of(run.get("metrics"), where)
        told = record_of(RunState, {**run, "metrics": []}, f"run of {where}")
        told.metrics = metrics
        said = record_of(SavedState, content, where, run=told, path=path)
        if said.run_id != run_id:
            raise damaged(path, f"it is of run {said.run_id}, not {run_id}", _ANEW)
        return said

    def load_state(self, run_id: str) -> tuple[SavedState, dict[str, Tensor]]:
        """What was saved: what is said, and the tensors.

        Raises:
            DataError: It is damaged or of another run.
        """
        return self._said(run_id), read_tensors(self.path / STATE, _ANEW)

    def drop_state(self) -> None:
        """Remove the saved state."""
        (self.path / STATE).unlink(missing_ok=True)


def restore(
    state: GroupState,
    saved: Sequence[tuple[SavedState, Mapping[str, Tensor]]],
) -> None:
    """Put saved runs in the place of a fresh group.

    Args:
        state: From Trainer.start(); changed in place.
        saved: One a run, in order, all at the same step.

    Raises:
        DataError: They are of another shape.
    """
    weights = dict(state.decoder.named_parameters())
    want = {f"decoder/{name}": value[0] for name, value in weights.items()}
    for one, tensors in saved:
        got = {name: value for name, value in tensors.items() if name.startswith("decoder/")}
        check_shapes(one.path, want, got, _ANEW)
        check_shapes(one.path, saved[0][1], tensors, _ANEW)
    path = saved[0][0].path
    moments = [_moments(i, saved, path) for i in range(len(state.optimisers))]
    for optimiser, of in zip(state.optimisers, moments, strict=True):
        check_moments(path, optimiser, of, _ANEW)
    with torch.no_grad():
        for name, value in weights.items():
            value.copy_(torch.stack([tensors[f"decoder/{name}"] for _, tensors in saved]))
    for optimiser, of in zip(state.optimisers, moments, strict=True):
        packed = optimiser.state_dict()
        packed["state"] = of
        optimiser.load_state_dict(packed)
    said = saved[0][0]
    state.step, state.seconds = said.step, said.seconds
    state.drawing_seconds = said.drawing_seconds
    state.runs = [one.run for one, _ in saved]


def _moments(
    number: int, saved: Sequence[tuple[SavedState, Mapping[str, Tensor]]], path: Path
) -> dict[int, dict[str, Tensor]]:
    """What an optimiser of the group kept, the runs' shares behind one another."""
    moments: dict[int, dict[str, Tensor]] = {}
    for key, first in saved[0][1].items():
        kind, rest = split_name(path, key, 2, _ANEW)
        if kind == "decoder":
            continue
        which, name = split_name(path, rest, 2, _ANEW)
        if kind != "optimiser" or which != str(number):
            continue
        whole = torch.stack([tensors[key] for _, tensors in saved]) if first.dim() else first
        moment_of(path, name, moments, whole, _ANEW)
    return moments


def save_decoder(path: Path, decoder: Decoder, said: Mapping[str, Any]) -> None:
    """Weights of one run; equal weights and words give equal bytes."""
    tensors = {
        name: value.detach().cpu()[0].contiguous() for name, value in decoder.named_parameters()
    }
    text = canonical_json({"config": decoder.config.as_dict(), **said})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, lambda one: save_file(tensors, one, metadata={"xmodal": text}))


def load_decoder(path: Path) -> tuple[Decoder, dict[str, Any]]:
    """A decoder of one run, fp32 on the CPU, and what was said of it.

    Raises:
        DataError: There is none, or it is damaged.
    """
    if not path.is_file():
        raise DataError(f"{path} is missing: the run is not finished, or its folder lost it")
    advice = "delete it to make it anew"
    said = read_said(path, "xmodal", advice)
    config = record_of(DecoderConfig, said.get("config"), f"config in the header of {path}")
    tensors = read_tensors(path, advice)
    n_found = sum(value.numel() for value in tensors.values())
    if n_found != config.n_params():  # before weights of any size are drawn
        raise damaged(path, f"it must hold {config.n_params()} numbers, got {n_found}", advice)
    decoder = Decoder(config, [0])
    given = {name: value[None].float() for name, value in tensors.items()}
    check_shapes(path, decoder.state_dict(), given, advice)
    decoder.load_state_dict(given)
    return decoder.eval(), said
