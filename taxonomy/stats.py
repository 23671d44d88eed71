"""Counts of a built taxonomy, for the reader."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc

from taxonomy.model import RELATION, SPLITS, Taxonomy
from taxonomy.relations.summary import relation_lines

_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Stats:
    """What a taxonomy holds."""

    n_leaves: int
    n_inner: int
    n_images: Mapping[str, int]
    """By split, in the order of the splits, and "inner" for pictures of inner nodes."""
    n_pairs: int
    """(leaf, hypernym) pairs that are a Yes."""
    n_pairs_unused: int
    """Pairs that some source holds true but that are neither Yes nor No."""
    n_leaves_with_hypernym: int
    leaves_of: Mapping[str, int]
    """Number of Yes leaves of each hypernym that is kept, largest first."""
    dropped: Mapping[str, int]
    """Hypernyms with too few leaves, and how many they have."""
    without_validation: tuple[str, ...]
    """Leaves with no validation image."""


def stats(taxonomy: Taxonomy) -> Stats:
    """Count everything from the taxonomy's tables."""
    concepts = {row["concept_id"]: row for row in taxonomy.concepts.to_pylist()}
    roles = Counter(row["role"] for row in concepts.values())
    split = taxonomy.images["split"]
    counted = pc.value_counts(split).to_pylist()
    images = Counter({row["values"] or "inner": row["counts"] for row in counted})
    pairs = [p for p in taxonomy.leaf_hypernym.to_pylist() if p["relation"] == RELATION]
    used = [pair for pair in pairs if pair["used"]]
    leaves_of = Counter(concepts[pair["hypernym_id"]]["name"] for pair in used)
    validated = set(
        taxonomy.images["concept_id"].filter(pc.equal(split, "validation")).unique().to_pylist()
    )
    return Stats(
        n_leaves=roles["leaf"],
        n_inner=roles["inner"],
        n_images={name: images[name] for name in (*SPLITS, "inner")},
        n_pairs=len(used),
        n_pairs_unused=len(pairs) - len(used),
        n_leaves_with_hypernym=len({pair["leaf_id"] for pair in used}),
        leaves_of=dict(sorted(leaves_of.items(), key=lambda item: (-item[1], item[0]))),
        dropped=dict(taxonomy.notes["dropped"]),
        without_validation=tuple(
            sorted(
                row["name"]
                for key, row in concepts.items()
                if row["role"] == "leaf" and key not in validated
            )
        ),
    )


def summary(taxonomy: Taxonomy) -> str:
    """Several lines that say what was built, and where to see lists that they cut short."""
    found = stats(taxonomy)
    lines = _summary(taxonomy, found, _SHOWN)
    return "\n".join([*lines, *_cut(lines, _summary(taxonomy, found, None))])


def _cut(lines: list[str], whole: list[str]) -> list[str]:
    """Where to see the rest, if there is any."""
    return [] if lines == whole else ["in full: `xmodal taxonomy stats --all`"]


def _summary(taxonomy: Taxonomy, found: Stats, most: int | None) -> list[str]:
    """The lines, with no more than the first of each list."""
    config = taxonomy.config
    images = ", ".join(f"{n} {name}" for name, n in found.n_images.items() if n)
    lines = [
        f"dataset {taxonomy.dataset_id}: source {config.source}, pairs {config.pairs}, "
        f"WordNet {taxonomy.notes['wordnet_version']}",
        f"{found.n_leaves} leaves, {found.n_inner} inner (in no question), "
        + (f"{sum(found.n_images.values())} images: {images}" if images else "no images"),
        f"{len(found.leaves_of)} hypernyms, {found.n_pairs} (leaf, hypernym) pairs, "
        f"{found.n_leaves_with_hypernym} leaves with a hypernym; "
        f"{found.n_pairs_unused} pairs are neither Yes nor No",
        f"dropped, fewer than {config.min_leaves} leaves: {_counted(found.dropped) or 'none'}",
    ]
    ignored = taxonomy.notes.get("ignored_columns")
    moved = taxonomy.notes.get("moved")
    if moved:
        lines.append(
            f"{len(moved)} pairs are otherwise than in WordNet 3.0, for which the emoji list was "
            f"made; look at them: {_first(tuple(moved), most)}"
        )
    if ignored:
        lines.append(f"columns not used: {', '.join(ignored)}")
    in_full = most is None
    return [*lines, *_said(taxonomy.notes, most), *relation_lines(taxonomy, in_full=in_full)]


