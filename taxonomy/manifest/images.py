"""A manifest asks about images, and a dataset may have none."""

from __future__ import annotations

from taxonomy.errors import ManifestError
from taxonomy.model import Taxonomy


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
