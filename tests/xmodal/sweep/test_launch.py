"""What is called on a node: a child that is started anew, or ended when the job must make way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from xmodal.sweep import launch
from xmodal.sweep.launch import TaskCall, TaskFailedError

CHILD = """
import os, pathlib, signal, sys, time
folder, number = pathlib.Path(sys.argv[-2]), sys.argv[-1]
log = folder / "log"
log.write_text((log.read_text() if log.exists() else "") + "x")
n = len(log.read_text())
plan = (folder / "plan").read_text().split()
what = plan[min(n, len(plan)) - 1]
if what == "wait":
    time.sleep(60)
if what == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (folder / "ready").touch()
    time.sleep(60)
if what.startswith("kill"):
    os.kill(os.getpid(), int(what[4:]))
sys.exit(int(what))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A sweep's folder whose tasks end as the file `plan` says, one word an attempt."""
    child = tmp_path / "child.py"
    child.write_text(CHILD)
    monkeypatch.setattr(launch, "COMMAND", (sys.executable, str(child)))
    return tmp_path


def attempts(folder: Path) -> int:
    return len((folder / "log").read_text())


@pytest.mark.parametrize(
    ("plan", "n_attempts"),
    [("0", 1), ("2 0", 2), ("kill9 kill11 0", 3)],
)
def test_what_failed_is_started_anew(folder: Path, plan: str, n_attempts: int) -> None:
    (folder / "plan").write_text(plan)
    assert TaskCall(str(folder), 0, retries=2)() == n_attempts - 1
    assert attempts(folder) == n_attempts


@pytest.mark.parametrize(
    ("plan", "n_attempts", "said"),
    [
        ("2", 3, "task 0 failed 3 times"),
        ("kill15 0", 1, "task 0 was stopped from outside"),
    ],
)
def test_there_is_an_end_to_it(folder: Path, plan: str, n_attempts: int, said: str) -> None:
    (folder / "plan").write_text(plan)
    with pytest.raises(TaskFailedError, match=said):
        TaskCall(str(folder), 0, retries=2)()
    assert attempts(folder) == n_attempts


def test_what_the_user_must_mend_is_not_tried_again(folder: Path) -> None:
    (folder / "plan").write_text("1")
    (folder / "tasks" / "0003").mkdir(parents=True)
    said = {"error": "no such LM", "user_error": True}
    (folder / "tasks" / "0003" / "progress.json").write_text(json.dumps(said))
    with pytest.raises(TaskFailedError, match="task 3: no such LM"):
        TaskCall(str(folder), 3, retries=2)()
    assert attempts(folder) == 1


@pytest.mark.parametrize("plan", ["wait", "deaf"])
def test_a_signal_ends_the_child_while_it_is_waited_for(folder: Path, plan: str) -> None:
    # in a process of its own, whose handler calls checkpoint as submitit's does
    (folder / "plan").write_text(plan)
    script = f"""
import os, signal, sys, threading, time
from xmodal.sweep import launch
launch.COMMAND = (sys.executable, {str(folder / "child.py")!r})
launch._GRACE_S = 0.2
call = launch.TaskCall({str(folder)!r}, 0, 2)
def handler(signum, frame):
    again = call.checkpoint().function
    print(again.number, again.retries, again._child, flush=True)
    sys.exit(9)
signal.signal(signal.SIGUSR2, handler)
def send():
    while call._child is None or not os.path.exists({str(folder / "log")!r}):
        time.sleep(0.02)
    while {plan == "deaf"} and not os.path.exists({str(folder / "ready")!r}):
        time.sleep(0.02)
    print(call._child.pid, flush=True)
    os.kill(os.getpid(), signal.SIGUSR2)
threading.Thread(target=send, daemon=True).start()
call()
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 9, done.stderr
    pid, *again = done.stdout.split()
    assert again == ["0", "2", "None"]
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), signal.SIGCONT)
