"""Cells and ablation against the definitions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import ManifestError
from taxonomy.manifest import ManifestBuilder
from taxonomy.model import ManifestConfig, Taxonomy
from tests.taxonomy.manifest.oracle import Oracle, cells_of, held_of
from tests.taxonomy.manifest.worlds import build, configs, seeds, taxonomies


@given(taxonomies())
def test_cells_are_the_true_and_the_safely_false_pairs(taxonomy: Taxonomy) -> None:
    oracle = Oracle(taxonomy)
    manifest = build(taxonomy, ManifestConfig())
    rows = {(r["leaf_id"], r["hypernym_id"], r["answer"]) for r in cells_of(manifest)}
    assert rows == {(*c, True) for c in oracle.true} | {(*c, False) for c in oracle.false}
    assert len(rows) == manifest.cells.num_rows
    every = len(oracle.leaves) * len(oracle.hypernyms)
    assert sum(manifest.summary["n_excluded_cells"].values()) == every - len(rows)


@given(taxonomies())
def test_excluded_cells_are_counted_by_the_first_reason(taxonomy: Taxonomy) -> None:
    oracle = Oracle(taxonomy)
    want = {"claimed": 0, "related": 0, "same_surface_form": 0}
    for leaf in oracle.leaves:
        for h in oracle.hypernyms:
            if (leaf, h) in oracle.true:
                continue
            if (leaf, h) in oracle.claims:
                want["claimed"] += 1
            elif oracle.related(leaf, h):
                want["related"] += 1
            elif oracle.clash(leaf, h):
                want["same_surface_form"] += 1
    assert build(taxonomy, ManifestConfig()).summary["n_excluded_cells"] == want


@given(taxonomies(), configs())
def test_held_out_cells_are_those_of_the_definition(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    assert held_of(build(taxonomy, config)) == Oracle(taxonomy).held_out(config)


@given(taxonomies(), configs(design="random"), st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_a_smaller_ratio_holds_out_a_subset(
    taxonomy: Taxonomy, config: ManifestConfig, ratios: tuple[float, float]
) -> None:
    builder = ManifestBuilder(taxonomy)
    small, large = (
        held_of(build(builder, ManifestConfig(**{**config.as_dict(), "ratio": ratio})))
        for ratio in sorted(ratios)
    )
    assert small <= large


@given(taxonomies(), seeds(), st.sampled_from(["pair", "leaf"]), st.sampled_from(["none", "down"]))
def test_systematic_is_the_definition_and_nested(
    taxonomy: Taxonomy, seed: int, unit: str, closure: str
) -> None:
    oracle, builder = Oracle(taxonomy), ManifestBuilder(taxonomy)
    smaller: set[tuple[int, int]] = set()
    for n in range(1, len(oracle.hypernyms) + 1):
        config = ManifestConfig(
            design="systematic", n_held_out_hypernyms=n, seed=seed, unit=unit, closure=closure
        )
        held = held_of(build(builder, config))
        assert held == oracle.held_out(config)
        assert smaller <= held
        smaller = held


@given(taxonomies(), seeds(), st.floats(0, 1))
def test_random_pairs_are_exact_in_total_and_even_over_groups(
    taxonomy: Taxonomy, seed: int, ratio: float
) -> None:
    oracle = Oracle(taxonomy)
    manifest = build(taxonomy, ManifestConfig(ratio=ratio, seed=seed))
    held = held_of(manifest)
    for part in (oracle.true, oracle.false):
        assert abs(len(held & part) - ratio * len(part)) <= 0.5 + 1e-9
        # one threshold for all groups: each has its share of it within one cell
        low, high = 0.0, 1.0
        for h in oracle.hypernyms:
            group = {c for c in part if c[1] == h}
            if group:
                low = max(low, (len(held & group) - 1) / len(group))
                high = min(high, (len(held & group) + 1) / len(group))
        assert low <= high
    total = len(oracle.true | oracle.false)
    assert manifest.summary["ratio_realised_cells"] == pytest.approx(len(held) / max(1, total))


@given(taxonomies(), configs(), st.sampled_from(["within", "across", "across_s1", "swap"]))
def test_one_seed_holds_out_the_same_cells_under_every_shuffle(
    taxonomy: Taxonomy, config: ManifestConfig, shuffle: str
) -> None:
    builder = ManifestBuilder(taxonomy)
    other = ManifestConfig(**{**config.as_dict(), "shuffle": shuffle})
    assert build(builder, config).cells.equals(build(builder, other).cells)


@given(taxonomies(), st.integers(-2, 9))
def test_systematic_takes_as_many_hypernyms_as_there_are(taxonomy: Taxonomy, n: int) -> None:
    n_hypernyms = len(Oracle(taxonomy).hypernyms)
    config = ManifestConfig(design="systematic", n_held_out_hypernyms=n)
    if 1 <= n <= n_hypernyms:
        assert build(taxonomy, config).config.ratio == n / n_hypernyms
        return
    with pytest.raises(ManifestError) as caught:
        ManifestBuilder(taxonomy).build(config)
    assert str(caught.value) == (
        f"n_held_out_hypernyms must be between 1 and {n_hypernyms}, the hypernyms of this "
        f"dataset, got {n}"
    )


@settings(max_examples=20)
@given(taxonomies(), configs())
def test_knobs_that_a_design_does_not_use_do_not_change_its_id(
    taxonomy: Taxonomy, config: ManifestConfig
) -> None:
    builder = ManifestBuilder(taxonomy)
    resolved = builder.resolve(config)
    assert builder.resolve(resolved) == resolved
    built = build(builder, config)
    assert built.config == resolved
    again = build(builder, resolved)
    assert (again.manifest_id, again.rows_sha256) == (built.manifest_id, built.rows_sha256)
