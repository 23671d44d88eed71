"""What a manifest over partitions sends between machines: the embedded dataset over eight.

python -m benchmarks.partitions [--partitions 8] [--output benchmarks/results/partitions.json]

Every design is built on one machine and over partitions; cells, labels, examples and their hash
must be equal, also as the bytes of an Arrow file. Then what is sent is counted by phase, beside the
size of the rows that stay where they are. Partitions are objects of one process here, sent through
pickle first; seconds are process time. `one_hypernym` draws one hypernym's No among 14.2 million
images with random keys, and compares them with what sorting all keys gives.
"""

from __future__ import annotations

import argparse
import pickle
import time
import tracemalloc
from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.result import report
from taxonomy.manifest import build_manifest
from taxonomy.manifest.ablation import resolve
from taxonomy.manifest.firsts import Keyed, Traffic, first
from taxonomy.manifest.partitioned import Partitioned, build_partitioned
from taxonomy.manifest.partitions import Partition, split_world
from taxonomy.manifest.shuffle import draw_labels
from taxonomy.manifest.world import World, read_world
from taxonomy.model import Manifest, ManifestConfig, Taxonomy, TaxonomyConfig
from xmodal.taxonomies import build_taxonomy

SHUFFLES = ("none", "within", "across")
NEGATIVES = ("matched", "image")
UNITS = ("pair", "leaf")


def arrow_bytes(table: pa.Table) -> bytes:
    """A table as an Arrow file holds it."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    content: bytes = sink.getvalue().to_pybytes()
    return content


def same(made: Partitioned, manifest: Manifest) -> bool:
    """Whether rows, their order, their bytes and their hash are equal."""
    want = manifest.cells, manifest.labels, manifest.examples
    tables = all(
        got.equals(table) and arrow_bytes(got) == arrow_bytes(table)
        for got, table in zip(made.tables(), want, strict=True)
    )
    return tables and made.rows_sha256() == manifest.rows_sha256


def shuffle_peak_bytes(world: World, config: ManifestConfig) -> int:
    """Memory that drawing the shuffle takes, beside the rows of leaves."""
    tracemalloc.start()
    try:
        draw_labels(world, resolve(config, len(world.hypernyms)))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def measured(taxonomy: Taxonomy, world: World, config: ManifestConfig, n: int) -> dict[str, Any]:
    """One design, on one machine and over n."""
    started = time.process_time()
    manifest = build_manifest(taxonomy, config)
    alone = time.process_time() - started
    parts: list[Partition] = [pickle.loads(pickle.dumps(one)) for one in split_world(world, n)]
    started = time.process_time()
    made = build_partitioned(parts, config)
    apart = time.process_time() - started
    if not same(made, manifest):
        raise AssertionError(f"{config} over {n} partitions is another manifest")
    phases = {name: asdict(phase) for name, phase in made.traffic.phases.items()}
    sent = sum(v for phase in phases.values() for k, v in phase.items() if k != "rounds")
    return {
        "unit": config.unit,
        "shuffle": config.shuffle,
        "negatives": config.negatives,
        "rows_sha256": manifest.rows_sha256,
        "n_examples": manifest.examples.num_rows,
        "rows_bytes": manifest.examples.nbytes + manifest.cells.nbytes,
        "sent_bytes": sent,
        "rounds": sum(phase["rounds"] for phase in phases.values()),
        "phases": phases,
        "merging_state_bytes": made.traffic.state_bytes,
        "shuffle_peak_bytes": shuffle_peak_bytes(world, config),
        "n_examples_by_partition": [len(table) for table in made.examples],
        "one_machine_s": round(alone, 2),
        "all_partitions_s": round(apart, 2),
    }


def one_hypernym(n_images: int, n_yes: int, n: int) -> dict[str, Any]:
    """One selection over n partitions, of random keys."""
    rng = np.random.default_rng(0)
    keys = rng.integers(0, 2**64, n_images, dtype=np.uint64)
    where = rng.integers(0, n, n_images, dtype=np.int8)
    traffic, ids = Traffic(), [np.flatnonzero(where == number) for number in range(n)]
    started = time.process_time()
    parts = [Keyed([(keys[mine], mine)]) for mine in ids]
    sorted_s = time.process_time() - started
    chosen = first(parts, np.array([n_yes]), traffic, "one")
    drawn_s = time.process_time() - started - sorted_s
    want = np.argsort(keys, kind="stable")[:n_yes]
    if not np.array_equal(np.sort(np.concatenate([one[0] for one in chosen])), np.sort(want)):
        raise AssertionError("the first over partitions are not the first of all")
    return {
        "n_images": n_images,
        "n_yes": n_yes,
        **asdict(traffic.phases["one"]),
        "sorting_s": round(sorted_s, 2),
        "drawing_s": round(drawn_s, 3),
    }


def main() -> None:
    """Compare twelve designs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--partitions", type=int, default=8)
    parser.add_argument("--output", type=Path)
    asked = parser.parse_args()
    taxonomy = build_taxonomy(TaxonomyConfig())
    world = read_world(taxonomy)
    designs = []
    for unit, shuffle, negatives in product(UNITS, SHUFFLES, NEGATIVES):
        config = ManifestConfig(
            design="random", ratio=0.5, unit=unit, shuffle=shuffle, negatives=negatives
        )
        designs.append(measured(taxonomy, world, config, asked.partitions))
    sizes = np.array([len(one.world.image_ids) for one in split_world(world, asked.partitions)])
    numbers = {
        "n_partitions": asked.partitions,
        "n_leaves": len(world.leaves),
        "n_hypernyms": len(world.hypernyms),
        "n_images": len(world.image_ids),
        "n_images_by_partition": sizes.tolist(),
        "all_equal": True,
        "one_hypernym": one_hypernym(14_197_122, 100_000, asked.partitions),
        "designs": designs,
    }
    report(numbers, ("numpy", "pyarrow"), asked.output)


if __name__ == "__main__":
    main()
