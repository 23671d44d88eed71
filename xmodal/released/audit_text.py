"""The audit as tables: for a terminal, as Markdown, or as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from taxonomy.errors import ConfigError
from xmodal.released.audit import Audit, Score, SingleClass, Systematic
from xmodal.store.render import as_markdown
from xmodal.store.screen import as_table

FORMATS = ("table", "json", "markdown")


@dataclass(frozen=True)
class Section:
    """A table of the audit with the sentence that it shows."""

    key: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def table(self) -> pa.Table:
        """All cells as text: they are rounded on purpose."""
        cells = list(zip(*self.rows, strict=True)) or [()] * len(self.columns)
        return pa.table(dict(zip(self.columns, map(list, cells), strict=True)))

    def markdown(self) -> str:
        """The table alone."""
        head, _, *body = as_markdown(self.table()).splitlines()
        rule = ["---:" if self._numbers(i) else "---" for i in range(len(self.columns))]
        return "\n".join([head, f"| {' | '.join(rule)} |", *body])

    def _numbers(self, i: int) -> bool:
        return all(row[i][-1:].isdigit() or row[i] == "-" for row in self.rows)


def percent(value: float | None) -> str:
    """A fraction in percent, one decimal; - for None and NaN."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f}"


def count(n: int | None) -> str:
    """A number of things with commas; - for None."""
    return "-" if n is None else f"{n:,}"


def condition(design: str, n: int) -> str:
    """Such as "random 30 %" or "systematic 10"."""
    return f"systematic {n}" if design == "systematic" else f"random {n} %"


def model(row: Score | Systematic) -> str:
    """LM, its random weights and an encoder other than the paper's main one."""
    words = [row.lm]
    if row.lm_init == "random":
        words.append("random weights")
    if row.encoder != "DINOv2":
        words.append(row.encoder)
    return ", ".join(words)


def render(found: Audit, fmt: str) -> str:
    """The whole audit as text.

    Args:
        found: The audit.
        fmt: table, json (fractions, every row) or markdown.

    Raises:
        ConfigError: Another format.
    """
    if fmt not in FORMATS:
        raise ConfigError(f"format must be one of {', '.join(FORMATS)}, got {fmt!r}")
    if fmt == "json":
        return json.dumps(_json(found.as_dict()), indent=2, ensure_ascii=False) + "\n"
    parts = []
    for section in sections(found):
        if fmt == "table":
            parts.append(f"{section.title}\n{section.note}\n{as_table(section.table())}")
        else:
            parts.append(f"## {section.title}\n\n{section.note}\n\n{section.markdown()}\n")
    return "\n".join(parts)


