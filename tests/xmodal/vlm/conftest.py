"""One tiny dataset and one run for all tests of the trainer."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxonomy.model import Manifest, Taxonomy
from tests.xmodal import tiny
from xmodal.features.extract import FeatureSet
from xmodal.lms.causal import LanguageModel
from xmodal.vlm.experiment import RunSpec


@pytest.fixture(scope="session")
def taxonomy(folder: Path) -> Taxonomy:
    return tiny.taxonomy(folder)


@pytest.fixture(scope="session")
def manifest(taxonomy: Taxonomy) -> Manifest:
    return tiny.manifest(taxonomy)


@pytest.fixture(scope="session")
def features(taxonomy: Taxonomy, folder: Path) -> FeatureSet:
    return tiny.features(taxonomy, folder / "features")


@pytest.fixture(scope="session")
def spec(
    taxonomy: Taxonomy, manifest: Manifest, features: FeatureSet, lm: LanguageModel
) -> RunSpec:
    return RunSpec(
        taxonomy=taxonomy, manifest=manifest, lm=lm, features=features, recipe=tiny.RECIPE
    )
