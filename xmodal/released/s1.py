"""Import of S1's released results: a clone of the authors' repository becomes a Release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from taxonomy.errors import DataError
from taxonomy.hashing import content_id
from taxonomy.sources.things_lists import categories
from taxonomy.wordnet import WordNet
from xmodal.bundle import wordnet_files
from xmodal.released.grids import number, read_lines
from xmodal.released.s1_files import find_files
from xmodal.released.s1_names import Settings
from xmodal.released.s1_scores import read_scores, score_rows
from xmodal.released.wordings import Wordings
from xmodal.store.findings import (
    COHERENCE,
    RELEASED_HYPERNYM,
    RELEASED_PROBE,
    RELEASED_SCORE,
    Release,
)
from xmodal.store.rows import ReleasedRunRow

SOURCE = "s1"
DATASET = "things-s1"
COHERENCE_ENCODER = "DINOv2 last block"
"""What the release's coherence is of: the mean of all tokens after the last block (its code,
src/evaluation/visual_coherence.py); training took patches of the block before."""

_COHERENCE_SHUFFLES = {"original": "none", "local_shuffled": "within", "shuffled": "across_s1"}
# the authors' analyses call the two Llama-3.2 models so
_PROBE_LMS = {
    f"{name}{suffix}": f"Llama-3.2-1B{suffix}"
    for name in ("Llama2", "Llama3.2")
    for suffix in ("", "-Instruct")
}


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A release as it goes into the store, and what is to be said about the way there."""

    release: Release
    skipped: list[str]
    """Files below results/ that are none of the release's tables."""
    missing: list[str]
    """Files that belong to the release and were not there."""
    extra: list[str]
    """Columns that were left alone, as "file: column"."""
    n_duplicates: int
    """Rows that only repeated another."""

    def summary(self) -> str:
        """What was read, a line a subject."""
        runs = self.release.runs
        lines = [f"source {SOURCE}: {len(runs)} runs, {self.release.scores.num_rows} scores"]
        groups = Counter((run.lm, run.encoder, run.lm_init) for run in runs)
        lines += [
            f"  {lm}, {encoder}, {lm_init}: {n} runs"
            for (lm, encoder, lm_init), n in sorted(groups.items())
        ]
        words = self.release.hypernyms.to_pylist()
        mapped = [row["hypernym"] for row in words if row["released_as"] != row["hypernym"]]
        lines.append(
            f"hypernyms: {len(words)}, {len(mapped)} of them under other wordings in the files"
        )
        lines.append(
            f"beside them: {self.release.probes.num_rows} text probes, "
            f"{self.release.coherence.num_rows} coherences"
        )
        return "\n".join([*lines, f"repeated rows dropped: {self.n_duplicates}"])

    def remarks(self) -> list[str]:
        """A line for each file or column that was left alone, and for each that is missing."""
        return [
            *(f"missing: {name}" for name in self.missing),
            *(f"skipped: {name}" for name in self.skipped),
            *(f"column left alone: {name}" for name in self.extra),
        ]


def read_s1(root: Path) -> Imported:
    """Read the released results of S1.

    Args:
        root: A clone of the authors' repository, or a folder laid out like it.

    Returns:
        The release, complete and checked; nothing is stored.

    Raises:
        DataError: A needed file is missing, one is damaged, or a name is not known.
    """
    files = find_files(root)
    wordings = Wordings()
    scores = read_scores(files, wordings)
    runs = {name: _run(name, scores.settings[name]) for name in sorted(scored(scores.f1))}
    rows = ({**row, "run_id": runs[row["run_name"]].run_id} for row in score_rows(scores))
    table = _table(rows, RELEASED_SCORE)
    coherence, extra = _coherence(files.coherence, wordings)
    probes, more = _probes(files.probe, wordings, coherence)
    release = Release(
        source=SOURCE,
        runs=list(runs.values()),
        scores=table,
        hypernyms=_hypernyms(wordings),
        probes=probes,
        coherence=coherence,
    )
    return Imported(
        release=release,
        skipped=files.skipped,
        missing=files.missing,
        extra=extra + more,
        n_duplicates=scores.n_duplicates,
    )


def scored(tables: dict[str, Any]) -> set[str]:
    """Names of the runs that have an F1 in some question set."""
    return {run for table in tables.values() for run in table.grids}


def _run(name: str, said: Settings) -> ReleasedRunRow:
    condition = said.condition
    return ReleasedRunRow(
        run_id=content_id({"source": SOURCE, "run_name": name}),
        source=SOURCE,
        run_name=name,
        dataset=DATASET,
        relation="hypernym",
        lm=said.lm,
        lm_init=said.lm_init,
        encoder=said.encoder,
        recipe="s1",
        prompt="s1",
        design=condition.design,
        unit="leaf",
        ratio=condition.ratio,
        n_held_out_hypernyms=condition.n_held_out_hypernyms,
        mentions="keep",
        negatives="image",
        shuffle=condition.shuffle,
        seed=said.seed,
    )


