"""The figures there are."""

from __future__ import annotations

from xmodal.report.plots.confusion import confusion
from xmodal.report.plots.hypernyms import agreement, categories, coherence, depth
from xmodal.report.plots.rows import Kind
from xmodal.report.plots.scores import ablation, shuffles
from xmodal.report.plots.training import exposure, learning

FIGURES = {
    "ablation": Kind(
        shows="held-out macro-F1 by what is held out, with intervals and guessing", draw=ablation
    ),
    "shuffles": Kind(shows="held-out macro-F1 with true and with shuffled labels", draw=shuffles),
    "coherence": Kind(
        shows="visual coherence against macro-F1, a dot a hypernym and shuffle", draw=coherence
    ),
    "categories": Kind(
        shows="macro-F1 of every hypernym, a dot a condition, guessing as a tick", draw=categories
    ),
    "depth": Kind(
        shows="macro-F1 by WordNet depth of the hypernym and distance from its leaves", draw=depth
    ),
    "exposure": Kind(
        shows="training questions about every hypernym, and mentions of its word", draw=exposure
    ),
    "agreement": Kind(
        shows="the LM's text probe against macro-F1 on pictures, a dot a hypernym", draw=agreement
    ),
    "learning": Kind(shows="loss in training and on validation pictures by step", draw=learning),
    "confusion": Kind(
        shows="Yes rates by true hypernym of the picture and asked hypernym", draw=confusion
    ),
}
"""By name."""
