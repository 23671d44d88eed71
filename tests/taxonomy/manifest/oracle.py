"""What manifests are to be (taxonomy.model.ManifestConfig), as slow loops over dicts and sets.

Nothing is imported from taxonomy.manifest: orders come from taxonomy.hashing alone.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from taxonomy.hashing import keyed_order, unit_interval
from taxonomy.model import Manifest, ManifestConfig, Taxonomy

Cell = tuple[int, int]


def word(name: str) -> str:
    return " ".join(name.lower().replace("_", " ").split())


class Oracle:
    def __init__(self, taxonomy: Taxonomy) -> None:
        self.dataset_id = taxonomy.dataset_id
        self.concepts: dict[int, Any] = {c["concept_id"]: c for c in taxonomy.concepts.to_pylist()}
        self.leaves = [i for i, c in self.concepts.items() if c["role"] == "leaf"]
        self.hypernyms = [
            i for i, c in self.concepts.items() if c["role"] == "hypernym" and not c["dropped"]
        ]
        rows = taxonomy.leaf_hypernym.to_pylist()
        self.claims = {(r["leaf_id"], r["hypernym_id"]) for r in rows}
        self.true = {(r["leaf_id"], r["hypernym_id"]) for r in rows if r["used"]}
        self.edges = {(e["hyponym_id"], e["hypernym_id"]) for e in taxonomy.edges.to_pylist()}
        self.images = {
            r["image_id"]: (r["concept_id"], r["split"])
            for r in taxonomy.images.to_pylist()
            if r["split"] is not None and r["concept_id"] in self.leaves
        }

    def key(self, concept: int) -> str:
        return str(self.concepts[concept]["key"])

    def word(self, concept: int) -> str:
        return word(self.concepts[concept]["name"])

    @cached_property
    def up(self) -> dict[int, set[int]]:
        """Concept -> its synonyms, ancestors and what is claimed of them, by fixed point."""
        step: dict[int, set[int]] = {c: {c} for c in self.concepts}
        for a, b in self.edges | self.claims:
            step[a].add(b)
        for a in self.concepts:
            for b in self.concepts:
                if self.concepts[a]["synset"] and (
                    self.concepts[a]["synset"] == self.concepts[b]["synset"]
                ):
                    step[a].add(b)
        while True:
            longer = {c: set().union(*(step[d] for d in reached)) for c, reached in step.items()}
            if longer == step:
                return step
            step = longer

    def is_synonym(self, a: int, b: int) -> bool:
        one, other = self.concepts[a]["synset"], self.concepts[b]["synset"]
        return a == b or (one is not None and one == other)

    def words_above(self, concept: int) -> set[str]:
        """Own word and those of strict ancestors."""
        strict = {d for d in self.up[concept] if not self.is_synonym(concept, d)}
        return {self.word(d) for d in strict} | {self.word(concept)}

    def related(self, a: int, b: int) -> bool:
        return b in self.up[a] or a in self.up[b]

    def clash(self, a: int, b: int) -> bool:
        return self.word(a) in self.words_above(b) or self.word(b) in self.words_above(a)

    def may_be_no(self, leaf: int, asked: int) -> bool:
        return not (
            (leaf, asked) in self.claims or self.related(leaf, asked) or self.clash(leaf, asked)
        )

    @cached_property
    def false(self) -> set[Cell]:
        return {
            (leaf, h)
            for leaf in self.leaves
            for h in self.hypernyms
            if (leaf, h) not in self.true and self.may_be_no(leaf, h)
        }

    def has(self, leaf: int) -> set[int]:
        return {h for h in self.hypernyms if (leaf, h) in self.true}

    def any_source(self, leaf: int) -> set[int]:
        return {h for h in self.hypernyms if (leaf, h) in self.claims}

    def held_out(self, config: ManifestConfig) -> set[Cell]:
        """The cells of a design, by its definition."""
        cells = self.true | self.false
        if config.design == "none" or (config.design == "random" and config.ratio == 0):
            return set()
        if config.design == "systematic":
            keys = {self.key(h): h for h in self.hypernyms}
            order = keyed_order(keys, config.seed, "systematic")
            first = {keys[k] for k in order[: config.n_held_out_hypernyms]}
            if config.closure == "down":
                first |= {
                    h
                    for h in self.hypernyms
                    for top in first
                    if top in self.up[h] and not self.is_synonym(h, top)
                }
            if config.unit == "pair":
                return {c for c in cells if c[1] in first}
            leaves = {leaf for leaf, h in self.true if h in first}
            return {c for c in cells if c[0] in leaves}
        if config.unit == "leaf":
            leaves = set()
            for h in self.hypernyms:
                keys = {self.key(leaf): leaf for leaf, other in self.true if other == h}
                order = keyed_order(keys, config.seed, f"leaf|{self.key(h)}")
                leaves |= {keys[k] for k in order[: max(1, int(len(keys) * config.ratio))]}
            return {c for c in cells if c[0] in leaves}
        held = set()
        for answer, part in ((True, self.true), (False, self.false)):
            placed = self.placed(config.seed, answer, part)
            held |= set(sorted(part, key=placed.__getitem__)[: round(config.ratio * len(part))])
        return held

    def placed(self, seed: int, answer: bool, part: set[Cell]) -> dict[Cell, Any]:
        """The position of each cell, (rank + u) / n in its group, and how ties go."""
        position: dict[Cell, Any] = {}
        for h in self.hypernyms:
            names = {f"{self.key(leaf)}|{self.key(h)}": leaf for leaf, o in part if o == h}
            u = unit_interval(seed, "pair-offset", self.key(h), answer)
            for rank, name in enumerate(keyed_order(names, seed, "pair")):
                position[names[name], h] = ((rank + u) / len(names), h, names[name])
        return position


def cells_of(manifest: Manifest) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = manifest.cells.to_pylist()
    return rows


def held_of(manifest: Manifest) -> set[Cell]:
    return {(r["leaf_id"], r["hypernym_id"]) for r in cells_of(manifest) if r["held_out"]}


def examples_of(manifest: Manifest) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = manifest.examples.to_pylist()
    return rows


def labels_of(manifest: Manifest) -> dict[int, int]:
    """Image leaf -> label leaf, without the dropped."""
    return {
        r["image_leaf_id"]: r["label_leaf_id"]
        for r in manifest.labels.to_pylist()
        if r["label_leaf_id"] is not None
    }
