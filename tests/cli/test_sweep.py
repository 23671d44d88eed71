"""`xmodal sweep` from the outside: plans, tasks here and on a cluster, going on where it was."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from taxonomy.errors import DataError
from tests.cli.tiny_store import Tiny
from xmodal.store import Store
from xmodal.sweep.folder import SweepFolder, find_sweep
from xmodal.sweep.plan import Plan, Task
from xmodal.sweep.run import begin
from xmodal.sweep.task import run_task

pytestmark = pytest.mark.usefixtures("one_thread")
QUICK = ("--set", "epochs=3", "--set", "batch_size=6", "--recipe", "embedded")


def options(world: Tiny, seeds: str = "1,2") -> tuple[str, ...]:
    """Two manifests, so many seeds."""
    manifests = [part for one in world.manifests for part in ("--manifest", one)]
    return (*manifests, "--lm", str(world.lm), "--seeds", seeds, *QUICK)


def rows(world: Tiny, *arguments: str) -> list[dict[str, Any]]:
    done = world.call(*arguments, "--format", "json")
    assert done.exit_code == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def n_runs(world: Tiny) -> int:
    with Store.open(world.store, read_only=True) as store:
        return store.runs().num_rows


def commands(folder: Path) -> Path:
    """Commands of a cluster that takes jobs and shows what the file `queue` says."""
    folder.mkdir()
    (folder / "queue").touch()
    scripts = {
        "srun": "exit 1",
        "sbatch": f"env > {folder}/env; cat $1 >> {folder}/submitted; echo x >> {folder}/n; "
        f"echo Submitted batch job 7$(wc -l < {folder}/n)",
        "squeue": f"cat {folder}/queue",
        "scancel": f"echo $@ >> {folder}/cancelled",
    }
    for name, line in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def once(made: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A sweep of two tasks that was submitted to the cluster."""
    folder = tmp_path_factory.mktemp("submitted")
    (folder / "store").mkdir()
    world = made.copy(folder / "store")
    assert world.call("features", "extract").exit_code == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{commands(folder / 'bin')}:{os.environ['PATH']}")
        done = world.call(
            "sweep", "run", *options(world), "--runs-per-task", "2", "--executor", "slurm",
            "--gpus", "1", "--cpus", "4", "--time", "60", "--workers", "1",
            "--partition", "short", "--sbatch", "constraint=a100", "--setup", "module load cuda",
        )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "2 tasks submitted as job 71" in done.stdout
    return world


@dataclass(frozen=True)
class Submitted:
    """A copy of it, with a cluster of its own."""

    world: Tiny
    bin: Path

    @property
    def folder(self) -> SweepFolder:
        return find_sweep(self.world.store, None)

    def queue(self, *lines: str) -> None:
        (self.bin / "queue").write_text("".join(f"{line}\n" for line in lines))

    def again(self) -> str:
        """What the command says when it is given again."""
        given = ("sweep", "run", "--sweep", self.folder.path.name[:6], "--executor", "slurm")
        done = self.world.call(*given)
        assert done.exit_code == 0, done.stderr
        return done.stdout

    def status(self) -> list[dict[str, Any]]:
        return rows(self.world, "sweep", "status")


