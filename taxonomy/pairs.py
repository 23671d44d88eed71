"""Which (leaf, hypernym) pairs are a Yes: what each source says of them, put together."""

from __future__ import annotations

from collections import Counter, defaultdict
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
    spoken_of: frozenset[str] | None = None,
) -> list[Claim]:
    """Every pair that WordNet or the list holds true, sorted.

    Args:
        leaves: Names of the leaves.
        hypernyms: The hypernym words.
        above: By leaf with a synset, its synset and all synsets above it.
        synsets: The hypernyms' synsets.
        listed: By leaf that the list speaks of, the hypernyms it gives.
        spoken_of: Hypernyms that the list speaks of; None: all.

    Returns:
        The claims, by leaf and hypernym.
    """
    words = frozenset(hypernyms)
    of_synset = defaultdict(set)
    for word in words:
        of_synset[synsets[word]].add(word)
    nothing: frozenset[str] = frozenset()
    found = []
    for leaf in sorted(leaves):
        known = above.get(leaf, nothing)
        strictly = {word for synset in known for word in of_synset.get(synset, ())}
        in_list = listed.get(leaf, nothing) & words
        for word in sorted(strictly | in_list):
            silent = leaf not in listed or (spoken_of is not None and word not in spoken_of)
            found.append(
                Claim(
                    leaf=leaf,
                    hypernym=word,
                    strict=word in strictly if synsets[word] and leaf in above else None,
                    listed=None if silent else word in in_list,
                )
            )
    return found


def n_leaves(found: Iterable[Claim], hypernyms: Iterable[str], pairs: str) -> dict[str, int]:
    """By hypernym word, the number of leaves that are a Yes."""
    counts = Counter(claim.hypernym for claim in found if claim.is_yes(pairs))
    return {word: counts[word] for word in sorted(hypernyms)}
