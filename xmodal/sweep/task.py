"""What a node does: one task of a sweep, from the sweep's folder alone.

`python -m xmodal.sweep.task FOLDER NUMBER` is what the task's job starts, in a process that may
end in any way and be started anew: runs go on from their last saved states, finished ones are left
alone.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from taxonomy.errors import XmodalError, one_line
from xmodal.features.extract import Part, Work, extract_part
from xmodal.files import make_folder, own
from xmodal.jobs import TrainJob, features_dir, run_specs, runs_dir, shared_groups
from xmodal.machine import device_meant, n_cores
from xmodal.sweep.folder import FEATURES, Progress, SweepFolder, TaskOf, key_of
from xmodal.sweep.launch import tell
from xmodal.vlm.group_run import OnRunStep, run_group

_SAY_EVERY_S = 2.0


@dataclass
class _Teller:
    """Says how far a task is, every few seconds."""

    folder: SweepFolder
    number: int
    n_runs: int
    """Of the task."""
    runs: dict[str, str] = field(default_factory=dict)
    steps: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By run: steps made, and in all."""
    n_made: int = 0
    """Steps made by this process."""
    started: float = field(default_factory=time.monotonic)
    said: float = -_SAY_EVERY_S

    def begin(self, keys: Sequence[str], run_ids: Sequence[str]) -> None:
        """Note the runs that come next."""
        self.runs |= dict(zip(keys, run_ids, strict=True))
        self.say()

    def on_step(self, run_ids: Sequence[str]) -> OnRunStep:
        """What to call after each step of runs that train together."""

        def after(place: int, step: int, total: int, loss: float) -> None:
            self.steps[run_ids[place]] = (step, total)
            self.n_made += 1
            if self.n_made == 1 or time.monotonic() - self.said >= _SAY_EVERY_S:
                self.say()

        return after

    def end(self, run_id: str) -> None:
        """Note that a run is finished; one that was there already makes no steps."""
        if run_id not in self.steps:
            self.n_runs -= 1

    def on_picture(self, done: int, total: int) -> None:
        """What to call after some pictures."""
        before, _ = self.steps.get("pictures", (done, total))
        self.steps["pictures"] = (done, total)
        self.n_made += done - before
        if done == total or time.monotonic() - self.said >= _SAY_EVERY_S:
            self.say()

    def say(self, *, finished: bool = False, error: str | None = None, user: bool = False) -> None:
        """Write the task's progress."""
        self.said = time.monotonic()
        step = sum(one for one, _ in self.steps.values())
        known = [total for _, total in self.steps.values()]
        # runs that have not begun are taken to be like those that have
        unknown = max(0, self.n_runs - len(known)) * sum(known) / max(1, len(known))
        n_steps = round(sum(known) + unknown)
        left = None
        if self.n_made:
            left = (n_steps - step) * (time.monotonic() - self.started) / self.n_made
        self.folder.write_progress(
            self.number,
            Progress(
                runs=dict(self.runs), step=step, n_steps=n_steps,
                seconds_left=None if finished or left is None else round(left, 1),
                host=socket.gethostname(), finished=finished, error=error, user_error=user,
            ),
        )  # fmt: skip


def run_task(folder: SweepFolder, number: int) -> None:
    """Do one task; what is finished of it is left alone.

    Args:
        folder: The sweep's.
        number: Of the task.

    Raises:
        XmodalError: A run cannot be made, or another process has it; the other runs of the task
            are made first.
    """
    sweep = folder.read()
    if Path(sweep.folder).is_dir():  # only relative names of local models need it
        os.chdir(sweep.folder)
    task = sweep.tasks[number]
    make_folder(folder.task_folder(number), "a task's folder")
    with own(folder.task_folder(number), "works on"):
        folder.write_pid(number)
        before = folder.progress(number)
        teller = _Teller(folder, number, max(1, len(task.runs)))
        teller.runs |= dict(before.runs) if before else {}
        teller.say()
        try:
            if task.kind == FEATURES:
                _extract(folder, task, teller)
            else:
                _train(folder, task, folder.beside / sweep.store, teller)
        except XmodalError as error:
            teller.say(error=str(error), user=True)
            raise
        except BaseException as error:
            said = "".join(traceback.format_exception_only(error)).strip()
            teller.say(error=one_line(said.splitlines()[0] if said else repr(error)))
            raise
        teller.say(finished=True)


def _train(folder: SweepFolder, task: TaskOf, store: Path, teller: _Teller) -> None:
    asked = [one.job(store) for one in task.runs]
    jobs = [replace(job, device=device_meant(job.device)) for job in asked]
    failed: list[Exception] = []
    for places in shared_groups(jobs, task.co_train):
        part = [jobs[i] for i in places]
        try:
            _train_group(folder, part, [key_of(asked[i]) for i in places], teller)
        except XmodalError as error:
            failed.append(error)
            tell(f"error: {error}")
        except Exception as error:
            failed.insert(0, error)
            traceback.print_exc()
    if failed:
        # what may go well the next time comes before what the user must mend
        raise failed[0]


def _train_group(
    folder: SweepFolder, jobs: Sequence[TrainJob], keys: Sequence[str], teller: _Teller
) -> None:
    specs = run_specs(jobs, folder.inputs)
    run_ids = [spec.run_id for spec in specs]
    teller.begin(keys, run_ids)
    for result in run_group(specs, runs_dir(jobs[0].store), teller.on_step(run_ids)):
        tell(f"{result.run_id} {'trained' if result.trained else 'is there'}: {result.path}")
        teller.end(result.run_id)


def _extract(folder: SweepFolder, task: TaskOf, teller: _Teller) -> None:
    assert task.config is not None
    assert task.part is not None
    assert task.dataset_id is not None
    taxonomy = folder.inputs.load_taxonomy(task.dataset_id)
    extract_part(
        taxonomy,
        task.config,
        features_dir(folder.beside / "store"),
        Part(*task.part),
        progress=teller.on_picture,
        work=Work(device=device_meant(task.device), skip_bad=task.skip_bad, workers=None),
        say=tell,
    )


def _end_with_parent() -> None:
    """End this process as soon as the one that holds the other end of its stdin has ended."""

    def wait() -> None:
        # not through sys.stdin: a thread that waits in its lock breaks the end of the process
        while os.read(0, 1024):
            pass
        os._exit(1)

    threading.Thread(target=wait, name="end with parent", daemon=True).start()


def main() -> None:
    """The process of one task: exit status 0, 1 for what the user can mend, 2 for anything else."""
    parser = argparse.ArgumentParser(description="One task of a sweep.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("number", type=int)
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    _end_with_parent()
    import torch

    torch.set_num_threads(asked.threads or n_cores())
    try:
        run_task(SweepFolder(asked.folder), asked.number)
    except XmodalError as error:
        tell(f"error: {error}")
        sys.exit(1)
    except Exception:
        traceback.print_exc()
        sys.exit(2)


if __name__ == "__main__":
    main()
