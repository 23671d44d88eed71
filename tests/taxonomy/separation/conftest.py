"""What is read once: WordNet's nouns and the embedded dataset."""

from __future__ import annotations

import pytest

from taxonomy.model import Taxonomy, TaxonomyConfig
from taxonomy.separation import Classes, Nouns, read_classes, read_nouns
from taxonomy.wordnet import WordNet
from xmodal.bundle.wordnet_files import wordnet_dir
from xmodal.taxonomies import build_taxonomy


@pytest.fixture(scope="session")
def wordnet() -> WordNet:
    return WordNet.open(wordnet_dir())


@pytest.fixture(scope="session")
def nouns(wordnet: WordNet) -> Nouns:
    return read_nouns(wordnet)


@pytest.fixture(scope="session")
def embedded() -> Taxonomy:
    return build_taxonomy(TaxonomyConfig())


@pytest.fixture(scope="session")
def embedded_classes(embedded: Taxonomy, nouns: Nouns) -> Classes:
    return read_classes(embedded, nouns)