@pytest.fixture
def submitted(once: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Submitted:
    shutil.copytree(once.store.parent.parent, tmp_path / "own")
    shutil.rmtree(tmp_path / "own" / "bin")
    bin_ = commands(tmp_path / "own" / "bin")
    shutil.copy(once.store.parent.parent / "bin" / "submitted", bin_)
    shutil.copy(once.store.parent.parent / "bin" / "n", bin_)
    monkeypatch.setenv("PATH", f"{bin_}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    world = Tiny(tmp_path / "own" / "store" / once.store.name, once.lm, once.manifests)
    return Submitted(world, bin_)


def test_two_tasks_at_a_time_here_train_each_run_once(world: Tiny) -> None:
    # a plan extracts nothing
    early = world.call("sweep", "plan", *options(world), "--runs-per-task", "2")
    assert (early.exit_code, world.below()) == (1, {"x.duckdb"})
    assert "has no features yet: extract them first" in early.stderr
    assert world.call("features", "extract").exit_code == 0
    planned = world.call("sweep", "plan", *options(world), "--runs-per-task", "2")
    assert planned.exit_code == 0, planned.stderr
    assert "4 runs, 0 in the store, 4 to deal out, 2 new tasks" in planned.stderr
    assert not (world.store.parent / "sweeps").exists()
    asked = ("sweep", "run", *options(world), "--runs-per-task", "2")
    done = world.call(*asked, "--workers", "2")
    assert done.exit_code == 0, done.stderr
    assert "2 tasks: 2 done; 4 of 4 runs finished" in done.stdout
    assert "4 runs brought in, 0 unchanged" in done.stdout
    assert n_runs(world) == 4
    with Store.open(world.store, read_only=True) as store:
        text = "SELECT DISTINCT manifest_id, seed_init FROM run"
        assert store.query(text).num_rows == 4
    # as `xmodal train` would have made them: it finds them there
    again = world.train("--epochs", "3", "--batch-size", "6", "--seeds", "1,2")
    assert again.stdout.count("is there") == 2
    # given again nothing runs, and a larger sweep leaves out what is there
    assert "2 done; 4 of 4 runs finished" in world.call(*asked).stdout
    more = world.call("sweep", "plan", *options(world, "1,2,3"), "--runs-per-task", "2")
    assert "6 runs, 4 in the store, 2 to deal out, 1 new tasks" in more.stderr
    log = world.call("sweep", "logs", "1").stdout
    assert "trained: " in log


def test_the_cluster_gets_one_array_and_what_was_asked_for(submitted: Submitted) -> None:
    script = (submitted.bin / "submitted").read_text()
    for line in (
        "--array=0-1%1", "--gpus-per-node=1", "--cpus-per-task=4", "--time=60",
        "--partition=short", "--constraint=a100", "--requeue", "--signal=USR2@90",
    ):  # fmt: skip
        assert f"#SBATCH {line}" in script
    assert script.index("module load cuda") < script.index("srun")
    # what waits or runs is left alone
    submitted.queue("71_0|RUNNING|None", "71_1|PENDING|Resources")
    found = submitted.status()
    assert [(one["state"], one["line"]) for one in found] == [
        ("running", None),
        ("waiting", "Resources"),
    ]
    assert "2 tasks are under way: left alone" in submitted.again()
    planned = submitted.world.call(
        "sweep", "plan", *options(submitted.world), "--runs-per-task", "2"
    )
    assert "0 to deal out, 4 in its tasks (xmodal sweep status), 0 new tasks" in planned.stderr
    assert (submitted.bin / "n").read_text().count("x") == 1


def test_a_task_needs_the_folders_alone_and_goes_on(submitted: Submitted) -> None:
    folder, store = submitted.folder, submitted.world.store
    # the store is somebody else's now
    hidden = store.rename(store.with_suffix(".away"))
    run_task(folder, 0)
    progress = folder.progress(0)
    assert progress is not None
    assert (progress.finished, progress.error, len(progress.runs)) == (True, None, 2)
    hidden.rename(store)
    submitted.queue("71_1|RUNNING|None")
    assert [(one["state"], one["n_done"]) for one in submitted.status()] == [
        ("done", 2),
        ("running", 0),
    ]
    # the other ended without a word: it is handed out again, alone
    submitted.queue("71_1|TIMEOUT|TimeLimit")
    assert submitted.status()[1]["line"] == "TIMEOUT"
    assert "1 tasks submitted as job 72" in submitted.again()
    assert [one.tasks for _, one in folder.submissions()] == [(0, 1), (1,)]


def test_a_submission_that_was_interrupted_is_cancelled_and_made_anew(
    submitted: Submitted,
) -> None:
    ((path, before),) = submitted.folder.submissions()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"job_ids": []}))
    submitted.queue("71_0|RUNNING|None", "71_1|PENDING|None")
    assert "2 tasks submitted as job 72" in submitted.again()
    assert (submitted.bin / "cancelled").read_text().split() == ["71_0", "71_1"]
    ((_, renewed),) = submitted.folder.submissions()
    assert renewed.job_ids == ("72_0", "72_1")
    assert renewed.tasks == before.tasks


