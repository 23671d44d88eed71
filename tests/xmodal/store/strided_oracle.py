"""What strided manifests are to be, as slow loops: every picture and every question in its turn.

Of the builder nothing is imported but its hashes (taxonomy.hashing).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Any

from taxonomy.hashing import hash63, keyed_order, unit_interval
from taxonomy.model import ManifestConfig
from tests.taxonomy.manifest.oracle import Cell, Oracle

PRIME = 2**31 - 1
_WRAP = 2**64


def split_mix(seed: int, number: int) -> int:
    z = (number * 0x9E3779B97F4A7C15 + seed) % _WRAP
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % _WRAP
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % _WRAP
    return z ^ (z >> 31)


def start_and_stride(n: int, *parts: object, names: tuple[str, ...]) -> list[int]:
    """A start, and for each further name a stride that shares no factor with n."""
    numbers = [hash63(*parts, names[0]) % n]
    for name in names[1:]:
        stride = 1 + hash63(*parts, name) % n
        while math.gcd(stride, n) != 1:
            stride += 1
        numbers.append(stride)
    return numbers


class StridedOracle(Oracle):
    def held_out(self, config: ManifestConfig) -> set[Cell]:
        if config.design != "random" or config.unit != "pair":
            return super().held_out(config)
        held = set()
        for answer, part in ((True, self.true), (False, self.false)):
            at: dict[Cell, Any] = {}
            for h in self.hypernyms:
                members = [leaf for leaf, other in part if other == h]
                members.sort(key=lambda leaf, h=h: self.cell_key(config.seed, leaf, h))  # type: ignore[misc]
                u = unit_interval(config.seed, "pair-offset", self.key(h), answer)
                at |= {(m, h): ((r + u) / len(members), h) for r, m in enumerate(members)}
            held |= set(sorted(part, key=at.__getitem__)[: round(config.ratio * len(part))])
        return held

    def cell_key(self, seed: int, leaf: int, hypernym: int) -> int:
        keys = {self.key(one): one for one in self.leaves}
        order = [keys[key] for key in keyed_order(keys, seed, "strided-leaf")]
        a = 1 + hash63(seed, "strided-a", self.key(hypernym)) % (PRIME - 1)
        b = hash63(seed, "strided-b", self.key(hypernym)) % PRIME
        return (a * (1 + order.index(leaf)) + b) % PRIME

    def in_place(self, split: str) -> list[int]:
        """The pictures of a split in the order of the draws."""
        seed = hash63(self.dataset_id, "image-place")
        mine = [image for image, (_, own) in self.images.items() if own == split]
        return sorted(mine, key=lambda image: split_mix(seed, image))

    def questions(
        self, config: ManifestConfig, shuffle_id: str, label_of: dict[int, int]
    ) -> list[dict[str, Any]]:
        """Every question, before the ablation: image, split, label, asked, kind and answer."""
        drawn = []
        draw_id = "none" if config.shuffle == "within" else shuffle_id
        shown = sorted({label_of[o] for o, _ in self.images.values() if o in label_of})
        for split in ("train", "validation", "test"):
            order = self.in_place(split)
            for place, image in enumerate(order):
                if (label := label_of.get(self.images[image][0])) is None:
                    continue
                drawn.append((image, split, label, label, "leaf", True))
                asked = [x for x in shown if not (self.related(label, x) or self.clash(label, x))]
                n_no = config.train_leaf_negatives if split == "train" else 1
                for k in range(min(n_no, len(asked))):
                    of = (self.dataset_id, shuffle_id, "leaf-no", self.key(label))
                    start, stride, step = start_and_stride(
                        len(asked), *of, names=("start", "stride", "step")
                    )
                    no = asked[(start + place * stride + k * step) % len(asked)]
                    drawn.append((image, split, label, no, "leaf", False))
                drawn += [(image, split, label, h, "hypernym", True) for h in self.has(label)]
            for h in self.hypernyms if order else ():
                of = (self.dataset_id, draw_id, "hypernym-no", self.key(h), split)
                start, stride = start_and_stride(len(order), *of, names=("start", "stride"))
                wanted = sum(q[1] == split and q[3] == h and q[4] == "hypernym" for q in drawn)
                for k in range(len(order)):
                    image = order[(start + k * stride) % len(order)]
                    label = label_of.get(self.images[image][0])
                    if wanted and label is not None and (label, h) in self.false:
                        drawn.append((image, split, label, h, "hypernym", False))
                        wanted -= 1
        mask = hash63(self.dataset_id, shuffle_id, "strided-example") // 2
        names = ("image_id", "split", "label_leaf_id", "asked_id", "kind", "answer")
        rows = [dict(zip(names, one, strict=True)) for one in drawn]
        for row in rows:
            row["example_id"] = (row["image_id"] * 2**31 + row["asked_id"]) ^ mask
        return rows

    def mentions(self, concept: int, words: set[str], exact: bool) -> bool:
        """Whether a concept is called by one of the words, or contains one."""
        if exact:
            return self.word(concept) in words
        text = re.findall(
            r"\w+", f"{self.word(concept)} {self.concepts[concept]['phrase']}".lower()
        )
        for word in words:
            parts = re.findall(r"\w+", word)
            if any(text[i : i + len(parts)] == parts for i in range(len(text))):
                return True
        return False

    def examples(
        self, config: ManifestConfig, shuffle_id: str, label_of: dict[int, int]
    ) -> list[dict[str, Any]]:
        """The questions with what the ablation and the mentions policy make of them."""
        rows, held = self.questions(config, shuffle_id, label_of), self.held_out(config)
        for row in rows:
            cell = (row["label_leaf_id"], row["asked_id"])
            row["held_out"] = cell in held if row["kind"] == "hypernym" else None
            out = row["held_out"] and (row["answer"] or config.mentions != "drop_positives")
            row["in_training"] = row["split"] == "train" and not out
        if config.mentions in ("drop_all", "drop_words"):
            words = {self.word(h) for h in set(self.hypernyms) - self.taught(rows)}
            for row in rows:
                if self.mentions(row["asked_id"], words, config.mentions == "drop_all"):
                    row["in_training"] = False
        taught = self.taught(rows)
        for row in rows:
            seen = "seen" if row["asked_id"] in taught else "unasked"
            hypernym = "held_out" if row["held_out"] else seen
            row["question_set"] = hypernym if row["kind"] == "hypernym" else "leaf"
        return rows

    def taught(self, rows: list[dict[str, Any]]) -> set[int]:
        yes = [r for r in rows if r["in_training"] and r["kind"] == "hypernym" and r["answer"]]
        return {row["asked_id"] for row in yes}


def exposure_of(rows: list[dict[str, Any]]) -> Counter[tuple[int, bool]]:
    """Training questions that ask each hypernym, by answer."""
    return Counter(
        (r["asked_id"], r["answer"]) for r in rows if r["in_training"] and r["kind"] == "hypernym"
    )
