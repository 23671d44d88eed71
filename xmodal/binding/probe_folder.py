"""The folder of one look into a decoder: probe.json and the table of its kind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from taxonomy.errors import ConfigError, DataError
from taxonomy.hashing import canonical_json, content_id
from taxonomy.model import one_of
from taxonomy.reading import read_object, short
from xmodal.binding_tables import PROBE, PROBES, TABLES
from xmodal.files import write_whole
from xmodal.parquet import read_exactly
from xmodal.provenance import command, now, versions
from xmodal.seals import sealed

VERSION = 1
"""Of what probes compute: with another, what was computed before is not found again."""
_CONTEXTS = ("text", "image")


@dataclass(frozen=True, kw_only=True)
class ProbeFacts:
    """Who is looked into and how: all that decides the result, and with it the probe's id."""

    kind: str
    """interchange, knockout, linear, retrieval or shift."""
    run_id: str | None = None
    """Of a run, with its step; else the LM is given."""
    step: int | None = None
    run_weights: str | None = None
    """Hash of the run's weights at that step: trained anew, it is another probe's."""
    lm: str | None = None
    lm_revision: str | None = None
    lm_hash: str | None = None
    is_vlm: bool = False
    pair_id: str | None = None
    """Of a comparison of two LMs."""
    context: str = "text"
    vocabulary: str
    """base, expanded, or words for an LM."""
    n_layers: int
    n_examples: int
    """Of each number of objects."""
    as_published: bool = False
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Every other one, as JSON has them."""

    def __post_init__(self) -> None:
        one_of("kind", self.kind, tuple(TABLES))
        one_of("context", self.context, _CONTEXTS)
        if (self.run_id is None) == (self.lm is None):
            raise ConfigError(
                "a probe is of a run or of an LM, got run_id "
                f"{self.run_id!r} and lm {self.lm!r}: give one of the two"
            )
        if (self.step is None) != (self.run_id is None):
            raise ConfigError(f"step goes with a run, got {self.step!r}")
        if (self.lm_hash is None) != (self.lm is None):
            raise ConfigError(f"lm_hash goes with an LM, got {self.lm_hash!r}")

    @property
    def probe_id(self) -> str:
        """Hash of all that decides the result; an LM counts by its weights, not by its name."""
        return content_id(
            {
                "finding": "binding_probe",
                "version": VERSION,
                "kind": self.kind,
                "of": [self.run_id, self.step, self.run_weights, self.lm_hash, self.is_vlm],
                "pair": self.pair_id,
                "context": self.context,
                "vocabulary": self.vocabulary,
                "n_examples": self.n_examples,
                "as_published": self.as_published,
                "seed": self.seed,
                "settings": dict(self.settings),
            }
        )


def probe_folder(store_dir: Path, probe_id: str) -> Path:
    """Where a probe lies: beside the store."""
    return store_dir / PROBES / probe_id


def find_probe(store_dir: Path, facts: ProbeFacts) -> Path | None:
    """The folder of a probe that was finished; None if there is none.

    Raises:
        DataError: Its record is damaged.
    """
    folder = probe_folder(store_dir, facts.probe_id)
    if not (folder / PROBE).is_file() or not (folder / f"{facts.kind}.parquet").is_file():
        return None
    try:
        said = read_object(folder / PROBE).get("probe_id")
        if said != facts.probe_id:
            raise DataError(f"it is of probe {short(said)}")
    except DataError as error:
        raise DataError(
            f"{folder / PROBE} is damaged ({error}); delete the folder to probe anew"
        ) from error
    return folder


def write_probe(
    store_dir: Path, facts: ProbeFacts, table: pa.Table, *, seconds: float, device: str
) -> Path:
    """Write a probe's folder; what was there of the same probe is replaced.

    Args:
        store_dir: The folder of the store.
        facts: Of the probe.
        table: Of its kind's schema.
        seconds: That it took.
        device: Where it was computed.

    Returns:
        The folder. Its record comes last, so that a folder with a record is whole.

    Raises:
        ValueError: The table is not of the kind's schema.
    """
    _, schema = TABLES[facts.kind]
    if not table.schema.equals(schema):
        raise ValueError(f"a probe of kind {facts.kind} has the columns {schema.names}")
    folder = probe_folder(store_dir, facts.probe_id)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROBE).unlink(missing_ok=True)
    write_whole(folder / f"{facts.kind}.parquet", lambda path: pq.write_table(table, path))
    record = _record(facts) | {"seconds": seconds, "device": device}
    text = json.dumps(sealed(record, folder, [f"{facts.kind}.parquet"]), indent=1)
    write_whole(folder / PROBE, lambda path: path.write_text(text))
    return folder


def read_table(folder: Path, kind: str) -> pa.Table:
    """The table of a probe's folder.

    Raises:
        DataError: It is missing or damaged, or of another kind.
    """
    return read_exactly(folder / f"{kind}.parquet", TABLES[kind][1])


def _record(facts: ProbeFacts) -> dict[str, Any]:
    """Columns of binding_probe but for the content hash, seconds and device."""
    settings = dict(facts.settings)
    if facts.run_weights is not None:
        settings["run_weights"] = facts.run_weights
    return {
        "probe_id": facts.probe_id,
        "kind": facts.kind,
        "run_id": facts.run_id,
        "step": facts.step,
        "lm": facts.lm,
        "lm_revision": facts.lm_revision,
        "lm_hash": facts.lm_hash,
        "is_vlm": facts.is_vlm,
        "pair_id": facts.pair_id,
        "context": facts.context,
        "vocabulary": facts.vocabulary,
        "n_layers": facts.n_layers,
        "n_examples": facts.n_examples,
        "as_published": facts.as_published,
        "seed": facts.seed,
        "settings_json": canonical_json(settings),
        "versions_json": canonical_json(versions()),
        "command": command(),
        "created_at": now(),
    }
