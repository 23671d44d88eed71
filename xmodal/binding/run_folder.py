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
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from taxonomy.errors import DataError
from taxonomy.hashing import canonical_json
from xmodal.binding.decoder import Decoder, DecoderConfig
from xmodal.binding.trainer import GroupState, RunState
from xmodal.binding_tables import ACCURACY, ACCURACY_FILE, RUN_WEIGHTS
from xmodal.files import file_sha256, write_whole
from xmodal.run_record import RecordFolder

STATE = "state.safetensors"
STEPS = "steps"
"""Folder of kept weights, STEP.safetensors each."""


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
        return int(self._said(run_id)["step"])

    def _said(self, run_id: str) -> dict[str, Any]:
        path = self.path / STATE
        try:
            with safe_open(path, "pt") as file:
                said: dict[str, Any] = json.loads((file.metadata() or {})["state"])
            if said["run_id"] != run_id:
                raise ValueError(f"it is of run {said['run_id']}, not {run_id}")
        except (OSError, KeyError, ValueError, SafetensorError) as error:
            raise DataError(_no_state(path, error)) from error
        return said

    def load_state(self, run_id: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What was saved: what is said, and the tensors.

        Raises:
            DataError: It is damaged or of another run.
        """
        said = self._said(run_id)
        try:
            return said, load_file(self.path / STATE)
        except (OSError, ValueError, SafetensorError) as error:
            raise DataError(_no_state(self.path / STATE, error)) from error

    def drop_state(self) -> None:
        """Remove the saved state."""
        (self.path / STATE).unlink(missing_ok=True)


def restore(
    state: GroupState, saved: Sequence[tuple[Mapping[str, Any], Mapping[str, Tensor]]]
) -> None:
    """Put saved runs in the place of a fresh group.

    Args:
        state: From Trainer.start(); changed in place.
        saved: One a run, in order, all at the same step.

    Raises:
        DataError: They are of another shape.
    """
    try:
        with torch.no_grad():
            for name, value in state.decoder.named_parameters():
                value.copy_(torch.stack([tensors[f"decoder/{name}"] for _, tensors in saved]))
        for i, optimiser in enumerate(state.optimisers):
            packed = optimiser.state_dict()
            moments: dict[int, dict[str, Tensor]] = {}
            for key, first in saved[0][1].items():
                kind, *rest = key.split("/")
                if kind != "optimiser" or int(rest[0]) != i:
                    continue
                whole = (
                    torch.stack([tensors[key] for _, tensors in saved]) if first.dim() else first
                )
                moments.setdefault(int(rest[1]), {})[rest[2]] = whole
            packed["state"] = moments
            optimiser.load_state_dict(packed)
        said = saved[0][0]
        state.step, state.seconds = int(said["step"]), float(said["seconds"])
        state.drawing_seconds = float(said["drawing_seconds"])
        state.runs = [RunState(**{**one["run"]}) for one, _ in saved]
        for run in state.runs:
            run.metrics = [(int(s), str(n), float(v)) for s, n, v in run.metrics]
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise DataError(
            f"a saved state cannot be resumed from ({reason}); delete the run's folder"
        ) from error


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
    try:
        with safe_open(path, "pt") as file:
            said: dict[str, Any] = json.loads((file.metadata() or {})["xmodal"])
        decoder = Decoder(DecoderConfig(**said["config"]), [0])
        decoder.load_state_dict({n: t[None].float() for n, t in load_file(path).items()})
    except (OSError, KeyError, TypeError, RuntimeError, ValueError, SafetensorError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path} cannot be read ({reason}); delete it to make it anew") from error
    return decoder.eval(), said


def _no_state(path: Path, error: Exception) -> str:
    reason = " ".join(str(error).split())
    return f"{path} cannot be resumed from ({reason}); delete it to train anew"