def _json(value: Any) -> Any:
    """NaN, which JSON lacks, as null."""
    if isinstance(value, dict):
        return {key: _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def sections(found: Audit) -> list[Section]:
    """The findings in the order in which they are read."""
    return [
        realised(found),
        systematic(found),
        negative_only(found),
        single_class(found),
        adjusted(found),
        intervals(found),
        leaves(found),
    ]


def realised(found: Audit) -> Section:
    """Nominal against realised ablation."""
    names = sorted({row.shuffle for row in found.realised}, key=shuffle_order)
    ratios = sorted({row.nominal_ratio for row in found.realised})
    at = {(row.shuffle, row.nominal_ratio): row for row in found.realised}
    rows = []
    for ratio in ratios:
        first = next(at[(name, ratio)] for name in names if (name, ratio) in at)
        shares = [
            percent(at[(name, ratio)].realised_ratio) if (name, ratio) in at else "-"
            for name in names
        ]
        rows.append((percent(ratio), *shares, f"{first.n_held_out:,}", f"{first.n_questions:,}"))
    return Section(
        "realised",
        "Random ablation: nominal and realised",
        "Percent of the test questions about hypernyms that are in the held-out set, by shuffle.",
        ("nominal", *names, "held-out questions", "all questions"),
        rows,
    )


def systematic(found: Audit) -> Section:
    """What is in the systematic held-out sets."""
    return Section(
        "systematic",
        "Systematic ablation: what the held-out set asks",
        "Macro-F1 in percent, shuffle none. Reported: all hypernyms of the set. Ablated: the "
        "ablated categories only. Others: hypernyms that were trained, without one-class cells. "
        "Blind: the majority answer on the ablated categories.",
        ("model", "categories", "about them", "of", "reported", "ablated", "others", "blind"),
        [
            (
                model(row),
                str(row.n_categories),
                count(row.n_about_ablated),
                count(row.n_questions),
                percent(row.f1_reported),
                percent(row.f1_ablated),
                percent(row.f1_others),
                percent(row.blind_ablated),
            )
            for row in original(found.systematic)
        ],
    )


def negative_only(found: Audit) -> Section:
    """The same categories, alone and with all others held out."""
    return Section(
        "negative_only",
        "Negative-only exposure",
        "Macro-F1 in percent on the ablated categories, when only they are held out and when all "
        "are, each beside the F1 of answering No always to the same questions. Cells of No: scores "
        "of a run for an ablated category that are exactly those of No always, of all of them.",
        ("model", "categories", "only they", "always No", "cells of No", "all", "always No to all"),
        [
            (
                model(row),
                str(row.n_categories),
                percent(row.f1_ablated),
                percent(row.always_no),
                "-"
                if row.n_cells_always_no is None
                else f"{row.n_cells_always_no} of {row.n_cells_ablated}",
                percent(row.f1_ablated_when_all_are),
                percent(row.always_no_when_all_are),
            )
            for row in original(found.systematic)
        ],
    )


def single_class(found: Audit) -> Section:
    """One-class cells in the published means."""
    return Section(
        "single_class",
        "One-class cells",
        "Hypernyms of a set whose questions all have one answer, and the means with and without "
        "them, in percent: F1 over the pretrained LMs, and the blind guess. Shuffle none; sets "
        "without such cells are left out.",
        ("set", "condition", "one-class", "of", "F1", "F1 without", "blind", "blind without"),
        [
            (
                {"held_out_s1": "held-out", "seen_s1": "seen"}[row.question_set],
                condition(row.design, row.n),
                count(row.n_single_class),
                str(row.n_hypernyms),
                percent(row.f1_published),
                percent(row.f1_without),
                percent(row.blind_published),
                percent(row.blind_without),
            )
            for row in with_single_class(found)
        ],
    )


def with_single_class(found: Audit) -> list[SingleClass]:
    """The sets of the original labels that have one-class cells, or may have some."""
    return [row for row in found.single_class if row.shuffle == "none" and row.n_single_class != 0]


def adjusted(found: Audit) -> Section:
    """Scores with chance taken out."""
    return Section(
        "adjusted",
        "Chance-adjusted scores",
        "Held-out macro-F1 in percent, then without one-class cells, the majority answer on those "
        "cells, and (F1 - blind) / (1 - blind) averaged over them: 0 is guessing, 100 perfect. "
        "Seen: the seen set without one-class cells. Asked: held-out share of the questions.",
        ("model", "shuffle", "condition", "asked", "F1", "two-class", "blind", "adjusted", "seen"),
        [
            (
                model(row),
                row.shuffle,
                condition(row.design, row.n),
                percent(row.realised_ratio),
                percent(row.f1),
                percent(row.f1_two_class),
                percent(row.blind_two_class),
                percent(row.adjusted),
                percent(row.f1_seen),
            )
            for row in found.scores
        ],
    )


def intervals(found: Audit) -> Section:
    """Two 95 % intervals around the same means."""
    return Section(
        "intervals",
        "Intervals: hypernyms times seeds against hypernyms",
        "Half width of the 95 % t interval in points, with every cell taken for an independent "
        "value and with seeds averaged within each hypernym first. Shuffle none.",
        ("model", "condition", "F1", "all cells", "hypernyms", "ratio"),
        [
            (
                model(row),
                condition(row.design, row.n),
                percent(row.f1),
                percent(row.half_width_cells),
                percent(row.half_width_hypernyms),
                f"{row.half_width_hypernyms / row.half_width_cells:.2f}"
                if row.half_width_cells > 0
                else "-",
            )
            for row in original(found.scores)
        ],
    )


def leaves(found: Audit) -> Section:
    """What the files of leaf questions leave out."""
    return Section(
        "leaves",
        "Leaf questions",
        "Leaves with scores, those without a number of questions, and those whose questions all "
        "have one answer.",
        ("shuffle", "leaves", "without a count", "one-class"),
        [
            (
                row.shuffle,
                str(row.n_leaves),
                count(None if row.without_count is None else len(row.without_count)),
                count(row.n_single_class),
            )
            for row in sorted(found.leaves, key=lambda row: shuffle_order(row.shuffle))
        ],
    )


def original(rows: Iterable[Any]) -> list[Any]:
    """Rows whose labels are not shuffled."""
    return [row for row in rows if row.shuffle == "none"]


def shuffle_order(name: str) -> tuple[int, str]:
    """none first, then within, then the rest by name."""
    known = ("none", "within")
    return (known.index(name) if name in known else len(known), name)
