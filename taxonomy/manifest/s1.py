"""S1's grid of manifests, and what it means to hold out as S1 did.

S1 is the paper "Cross-Modal Taxonomic Generalization in (Vision-)Language Models".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow.compute as pc

from taxonomy.errors import ConfigError, ManifestError
from taxonomy.manifest.grid import grid
from taxonomy.model import Manifest, ManifestConfig, one_of

PAPERS = ("s1",)
RATIOS = (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
N_HELD_OUT_HYPERNYMS = (10, 20, 30, 40)
SHUFFLES = ("none", "within", "across")
SWAPS = ("swap", "swap_control")
SEMANTICS = {"unit": "leaf", "negatives": "image", "mentions": "keep"}
"""The settings under which cells, questions and training are those of S1's released code."""
ACROSS = "across_s1"
"""The across-category shuffle of S1's code, which allows what our across does not: pictures that
go on showing a hypernym of their label. Imported runs of S1 carry this name too."""


def paper_grid(
    paper: str,
    seeds: Iterable[int],
    *,
    full: bool = False,
    swap: bool = False,
    fixed: Mapping[str, Any] | None = None,
    **knobs: Any,
) -> list[ManifestConfig]:
    """The designs of a paper: 30 a seed, 33 with full, 32 with swap, 35 with both.

    Random at 0.1, 0.3, 0.5, 0.7, 0.9 and 1 and systematic at 10, 20, 30 and 40 hypernyms,
    each under the shuffles none, within and across, which is across_s1 where all other settings
    are S1's. S1's "53 categories" is random at 1.

    Args:
        paper: s1.
        seeds: Seeds of the designs.
        full: Also nothing held out, under each of the three shuffles.
        swap: Also the exchange of whole categories and its control, at random 1.
        fixed: What the user said of the settings that the paper fixes, by name; None for
            those left alone.
        **knobs: Other settings of ManifestConfig, the same for all.

    Raises:
        ConfigError: An unknown paper, or a setting given that the paper fixes.
    """
    one_of("paper", paper, PAPERS)
    for name, value in (fixed or {}).items():
        if value is not None:
            raise ConfigError(
                f"{name} is fixed by --paper {paper}, got {value!r}: leave out one of the two"
            )
    shared = {"closure": "none", **knobs}
    seeds = list(seeds)
    if not seeds:
        raise ConfigError("seeds must be one or more whole numbers, got none")
    replica = _as_s1({**ManifestConfig().as_dict(), **shared})
    configs = grid(
        [*(("none",) if full else ()), "random", "systematic"],
        RATIOS,
        N_HELD_OUT_HYPERNYMS,
        [ACROSS if name == "across" and replica else name for name in SHUFFLES],
        seeds,
        **shared,
    )
    return configs + (grid(["random"], [1.0], [], SWAPS, seeds, **shared) if swap else [])


def check_size(paper: str, n_hypernyms: int) -> None:
    """Raise ManifestError unless a dataset has hypernyms left when the paper's most are held out.

    With no more than 40 hypernyms the systematic designs end in random at 1 or are not there.
    """
    one_of("paper", paper, PAPERS)
    most = N_HELD_OUT_HYPERNYMS[-1]
    if n_hypernyms <= most:
        raise ManifestError(
            f"--paper {paper} holds out up to {most} hypernyms and needs a dataset of "
            f"{most + 1} or more, this one has {n_hypernyms}: build THINGS "
            "(`xmodal taxonomy build --source things`), or list --designs, --ratios and "
            "--n-held-out-hypernyms yourself"
        )


def _as_s1(knobs: Mapping[str, Any]) -> bool:
    return all(knobs[name] == value for name, value in SEMANTICS.items())


def semantics(config: ManifestConfig) -> str | None:
    """ "s1" if a design holds out and shuffles as S1's released code did, else None."""
    same = _as_s1(config.as_dict()) and config.shuffle != "across"
    return "s1" if same and config.design in ("random", "systematic") else None


def semantics_line(manifest: Manifest) -> str | None:
    """What the settings of S1 do to this manifest, in one line; None for other settings."""
    if semantics(manifest.config) is None:
        return None
    config, n = manifest.config, manifest.summary
    if config.design == "random":
        rule = "a leaf drawn under one hypernym loses its questions about all of its hypernyms"
    else:
        rule = "each leaf under a held-out hypernym loses its questions about all of its hypernyms"
    test = n["ratio_realised_questions_by_split"]["test"]
    return (
        f"S1's semantics (unit leaf, negatives image, mentions keep), union leak: {rule}, so "
        f"that {test:.4f} of the test hypernym questions and {n['ratio_realised_questions']:.4f} "
        f"of all are held out, where {config.ratio:.4f} is nominal; "
        f"{n_asked_with_no_only(manifest)} hypernyms are asked in training with No only"
    )


def n_asked_with_no_only(manifest: Manifest) -> int:
    """How many hypernyms training asks, but never with the answer Yes."""
    rows = manifest.examples
    trained = rows.filter(pc.and_(rows["in_training"], pc.equal(rows["kind"], "hypernym")))
    with_yes = trained.filter(trained["answer"])["asked_id"].unique()
    asked = trained["asked_id"].unique()
    return len(set(asked.to_pylist()) - set(with_yes.to_pylist()))
