"""Do 95 % intervals hold the truth in 95 % of experiments? Ours, and the naive one beside it.

python -m benchmarks.coverage --store STORE --beside STORE2 [--experiments 1000]
    [--output benchmarks/results/coverage.json]

STORE holds several draws of one design with several initialisations each (as
`benchmarks.design_variance` makes them), STORE2 two conditions that were asked the same questions
(as `xmodal demo --seeds 42,218,7` makes them). From STORE's answers come the parts of variance: a
run's margin towards the right answer, as normal scores, is a sum of leaf, pair, picture, question,
run and their interactions. From STORE2 comes how much of leaf, pair and picture two conditions
share. Experiments are drawn from that, on the test questions of STORE2's dataset: new leaves,
pictures and seeds each time, the same hypernyms. The truth is the mean macro-F1 over hypernyms of
infinitely many leaves and seeds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import norm, rankdata, t

from benchmarks.result import report
from xmodal.stats.bootstrap import resample_leaves
from xmodal.stats.cells import Cells, Group, group_scores
from xmodal.stats.intervals import Part, Units, spread
from xmodal.stats.paired import mcnemar, permutation
from xmodal.store import Store

ANSWERS = """
SELECT
    answered.run_id AS run,
    example.asked_id AS h,
    example.label_leaf_id AS l,
    example.image_id AS i,
    example.answer AS a,
    (logit_yes - logit_no) * CASE WHEN example.answer THEN 1 ELSE -1 END AS margin
FROM run_condition
JOIN run USING (run_id)
JOIN example USING (manifest_id)
JOIN answered USING (run_id, example_id)
WHERE
    run_condition.lm_init = 'pretrained' AND run_condition.shuffle = 'none'
    AND run_condition.ratio = $ratio AND image_mode = 'real' AND split = 'test'
    AND question_set = CASE WHEN $ratio > 0 THEN 'held_out' ELSE 'seen' END
