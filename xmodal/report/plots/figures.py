"""The figures there are."""

from __future__ import annotations

from xmodal.report.plots.rows import Kind
from xmodal.report.plots.scores import ablation, shuffles

FIGURES = {
    "ablation": Kind(
        shows="held-out macro-F1 by what is held out, with intervals and guessing",
        analysis="score-points",
        draw=ablation,
    ),
    "shuffles": Kind(
        shows="held-out macro-F1 with true labels and with shuffled ones",
        analysis="score-points",
        draw=shuffles,
    ),
}
"""By name."""
