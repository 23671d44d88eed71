"""Mixed models: effects that were put in come out, and those that the first paper published."""

from __future__ import annotations

import numpy as np
import pytest

from taxonomy.errors import ConfigError
from tests.shared_data import needs_shared, shared
from tests.xmodal.stats import grids
from tests.xmodal.store.empty import empty_store
from xmodal.released.s1 import read_s1
from xmodal.stats.mixed import mixed_model
from xmodal.store import Store
from xmodal.store.findings import replace_release


def released(store: Store, effect: float, slope: float, n_seeds: int = 4) -> None:
    """Scores of 40 hypernyms: 0.6 for pretrained and `effect` more for random weights."""
    rng = np.random.default_rng(0)
    base, steep = rng.normal(0, 0.05, 40), rng.normal(0, slope, 40)
    with store.transaction():
        for init in ("pretrained", "random"):
            for seed in range(n_seeds):
                run = rng.normal(0, 0.01)
                store.execute(
                    "INSERT INTO released_run VALUES ($id, 's1', $id, 'd', 'hypernym', 'lm', "
                    "$init, 'enc', 'r', 'p', 'random', 'leaf', 1.0, NULL, 'keep', 'image', 'none', "
                    "$seed)",
                    {"id": f"{init}{seed}", "init": init, "seed": seed},
                )
                scores = [
                    0.6 + base[h] + run + (init == "random") * (effect + steep[h])
                    + rng.normal(0, 0.02)
                    for h in range(40)
                ]  # fmt: skip
                store.execute(
                    "INSERT INTO released_score SELECT $id, 'held_out_s1', unnest($names), "
                    "unnest($scores), NULL, NULL, NULL, true",
                    {
                        "id": f"{init}{seed}",
                        "names": [f"h{h:02}" for h in range(40)],
                        "scores": [float(s) for s in scores],
                    },
                )


def test_effects_and_spreads_come_out() -> None:
    with empty_store() as store:
        released(store, effect=-0.2, slope=0.08)
        found = mixed_model(store, "macro_f1_s1 ~ lm_init", where={"question_set": "held_out_s1"})
    level, gap = found.terms
    assert (level.name, gap.name) == ("Intercept", "lm_init[T.random]")
    assert gap.estimate == pytest.approx(-0.2, abs=0.04)
    low, high = gap.interval(0.95)
    assert low < gap.estimate < high
    assert gap.df == 6  # 8 runs less two effects
    assert found.sd["slope of lm_init[T.random]"] == pytest.approx(0.08, rel=0.35)
    assert found.sd["hypernym"] == pytest.approx(0.05, rel=0.35)
    assert found.sd["residual"] == pytest.approx(0.02, rel=0.15)
    assert (found.n_rows, found.n_hypernyms, len(found.run_ids)) == (320, 40, 8)
    assert found.converged
    assert any("hypernyms do not share leaves" in line for line in found.assumptions())


def test_without_random_slopes_the_interval_is_too_narrow() -> None:
    with empty_store() as store:
        released(store, effect=-0.2, slope=0.15)
        where = {"question_set": "held_out_s1"}
        with_slopes = mixed_model(store, "macro_f1_s1 ~ lm_init", where=where)
        without = mixed_model(store, "macro_f1_s1 ~ lm_init", where=where, slopes=[])
    assert without.terms[1].se < 0.6 * with_slopes.terms[1].se


@needs_shared
def test_the_papers_model_on_its_released_files() -> None:
    """S1 reports coherence b = 0.83, t = 3.34, and nothing for the text probe (p = .79)."""
    with empty_store() as store:
        replace_release(store, read_s1(shared("s1")).release)
        found = mixed_model(
            store, "macro_f1_s1 ~ probe_f1 + coherence",
            where={
                "ratio": "1", "design": "random", "lm_init": "pretrained", "shuffle": "none",
                "question_set": "held_out_s1",
            },
        )  # fmt: skip
    terms = {term.name: term for term in found.terms}
    assert terms["coherence"].estimate == pytest.approx(0.83, abs=0.02)
    assert terms["coherence"].estimate / terms["coherence"].se == pytest.approx(3.34, abs=0.1)
    assert terms["coherence"].p < 0.01
    assert terms["probe_f1"].p > 0.5
    assert (found.n_rows, found.n_hypernyms) == (318, 53)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("lm_init", "formula must be SCORE ~ COLUMN"),
        ("f1 ~ lm_init", "formula must be SCORE ~ COLUMN"),
        ("macro_f1 ~", "formula may have columns, +, : and * on its right, got ''"),
        ("macro_f1 ~ C(lm)", "formula may have columns, +, : and * on its right, got 'C(lm)'"),
        ("macro_f1 ~ lm_init + colour", "unknown column 'colour'; valid: "),
        ("macro_f1 ~ lm_init +", "formula 'macro_f1 ~ lm_init +' cannot be read"),
        ("macro_f1 ~ shuffle", "shuffle has one value, none, in all 18 rows"),
        ("macro_f1 ~ coherence", "none of 18 rows has a value of coherence"),
        ("macro_f1 ~ lm_init", "3 hypernyms are too few for random effects: 5 at least"),
    ],
)
def test_wrong_formulas(formula: str, message: str) -> None:
    with empty_store() as store:
        grids.fill(store, grids.by_chance({"pretrained": 0.7, "random": 0.4}))
        with pytest.raises(ConfigError) as caught:
            mixed_model(store, formula, where={"question_set": "held_out"})
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_one_run_a_condition_tells_nothing_of_the_condition() -> None:
    with empty_store() as store:
        released(store, effect=-0.2, slope=0.1, n_seeds=1)
        with pytest.raises(ConfigError, match="2 runs for as many conditions"):
            mixed_model(store, "macro_f1_s1 ~ lm_init", where={})
