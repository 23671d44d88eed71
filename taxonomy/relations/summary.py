"""Counts of the relations beside hypernymy, for the reader."""

from __future__ import annotations

from collections import Counter

from taxonomy.model import RELATION, Taxonomy

_SHOWN = 20


def relation_lines(taxonomy: Taxonomy, *, in_full: bool = False) -> list[str]:
    """Two lines a relation: its targets with their leaves, most first, and who was dropped."""
    most = None if in_full else _SHOWN
    names = dict(
        zip(
            taxonomy.concepts["concept_id"].to_pylist(),
            taxonomy.concepts["name"].to_pylist(),
            strict=True,
        )
    )
    pairs = taxonomy.leaf_hypernym.to_pylist()
    lines = []
    for relation in taxonomy.config.relations:
        if relation == RELATION:
            continue
        own = [pair for pair in pairs if pair["relation"] == relation]
        used = [pair for pair in own if pair["used"]]
        counts = Counter(names[pair["hypernym_id"]] for pair in used)
        largest = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        few = taxonomy.notes.get("dropped_targets", {}).get(relation, {})
        lines.append(
            f"relation {relation}: {len(counts)} targets, {len(used)} (leaf, {relation}) pairs, "
            f"{len({pair['leaf_id'] for pair in used})} leaves with one; {len(own) - len(used)} "
            f"pairs are neither Yes nor No; dropped: "
            + (", ".join(f"{word} {n}" for word, n in few.items()) or "none")
        )
        shown = ", ".join(f"{word} {n}" for word, n in largest[:most])
        more = f" and {len(largest) - _SHOWN} more" if most and len(largest) > most else ""
        lines.append(f"leaves of each {relation}: {shown}{more}")
    return lines
