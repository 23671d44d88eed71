"""Which files of a clone of S1's repository say what."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from taxonomy.errors import DataError

QUESTION_SETS = {"leaf": "leaf", "unseen": "held_out_s1", "seen": "seen_s1"}
"""By the word that file names have for them."""

_RUNS = re.compile(r"\w+?_(?P<set>leaf|unseen|seen)_(?P<kind>f1_scores|counts|evals)\.csv")
_GUESSES = re.compile(r"\w+?_(?P<set>hyp|leaf)_guess_f1_scores\.csv")
_COHERENCE = "visual_coherence_results.csv"
_PROBE = "coherence_backbone.csv"
_EXPECTED = (
    "all_unseen_f1_scores.csv",
    "all_unseen_counts.csv",
    "all_unseen_evals.csv",
    "all_seen_f1_scores.csv",
    "all_seen_counts.csv",
    "all_seen_evals.csv",
    "all_leaf_f1_scores.csv",
    "all_leaf_counts.csv",
    "all_hyp_guess_f1_scores.csv",
    "all_leaf_guess_f1_scores.csv",
    _COHERENCE,
    _PROBE,
)
_CORE = _EXPECTED[:2]
REPOSITORY = "sally-xu-42/cross-modal-taxonomic-gen"


@dataclass
class Files:
    """Paths below results/, by what they hold."""

    root: Path
    f1: dict[str, list[Path]] = field(default_factory=dict)
    """Question set to its files of macro-F1."""
    counts: dict[str, list[Path]] = field(default_factory=dict)
    accuracy: dict[str, list[Path]] = field(default_factory=dict)
    guesses: list[Path] = field(default_factory=list)
    coherence: Path | None = None
    probe: Path | None = None
    skipped: list[str] = field(default_factory=list)
    """Other files below results/, and older copies, relative to the clone."""
    missing: list[str] = field(default_factory=list)
    """Names of files that belong to the release and are not there."""


def find_files(root: Path) -> Files:
    """Look through a clone's results folder.

    Where a name occurs twice, the copy in a folder macro-f1s counts (the authors' analyses
    read that one), else the first by path; the other is listed as skipped.

    Raises:
        DataError: No such folder, or the files that nothing goes without are missing.
    """
    results = root / "results"
    if not results.is_dir():
        raise DataError(f"{root} must be a clone of {REPOSITORY}: it has no folder results")
    found = sorted(path for path in results.rglob("*") if path.is_file())
    found.sort(key=lambda path: "macro-f1s" not in path.parts)
    by_name: dict[str, Path] = {}
    files = Files(root)
    for path in found:
        if path.name in by_name or not _sort(files, path):
            files.skipped.append(path.relative_to(root).as_posix())
        else:
            by_name[path.name] = path
    files.skipped.sort()
    files.missing = [name for name in _EXPECTED if name not in by_name]
    for name in _CORE:
        if name in files.missing:
            raise DataError(
                f"{results} must hold {name}, in main-results or a folder of it: fetch "
                f"{REPOSITORY} anew"
            )
    return files


def _sort(files: Files, path: Path) -> bool:
    """Put a path where it belongs; False if it belongs nowhere."""
    runs, guesses = _RUNS.fullmatch(path.name), _GUESSES.fullmatch(path.name)
    if runs is not None:
        kinds = {"f1_scores": files.f1, "counts": files.counts, "evals": files.accuracy}
        kinds[runs["kind"]].setdefault(QUESTION_SETS[runs["set"]], []).append(path)
    elif guesses is not None:
        files.guesses.append(path)
    elif path.name == _COHERENCE:
        files.coherence = path
    elif path.name == _PROBE:
        files.probe = path
    else:
        return False
    return True
