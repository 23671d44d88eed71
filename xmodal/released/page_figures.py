"""The figures of the audit's page, and the models that they show."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from taxonomy.errors import DataError
from xmodal.released.audit import Audit
from xmodal.released.audit_text import original

FIGURES = ("realised", "systematic", "by-realised-ratio")
_PREFERRED = ("Qwen3-0.6B", "Qwen3-1.7B")


def main_models(rows: Iterable[Any]) -> list[Any]:
    """Rows of the paper's main models: pretrained, DINOv2, labels as they are."""
    kept = [
        row
        for row in original(rows)
        if row.lm_init == "pretrained" and row.encoder == "DINOv2" and row.lm in _PREFERRED
    ]
    if not kept:
        raise DataError(
            "the page speaks of Qwen3-0.6B and 1.7B with DINOv2: the release has neither"
        )
    return kept


def write_figures(found: Audit, folder: Path) -> list[Path]:
    """Write the page's figures as SVG.

    Returns:
        Their paths.
    """
    from xmodal.report import audit as charts

    folder.mkdir(exist_ok=True)
    made = (
        charts.realised_chart(_realised_rows(found)),
        charts.systematic_chart(_part_rows(found)),
        charts.adjusted_chart(_series_rows(found)),
    )
    paths = [folder / f"s1-audit-{name}.svg" for name in FIGURES]
    return [charts.save_svg(chart, path) for chart, path in zip(made, paths, strict=True)]


def _realised_rows(found: Audit) -> list[dict[str, Any]]:
    return [
        {"nominal": 100 * row.nominal_ratio, "realised": 100 * row.realised_ratio}
        for row in original(found.realised)
    ]


def _part_rows(found: Audit) -> list[dict[str, Any]]:
    from xmodal.report.audit import PARTS

    rows = []
    for row in main_models(found.systematic):
        together = row.f1_ablated_when_all_are
        values = (row.f1_reported, row.f1_others, together, row.f1_ablated)
        rows += [
            {
                "lm": row.lm,
                "n_categories": row.n_categories,
                "part": part,
                "f1": 100 * value,
                "blind": None if row.blind_ablated is None else 100 * row.blind_ablated,
            }
            for part, value in zip(PARTS, values, strict=True)
            if value is not None
        ]
    return rows


def _series_rows(found: Audit) -> list[dict[str, Any]]:
    lm = main_models(found.scores)[0].lm
    names = {
        ("pretrained", "none"): "pretrained LM",
        ("pretrained", "within"): "labels shuffled within categories",
        ("pretrained", "across_s1"): "labels shuffled across categories",
        ("random", "none"): "LM with random weights",
    }
    rows = [
        {
            "series": names[(row.lm_init, row.shuffle)],
            "realised": 100 * row.realised_ratio,
            "f1": 100 * row.f1,
            "low": 100 * (row.f1 - row.half_width_hypernyms),
            "high": 100 * (row.f1 + row.half_width_hypernyms),
            "blind": None if row.blind_two_class is None else 100 * row.blind_two_class,
        }
        for row in found.scores
        if row.lm == lm
        and row.encoder == "DINOv2"
        and row.design == "random"
        and (row.lm_init, row.shuffle) in names
        and row.realised_ratio is not None
    ]
    order = list(names.values())
    return sorted(rows, key=lambda row: (order.index(row["series"]), row["realised"]))
