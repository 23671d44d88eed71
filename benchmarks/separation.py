"""Concept separation at size: captions a second, and the split of many classes.

python -m benchmarks.separation [--captions 1000000] [--classes 21000] [--output FILE]

Classes are that many of WordNet's physical nouns with nothing below them, so that there are as many
as ImageNet-21k has; captions are templates over names of the embedded dataset and WordNet's
nouns. The filter looks for the words of the 100 unseen classes of the embedded dataset, then
for those of 1,000 of the many.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.result import report
from taxonomy.hashing import hash63, keyed_order
from taxonomy.model import TaxonomyConfig
from taxonomy.separation import (
    Classes,
    Nouns,
    SeparationConfig,
    audit,
    filter_texts,
    find_mentions,
    read_classes,
    read_nouns,
    separate,
)
from taxonomy.wordnet import WordNet
from xmodal.bundle import wordnet_files
from xmodal.taxonomies import build_taxonomy

_TEMPLATES = (
    "a photo of a {} next to a {} on the kitchen table",
    "{} and {}, vintage print from the 1950s",
    "the best {} for your {} - free shipping!",
    "portrait of a young woman with a {} in front of the {}",
    "{}",
)


def many_classes(nouns: Nouns, n_classes: int) -> Classes:
    """That many physical nouns with nothing below them."""
    physical = nouns.closure(["physical_entity.n.01"], down=True)
    leaves = [node for node in physical if node not in nouns.below]
    nodes = tuple(sorted(keyed_order(leaves, 0, "bench")[:n_classes]))
    return Classes(
        ids=tuple(range(len(nodes))),
        keys=nodes,
        names=tuple(nouns.lemmas[node][0].lower() for node in nodes),
        nodes=nodes,
        nouns=nouns,
    )


def captions(names: tuple[str, ...], n_captions: int) -> Iterator[str]:
    """Two names a caption, each in one of a few sentences."""
    for row in range(n_captions):
        drawn = hash63("caption", row)
        template = _TEMPLATES[drawn % len(_TEMPLATES)]
        yield template.format(names[(drawn >> 8) % len(names)], names[(drawn >> 32) % len(names)])


def filter_speed(classes: Classes, config: SeparationConfig, texts: list[str]) -> dict[str, Any]:
    """Time to drop the texts that speak of the unseen classes, at level subtree."""
    unseen = separate("benchmark", classes, config).unseen
    start = time.perf_counter()
    mentions = find_mentions(classes, unseen, "subtree")
    made_s = time.perf_counter() - start
    start = time.perf_counter()
    filtered = filter_texts(texts, mentions)
    filter_s = time.perf_counter() - start
    return {
        "n_unseen": len(unseen),
        "n_forms": len(mentions),
        "make_s": round(made_s, 2),
        "filter_s": round(filter_s, 2),
        "captions_per_s": round(len(texts) / filter_s),
        "dropped_ratio": round(float((~filtered.kept).mean()), 4),
    }


def split_speed(classes: Classes, config: SeparationConfig) -> dict[str, Any]:
    """Time of the split and of its audit, and what each level keeps."""
    start = time.perf_counter()
    separation = separate("benchmark", classes, config)
    split_s = time.perf_counter() - start
    seen = set(classes.ids) - set(separation.removed["branch"].separated)
    start = time.perf_counter()
    leaks = audit(classes, separation.unseen, seen, distance=config.distance)
    return {
        "distance": config.distance,
        "n_unseen": config.n_unseen,
        "split_s": round(split_s, 2),
        "audit_s": round(time.perf_counter() - start, 2),
        "n_leaks_at_branch": len(leaks),
        "n_seen": {name: n["n_seen"] for name, n in separation.summary["levels"].items()},
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, default=1_000_000)
    parser.add_argument("--classes", type=int, default=21_000)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    start = time.perf_counter()
    nouns = read_nouns(WordNet.open(wordnet_files.wordnet_dir()))
    read_s = time.perf_counter() - start
    embedded = read_classes(build_taxonomy(TaxonomyConfig()), nouns)
    many = many_classes(nouns, asked.classes)
    texts = list(captions((*embedded.names, *many.names), asked.captions))
    n_many = max(1, asked.classes // 21)
    numbers = {
        "read_nouns_s": round(read_s, 2),
        "n_captions": len(texts),
        "filter": {
            "embedded": filter_speed(embedded, SeparationConfig(), texts),
            "many": filter_speed(many, SeparationConfig(n_unseen=n_many), texts),
        },
        "embedded": [split_speed(embedded, SeparationConfig(distance=d)) for d in (1, 2, 3, 4)],
        "many": [
            split_speed(many, SeparationConfig(distance=d, n_unseen=n_many)) for d in (2, 3, 4)
        ],
    }
    report(numbers, ("networkx", "numpy", "pyarrow"), asked.output)


if __name__ == "__main__":
    main()
