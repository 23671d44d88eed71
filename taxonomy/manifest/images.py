"""A manifest asks about images, and a dataset may have none, or too many to list questions."""

from __future__ import annotations

from taxonomy.errors import ManifestError
from taxonomy.model import STRIDED, ManifestConfig, Taxonomy

MOST_LISTED = 1_000_000
"""Images of a dataset whose questions are listed one by one, at most."""


def require_images(taxonomy: Taxonomy) -> None:
    """Raise ManifestError if a dataset has concepts and pairs only."""
    if taxonomy.images.num_rows:
        return
    source = taxonomy.config.source
    how = "build it with --images DIR" if source == "things" else "take source imagefolder"
    raise ManifestError(
        f"dataset {taxonomy.dataset_id} (source {source}) has no images, and a manifest asks "
        f"about images; {how}"
    )


def check_listed(config: ManifestConfig, taxonomy: Taxonomy) -> None:
    """Raise ManifestError if the questions of a manifest cannot be listed one by one."""
    if config.negatives == STRIDED:
        raise ManifestError("the questions of negatives strided are derived, and never listed")
    n_images = taxonomy.images.num_rows
    if n_images > MOST_LISTED:
        raise ManifestError(
            f"dataset {taxonomy.dataset_id} has {n_images} images, and negatives "
            f"{config.negatives} lists every question, for at most {MOST_LISTED}: give "
            "--negatives strided"
        )
