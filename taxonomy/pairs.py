"""Which (leaf, hypernym) pairs are a Yes: what each source says of them, put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, order=True)
class Claim:
    """A pair that at least one source holds true; None: the source does not speak of it."""

    leaf: str
    hypernym: str
    strict: bool | None
    listed: bool | None

    def is_yes(self, pairs: str) -> bool:
        """Whether the pair is a Yes under a choice of pairs.

        agreed: true in every source that speaks of it; strict: in the WordNet closure;
        everyday or categories: in the hand-made list.
        """
        if pairs == "strict":
            return bool(self.strict)
        if pairs in ("everyday", "categories"):
            return bool(self.listed)
        return self.strict is not False and self.listed is not False


def claims(
    leaves: Iterable[str],
    hypernyms: Iterable[str],
    above: Mapping[str, frozenset[str]],
    synsets: Mapping[str, str | None],
    listed: Mapping[str, frozenset[str]],
) -> list[Claim]:
    """Every pair that WordNet or the list holds true, sorted.

    Args:
        leaves: Names of the leaves.
        hypernyms: The hypernym words.
        above: By leaf with a synset, its synset and all synsets above it.
        synsets: The hypernyms' synsets.
        listed: By leaf that the list speaks of, the hypernyms it gives.

    Returns:
        The claims, by leaf and hypernym.
    """
    found = []
    words = sorted(hypernyms)
    for leaf in sorted(leaves):
        for word in words:
            synset = synsets[word]
            strict = None if synset is None or leaf not in above else synset in above[leaf]
            in_list = word in listed[leaf] if leaf in listed else None
            if strict or in_list:
                found.append(Claim(leaf=leaf, hypernym=word, strict=strict, listed=in_list))
    return found


def n_leaves(found: Iterable[Claim], hypernyms: Iterable[str], pairs: str) -> dict[str, int]:
    """By hypernym word, the number of leaves that are a Yes."""
    counts = Counter(claim.hypernym for claim in found if claim.is_yes(pairs))
    return {word: counts[word] for word in sorted(hypernyms)}
