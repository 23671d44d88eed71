"""@design-variance against pairs of answers counted one by one, and against known parts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import pytest

from tests.xmodal.stats import grids
from tests.xmodal.store.empty import empty_store

Row = dict[str, object]


def answers(right: grids.Right, designs: tuple[int, ...], inits: tuple[int, ...]) -> list[Row]:
    return [
        {"d": d, "r": (d, i), "l": leaf, "i": image, "h": h, "a": answer,
         "y": float(right("pretrained", d, i, leaf, h, answer, image))}
        for d, i in product(designs, inits)
        for _, image, leaf, h, answer in grids.questions(about=grids.TWO_TRUE)
    ]  # fmt: skip


def mean_product(rows: list[Row], value: str, like: Callable[[Row, Row], bool]) -> float:
    """Over ordered pairs of answers that are alike in this way."""
    found = [x[value] * y[value] for x in rows for y in rows if like(x, y)]  # type: ignore[operator]
    return float(np.mean(found))


def plain(rows: list[Row]) -> dict[str, float]:
    """The components, pair by pair."""
    for h in {row["h"] for row in rows}:
        own = [row for row in rows if row["h"] == h]
        mean = np.mean([row["y"] for row in own])
        for row in own:
            row["e"] = row["y"] - mean  # type: ignore[operator]

    def like(share: str, differ: str) -> float:
        return mean_product(
            rows,
            "e",
            lambda x, y: all(x[k] == y[k] for k in share) and all(x[k] != y[k] for k in differ),
        )

    base = like("", "hld")
    leaf, pair, picture = (like(*of) - base for of in (("l", "hid"), ("lh", "id"), ("lhi", "d")))
    design, run = like("d", "rlh") - base, like("r", "lh") - base
    hypernyms = sorted({row["h"] for row in rows})  # type: ignore[type-var]
    means = [np.mean([row["y"] for row in rows if row["h"] == h]) for h in hypernyms]
    squares = [
        mean_product(
            [row for row in rows if row["h"] == h],
            "y",
            lambda x, y: x["l"] != y["l"] and x["d"] != y["d"],
        )
        for h in hypernyms
    ]
    apart = [x * y for n, x in enumerate(means) for m, y in enumerate(means) if n != m]
    within = float(np.mean([row["e"] ** 2 for row in rows]))  # type: ignore[operator]
    return {
        "hypernym": float(np.mean(squares) - np.mean(apart)),
        "leaf": leaf,
        "pair": pair - leaf,
        "picture": picture - pair,
        "design": design,
        "initialisation": run - design,
        "rest": within - base - picture - run,
    }


def found(
    right: grids.Right, designs: tuple[int, ...] = (1, 2), inits: tuple[int, ...] = (1, 2)
) -> list[dict[str, object]]:
    with empty_store() as store:
        grids.fill(
            store,
            right,
            conditions=("pretrained",),
            designs=designs,
            inits=inits,
            about=grids.TWO_TRUE,
        )
        return store.analysis("design-variance").to_pylist()  # type: ignore[no-any-return]


def test_components_are_those_of_pairs_counted_one_by_one() -> None:
    right = grids.by_chance({"pretrained": 0.6}, seed=4)
    got = found(right)
    rows = [row for row in answers(right, (1, 2), (1, 2)) if row["a"]]
    want = plain(rows)
    yes = {str(row["component"]): row for row in got if row["answer"]}
    assert set(yes) == set(want)
    for name, row in yes.items():
        assert row["variance"] == pytest.approx(want[name], abs=1e-12), name
    positive = sum(max(v, 0) for v in want.values())
    assert yes["leaf"]["share"] == pytest.approx(max(want["leaf"], 0) / positive)
    assert yes["leaf"]["sd"] == pytest.approx(max(want["leaf"], 0) ** 0.5)
    assert {k: row["n_levels"] for k, row in yes.items()} == {
        "hypernym": 3, "leaf": 12, "pair": 24, "picture": 48, "design": 2, "initialisation": 4,
        "rest": None,
    }  # fmt: skip
    assert {row["n_answers"] for row in yes.values()} == {len(rows)}
    # a leaf has one false hypernym: what it shares with itself cannot be told from the pair's
    no = {str(row["component"]): row["variance"] for row in got if not row["answer"]}
    assert no["leaf"] is None
    assert no["design"] is not None


def test_a_leafs_variance_is_found_as_the_leafs() -> None:
    # half of the leaves are always right, the others never
    got = found(lambda *of: of[3] % 2 == 0)
    shares = {row["component"]: row["variance"] for row in got if row["answer"]}
    assert shares["leaf"] == pytest.approx(0.25, abs=0.03)
    for other in ("design", "initialisation", "pair", "picture"):
        assert shares[other] == pytest.approx(0, abs=0.03)


def test_a_designs_variance_is_found_as_the_designs() -> None:
    got = found(lambda *of: of[1] == 1, designs=(1, 2, 3, 4), inits=(1, 2))
    shares = {row["component"]: row["variance"] for row in got if row["answer"]}
    assert shares["design"] == pytest.approx(0.25, abs=1e-9)  # 3/16, times 4 / 3
    assert shares["initialisation"] == pytest.approx(0, abs=1e-9)
    assert shares["leaf"] == pytest.approx(0, abs=1e-9)


def test_an_initialisations_variance_is_found_as_its_own() -> None:
    got = found(lambda *of: (of[1] + of[2]) % 2 == 0, designs=(1, 2), inits=(1, 2))
    shares = {row["component"]: row["variance"] for row in got if row["answer"]}
    assert shares["initialisation"] == pytest.approx(0.5, abs=1e-9)  # of two runs: 1/4 n/(n-1)


def test_one_run_a_design_tells_them_not_apart() -> None:
    assert found(grids.by_chance({"pretrained": 0.6}), designs=(1, 2), inits=(1,)) == []
    assert found(grids.by_chance({"pretrained": 0.6}), designs=(1,), inits=(1, 2)) == []