def test_a_job_that_the_command_is_given_in_gives_its_settings_to_none(
    submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLURM_CONF", "SBATCH_ACCOUNT", "SLURM_MEM_PER_CPU", "SLURM_JOB_ID"):
        monkeypatch.setenv(name, "x")
    submitted.again()
    seen = (submitted.bin / "env").read_text()
    assert "SLURM_CONF=x" in seen
    assert "SBATCH_ACCOUNT=x" in seen
    assert "SLURM_MEM_PER_CPU" not in seen
    assert "SLURM_JOB_ID" not in seen
    assert os.environ["SLURM_JOB_ID"] == "x"


def test_cancelled_tasks_are_told_from_failed_ones(submitted: Submitted) -> None:
    submitted.queue("71_0|RUNNING|None", "71_1|PENDING|None")
    done = submitted.world.call("sweep", "cancel", "--task", "1")
    assert done.stdout == "task 1 cancelled (job 71_1)\n"
    assert (submitted.bin / "cancelled").read_text() == "71_1\n"
    submitted.queue()
    assert [one["state"] for one in submitted.status()] == ["failed", "cancelled"]
    assert submitted.world.call("sweep", "cancel").stdout == "no task waits or runs\n"


def test_a_user_s_error_is_the_task_s_line(submitted: Submitted) -> None:
    folder = submitted.folder
    (folder.path / "inputs" / submitted.world.manifests[0] / "cells.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        run_task(folder, 0)
    found = submitted.status()[0]
    assert found["state"] == "failed"
    assert "cells.parquet cannot be read as Parquet" in found["line"]
    # the command that the line names writes it anew
    assert "submitted as job 72" in submitted.again()
    run_task(folder, 0)
    assert submitted.status()[0]["state"] == "done"


def test_runs_that_another_sweep_has_under_way_are_left_to_it(submitted: Submitted) -> None:
    submitted.queue("71_0|RUNNING|None", "71_1|PENDING|None")
    larger = ("sweep", "plan", *options(submitted.world, "1,2,3"), "--runs-per-task", "2")
    planned = submitted.world.call(*larger)
    assert "6 runs, 0 in the store, 2 to deal out, 1 new tasks" in planned.stderr
    assert f"4 runs wait or run in sweep {submitted.folder.path.name}: left to it" in planned.stderr
    submitted.queue("71_1|PENDING|None")
    assert "4 to deal out, 2 new tasks" in submitted.world.call(*larger).stderr


def test_a_task_that_fails_here_fails_the_command(submitted: Submitted) -> None:
    folder = submitted.folder
    submitted.queue()
    sweep = folder.read()
    gone = replace(sweep.tasks[0].runs[0], lm="/no/such/lm")
    folder.write(replace(sweep, tasks=(replace(sweep.tasks[0], runs=(gone,)),)))
    done = submitted.world.call("sweep", "run", "--sweep", folder.path.name)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "task 0 (/no/such/lm, pretrained) failed: lm '/no/such/lm'" in done.stdout
    assert "tasks failed: 0; see `xmodal sweep logs 0`" in done.stderr


def test_two_commands_at_once_deal_each_run_out_once(submitted: Submitted) -> None:
    folder, store = submitted.folder, submitted.world.store
    sweep = folder.read()
    (folder.path / "sweep.json").unlink()
    jobs = tuple(run.job(store) for task in sweep.tasks for run in task.runs)
    task = Task(jobs=jobs, co_train=1)
    plan = Plan(name="x", jobs=jobs, there={}, dealt=frozenset(), tasks=(task,))
    assert begin(store, plan).path == folder.path
    begin(store, plan)  # planned before the other had begun
    assert [len(task.runs) for task in folder.read().tasks] == [4]


def test_without_squeue_nothing_is_said_of_what_was_submitted(
    submitted: Submitted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    if shutil.which("squeue"):
        pytest.skip("SLURM is installed here")
    done = submitted.world.call("sweep", "status")
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "squeue is not here: ask on a machine of the cluster" in done.stderr


def test_what_is_given_wrong_is_one_line(world: Tiny, tmp_path: Path) -> None:
    for arguments, said in (
        (("plan",), "give one of a sweep's file, --paper, --sweep of one"),
        (("plan", "x.toml", "--lm", "y"), "give one of a sweep's file"),
        (("plan", "x.toml", "--seeds", "1"), "give one of a sweep's file"),
        (("plan", "--paper", "s1", "--prompt", "s1"), "give one of a sweep's file"),
        (("run", "x.toml", "--sweep", "y"), "give one of a sweep's file"),
        (("plan", str(tmp_path / "no.toml")), "no.toml"),
        (("plan", "--paper", "s9"), "paper must be one of s1, got 's9'"),
        (("run", "--paper", "s1"), "of the 90 manifests of the paper's grid: build them"),
        (("plan", "--where", "desing=none"), "desing"),
        (("plan", "--where", "design=none"), "holds no manifest with design=none"),
        (("plan", "--manifest", world.manifests[0], "--features", "x"), "has no features 'x'"),
        (("plan", *options(world), "--set", "epoch=1"), "changes must be of epochs"),
        (("plan", "--lm", "x", "--set", "epochs=a"), "--set epochs must be a number, got 'a'"),
        (("plan", *options(world), "--set", "epochs=1"), "--set has epochs twice"),
        (("run", *options(world), "--executor", "pbs"), "executor must be one of local, slurm"),
        (("run", *options(world), "--memory-gb", "0"), "memory_gb must be above 0"),
        (("plan", *options(world), "--task-hours", "0"), "task_s must be above 0"),
        (
            (
                "run",
                *options(world),
                "--runs-per-task",
                "1",
                "--executor",
                "slurm",
                "--dry-run",
                "--sbatch",
                "job-name=x",
            ),
            "--sbatch job_name is set by xmodal itself: leave it out",
        ),
        (
            (
                "run",
                *options(world),
                "--runs-per-task",
                "1",
                "--executor",
                "slurm",
                "--dry-run",
                "--sbatch",
                "cpus-per-task=8",
            ),
            "--sbatch cpus_per_task is set by xmodal itself: give --cpus",
        ),
        (
            ("features", "--encoder", str(tmp_path / "none"), "--shards", "2"),
            "is none of the package and cannot be loaded",
        ),
        (("status",), "has no sweep yet"),
        (("cancel",), "has no sweep yet"),
        (("logs", "0"), "has no sweep yet"),
        (("run", "--sweep", "abc"), "has no sweep yet"),
    ):
        done = world.call("sweep", *arguments)
        assert (done.exit_code, done.stdout) == (1, ""), arguments
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    assert not (world.store.parent / "sweeps").exists()


def test_without_slurm_the_script_can_be_seen_but_not_submitted(
    world: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.call("features", "extract").exit_code == 0
    monkeypatch.setenv("PATH", "/nowhere")
    asked = ("sweep", "run", *options(world), "--runs-per-task", "4", "--executor", "slurm")
    script = world.call(*asked, "--dry-run", "--gpus", "2")
    assert script.exit_code == 0, script.stderr
    assert "#SBATCH --gpus-per-node=2" in script.stdout
    assert "--array" not in script.stdout  # one task is one job
    assert not (world.store.parent / "sweeps").exists()
    done = world.call(*asked)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "sbatch is not here" in done.stderr
