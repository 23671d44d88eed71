"""Nothing leaks: an encoder must not have been trained on the pictures it is tested with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.errors import ConfigError
from taxonomy.model import Manifest, Taxonomy
from xmodal.features.feature_set import FeatureSet


def training_sha256(pictures: Iterable[str]) -> str | None:
    """Hash of a set of pictures' hashes; None for none."""
    text = "\n".join(sorted(set(pictures)))
    return sha256(text.encode()).hexdigest() if text else None


def pictures_asked(
    taxonomy: Taxonomy, manifest: Manifest, splits: Sequence[str] = ("test",)
) -> frozenset[str]:
    """sha256 of each picture that a manifest asks about in some splits."""
    asked = manifest.examples.filter(
        pc.is_in(manifest.examples["split"], value_set=pa.array(splits, pa.string()))
    )["image_id"].unique()
    images = taxonomy.images
    shown = images.filter(pc.is_in(images["image_id"], value_set=asked))
    return frozenset(shown["sha256"].to_pylist())


def check_unseen(features: FeatureSet, tested: Iterable[str], allow_seen: bool = False) -> None:
    """Refuse to test on pictures that the encoder was trained on.

    An encoder of which no training picture is known passes: nobody can tell. Copies that
    differ in a byte pass too.

    Args:
        features: Its training_pictures are those of its encoder.
        tested: sha256 of each picture file of the test set.
        allow_seen: The user knows and wants it.

    Raises:
        ConfigError: Some test pictures were seen.
    """
    among = set(tested)
    seen = sorted(among & features.training_pictures)
    if seen and not allow_seen:
        raise ConfigError(
            f"encoder {features.config.encoder!r} of feature set {features.feature_set_id} was "
            f"trained on {len(seen)} of the {len(among)} test pictures, such as sha256 "
            f"{seen[0][:12]}: choose other features, or --allow-seen"
        )
