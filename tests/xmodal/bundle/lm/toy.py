"""A lexicon of three hypernyms, cut out of the embedded taxonomy."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.model import Taxonomy, TaxonomyConfig
from taxonomy.wordnet import WordNet
from xmodal.bundle import wordnet_files
from xmodal.bundle.lm.corpus import Corpus, Lexicon
from xmodal.bundle.lm.lexicon import LexiconConfig, build_lexicon
from xmodal.bundle.lm.pretrain import PretrainConfig
from xmodal.taxonomies import build_taxonomy

HYPERNYMS = ("bird", "musical instrument", "tool")
LEXICON = LexiconConfig(n_extra=12, n_stated=6)
TRAINING = replace(
    PretrainConfig(), width=16, n_layers=1, n_heads=2, mlp_width=24, n_steps=5, batch_size=16
)


def embedded() -> Taxonomy:
    """As `xmodal bundle train-lm` builds it."""
    return build_taxonomy(TaxonomyConfig(min_leaves=1))


def wordnet() -> WordNet:
    return WordNet.open(wordnet_files.wordnet_dir())


def cut(whole: Taxonomy) -> Taxonomy:
    """The three hypernyms and the leaves that any source puts under them."""
    concepts = whole.concepts.to_pylist()
    kept = [c for c in concepts if c["role"] == "hypernym" and c["name"] in HYPERNYMS]
    ids = {c["concept_id"] for c in kept}
    pairs = [p for p in whole.leaf_hypernym.to_pylist() if p["hypernym_id"] in ids]
    leaves = {p["leaf_id"] for p in pairs}
    mask = pc.is_in(whole.concepts["concept_id"], pa.array(sorted(ids | leaves), pa.int32()))
    return replace(
        whole,
        concepts=whole.concepts.filter(mask),
        leaf_hypernym=whole.leaf_hypernym.from_pylist(pairs, schema=whole.leaf_hypernym.schema),
    )


def lexicon(*, scrambled: bool = False) -> Lexicon:
    return build_lexicon(cut(embedded()), wordnet(), replace(LEXICON, scrambled=scrambled))


def digest(of: Lexicon, n_lines: int = 2000) -> str:
    """Hash of everything the lexicon says and of the beginning of its stream."""
    text = [of.leaves, of.hypernyms, of.glosses]
    text += [table.tolist() for table in (of.true, of.false, of.withheld, of.related)]
    text += [str(line) for line in Corpus(of).lines(n_lines, seed=3)]
    return sha256("\n".join(map(str, text)).encode()).hexdigest()