ORDER BY ALL
"""
PARTS = ("leaf", "pair", "image", "question", "run", "run_hypernym", "run_leaf", "run_pair", "rest")


def answers(path: Path, ratio: float) -> dict[str, np.ndarray]:
    """Columns of ANSWERS, margins as normal scores that keep which are above 0."""
    with Store.open(path, read_only=True) as store:
        table = store.query(ANSWERS, {"ratio": ratio})
    columns = {name: table[name].to_numpy() for name in table.column_names}
    if not len(columns["run"]):
        raise SystemExit(f"{path} has no such answers (ratio {ratio:g})")
    margin = columns["margin"]
    scores = norm.ppf((rankdata(margin) - 0.5) / len(margin))
    columns["z"] = scores - norm.ppf(1 - (margin > 0).mean())
    for name in ("run", "h", "l", "i"):
        columns[name] = np.unique(columns[name], return_inverse=True)[1]
    columns["ha"] = columns["h"] * 2 + columns["a"]
    return columns


def products(
    e: np.ndarray, columns: dict[str, np.ndarray], share: Sequence[str], differ: Sequence[str]
) -> float:
    """Mean product over pairs that share some columns and differ in all of some others."""
    total, n = 0.0, 0.0
    for bits in range(1 << len(differ)):
        also = [name for k, name in enumerate(differ) if bits >> k & 1]
        keys = np.stack([columns[name] for name in ("a", *share, *also)])
        group = np.unique(keys, axis=1, return_inverse=True)[1].ravel()
        sign = -1.0 if len(also) % 2 else 1.0
        total += sign * float((np.bincount(group, e) ** 2).sum())
        n += sign * float((np.bincount(group).astype(float) ** 2).sum())
    return total / n


@dataclass(frozen=True)
class Model:
    """Mean margin of each (hypernym, answer) and the SD of each part around it."""

    mean: np.ndarray
    """[2 H]"""
    sd: dict[str, float]


def fit(columns: dict[str, np.ndarray]) -> Model:
    """Parts of variance by the products of pairs; those below 0 are 0."""
    sums = np.bincount(columns["ha"], columns["z"])
    counts = np.bincount(columns["ha"])
    mean = sums / np.maximum(counts, 1)
    e = columns["z"] - mean[columns["ha"]]

    def like(share: str, differ: str) -> float:
        return products(e, columns, share.split(), differ.split())

    base = like("", "run h l")
    leaf = like("l", "run h i") - base
    pair = like("l h", "run i") - base - leaf
    image = like("l i", "run h") - base - leaf
    question = like("l h i", "run") - base - leaf - pair - image
    run = like("run", "h l") - base
    run_hypernym = like("run h", "l") - like("h", "run l") - run
    run_leaf = like("run l", "h i") - base - leaf - run
    run_pair = like("run l h", "i") - base - leaf - pair - run - run_hypernym - max(run_leaf, 0.0)
    found = [leaf, pair, image, question, run, run_hypernym, run_leaf, run_pair]
    rest = float((e**2).mean()) - sum(max(v, 0.0) for v in found)
    return Model(mean, dict(zip(PARTS, np.sqrt(np.maximum([*found, rest], 0.0)), strict=True)))


def shared_part(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> float:
    """Correlation between two conditions of what a question has in all runs of one."""

    def by_question(columns: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        keys = np.stack([columns[name] for name in ("l", "h", "i", "a")])
        group = np.unique(keys, axis=1, return_inverse=True)[1].ravel()
        means = np.bincount(columns["ha"], columns["z"]) / np.maximum(np.bincount(columns["ha"]), 1)
        e = columns["z"] - means[columns["ha"]]
        n, sums, squares = np.bincount(group), np.bincount(group, e), np.bincount(group, e**2)
        # of two runs of one condition: products of pairs
        return sums / n, (sums**2 - squares) / (n * (n - 1))

    (mean_a, own_a), (mean_b, own_b) = by_question(first), by_question(second)
    return float((mean_a * mean_b).mean() / np.sqrt(own_a.mean() * own_b.mean()))


@dataclass(frozen=True)
class Questions:
    """The test questions on which experiments are drawn; Q of them."""

    h: np.ndarray
    leaf: np.ndarray
    pair: np.ndarray
    image: np.ndarray
    a: np.ndarray

    @classmethod
    def of(cls, columns: dict[str, np.ndarray]) -> Questions:
        """Those of one run."""
        one = columns["run"] == 0
        h, leaf, image, a = (columns[name][one] for name in ("h", "l", "i", "a"))
        pair = np.unique(np.stack([leaf, h]), axis=1, return_inverse=True)[1].ravel()
        return cls(h, leaf, pair, image, a.astype(np.int64))


def draw(
    rng: np.random.Generator, q: Questions, model: Model, gap: float, shared: float, n: int
) -> np.ndarray:
    """bool [2, n, Q]: right answers of n seeds in two conditions, the second easier by `gap`."""
    sd, size = model.sd, len(q.h)
    persistent = np.zeros((2, size))
    for name, of in (
        ("leaf", q.leaf), ("pair", q.pair), ("image", q.image), ("question", np.arange(size)),
    ):  # fmt: skip
        own = rng.standard_normal((2, of.max() + 1))
        both = rng.standard_normal(of.max() + 1)
        level = np.sqrt(shared) * both + np.sqrt(1 - shared) * own
        persistent += sd[name] * level[:, of]
    ha = q.h * 2 + q.a
    right = np.empty((2, n, size), dtype=bool)
    for side in range(2):
        z = model.mean[ha] + side * gap + persistent[side]
        moved = sd["rest"] * rng.standard_normal((n, size), dtype=np.float32)
        for name, of in (
            ("run", q.a), ("run_hypernym", ha), ("run_leaf", q.leaf), ("run_pair", q.pair),
        ):  # fmt: skip
            moved += sd[name] * rng.standard_normal((n, of.max() + 1), dtype=np.float32)[:, of]
        right[side] = z + moved > 0
    return right


def truth(q: Questions, model: Model, gap: float) -> float:
    """Mean macro-F1 over hypernyms with infinitely many leaves and seeds."""
    rng = np.random.default_rng(1)
    sd, n_h = model.sd, q.h.max() + 1
    rest = np.sqrt(sum(sd[name] ** 2 for name in PARTS if name not in ("run", "run_hypernym")))
    draws = 20_000
    run = sd["run"] * rng.standard_normal((draws, 1, 2))
    moved = run + sd["run_hypernym"] * rng.standard_normal((draws, n_h, 2))
    p = norm.cdf((model.mean.reshape(n_h, 2) + gap + moved) / rest)
    n_yes, n_no = np.bincount(q.h, q.a), np.bincount(q.h, 1 - q.a)
    tp, tn = p[..., 1] * n_yes, p[..., 0] * n_no
    lean = tp - tn
    return float((tp / (n_yes + n_no + lean) + tn / (n_yes + n_no - lean)).mean())


def cells_of(q: Questions, right: np.ndarray) -> Cells:
    """Counts of R runs; right is bool [R, Q]."""
    groups = []
    for h in range(q.h.max() + 1):
        rows = np.flatnonzero(q.h == h)
        leaves, place = np.unique(q.leaf[rows], return_inverse=True)
        n = np.bincount(place).astype(np.float32)
        hits = np.zeros((len(leaves), len(right)), dtype=np.float32)
        np.add.at(hits, place, right[:, rows].T.astype(np.float32))
        answer = np.zeros(len(leaves), dtype=bool)
        answer[place] = q.a[rows] == 1
        groups.append(Group(str(h), leaves, answer, np.repeat(n[:, None], len(right), 1), hits))
    return Cells(tuple(map(str, range(len(right)))), int(q.leaf.max()) + 1, tuple(groups))


def naive(scores: np.ndarray) -> tuple[float, float]:
    """Student's interval with every hypernym of every seed as a value of its own."""
    values = scores[~np.isnan(scores)]
    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(values.mean() + half)


