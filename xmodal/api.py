"""The store from a notebook: results as tables, datasets, manifests and runs as objects.

Start with `xmodal.open(store)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from taxonomy.errors import ConfigError
from taxonomy.model import Manifest, Taxonomy
from xmodal.store import Store
from xmodal.store.limits import QueryLimits
from xmodal.store.sandbox import run_user_query

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

    from xmodal.features.extract import FeatureSet
    from xmodal.reproduce import Reproduction
    from xmodal.vlm.projector import Projector

SHOWN_ROWS = 50
"""Rows that a notebook shows of a result."""


@dataclass(frozen=True)
class Result:
    """The rows of a query, to be had as Arrow, pandas, polars or plain Python."""

    table: pa.Table

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def to_arrow(self) -> pa.Table:
        """The rows as a pyarrow Table."""
        return self.table

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a pandas DataFrame; SQL's NULL becomes NaN or None.

        Raises:
            ConfigError: pandas is not installed.
        """
        try:
            import pandas  # noqa: F401  Arrow imports it too, but says less when it is missing
        except ModuleNotFoundError as error:
            raise ConfigError(_not_installed("pandas")) from error
        return self.table.to_pandas()

    def to_polars(self) -> pl.DataFrame:
        """The rows as a polars DataFrame; SQL's NULL stays null.

        Raises:
            ConfigError: polars is not installed.
        """
        try:
            import polars
        except ModuleNotFoundError as error:
            raise ConfigError(_not_installed("polars")) from error
        frame = polars.from_arrow(self.table)
        assert isinstance(frame, polars.DataFrame)
        return frame

    def to_rows(self) -> list[dict[str, Any]]:
        """One dictionary a row."""
        return [dict(row) for row in self.table.to_pylist()]

    def __repr__(self) -> str:
        from xmodal.store.screen import as_table

        return as_table(self.table.slice(0, SHOWN_ROWS), None).rstrip() + self._more()

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.table.column_names)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row.values()) + "</tr>"
            for row in self.table.slice(0, SHOWN_ROWS).to_pylist()
        )
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"{escape(self._more())}"
        )

    def _more(self) -> str:
        n_more = len(self) - SHOWN_ROWS
        return f"\nand {n_more} more rows" if n_more > 0 else ""


def _not_installed(package: str) -> str:
    return f"{package} is not installed: `pip install {package}`, or take to_arrow()"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One finished run: its stored record, and what its folder holds."""

    run_id: str
    record: Mapping[str, Any]
    """All columns of the table run, and last_metrics by name."""
    folder: Path
    """runs/<run id> beside the store."""
    features_folder: Path
    """Where its feature set lies."""

    def projector(self) -> Projector:
        """The trained projector: a torch module from features to prefix tokens.

        Returns:
            Maps float [B, P, Dv] features to [B, K, Dl] prefix tokens; fp32, on the CPU, in
            evaluation mode.

        Raises:
            DataError: The folder is not beside the store, or its file is damaged.
        """
        from xmodal.vlm.run_folder import RunFolder

        return RunFolder(self.folder).load_projector()

    def features(self) -> FeatureSet:
        """The features that the run was trained and scored on.

        Returns:
            The feature set; its open() is a memory-mapped float32 [rows, P, Dv], row i the
            image i.

        Raises:
            DataError: They are not beside the store.
        """
        from xmodal.features.extract import load_features

        return load_features(self.features_folder)


class Workbench:
    """A store, read call by call."""

    def __init__(self, store: Path) -> None:
        """Check that the store can be read. Use xmodal.open.

        Raises:
            StoreError: Missing, foreign, of another version, or being written.
        """
        self.store = store
        with Store.open(store, read_only=True):
            pass

    def __repr__(self) -> str:
        return f"xmodal.open({str(self.store)!r})"

    def query(self, sql: str, *, limits: QueryLimits | None = None, **params: Any) -> Result:
        """The result of one statement that reads, or of a named analysis.

        Args:
            sql: SQL such as "from run", or "@main-results".
            limits: Time, memory and rows; None means 60 s, half of the memory and all rows.
            **params: Values of the statement's $parameters.

        Raises:
            StoreError: Not exactly one statement that reads, a mistake in it, or a query that was
                stopped at a limit.
        """
        return Result(run_user_query(self.store, sql, params, limits=limits))

    def analyses(self) -> Result:
        """Name, parameters and first line of every named analysis."""
        from xmodal.store.analyses import analyses_table

        return Result(analyses_table())

    def taxonomy(self, dataset_id: str | None = None) -> Taxonomy:
        """A dataset by id or unique beginning; the latest if None.

        Raises:
            StoreError: No dataset, or an id that is unknown or ambiguous.
        """
        with Store.open(self.store, read_only=True) as opened:
            return opened.load_taxonomy(dataset_id)

    def manifest(self, manifest_id: str) -> Manifest:
        """A manifest by id or unique beginning: config, cells, labels and examples.

        Raises:
            StoreError: An id that is unknown or ambiguous.
        """
        with Store.open(self.store, read_only=True) as opened:
            return opened.load_manifest(manifest_id)

    def run(self, run_id: str) -> Run:
        """A finished run by id or unique beginning.

        Raises:
            StoreError: An id that is unknown or ambiguous.
        """
        with Store.open(self.store, read_only=True) as opened:
            record = opened.load_run(run_id)
        beside = self.store.parent
        return Run(
            run_id=record["run_id"],
            record=record,
            folder=beside / "runs" / record["run_id"],
            features_folder=beside / "features" / str(record["feature_set_id"]),
        )

    def provenance(self, run_id: str) -> dict[str, dict[str, Any]]:
        """What a run of any kind was made from: by section, value by name.

        What was not kept is "unknown"; what such a run does not have is "none".

        Raises:
            StoreError: An id that is unknown or ambiguous.
        """
        from xmodal.store.traced import provenance

        with Store.open(self.store, read_only=True) as opened:
            return provenance(opened, run_id)

    def reproduce(
        self,
        run_id: str,
        *,
        tolerance: float = 0.0,
        output: Path | None = None,
        steps: int | None = None,
        together: bool = False,
    ) -> Reproduction:
        """Make a run again from what is stored and hold it against that; the store stays as it is.

        Args:
            run_id: Of a projector run, an alignment or a decoder, or its beginning.
            tolerance: Largest difference that is called equal.
            output: Folder for the run made again, new or empty; None to keep nothing.
            steps: Make only so many steps, and compare what was noted until then.
            together: Make the runs again, too, that trained in one with it.

        Raises:
            ConfigError: A setting out of range, or the run's device is not here.
            DataError: What the run was made from is gone or has changed.
            StoreError: An id that is unknown or ambiguous.
        """
        from xmodal.reproduce import reproduce

        return reproduce(
            self.store, run_id, tolerance=tolerance, output=output, steps=steps, together=together
        )
