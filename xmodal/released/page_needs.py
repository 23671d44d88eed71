"""What the audit's page cannot do without: its sentences state these numbers."""

from __future__ import annotations

from taxonomy.errors import DataError
from xmodal.released.audit import Audit
from xmodal.released.audit_text import original
from xmodal.released.page_figures import main_models


def require_known(found: Audit) -> None:
    """Raise DataError where a number that the page states is not known.

    Conditions that are not in the release at all are the page's own matter.
    """
    main = main_models(found.systematic)
    rows = [row for row in original(found.systematic) if row.encoder == "DINOv2"]
    leaves = original(found.leaves)
    unknown = {
        "the numbers of held-out questions": [row.n_about_ablated for row in main],
        "the blind guesses on hypernym questions": [row.blind_ablated for row in main],
        "the F1, numbers and blind guesses of seen questions": [
            value for row in main for value in (row.n_no_only, row.contained)
        ],
        "the F1 of answering No always": [row.n_cells_always_no for row in rows],
        "the numbers and blind guesses of leaf questions": [
            value for row in leaves for value in (row.without_count, row.n_single_class)
        ],
    }
    for what, values in unknown.items():
        if None in values:
            raise DataError(
                f"the page states {what}, which the release lacks: fetch the files that are "
                "missing, or print the audit as a table, where they are -"
            )
