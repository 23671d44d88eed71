"""Runs that share LM and features, from manifests to run folders; reused or resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError
from taxonomy.hashing import content_id
from xmodal.files import own_runs
from xmodal.vlm.checkpoint import Checkpoint, group_checkpoint
from xmodal.vlm.co_train import TrainGroup
from xmodal.vlm.experiment import Prepared, RunResult, RunSpec, finish, prepare
from xmodal.vlm.run_folder import RunFolder
from xmodal.vlm.trainer import TrainState

SAVE_EVERY_S = 20.0
"""Seconds between two saved states."""

OnRunStep = Callable[[int, int, int, float], None]
"""Called with (place of the run among the specs, step, steps in all, loss)."""


@dataclass(frozen=True, kw_only=True)
class _Member:
    """One run of a group."""

    place: int
    """Among the specs given."""
    prepared: Prepared
    state: TrainState

    @property
    def run_id(self) -> str:
        return self.prepared.spec.run_id


def run_group(
    specs: Sequence[RunSpec], runs_dir: Path, on_step: OnRunStep | None = None
) -> list[RunResult]:
    """Train and evaluate runs together, but for those whose folders hold the finished run.

    Runs that were stopped go on from their last saved states, with the same bits on CPU, if they
    are asked for together again; one whose folder lost a file is made again. No other process can
    train the same runs meanwhile.

    Args:
        specs: What to run; one LM, one feature set.
        runs_dir: Folder of run folders.
        on_step: Called after each step of each run.

    Returns:
        One result a spec, in their order.

    Raises:
        ConfigError: A run's loss is no number any more (the others are finished first), or one
            run alone does not fit in memory.
        DataError: A file of a run folder is damaged, or another process trains a run.
    """
    records = _records(specs, runs_dir)
    pending = [i for i, spec in enumerate(specs) if not _is_done(spec, runs_dir, records)]
    with own_runs({runs_dir / specs[i].run_id for i in pending}):
        records = _records(specs, runs_dir)
        pending = [i for i in pending if not _is_done(specs[i], runs_dir, records)]
        _train_pending(specs, pending, records, runs_dir, on_step)
    return [
        RunResult(spec.run_id, runs_dir / spec.run_id, trained=i in pending)
        for i, spec in enumerate(specs)
    ]


def _records(specs: Sequence[RunSpec], runs_dir: Path) -> dict[str, dict[str, Any] | None]:
    """What the folders of runs say so far, by run."""
    return {spec.run_id: RunFolder(runs_dir / spec.run_id).record() for spec in specs}


def _train_pending(
    specs: Sequence[RunSpec],
    pending: Sequence[int],
    records: dict[str, dict[str, Any] | None],
    runs_dir: Path,
    on_step: OnRunStep | None,
) -> None:
    """Train, group by group, the runs of some places, whose folders this process has."""
    failed: list[ConfigError] = []
    for group_id, places in _groups(specs, pending, records, runs_dir).items():
        members = _members(specs, places, records, runs_dir)
        checkpoint = _checkpoint(group_id, members, runs_dir)
        checkpoint.load({one.run_id: one.state for one in members})
        failed += _train(members, group_id, runs_dir, on_step)
    if failed:
        raise failed[0]


def run(
    spec: RunSpec, runs_dir: Path, on_step: Callable[[int, int, float], None] | None = None
) -> RunResult:
    """Train and evaluate one run by itself; see run_group.

    Args:
        spec: What to run.
        runs_dir: Folder of run folders.
        on_step: Called with (step, steps in all, loss) after each step.
    """

    def after(_: int, step: int, total: int, loss: float) -> None:
        if on_step is not None:
            on_step(step, total, loss)

    return run_group([spec], runs_dir, after)[0]


def _is_done(spec: RunSpec, runs_dir: Path, records: dict[str, dict[str, Any] | None]) -> bool:
    record = records[spec.run_id]
    whole = RunFolder(runs_dir / spec.run_id).is_whole()
    return record is not None and record.get("status") == "finished" and whole


def _groups(
    specs: Sequence[RunSpec],
    pending: Sequence[int],
    records: dict[str, dict[str, Any] | None],
    runs_dir: Path,
) -> dict[str | None, list[int]]:
    """The places of the runs to train, by group: those that were stopped, then all others.

    A stopped group goes on with all of its runs, those that are finished too, so that every step
    is the one that it would have been.
    """
    at = {spec.run_id: i for i, spec in enumerate(specs)}
    found: dict[str | None, list[int]] = {}
    left = []
    for i in pending:
        record = records[specs[i].run_id]
        group_id = record.get("co_train_group") if record else None
        ids = group_checkpoint(runs_dir, group_id).run_ids() if group_id else frozenset()
        if ids and specs[i].run_id in ids and ids <= at.keys():
            found[group_id] = sorted(at[run_id] for run_id in ids)
        else:
            left.append(i)
    if len(left) == 1:
        found[None] = left
    elif left:
        found[_group_id([specs[i].run_id for i in left])] = left
    return found


def _group_id(run_ids: Sequence[str]) -> str:
    return content_id({"co_train": sorted(run_ids)})


def _members(
    specs: Sequence[RunSpec],
    places: Sequence[int],
    records: dict[str, dict[str, Any] | None],
    runs_dir: Path,
) -> list[_Member]:
    members = []
    for i in places:
        prepared = prepare(specs[i], runs_dir, records[specs[i].run_id])
        members.append(_Member(place=i, prepared=prepared, state=prepared.trainer.start()))
    return members


def _checkpoint(group_id: str | None, members: Sequence[_Member], runs_dir: Path) -> Checkpoint:
    if group_id is None:
        return RunFolder(runs_dir / members[0].run_id).checkpoint
    return group_checkpoint(runs_dir, group_id)


def _train(
    members: Sequence[_Member], group_id: str | None, runs_dir: Path, on_step: OnRunStep | None
) -> list[ConfigError]:
    """Train to the end and finish each run; the errors of those that did not get there."""
    checkpoint = _checkpoint(group_id, members, runs_dir)
    together = [one.run_id for one in members]
    for one in members:
        one.prepared.begin(one.state, group_id, together)
    group = TrainGroup(tuple(one.prepared.trainer for one in members))
    saved = time.monotonic()

    def after(place: int, state: TrainState, loss: float) -> None:
        if on_step is not None:
            one = members[place]
            trainer = one.prepared.trainer
            total = state.step if trainer.is_done(state) else trainer.n_steps
            on_step(one.place, state.step, total, loss)

    def save() -> None:
        nonlocal saved
        if time.monotonic() - saved >= SAVE_EVERY_S:
            checkpoint.save({one.run_id: one.state for one in members})
            saved = time.monotonic()

    failed = group.run([one.state for one in members], None, after, save)
    for i, one in enumerate(members):
        if i not in failed:
            finish(one.prepared, one.state)
    checkpoint.drop()
    for i, why in failed.items():
        members[i].prepared.fail(members[i].state)
        failed[i] = ConfigError(f"run {members[i].run_id}: {why}")
    return list(failed.values())
