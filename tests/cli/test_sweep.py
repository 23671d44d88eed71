"""`xmodal sweep` from the outside: plans, tasks here and on a cluster, going on where it was."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.tiny_store import Tiny
from xmodal.store import Store
from xmodal.sweep.folder import SweepFolder, find_sweep
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


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Commands of a cluster that takes jobs and shows what the file `queue` says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "queue").touch()
    scripts = {
        "srun": "exit 1",
        "sbatch": f"cat $1 >> {folder}/submitted; echo x >> {folder}/n; "
        f"echo Submitted batch job 7$(wc -l < {folder}/n)",
        "squeue": f"cat {folder}/queue",
        "scancel": f"echo $@ >> {folder}/cancelled",
    }
    for name, line in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def test_two_tasks_at_a_time_here_train_each_run_once(world: Tiny) -> None:
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


def begun(world: Tiny, cluster: Path, seeds: str = "1,2") -> SweepFolder:
    """A sweep on the cluster, in two tasks."""
    done = world.call(
        "sweep", "run", *options(world, seeds), "--runs-per-task", "2", "--executor", "slurm",
        "--gpus", "1", "--cpus", "4", "--time", "60", "--workers", "1", "--partition", "short",
        "--sbatch", "constraint=a100", "--setup", "module load cuda",
    )  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert "2 tasks submitted as job 71" in done.stdout
    return find_sweep(world.store, None)


def test_the_cluster_gets_one_array_and_what_was_asked_for(world: Tiny, cluster: Path) -> None:
    begun(world, cluster)
    script = (cluster / "submitted").read_text()
    for line in (
        "--array=0-1%1", "--gpus-per-node=1", "--cpus-per-task=4", "--time=60",
        "--partition=short", "--constraint=a100", "--requeue", "--signal=USR2@90",
    ):  # fmt: skip
        assert f"#SBATCH {line}" in script
    assert script.index("module load cuda") < script.index("srun")
    # what waits or runs is left alone
    (cluster / "queue").write_text("71_0|RUNNING|None\n71_1|PENDING|Resources\n")
    found = rows(world, "sweep", "status")
    assert [(one["state"], one["line"]) for one in found] == [
        ("running", None),
        ("waiting", "Resources"),
    ]
    again = ("sweep", "run", "--sweep", find_sweep(world.store, None).path.name[:6])
    assert "2 tasks are under way: left alone" in world.call(*again, "--executor", "slurm").stdout
    assert (cluster / "n").read_text().count("x") == 1


def test_a_task_needs_the_folders_alone_and_goes_on(
    world: Tiny, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(world, cluster)
    # the store is somebody else's now
    hidden = world.store.rename(world.store.with_suffix(".away"))
    monkeypatch.chdir(world.store.parent)
    run_task(folder, 0)
    progress = folder.progress(0)
    assert progress is not None
    assert (progress.finished, progress.error, len(progress.runs)) == (True, None, 2)
    hidden.rename(world.store)
    (cluster / "queue").write_text("71_1|RUNNING|None\n")
    found = rows(world, "sweep", "status")
    assert [(one["state"], one["n_done"]) for one in found] == [("done", 2), ("running", 0)]
    # the other ended without a word: it is handed out again, alone
    (cluster / "queue").write_text("71_1|FAILED|NonZeroExitCode\n")
    assert rows(world, "sweep", "status")[1]["line"] == "FAILED"
    again = world.call("sweep", "run", "--sweep", folder.path.name, "--executor", "slurm")
    assert "1 tasks submitted as job 72" in again.stdout
    assert [one.tasks for _, one in folder.submissions()] == [(0, 1), (1,)]


def test_a_submission_that_was_interrupted_is_cancelled_and_made_anew(
    world: Tiny, cluster: Path
) -> None:
    folder = begun(world, cluster)
    ((path, submission),) = folder.submissions()
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"job_ids": []}))
    (cluster / "queue").write_text("71_0|RUNNING|None\n71_1|PENDING|None\n")
    again = world.call("sweep", "run", "--sweep", folder.path.name, "--executor", "slurm")
    assert "2 tasks submitted as job 72" in again.stdout
    assert (cluster / "cancelled").read_text().split() == ["71_0", "71_1"]
    ((_, renewed),) = folder.submissions()
    assert renewed.job_ids == ("72_0", "72_1")
    assert renewed.tasks == submission.tasks


def test_cancelled_tasks_are_told_from_failed_ones(world: Tiny, cluster: Path) -> None:
    folder = begun(world, cluster)
    (cluster / "queue").write_text("71_0|RUNNING|None\n71_1|PENDING|None\n")
    assert world.call("sweep", "cancel", "--task", "1").stdout == "task 1 cancelled (job 71_1)\n"
    assert (cluster / "cancelled").read_text() == "71_1\n"
    (cluster / "queue").write_text("")
    assert [one["state"] for one in rows(world, "sweep", "status")] == ["failed", "cancelled"]
    assert world.call("sweep", "cancel").stdout == "no task waits or runs\n"
    assert folder.stop.exists()


def test_a_user_s_error_is_the_task_s_line(
    world: Tiny, cluster: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = begun(world, cluster)
    monkeypatch.chdir(world.store.parent)
    (cells,) = (folder.path / "inputs" / world.manifests[0]).glob("cells.parquet")
    cells.write_bytes(b"nothing")
    with pytest.raises(Exception, match="cannot be read as Parquet"):
        run_task(folder, 0)
    found = rows(world, "sweep", "status")[0]
    assert found["state"] == "failed"
    assert "cells.parquet cannot be read as Parquet" in found["line"]


def test_what_is_given_wrong_is_one_line(world: Tiny, tmp_path: Path) -> None:
    for arguments, said in (
        (("plan",), "give one of a sweep's file, --paper, or options"),
        (("plan", "x.toml", "--lm", "y"), "give one of a sweep's file"),
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