def experiment(
    rng: np.random.Generator, q: Questions, model: Model, gap: float, shared: float, n: int,
    n_resamples: int, seed: int,
) -> dict[str, tuple[float, float, float]]:  # fmt: skip
    """Estimate, low and high by interval of one experiment with n seeds."""
    right = draw(rng, q, model, gap, shared, n)
    cells = cells_of(q, right.reshape(2 * n, -1))
    found = resample_leaves(cells, n_resamples=n_resamples, seed=seed)
    units = Units(tuple(range(n)), tuple(range(n)))
    own, other = slice(0, n), slice(n, 2 * n)
    level = Part(found.estimate[own], found.resamples[:, own], units)
    gaps = Part(
        found.estimate[other] - found.estimate[own],
        found.resamples[:, other] - found.resamples[:, own], units,
    )  # fmt: skip
    scores = group_scores(cells)
    out = {}
    for name, part, values in (
        ("level", level, scores[:, own]),
        ("difference", gaps, scores[:, other] - scores[:, own]),
    ):
        ours = spread([part], seed)
        out[name] = (ours.estimate, *ours.interval(0.95))
        low, high = naive(values)
        out[f"{name}, naive"] = (ours.estimate, low, high)
        leaves = part.resamples.mean(axis=1) - part.resamples.mean() + part.estimate.mean()
        out[f"{name}, leaves alone"] = (ours.estimate, *np.quantile(leaves, (0.025, 0.975)))
    return out


