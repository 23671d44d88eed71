"""A relation as read, and a taxonomy with relations added to it.

Targets are concepts of their own ("part/wing") and pairs are rows beside the hypernyms' pairs.
Neither enters the hypernym graph: a part is above nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from taxonomy import tables
from taxonomy.errors import ConfigError, DataError, unknown
from taxonomy.identity import QUESTIONS, id_with_relations
from taxonomy.model import RELATION, Taxonomy
from taxonomy.pairs import Claim
from taxonomy.phrases import phrase

PART = "part"
ROLES = ("leaf", "hypernym", "inner", "synset")
"""Roles of concepts that are no target; no relation may be called so."""


@dataclass(frozen=True, kw_only=True)
class Relation:
    """What the sources say of leaves and targets, by key of the leaf and word of the target."""

    name: str
    phrases: Mapping[str, str]
    """Each target's word and its asked form."""
    strict: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By leaf that WordNet speaks of, the targets it gives; it says nothing of others."""
    listed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By leaf that the list speaks of, the targets it gives."""
    unclear: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """By leaf, the targets that the list leaves open: neither Yes nor No."""
    question: str | None = None
    """The text that asks for a target, with {phrase}; None for the prompt's own."""

    def __post_init__(self) -> None:
        if self.name in ROLES:
            raise ConfigError(
                f"a relation cannot be called {self.name!r}: {', '.join(ROLES)} are taken"
            )


@dataclass(frozen=True)
class _Pair:
    leaf: str
    target: str
    strict: bool | None
    listed: bool | None
    used: bool


def add_relations(taxonomy: Taxonomy, relations: Sequence[Relation]) -> Taxonomy:
    """The taxonomy with the targets and pairs of other relations.

    Ids of concepts stay as they are; targets follow them, by relation and word. A pair is used
    under the same rule as a hypernym's (taxonomy.pairs), unless its target's word is the leaf's
    own: "does a window have a window?" is no question. Targets with fewer used leaves than
    min_leaves are kept, flagged and in no question.

    Args:
        taxonomy: Built with the relation hypernym alone.
        relations: As read; none returns the taxonomy itself.

    Returns:
        A dataset of its own; its id depends on the first one's and on all that is added.

    Raises:
        DataError: A relation comes twice, or none of its targets has min_leaves leaves.
    """
    if not relations:
        return taxonomy
    names = [relation.name for relation in relations]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(
            f"relation {twice!r} comes from two sources; take it out of one of them: the table, "
            f"or --relation {twice}"
        )
    leaves = _leaves(taxonomy)
    concepts = taxonomy.concepts.to_pylist()
    rows, dropped = [], {}
    for relation in sorted(relations, key=lambda relation: relation.name):
        pairs = _pairs(relation, leaves, taxonomy.config.pairs)
        few = _dropped(relation, pairs, taxonomy.config.min_leaves)
        dropped[relation.name] = few
        ids = {}
        for word in sorted(relation.phrases):
            ids[word] = len(concepts)
            concepts.append(_target(relation, word, len(concepts), word in few))
        rows += [_pair_row(pair, relation.name, leaves, ids, few) for pair in pairs]
    added = pa.Table.from_pylist(rows, schema=tables.LEAF_HYPERNYM)
    questions = {r.name: r.question for r in relations if r.question is not None}
    found = pa.Table.from_pylist(concepts, schema=tables.CONCEPT)
    targets = found.slice(taxonomy.concepts.num_rows)
    return replace(
        taxonomy,
        dataset_id=id_with_relations(taxonomy.dataset_id, targets, added, questions),
        config=replace(taxonomy.config, relations=(RELATION, *sorted(names))),
        concepts=found,
        leaf_hypernym=pa.concat_tables([taxonomy.leaf_hypernym, added]),
        notes={**taxonomy.notes, "dropped_targets": dropped, QUESTIONS: questions},
    )


def check_relation(taxonomy: Taxonomy, relation: str) -> None:
    """Raise ConfigError, naming the nearest, unless the dataset has the relation."""
    known = taxonomy.config.relations
    if relation not in known:
        raise ConfigError(
            f"dataset {taxonomy.dataset_id}: {unknown('relation', relation, known)}; "
            "`xmodal taxonomy build --relation part` or `--relations FILE` adds relations"
        )


def question_text(taxonomy: Taxonomy, relation: str) -> str | None:
    """The text that the dataset's table gave for a relation's questions, if it gave one."""
    said: Mapping[str, str] = taxonomy.notes.get(QUESTIONS, {})
    return said.get(relation)


def _leaves(taxonomy: Taxonomy) -> dict[str, tuple[int, str]]:
    """Id and surface form of each leaf, by key."""
    table = taxonomy.concepts.select(["key", "concept_id", "name", "role"]).to_pydict()
    return {
        key: (concept, name)
        for key, concept, name, role in zip(*table.values(), strict=True)
        if role == "leaf"
    }


def _pairs(relation: Relation, leaves: Mapping[str, tuple[int, str]], choice: str) -> list[_Pair]:
    """Every pair that some source speaks for or leaves open, by leaf and target."""
    found = []
    for leaf, (_, name) in sorted(leaves.items()):
        for word in sorted(relation.phrases):
            strict = word in relation.strict[leaf] if leaf in relation.strict else None
            open_ = word in relation.unclear.get(leaf, ())
            speaks = leaf in relation.listed and not open_
            listed = word in relation.listed[leaf] if speaks else None
            if strict or listed or open_:
                claim = Claim(leaf=leaf, hypernym=word, strict=strict, listed=listed)
                clear = not open_ and " ".join(word.split()) != " ".join(name.lower().split())
                found.append(_Pair(leaf, word, strict, listed, clear and claim.is_yes(choice)))
    return found


def _dropped(relation: Relation, pairs: Sequence[_Pair], min_leaves: int) -> dict[str, int]:
    """Targets with too few used leaves, and how many they have."""
    counts = {
        word: sum(pair.used and pair.target == word for pair in pairs)
        for word in sorted(relation.phrases)
    }
    few = {word: n for word, n in counts.items() if n < min_leaves}
    if len(few) == len(counts):
        most = max(counts, key=lambda word: (counts[word], word), default=None)
        largest = f"; the largest is {most!r} with {counts[most]}" if most is not None else ""
        raise DataError(
            f"relation {relation.name!r}: no target has min_leaves = {min_leaves} leaves"
            f"{largest}; lower min_leaves or list more pairs"
        )
    return few


def _target(relation: Relation, word: str, concept_id: int, dropped: bool) -> dict[str, Any]:
    return {
        "concept_id": concept_id,
        "key": f"{relation.name}/{word}",
        "name": word,
        "phrase": relation.phrases[word] or phrase(word),
        "synset": None,
        "wn_offset": None,
        "gloss": None,
        "role": relation.name,
        "dropped": dropped,
        "depth": None,
    }


def _pair_row(
    pair: _Pair,
    relation: str,
    leaves: Mapping[str, tuple[int, str]],
    ids: Mapping[str, int],
    few: Mapping[str, int],
) -> dict[str, Any]:
    return {
        "leaf_id": leaves[pair.leaf][0],
        "hypernym_id": ids[pair.target],
        "strict": pair.strict,
        "everyday": pair.listed,
        "used": pair.used and pair.target not in few,
        "relation": relation,
    }
