"""The embedded lexicon and the toy one, built once."""

from __future__ import annotations

import pytest

from taxonomy.model import Taxonomy
from taxonomy.wordnet import WordNet
from tests.xmodal.bundle.lm import toy
from xmodal.bundle.lm.corpus import Lexicon
from xmodal.bundle.lm.lexicon import LexiconConfig, build_lexicon


@pytest.fixture(scope="session")
def embedded() -> Taxonomy:
    return toy.embedded()


@pytest.fixture(scope="session")
def wordnet() -> WordNet:
    return toy.wordnet()


@pytest.fixture(scope="session")
def lexicon(embedded: Taxonomy, wordnet: WordNet) -> Lexicon:
    """What the embedded LM is taught."""
    return build_lexicon(embedded, wordnet, LexiconConfig())


@pytest.fixture(scope="session")
def small(embedded: Taxonomy, wordnet: WordNet) -> Lexicon:
    return build_lexicon(toy.cut(embedded), wordnet, toy.LEXICON)
