"""Manifests with negatives strided: what is derived of them in SQL is what loops draw."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from taxonomy.manifest import ManifestBuilder, exposure, strided_exposure
from taxonomy.manifest.strided import Strided
from taxonomy.model import SHUFFLES, SPLITS, Manifest, ManifestConfig, Taxonomy
from taxonomy.tables import CELL, EXAMPLE
from tests.taxonomy.manifest.oracle import labels_of
from tests.taxonomy.manifest.worlds import concept, make
from tests.xmodal.store.strided_oracle import StridedOracle
from xmodal.store import Store

_ROWS = "SELECT * EXCLUDE (manifest_id) FROM example_derived WHERE manifest_id = $id"
_CELLS = "SELECT leaf_id, hypernym_id, answer, held_out FROM cell_derived WHERE manifest_id = $id"


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened


def world(seed: int) -> Taxonomy:
    """Leaves that share words with leaves and hypernyms, unused claims, a dropped hypernym."""
    rng = random.Random(seed)
    words = ["hypernym 0", "toy hypernym 1", "twin", "twin"]
    concepts = [
        concept(h, "hypernym", "old hypernym 0" if h == 4 else f"hypernym {h}", dropped=h == 5)
        for h in range(6)
    ]
    edges, pairs, images = [(3, 0), (4, 1)], [], []
    for leaf in range(6, 20):
        name = rng.choice([f"leaf {leaf}"] * 6 + words)
        concepts.append(concept(leaf, "leaf", name))
        for high in rng.sample(range(6), rng.choice([0, 1, 1, 2])):
            used = high != 5 and rng.random() < 0.8
            pairs.append((leaf, high, used))
            edges += [(leaf, high)] * used
        for split, most in (("train", 6), ("validation", 2), ("test", 3)):
            images += [(leaf, split)] * rng.randint(split != "validation", most)
    rng.shuffle(images)
    return make(concepts, edges, pairs, images)


def design(seed: int) -> ManifestConfig:
    rng = random.Random(f"design {seed}")
    kind = rng.choice(["random", "random", "random", "systematic"])
    return ManifestConfig(
        design=kind,
        n_held_out_hypernyms=2 if kind == "systematic" else None,
        unit=rng.choice(["pair", "pair", "leaf"]),
        ratio=rng.choice([0.3, 0.5, 0.8]),
        closure=rng.choice(["none", "down"]),
        mentions=("drop_all", "keep", "drop_positives", "drop_words")[seed % 4],
        negatives="strided",
        shuffle=SHUFFLES[seed % 6],
        seed=seed,
        train_leaf_negatives=rng.choice([1, 3, 20]),
    )


def derived(store: Store, taxonomy: Taxonomy, config: ManifestConfig) -> Strided:
    builder = ManifestBuilder(taxonomy)
    made = builder.derive(config)
    store.add_taxonomy(taxonomy)
    store.add_strided(made, builder.places().table(builder.world))
    assert store.load_strided(made.manifest_id) == made
    return made


def rows_of(store: Store, text: str, manifest_id: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = store.query(text, {"id": manifest_id}).to_pylist()
    return rows


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: int(row["example_id"]))


def assert_counted(taxonomy: Taxonomy, made: Strided, rows: list[dict[str, Any]]) -> None:
    """The report and the counts of a manifest are those of its listed questions and cells."""
    examples = pa.Table.from_pylist(rows, schema=EXAMPLE)
    cells = StridedOracle(taxonomy)
    held = cells.held_out(made.config)
    universe = [
        {"leaf_id": a, "hypernym_id": h, "answer": True, "held_out": (a, h) in held}
        for a, h in sorted(cells.true | cells.false)
    ]
    listed = Manifest(
        manifest_id="",
        dataset_id="",
        config=made.config,
        shuffle_id="",
        cells=pa.Table.from_pylist(universe, schema=CELL),
        labels=made.labels,
        examples=examples,
        rows_sha256="",
    )
    assert strided_exposure(taxonomy, made).to_pylist() == exposure(taxonomy, listed).to_pylist()
    asked, n = [row for row in rows if row["kind"] == "hypernym"], made.summary
    n_held = sum(row["held_out"] for row in asked)
    assert n["ratio_realised_questions"] == n_held / max(1, len(asked))
    assert n["ratio_realised_cells"] == len(held) / len(universe)
    by_split = Counter(row["split"] for row in rows)
    assert n["n_questions"] == {name: by_split[name] for name in SPLITS}
    assert n["n_training_questions"] == sum(row["in_training"] for row in rows)


@pytest.mark.parametrize("seed", range(24))
def test_questions_and_cells_are_those_that_loops_draw(store: Store, seed: int) -> None:
    taxonomy = world(seed)
    made = derived(store, taxonomy, design(seed))
    oracle = StridedOracle(taxonomy)
    want = oracle.examples(made.config, made.shuffle_id, labels_of(made))  # type: ignore[arg-type]
    got = rows_of(store, _ROWS, made.manifest_id)
    assert in_order(got) == in_order(want)
    assert len({row["example_id"] for row in got}) == len(got)
    assert_counted(taxonomy, made, got)
    named = store.analysis("exposure", manifest=made.manifest_id).to_pylist()
    asked = strided_exposure(taxonomy, made).to_pylist()
    assert [{**row, "hypernym_id": None} for row in asked] == [
        {name: row.get(name) for name in asked[0]} for row in named
    ]
    cells = {tuple(row.values()) for row in rows_of(store, _CELLS, made.manifest_id)}
    held = oracle.held_out(made.config)
    true = oracle.true
    assert cells == {(*cell, cell in true, cell in held) for cell in true | oracle.false}
