"""Which nouns the embedded LM reads about, and what is true of them.

The pictured leaves come from the embedded taxonomy. Beside them stand WordNet leaves that no
picture shows: some are asked about in the corpus, others only stated, so that the text-only
examination has nouns whose question form the LM never read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from taxonomy.hashing import keyed_order, unit_interval
from taxonomy.model import RELATION, Taxonomy
from taxonomy.relations.parts import PartWords
from taxonomy.wordnet import WordNet
from xmodal.bundle.lm.corpus import WORDINGS, Bools, Lexicon

MIN_KIN = 3
"""Pictured leaves that make a kind by which a noun without pictures is judged."""
_PLAIN_NOUN = re.compile(r"[a-z]{3,12}")


@dataclass(frozen=True, kw_only=True)
class LexiconConfig:
    """What is withheld from the question form, and how many nouns have no picture."""

    seed: int = 0
    withheld_ratio: float = 0.2
    """Share of the (leaf, hypernym) pairs, true and false, without question form."""
    n_extra: int = 480
    """WordNet leaves that no picture shows."""
    n_stated: int = 240
    """Of these, how many are in no hypernym question at all."""
    scrambled: bool = False
    """Give each pictured leaf the hypernyms of another one (a hash-drawn permutation)."""
    relation: str = RELATION
    """What the leaves have in place of hypernyms: hypernym, or part."""


@dataclass(frozen=True)
class _Nouns:
    """The pictured nouns of a taxonomy in plain arrays."""

    leaves: tuple[str, ...]
    synsets: tuple[str | None, ...]
    hypernyms: tuple[str, ...]
    hypernym_synsets: tuple[str | None, ...]
    true: Bools
    claimed: Bools
    """[L, H] some source says so, or leaves it open."""
    denied: Bools
    """[L, H] WordNet says so and the everyday list does not."""


def _nouns(taxonomy: Taxonomy, relation: str) -> _Nouns:
    rows = taxonomy.concepts.to_pylist()
    leaves = [row for row in rows if row["role"] == "leaf"]
    hypernyms = [row for row in rows if row["role"] == relation]
    at_leaf = {row["concept_id"]: i for i, row in enumerate(leaves)}
    at_hypernym = {row["concept_id"]: i for i, row in enumerate(hypernyms)}
    true = np.zeros((len(leaves), len(hypernyms)), dtype=bool)
    claimed = np.zeros_like(true)
    denied = np.zeros_like(true)
    for pair in taxonomy.leaf_hypernym.to_pylist():
        if pair["relation"] != relation:
            continue
        at = at_leaf[pair["leaf_id"]], at_hypernym[pair["hypernym_id"]]
        said = [pair[source] for source in ("strict", "everyday") if pair[source] is not None]
        true[at] = all(said) if relation == RELATION else pair["used"]
        claimed[at] = True
        denied[at] = pair["strict"] is True and pair["everyday"] is False
    return _Nouns(
        leaves=tuple(row["name"] for row in leaves),
        synsets=tuple(row["synset"] for row in leaves),
        hypernyms=tuple(row["name"] for row in hypernyms),
        hypernym_synsets=tuple(row["synset"] for row in hypernyms),
        true=true,
        claimed=claimed,
        denied=denied,
    )


def _below(nouns: _Nouns, wordnet: WordNet, relation: str) -> list[set[str]]:
    """For each hypernym or target the synsets below it, or below what WordNet gives it to."""
    if relation == RELATION:
        return [wordnet.hyponym_closure(str(synset)) for synset in nouns.hypernym_synsets]
    return [
        {
            synset
            for sense in wordnet.senses(word)
            for whole in wordnet.synset(sense).part_holonyms()
            for synset in {str(whole.name())} | wordnet.hyponym_closure(whole.name())
        }
        for word in nouns.hypernyms
    ]


def _extra_synsets(
    nouns: _Nouns, wordnet: WordNet, taken: set[str], config: LexiconConfig
) -> list[str]:
    """Hash-drawn WordNet leaves under the hypernyms, as many from each as there are.

    A noun qualifies if its first lemma is one plain word in its first sense, and it is no
    relative of a pictured leaf.
    """
    n, seed = config.n_extra, config.seed
    pictured = {synset for synset in nouns.synsets if synset}
    above = pictured.union(*(wordnet.ancestors(synset) for synset in pictured))
    queues = []
    below = _below(nouns, wordnet, config.relation)
    for hypernym, synset, under in zip(nouns.hypernyms, nouns.hypernym_synsets, below, strict=True):
        fit = [
            synset
            for synset in under
            if synset.endswith(".n.01")
            and _PLAIN_NOUN.fullmatch(synset.split(".")[0])
            and synset.split(".")[0] not in taken
            and synset not in above
            and not wordnet.synset(synset).hyponyms()
            and not (wordnet.ancestors(synset) & pictured)
        ]
        queues.append(keyed_order(sorted(fit), seed, f"extra|{synset or hypernym}"))
    chosen: list[str] = []
    while len(chosen) < n and any(queues):
        for queue in queues:
            while queue:
                synset = queue.pop(0)
                if synset not in chosen:
                    chosen.append(synset)
                    break
    return chosen[:n]


def _extra_truth(
    nouns: _Nouns, wordnet: WordNet, extra: list[str], relation: str
) -> tuple[Bools, Bools]:
    """What is true and what is false of the nouns without pictures; bool [n, H] twice.

    Where the everyday list takes pictured leaves out (a taxi is no container), WordNet alone
    is not trusted on others either: the corpus is silent there. Parts are judged kind by kind.
    """
    if relation == RELATION:
        strict = np.array(
            [[synset in wordnet.ancestors(x) for synset in nouns.hypernym_synsets] for x in extra],
            dtype=bool,
        ).reshape(len(extra), len(nouns.hypernyms))
        return strict & ~nouns.denied.any(axis=0), ~strict
    parts = PartWords(wordnet)
    strict = np.array(
        [[word in parts.of(x) for word in nouns.hypernyms] for x in extra], dtype=bool
    ).reshape(len(extra), len(nouns.hypernyms))
    kin = _kin(nouns, wordnet, extra).astype(int)
    # WordNet gives whole kinds a part (hair to whales, a peel to berries): it is believed where
    # most pictured nouns of the kind bear it out. It also lists few parts: what it leaves out is
    # false only where no pictured noun of the kind has it either.
    borne_out = kin @ nouns.true > kin @ nouns.denied
    return strict & borne_out, ~strict & (kin @ nouns.claimed == 0)


def _kin(nouns: _Nouns, wordnet: WordNet, extra: list[str]) -> Bools:
    """[n, L] the pictured leaves of the nearest kind that has at least MIN_KIN of them."""
    under: dict[str, set[int]] = {}
    for i, synset in enumerate(nouns.synsets):
        for above in wordnet.ancestors(synset) if synset else ():
            under.setdefault(above, set()).add(i)
    kin = np.zeros((len(extra), len(nouns.leaves)), dtype=bool)
    for row, synset in zip(kin, extra, strict=True):
        kinds = [a for a in wordnet.ancestors(synset) if len(under.get(a, ())) >= MIN_KIN]
        nearest = min(kinds, key=lambda a: (len(under[a]), a))
        row[sorted(under[nearest])] = True
    return kin


def build_lexicon(taxonomy: Taxonomy, wordnet: WordNet, config: LexiconConfig) -> Lexicon:
    """The lexicon of a taxonomy and a config; the same in every process.

    Args:
        taxonomy: The embedded taxonomy, all hypernyms (min_leaves 1 or more).
        wordnet: Noun synsets, for glosses and for the nouns that no picture shows.
        config: Seed and sizes.
    """
    nouns = _nouns(taxonomy, config.relation)
    words = {row["name"] for row in taxonomy.concepts.to_pylist() if row["role"] != "synset"}
    extra = _extra_synsets(nouns, wordnet, words, config)
    true, claimed = nouns.true, nouns.claimed
    if config.scrambled:
        order = _scramble(len(nouns.leaves), config.seed)
        true, claimed = true[order], claimed[order]
    extra_true, extra_false = _extra_truth(nouns, wordnet, extra, config.relation)
    # a noun that nothing can be denied of would be in no denial
    spoken = np.asarray(extra_false.any(axis=1))
    extra = [synset for synset, keep in zip(extra, spoken.tolist(), strict=True) if keep]
    extra_true, extra_false = extra_true[spoken], extra_false[spoken]
    true = np.vstack([true, extra_true])
    false = np.vstack([~claimed, extra_false])
    leaves = nouns.leaves + tuple(synset.split(".")[0] for synset in extra)
    synsets = nouns.synsets + tuple(extra)
    related = _related(leaves, synsets, wordnet)
    if config.relation != RELATION:
        related |= _named_alike(leaves, nouns)
    lexicon = Lexicon(
        leaves=leaves,
        n_pictured=len(nouns.leaves),
        hypernyms=nouns.hypernyms,
        glosses=tuple(wordnet.gloss(synset) if synset else "" for synset in synsets),
        true=true,
        false=false,
        withheld=np.zeros_like(true),
        related=related,
        wording=WORDINGS[config.relation],
    )
    return replace(lexicon, withheld=_withheld(lexicon, config))


def _withheld(lexicon: Lexicon, config: LexiconConfig) -> Bools:
    """Pairs without question form: a hashed share of all, and all of the stated leaves."""
    withheld = np.array(
        [
            [
                unit_interval(config.seed, "withheld", leaf, hypernym) < config.withheld_ratio
                for hypernym in lexicon.hypernyms
            ]
            for leaf in lexicon.leaves
        ],
        dtype=bool,
    )
    extra = lexicon.leaves[lexicon.n_pictured :]
    stated = set(keyed_order(extra, config.seed, "stated")[: config.n_stated])
    withheld[[leaf in stated for leaf in lexicon.leaves]] = True
    return withheld


def _scramble(n_leaves: int, seed: int) -> list[int]:
    """For each leaf the leaf whose hypernyms it gets: one hash-drawn permutation."""
    order = keyed_order(range(n_leaves), seed, "scramble")
    to = dict(zip(order, order[1:] + order[:1], strict=True))
    return [to[i] for i in range(n_leaves)]


def _named_alike(leaves: tuple[str, ...], nouns: _Nouns) -> Bools:
    """[L, L] a source gives one leaf a target that is called like the other: parrot and wing."""
    alike = np.zeros((len(leaves), len(leaves)), dtype=bool)
    for i, j in zip(*np.nonzero(nouns.claimed), strict=True):
        for k in (k for k, leaf in enumerate(leaves) if leaf == nouns.hypernyms[j]):
            alike[i, k] = alike[k, i] = True
    return alike


def _related(leaves: tuple[str, ...], synsets: tuple[str | None, ...], wordnet: WordNet) -> Bools:
    """[L, L] same surface form, same synset, or one above the other."""
    n = len(leaves)
    at: dict[str, list[int]] = {}
    for i, synset in enumerate(synsets):
        if synset:
            at.setdefault(synset, []).append(i)
    related = np.array([[a == b for b in leaves] for a in leaves], dtype=bool).reshape(n, n)
    for i, synset in enumerate(synsets):
        for other in (wordnet.ancestors(synset) | {synset}) if synset else ():
            for j in at.get(other, ()):
                related[i, j] = related[j, i] = True
    return related
