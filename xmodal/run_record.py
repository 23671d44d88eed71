"""What every run's folder has, whatever was trained: run.json and metrics.parquet."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq

from taxonomy.errors import DataError
from taxonomy.reading import read_object, short
from xmodal.files import write_whole
from xmodal.seals import sealed, unsealed


def metrics_of(said: Any, where: str) -> list[tuple[int, str, float]]:
    """Metrics out of a saved state: step, name, value; a value may be any number.

    Raises:
        DataError: They are something else.
    """
    if not isinstance(said, list):
        raise DataError(f"{where}: metrics must be a list, got {short(said)}")
    for one in said:
        kinds = [type(part) for part in one] if isinstance(one, list) else []
        if kinds not in ([int, str, float], [int, str, int]):
            raise DataError(f"{where}: a metric must be step, name and value, got {short(one)}")
    return [(step, name, float(value)) for step, name, value in said]


@dataclass(frozen=True)
class RecordFolder:
    """runs/<run_id>/, the only place that a run writes to."""

    path: Path
    FILES: ClassVar[Sequence[str]] = ("metrics.parquet",)
    """What a finished run leaves beside run.json."""

    def record(self) -> dict[str, Any] | None:
        """What run.json says; None if there is none yet.

        Raises:
            DataError: It is damaged.
        """
        path = self.path / "run.json"
        if not os.path.lexists(path):
            return None
        try:
            said = read_object(path)
            if not {"status", "started_at"} <= said.keys():
                raise DataError("it is not the record of a run")
        except DataError as error:
            raise DataError(
                f"{path} is damaged ({error}); delete the folder to train anew"
            ) from error
        return said

    def is_whole(self) -> bool:
        """Whether every file that a finished run leaves is there."""
        return all((self.path / name).is_file() for name in self.FILES)

    def write_record(self, record: dict[str, Any]) -> None:
        """Write run.json; that of a finished run holds the hashes of its files."""
        self.path.mkdir(parents=True, exist_ok=True)
        finished = record.get("status") == "finished"
        said = sealed(record, self.path, self.FILES) if finished else unsealed(record)
        text = json.dumps(said, indent=1)
        write_whole(self.path / "run.json", lambda path: path.write_text(text))

    def write_metrics(self, metrics: Sequence[tuple[int, str, float]]) -> None:
        """metrics.parquet: step, name, value."""
        table = pa.table(
            {
                "step": pa.array([step for step, _, _ in metrics], pa.int64()),
                "name": pa.array([name for _, name, _ in metrics], pa.string()),
                "value": pa.array([value for _, _, value in metrics], pa.float64()),
            }
        )
        write_whole(self.path / "metrics.parquet", lambda path: pq.write_table(table, path))
