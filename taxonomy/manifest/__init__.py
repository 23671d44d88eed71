"""Manifests: which evidence training may see, and every question asked."""

from __future__ import annotations

from taxonomy.manifest.build import ManifestBuilder, build_manifest, build_manifests
from taxonomy.manifest.exposure import exposure, headline, strided_exposure
from taxonomy.manifest.grid import grid, in_words
from taxonomy.manifest.rows import rows_sha256
from taxonomy.manifest.s1 import check_size, paper_grid, semantics

__all__ = [
    "ManifestBuilder",
    "build_manifest",
    "build_manifests",
    "check_size",
    "exposure",
    "grid",
    "headline",
    "in_words",
    "paper_grid",
    "rows_sha256",
    "semantics",
    "strided_exposure",
]
