"""Where a sweep's tasks run and what each gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from taxonomy.errors import ConfigError
from taxonomy.model import one_of

LOCAL, SLURM = "local", "slurm"
REQUEUES = 100
"""How often a task may run out of its time and be queued again."""
_OWN = {
    "cpus_per_task": "--cpus", "gpus_per_node": "--gpus, or --gpus 0 and --sbatch gres=gpu:TYPE:N",
    "mem": "--memory-gb", "time": "--time", "partition": "--partition", "account": "--account",
    "qos": "--qos", "job_name": "", "array": "", "output": "", "error": "", "open_mode": "",
    "signal": "", "nodes": "", "ntasks_per_node": "", "requeue": "",
}  # fmt: skip
"""Options of sbatch that other settings decide, and which."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What a task gets, and how many there are at a time."""

    executor: str = LOCAL
    workers: int | None = None
    """Tasks at a time; None for one on this machine, for as many as SLURM gives there."""
    retries: int = 2
    """How often a task that failed is started anew, where it was."""
    gpus: int | None = None
    """Of a task; None for one where torch finds one here, else none."""
    cpus: int | None = None
    """Of a task; None for its share of this machine's, or what SLURM gives."""
    memory_gb: float | None = None
    time_min: int | None = None
    """Minutes of a task on SLURM, after which it is queued again; None for what is estimated."""
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    setup: tuple[str, ...] = ()
    """Shell commands before each task, such as "module load cuda"."""
    sbatch: Mapping[str, str] = field(default_factory=dict)
    """Any other option of sbatch, by name."""

    def __post_init__(self) -> None:
        one_of("executor", self.executor, (LOCAL, SLURM))
        for name, least in (
            ("workers", 1), ("retries", 0), ("gpus", 0), ("cpus", 1), ("time_min", 1),
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name} must be at least {least}, got {value}")
        if self.memory_gb is not None and not self.memory_gb > 0:
            raise ConfigError(f"memory_gb must be above 0, got {self.memory_gb}")
        self.further()

    def further(self) -> dict[str, Any]:
        """Other options of sbatch, as submitit wants them; one without a value is a switch."""
        said = {name.replace("-", "_"): value or True for name, value in self.sbatch.items()}
        for name in said:
            if name in _OWN:
                mine = _OWN[name]
                raise ConfigError(
                    f"--sbatch {name} is set by xmodal itself"
                    + (f": give {mine}" if mine else ": leave it out")
                )
        return said

    @property
    def gpus_wanted(self) -> int:
        """GPUs of a task."""
        if self.gpus is not None:
            return self.gpus
        import torch

        return int(torch.cuda.is_available())
