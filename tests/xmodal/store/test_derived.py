"""Manifests with negatives strided: what is derived of them in SQL is what loops draw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from taxonomy.errors import ManifestError
from taxonomy.manifest import ManifestBuilder
from taxonomy.manifest.strided import Strided
from taxonomy.model import ManifestConfig, Taxonomy
from tests.taxonomy.manifest.oracle import labels_of
from tests.taxonomy.manifest.worlds import configs, taxonomies
from tests.xmodal.store.strided_oracle import StridedOracle
from xmodal.store import Store

_ROWS = "SELECT * EXCLUDE (manifest_id) FROM example_derived WHERE manifest_id = $id"
_CELLS = "SELECT * EXCLUDE (manifest_id) FROM cell_derived WHERE manifest_id = $id"


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened


def derived(store: Store, taxonomy: Taxonomy, config: ManifestConfig) -> Strided | None:
    """A manifest in the store; None if the shuffle finds nothing to exchange."""
    builder = ManifestBuilder(taxonomy)
    try:
        made = builder.derive(config)
    except ManifestError:
        assert config.shuffle in ("across", "swap", "swap_control")
        return None
    store.add_taxonomy(taxonomy)
    store.add_strided(made, builder.places().table(builder.world))
    assert store.load_strided(made.manifest_id) == made
    return made


def rows_of(store: Store, text: str, manifest_id: str) -> list[dict[str, Any]]:
    return store.query(text, {"id": manifest_id}).to_pylist()


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["example_id"])


@settings(max_examples=60)
@given(taxonomy=taxonomies(), config=configs(negatives="strided"))
def test_questions_are_those_that_loops_draw(
    store: Store, taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    made = derived(store, taxonomy, config)
    if made is None:
        return
    oracle = StridedOracle(taxonomy)
    want = oracle.examples(made.config, made.shuffle_id, labels_of(made))  # type: ignore[arg-type]
    got = rows_of(store, _ROWS, made.manifest_id)
    assert in_order(got) == in_order(want)
    assert len({row["example_id"] for row in got}) == len(got)