_TOLD = {
    "aliases": "{n} spelt otherwise in the categories file than in the concepts file: {first}",
    "without_synset": "{n} concepts have no synset; WordNet is silent about them: {first}",
    "unknown_synsets": "{n} synsets are not in this WordNet and were passed over: {first}",
    "kept_inner": "{n} leaves are above other leaves and were kept: {first}",
    "ambiguous_folders": "{n} lemmas have several senses, the first was taken: {first}",
    "ambiguous": "{n} hypernyms have several senses above leaves, that above most was taken: "
    "{first}",
    "merged": "{n} synsets have the leaves of another hypernym and were merged: {first}",
    "renamed": "{n} hypernyms gave way to one with more leaves under their first lemma: {first}",
    "unnamed": "{n} synsets left out, all their lemmas are other hypernyms: {first}",
    "ignored_folders": "{n} entries of the images folder belong to no concept: {first}",
    "ignored_files": "{n} files are no pictures and were passed over: {first}",
    "shared_pictures": "{n} pictures left out, another leaf has the same one: {first}",
}
"""What is said of a list among the notes; n is its length and first its beginning."""


def _said(notes: Mapping[str, Any], most: int | None) -> list[str]:
    """One line for each list among the notes that is not empty."""
    lines = [
        told.format(n=len(notes[key]), first=_first(tuple(notes[key]), most))
        for key, told in _TOLD.items()
        if notes.get(key)
    ]
    if notes.get("n_folders_outside_leaves"):
        lines.append(
            f"{notes['n_folders_outside_leaves']} folders of concepts not among the leaves"
        )
    return lines


def report(taxonomy: Taxonomy, *, in_full: bool = False) -> str:
    """The summary, and the hypernyms, leaves without validation and near-duplicates.

    Args:
        taxonomy: What to report on.
        in_full: Every list to its end.
    """
    found = stats(taxonomy)
    whole = _report(taxonomy, found, None)
    lines = whole if in_full else _report(taxonomy, found, _SHOWN)
    return "\n".join([*lines, *_cut(lines, whole)])


def _report(taxonomy: Taxonomy, found: Stats, most: int | None) -> list[str]:
    lines = [
        *_summary(taxonomy, found, most),
        f"leaves of each hypernym: {_counted(found.leaves_of)}",
    ]
    missing = found.without_validation
    if taxonomy.images.num_rows:
        listed = _first(missing, most) or "none"
        lines.append(f"{len(missing)} leaves have no validation image: {listed}")
        lines += _near_duplicates(taxonomy, most)
    return lines


def _near_duplicates(taxonomy: Taxonomy, most: int | None) -> list[str]:
    """One line for the counts and one for each of the first pairs."""
    pairs: list[dict[str, int]] | None = taxonomy.notes.get("near_duplicates")
    if pairs is None:
        return ["near-duplicates across splits: the source has no list of them"]
    names = taxonomy.concepts["name"].to_pylist()
    images = taxonomy.images.to_pylist()
    ends = [(images[pair["image_a"]], images[pair["image_b"]], pair["n_bits"]) for pair in pairs]

    def named(image: dict[str, Any]) -> str:
        return f"{names[image['concept_id']]} ({image['style']}, {image['split']})"

    n_same = sum(a["concept_id"] == b["concept_id"] for a, b, _ in ends)
    lines = [
        f"{len(ends)} pairs of near-duplicates across splits, {n_same} of them of one leaf "
        "(differing bits of 64-bit perceptual hashes)"
    ]
    lines += [f"  {n_bits} bits: {named(a)} and {named(b)}" for a, b, n_bits in ends[:most]]
    if most is not None and len(ends) > most:
        lines.append(f"  and {len(ends) - most} more")
    return lines


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in counts.items())


def _first(names: tuple[str, ...], most: int | None) -> str:
    """The first names and how many more there are; all of them for None."""
    more = f" and {len(names) - most} more" if most is not None and len(names) > most else ""
    return ", ".join(names[:most]) + more
