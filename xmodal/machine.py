"""What the machine allows."""

from __future__ import annotations

import os

from taxonomy.errors import ConfigError


def is_out_of_memory(error: Exception) -> bool:
    """Whether CUDA or the CPU's allocator had no memory left; torch has no class for the latter."""
    import torch

    words = ("allocate memory", "not enough memory")
    return isinstance(error, torch.OutOfMemoryError) or any(w in str(error) for w in words)


def n_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
