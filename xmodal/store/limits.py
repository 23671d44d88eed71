"""How long a query may take, how much memory, and how many rows it may give."""

from __future__ import annotations

import math
from dataclasses import dataclass

from taxonomy.errors import ConfigError
from xmodal.machine import bytes_meant, memory_of_machine

LEAST_MEMORY_BYTES = 32 * 2**20
"""With less, DuckDB does not come to the first row of anything."""


@dataclass(frozen=True, kw_only=True)
class QueryLimits:
    """What a query may take; where it wants more it is stopped."""

    timeout_s: float = 60.0
    """Seconds from the store being open to the last row."""
    memory_bytes: int | None = None
    """Memory of the query and of its result; None means half of the machine's."""
    rows: int | None = None
    """Rows of the result, the rest is left out; None means all."""

    def __post_init__(self) -> None:
        """Check what was given.

        Raises:
            ConfigError: Not a time, a size or a number of rows.
        """
        if not (math.isfinite(self.timeout_s) and self.timeout_s > 0):
            raise ConfigError(f"timeout must be seconds above 0, got {self.timeout_s:g}")
        if self.memory_bytes is not None and self.memory_bytes < LEAST_MEMORY_BYTES:
            least = LEAST_MEMORY_BYTES // 2**20
            raise ConfigError(
                f"memory must be {least} MiB or more, got {self.memory_bytes / 2**20:.4g} MiB"
            )
        if self.rows is not None and self.rows < 1:
            raise ConfigError(f"limit must be 1 row or more, got {self.rows}")

    def memory(self) -> int:
        """Bytes that the query may use."""
        return self.memory_bytes or max(LEAST_MEMORY_BYTES, memory_of_machine() // 2)


def limits_meant(timeout_s: float, memory: str | None, rows: int | None) -> QueryLimits:
    """Limits as given on the command line.

    Args:
        timeout_s: Seconds.
        memory: A size such as "2GB"; None means half of the machine's.
        rows: Rows at most; None means all.

    Raises:
        ConfigError: Not a time, a size or a number of rows.
    """
    size = None if memory is None else bytes_meant(memory)
    return QueryLimits(timeout_s=timeout_s, memory_bytes=size, rows=rows)
