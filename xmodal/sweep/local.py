"""A sweep's tasks on this machine, in processes that submitit starts."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import warnings
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from taxonomy.errors import ConfigError
from xmodal.files import make_folder
from xmodal.machine import n_cores
from xmodal.provenance import now
from xmodal.sweep.folder import Submission, SweepFolder
from xmodal.sweep.launch import TaskCall
from xmodal.sweep.resources import LOCAL, REQUEUES, Resources

_LOOK_S = 0.1
_FOREVER_MIN = 60 * 24 * 365
"""Minutes that a local task may take."""


def run_local(folder: SweepFolder, numbers: Sequence[int], resources: Resources) -> Iterator[int]:
    """Do tasks on this machine, some at a time, in processes that share its cores.

    Interrupted, it ends what it has started.

    Yields:
        Each task as it ends, well or not.
    """
    import submitit

    make_folder(folder.jobs, "a sweep's folder of jobs")
    workers = min(resources.workers or 1, len(numbers))
    threads = resources.cpus or max(1, n_cores() // max(1, workers))
    executor = submitit.LocalExecutor(folder.jobs, max_num_timeout=REQUEUES)
    waiting = deque(numbers)
    slots: dict[int, tuple[int, Any]] = {}
    try:
        while waiting or slots:
            if folder.stop.exists():
                waiting.clear()
            while waiting and len(slots) < workers:
                slot = min(set(range(workers)) - slots.keys())
                number = waiting.popleft()
                slots[slot] = number, _start(folder, executor, number, slot, resources, threads)
            for slot, (number, job) in list(slots.items()):
                if job.done():
                    del slots[slot]
                    yield number
            time.sleep(_LOOK_S)
    finally:
        for _, job in slots.values():
            job.cancel()


def _start(
    folder: SweepFolder, executor: Any, number: int, slot: int, resources: Resources, threads: int
) -> Any:
    n_gpus = resources.gpus_wanted
    visible = _visible(slot, n_gpus)
    executor.update_parameters(
        timeout_min=resources.time_min or _FOREVER_MIN, stderr_to_stdout=True,
        setup=list(resources.setup), gpus_per_node=n_gpus, visible_gpus=visible,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        job = executor.submit(TaskCall(str(folder.path), number, resources.retries, threads))
    folder.add_submission(
        Submission(
            executor=LOCAL, name="", tasks=(number,), job_ids=(str(job.job_id),),
            host=socket.gethostname(), at=now(),
        )
    )  # fmt: skip
    return job


def _visible(slot: int, n_gpus: int) -> tuple[int, ...]:
    """The GPUs of a place among the tasks at a time, round the machine's if there are too few."""
    if not n_gpus:
        return ()
    said = [one.strip() for one in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if one]
    if not all(one.isdecimal() for one in said):
        raise ConfigError(
            f"CUDA_VISIBLE_DEVICES must name GPUs by numbers, got {','.join(said)}: set numbers, "
            "or give --gpus 0 and --workers 1"
        )
    import torch

    here = [int(one) for one in said] or list(range(torch.cuda.device_count()))
    if len(here) < n_gpus:
        raise ConfigError(f"gpus must be at most the {len(here)} of this machine, got {n_gpus}")
    return tuple(here[(slot * n_gpus + k) % len(here)] for k in range(n_gpus))


def cancel_local(folder: SweepFolder, number: int, controller: int) -> bool:
    """End a task of this machine: its process, or the one that is about to start it.

    Returns:
        Whether there was one to end.
    """
    pid = folder.pid(number)
    if pid is not None and is_process(pid, "xmodal.sweep.task", str(folder.path)):
        os.kill(pid, signal.SIGTERM)
        return True
    if is_process(controller, "submitit.local._local", str(folder.path)):
        os.kill(controller, signal.SIGINT)
        return True
    return False


def is_process(pid: int, *words: str) -> bool:
    """Whether a process of this machine has these words in its command line."""
    command = ["ps", "-p", str(pid), "-ww", "-o", "command="]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return all(word in done.stdout for word in words)
