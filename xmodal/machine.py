"""What the machine allows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from taxonomy.errors import ConfigError

_GROUPS = Path("/sys/fs/cgroup")
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]i?B|B)", re.IGNORECASE | re.ASCII)
_UNITS = {"b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    _UNITS |= {f"{_letter}b": 1000**_power, f"{_letter}ib": 1024**_power}


def is_out_of_memory(error: Exception) -> bool:
    """Whether CUDA or the CPU's allocator had no memory left; torch has no class for the latter."""
    import torch

    words = ("allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error) for w in words)


def n_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_of_machine() -> int:
    """Bytes of memory this process may use: the machine's, or its control group's if less."""
    return min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *_group_limits()])


def _group_limits(proc: Path = Path("/proc/self/cgroup"), root: Path = _GROUPS) -> Iterator[int]:
    """Memory limits of the control group and of those above it, versions 1 and 2 (Linux)."""
    try:
        lines = proc.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, kinds, group = line.split(":", 2)
        if kinds == "":
            top, name = root, "memory.max"
        elif "memory" in kinds.split(","):
            top, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        parts = Path(group.lstrip("/")).parts
        # a container may see its own group as the top one: paths that are not there are passed over
        for depth in range(len(parts), -1, -1):
            try:
                text = top.joinpath(*parts[:depth], name).read_text().strip()
            except OSError:
                continue
            if text.isdecimal():
                yield int(text)


def bytes_meant(given: str) -> int:
    """Bytes of a size such as 2GB, 1.5 GiB or 512MB.

    Raises:
        ConfigError: Not a number with a unit.
    """
    found = _SIZE.fullmatch(given.strip())
    if found is None:
        raise ConfigError(f"a size must be a number and MB, GB, MiB or GiB, got {given!r}")
    return int(float(found["number"]) * _UNITS[found["unit"].lower()])


def device_meant(given: str) -> str:
    """The device of a name; auto is the first GPU, or cpu where there is none.

    Raises:
        ConfigError: torch knows no such device, or does not find it here.
    """
    import torch

    if given == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=given)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {given!r} is not here ({reason}); take cpu") from error
    return given