def _table(rows: Iterable[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table, a column at a time: a dictionary a cell would be 100 times as large."""
    columns: dict[str, list[Any]] = {name: [] for name in schema.names}
    for row in rows:
        for name, values in columns.items():
            values.append(row[name])
    return pa.table(columns, schema=schema)


def _hypernyms(wordings: Wordings) -> pa.Table:
    nouns = WordNet.open(wordnet_files.wordnet_dir())
    synsets = {category.word: category.synset for category in categories()}
    return _table(
        (
            {
                "source": SOURCE,
                "hypernym": word,
                "released_as": " | ".join(sorted(met)),
                "synset": synsets[word],
                "depth": None if (synset := synsets[word]) is None else nouns.depth(synset),
            }
            for word, met in sorted(wordings.met.items())
        ),
        RELEASED_HYPERNYM,
    )


def _records(path: Path | None, needed: tuple[str, ...]) -> tuple[list[dict[str, str]], list[str]]:
    """Rows of a long file by column, and its columns beyond the needed ones."""
    if path is None:
        return [], []
    header, lines = read_lines(path)
    for name in needed:
        if name not in header:
            raise DataError(f"{path} must have the column {name!r}, got {', '.join(header)}")
    return (
        [dict(zip(header, line, strict=True)) for line in lines],
        [f"{path.name}: {name}" for name in header if name not in needed],
    )


def _coherence(path: Path | None, wordings: Wordings) -> tuple[pa.Table, list[str]]:
    """COHERENCE rows: mean pairwise cosine of a hypernym's training images by shuffle."""
    records, extra = _records(path, ("shuffle_type", "category", "avg_cosine", "n_images"))
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for record in records:
        shuffle = _shuffle(record["shuffle_type"], path)
        word = wordings.hypernym(record["category"], str(path))
        row = {
            "coherence_id": content_id({"source": SOURCE, "coherence": shuffle}),
            "source": SOURCE,
            "dataset": DATASET,
            "feature_set_id": None,
            "encoder": COHERENCE_ENCODER,
            "relation": "hypernym",
            "shuffle": shuffle,
            "shuffle_id": None,
            "hypernym": word,
            "coherence": _needed(record, "avg_cosine", path),
            "coherence_other_leaf": None,
            "n_images": int(_needed(record, "n_images", path)),
            "n_leaves": None,
        }
        if rows.setdefault((shuffle, word), row) != row:
            raise DataError(
                f"{path} has two rows of {word!r} ({shuffle}) that contradict each other"
            )
    _same_words(path, rows)
    return _table(rows.values(), COHERENCE), extra


def _probes(
    path: Path | None, wordings: Wordings, coherence: pa.Table
) -> tuple[pa.Table, list[str]]:
    """RELEASED_PROBE rows: one a model and hypernym, though the file has one a shuffle."""
    scored_by = ("model", "hypernym", "backbone_acc", "backbone_f1")
    records, extra = _records(path, (*scored_by, "shuffle_type", "category", "avg_cosine"))
    known = {(row["shuffle"], row["hypernym"]): row["coherence"] for row in coherence.to_pylist()}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    met: dict[tuple[str, str], None] = {}
    for record in records:
        word = wordings.hypernym(record["hypernym"], str(path))
        if wordings.hypernym(record["category"], str(path)) != word:
            raise DataError(
                f"{path} has {record['hypernym']!r} and {record['category']!r} in one row: they "
                "must be wordings of one hypernym"
            )
        shuffle = _shuffle(record["shuffle_type"], path)
        lm = _PROBE_LMS.get(record["model"], record["model"])
        met[(f"{lm}, {shuffle}", word)] = None
        row = {
            "source": SOURCE,
            "dataset": DATASET,
            "lm": lm,
            "hypernym": word,
            "accuracy": _needed(record, "backbone_acc", path),
            "macro_f1": _needed(record, "backbone_f1", path),
        }
        if rows.setdefault((lm, word), row) != row:
            raise DataError(
                f"{path} gives {lm} two scores for {word!r}: a text probe is the same for every "
                "shuffle"
            )
        cosine = _needed(record, "avg_cosine", path)
        if known.get((shuffle, word), cosine) != cosine:
            raise DataError(
                f"{path} says {cosine} for the coherence of {word!r} ({shuffle}), the coherence "
                f"file {known[(shuffle, word)]}: one of the two is damaged"
            )
    _same_words(path, met)
    return _table(rows.values(), RELEASED_PROBE), extra


def _same_words(path: Path | None, keys: Iterable[tuple[str, str]]) -> None:
    """Every group of a long file must have the same hypernyms: a cut file has not."""
    groups: dict[str, set[str]] = {}
    for group, word in keys:
        groups.setdefault(group, set()).add(word)
    every = set().union(*groups.values())
    for group, words in groups.items():
        for word in sorted(every - words):
            raise DataError(f"{path} lacks {word!r} for {group}: it was cut short; fetch it again")


def _shuffle(said: str, path: Path | None) -> str:
    if said not in _COHERENCE_SHUFFLES:
        raise DataError(
            f"{path}: shuffle_type must be one of {', '.join(_COHERENCE_SHUFFLES)}, got {said!r}"
        )
    return _COHERENCE_SHUFFLES[said]


def _needed(record: dict[str, str], name: str, path: Path | None) -> float:
    value = number(record[name], f"{path} column {name!r}")
    if value is None:
        raise DataError(f"{path} has an empty cell in column {name!r}: fetch it again")
    return value
