"""Pictures without features leave the experiment: no question about them is asked."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.errors import ManifestError
from taxonomy.model import Manifest, Taxonomy
from xmodal.features.feature_set import FeatureSet


def _without(table: pa.Table, features: FeatureSet) -> pa.Table:
    gone = pa.array(features.skipped_images, pa.int32())
    return table.filter(pc.invert(pc.is_in(table["image_id"], value_set=gone)))


def with_features(manifest: Manifest, features: FeatureSet) -> Manifest:
    """A manifest without the questions about pictures that have no features.

    Whatever trains on features or answers from them takes the manifest through here. Ids and
    hash stay those of the manifest: which questions are gone, the feature set says.

    Raises:
        ManifestError: No test question is left.
    """
    if not features.skipped:
        return manifest
    asked = _without(manifest.examples, features)
    if not pc.any(pc.equal(asked["split"], "test")).as_py():
        raise ManifestError(
            f"feature set {features.feature_set_id} has no picture of manifest "
            f"{manifest.manifest_id}'s test questions: mend the pictures and extract anew"
        )
    return replace(manifest, examples=asked)


def shown_pictures(taxonomy: Taxonomy, features: FeatureSet) -> Taxonomy:
    """A dataset without the pictures that have no features; ids stay as they are."""
    if not features.skipped:
        return taxonomy
    return replace(taxonomy, images=_without(taxonomy.images, features))