def rejected(
    q: Questions, model: Model, gap: float, shared: float, n: int, n_experiments: int, margin: float
) -> dict[str, float]:
    """Shares of experiments in which tests at 5 % reject what is true.

    Without a gap: of "no difference", by bootstrap, by permutation of leaves and by McNemar's
    test, the latter two of which are about these runs and know nothing of other seeds. With a gap
    as large as the margin: of "as far apart as the margin", by two one-sided tests.
    """
    rng = np.random.default_rng([n, 7])
    units = Units(tuple(range(n)), tuple(range(n)))
    found = np.zeros((n_experiments, 4))
    for k in range(n_experiments):
        for column, apart in ((0, 0.0), (3, gap)):
            right = draw(rng, q, model, apart, shared, n)
            cells = cells_of(q, right.reshape(2 * n, -1))
            own, other = range(n), range(n, 2 * n)
            sample = resample_leaves(cells, n_resamples=1000, seed=k)
            part = Part(
                sample.estimate[n:] - sample.estimate[:n],
                sample.resamples[:, n:] - sample.resamples[:, :n], units,
            )  # fmt: skip
            both = spread([part], k)
            if column:
                found[k, 3] = both.p_equivalent(margin)
                continue
            lean = right[0].astype(int) - right[1]
            only = [np.bincount(q.leaf, (lean == side).sum(axis=0)) for side in (1, -1)]
            found[k, :3] = (
                both.p_differs(),
                permutation(cells.of(own), cells.of(other), n_permutations=299, seed=k),
                mcnemar(lean.size, *only).p,
            )
    names = ("bootstrap", "permutation", "mcnemar", "equivalence")
    return dict(zip(names, (found < 0.05).mean(axis=0).tolist(), strict=True))


def main() -> None:
    """Fit, draw experiments, count how often intervals hold the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--ratio", type=float, default=0.5)
    parser.add_argument("--beside", type=Path, required=True)
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=2000)
    parser.add_argument("--tests", type=int, default=400, help="experiments of tests")
    parser.add_argument("--gap", type=float, default=0.1)
    parser.add_argument("--seed-factor", type=float, default=1.0, help="times the runs' parts")
    parser.add_argument("--output", type=Path)
    given = parser.parse_args()
    columns = answers(given.store, given.ratio)
    first, second = answers(given.beside, 1.0), answers(given.beside, 0.0)
    model, shared = fit(columns), shared_part(first, second)
    for name in ("run", "run_hypernym", "run_leaf", "run_pair"):
        model.sd[name] *= given.seed_factor
    q = Questions.of(first)
    truths = {"level": truth(q, model, 0.0)}
    truths["difference"] = truth(q, model, given.gap) - truths["level"]
    coverage: dict[str, Any] = {}
    started = time.monotonic()
    for n in (3, 10):
        rng = np.random.default_rng(n)
        rows = [
            experiment(rng, q, model, given.gap, shared, n, given.resamples, k)
            for k in range(given.experiments)
        ]
        for name in rows[0]:
            values = np.array([row[name] for row in rows])
            aim = truths[name.split(",")[0]]
            mean = values[:, 0].mean()
            coverage[f"{n} seeds, {name}"] = {
                "coverage": float(((values[:, 1] <= aim) & (aim <= values[:, 2])).mean()),
                "of_the_mean_estimate": float(
                    ((values[:, 1] <= mean) & (mean <= values[:, 2])).mean()
                ),
                "mean_width": float((values[:, 2] - values[:, 1]).mean()),
                "sd_of_estimates": float(values[:, 0].std(ddof=1)),
                "bias": float(mean - aim),
            }
    wrong = {
        f"{n} seeds": rejected(
            q, model, given.gap, shared, n, given.tests, abs(truths["difference"])
        )
        for n in (3, 10)
    }
    numbers = {
        "experiments": given.experiments, "resamples": given.resamples,
        "seed_factor": given.seed_factor, "sd_of_parts": {k: float(v) for k, v in model.sd.items()},
        "shared_between_conditions": shared, "truth": truths,
        "n_questions": len(q.h), "n_leaves": len(np.unique(q.leaf)),
        "n_hypernyms": int(q.h.max()) + 1, "coverage": coverage,
        "true_hypotheses_rejected_at_0.05": wrong, "experiments_of_tests": given.tests,
        "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip
    report(numbers, ("numpy", "scipy", "duckdb"), given.output)


if __name__ == "__main__":
    main()
