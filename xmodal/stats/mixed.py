"""Mixed models of F1 over hypernyms and runs, through statsmodels."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t as student

from taxonomy.errors import ConfigError, unknown
from xmodal.stats.select import CONDITION, has
from xmodal.store import Store
from xmodal.store.stats import hypernym_rows

if TYPE_CHECKING:
    import pandas as pd

RESPONSES = ("macro_f1", "macro_f1_s1", "balanced_accuracy")
COVARIATES = ("coherence", "probe_f1", "depth")
"""Numbers of a hypernym that may stand in a formula beside the condition's columns."""
MOST_ROWS = 5_000
"""The model's matrices are dense in the rows."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]*")


@dataclass(frozen=True)
class Term:
    """A fixed effect."""

    name: str
    estimate: float
    se: float
    df: int
    """Degrees of freedom of its t test."""
    p: float

    def interval(self, confidence: float) -> tuple[float, float]:
        """Limits by Student's t."""
        half = float(student.ppf((1 + confidence) / 2, self.df)) * self.se
        return self.estimate - half, self.estimate + half


@dataclass(frozen=True)
class MixedModel:
    """A fitted model and what must be known to believe it."""

    formula: str
    terms: tuple[Term, ...]
    sd: Mapping[str, float]
    """Standard deviation of hypernyms' intercepts and slopes, of runs, and the residual's."""
    run_ids: tuple[str, ...]
    n_rows: int
    n_hypernyms: int
    n_left_out: int
    """Rows without a value of the formula's columns."""
    converged: bool
    residual_skew: float
    at_ceiling: float
    """Share of scores of 0.99 and more."""

    def assumptions(self) -> list[str]:
        """One line each, what was found among them."""
        zero = [name for name, value in self.sd.items() if value < 1e-4]
        lines = [
            "residuals are normal with one spread for all (skew "
            f"{self.residual_skew:+.2f}; {self.at_ceiling:.0%} of scores are 0.99 or more, where "
            "F1 cannot spread)",
            "hypernyms are a sample: their intercepts and slopes are normal and independent of "
            "each other (" + ", ".join(f"{k} {v:.3f}" for k, v in self.sd.items()) + ")",
            "hypernyms do not share leaves; where they do, as in this taxonomy, intervals are too "
            "narrow: `xmodal stats compare` resamples leaves",
            "runs are independent given their condition; t tests have as many degrees of freedom "
            "as there are runs, or hypernyms for what only they tell apart, less the fixed effects",
        ]
        if zero:
            lines.append(f"the spread of {', '.join(zero)} came out as 0: the data do not show any")
        if not self.converged:
            lines.append("the fit did not converge: do not report it")
        if self.n_left_out:
            lines.append(f"{self.n_left_out} rows without a value of its columns were left out")
        return lines


def mixed_model(
    store: Store,
    formula: str,
    *,
    where: Mapping[str, str],
    slopes: Sequence[str] | None = None,
) -> MixedModel:
    """Fit scores of runs on hypernyms with random effects of both.

    Hypernyms have a random intercept and a random slope for each fixed effect that varies within
    them; runs have a random intercept.

    Args:
        store: An open store.
        formula: Such as "macro_f1 ~ lm_init * shuffle" or "macro_f1 ~ probe_f1 + coherence":
            columns of the view score_beside, with + : and *.
        where: Column to value: which rows.
        slopes: Fixed effects with a random slope by hypernym; None for all that vary within
            hypernyms, an empty list for none.

    Raises:
        ConfigError: A formula that cannot be read, columns without a value, or too few rows.
    """
    frame, response, columns = _rows(store, formula, where)
    whole = len(frame)
    frame = frame.dropna(subset=[response, *columns]).reset_index(drop=True)
    if len(frame) > MOST_ROWS:
        raise ConfigError(f"{len(frame)} rows are more than {MOST_ROWS}: narrow with --where")
    _check(frame, columns, whole)
    return _fit(frame, formula, response, slopes, whole - len(frame))


def _rows(
    store: Store, formula: str, where: Mapping[str, str]
) -> tuple[pd.DataFrame, str, list[str]]:
    from patsy import ModelDesc, PatsyError

    response, tilde, right = formula.partition("~")
    response = response.strip()
    if not tilde or response not in RESPONSES:
        raise ConfigError(
            f"formula must be SCORE ~ COLUMN + COLUMN with a score of {', '.join(RESPONSES)}, "
            f"got {formula!r}"
        )
    if not re.fullmatch(r"[A-Za-z_0-9\s+*:]+", right) or not right.strip():
        raise ConfigError(
            f"formula may have columns, +, : and * on its right, got {right.strip()!r}"
        )
    try:
        ModelDesc.from_formula(right)
    except PatsyError as error:
        why = str(error).splitlines()[0]
        raise ConfigError(f"formula {formula!r} cannot be read: {why}") from None
    columns = list(dict.fromkeys(_NAME.findall(right)))
    known = (*CONDITION, *COVARIATES)
    for name in columns:
        if name not in known:
            raise ConfigError(unknown("column", name, known))
    filters = (*CONDITION, "question_set", "source")
    for key in where:
        if key not in filters:
            raise ConfigError(unknown("column", key, filters))
    frame = hypernym_rows(store, where.get("question_set")).to_pandas()
    for key, value in where.items():
        frame = frame[[has(one, value) for one in frame[key]]]
    return frame, response, columns


def _check(frame: pd.DataFrame, columns: Sequence[str], whole: int) -> None:
    if not len(frame):
        why = f"none of {whole} rows has a value of {', '.join(columns)}" if whole else "no row"
        raise ConfigError(
            f"{why}: loosen --where, or measure them (`xmodal coherence`, `xmodal probe`)"
        )
    for name in columns:
        if frame[name].nunique() < 2:
            raise ConfigError(
                f"{name} has one value, {frame[name].iloc[0]}, in all {len(frame)} rows: leave it "
                "out or loosen --where"
            )
    if frame["hypernym"].nunique() < 5:
        raise ConfigError(
            f"{frame['hypernym'].nunique()} hypernyms are too few for random effects: 5 at least"
        )


def _fit(
    frame: pd.DataFrame, formula: str, response: str, slopes: Sequence[str] | None, left_out: int
) -> MixedModel:
    import statsmodels.formula.api as smf
    from patsy import dmatrix

    design = dmatrix(formula.partition("~")[2], frame, return_type="dataframe")
    if np.linalg.matrix_rank(design.to_numpy()) < design.shape[1]:
        raise ConfigError(
            f"the runs there are do not tell the effects of {formula!r} apart: leave a term out"
        )
    _check_runs(frame, design)
    fixed = [name for name in design.columns if name != "Intercept"]
    within = [n for n in fixed if _varies(design[n], frame["hypernym"])]
    if slopes is not None:
        for name in slopes:
            if not any(name in effect for effect in within):
                raise ConfigError(unknown("effect within hypernyms", name, within))
        within = [n for n in within if any(s in n for s in slopes)]
    parts = {"hypernym": "0 + C(hypernym)"}
    for number, name in enumerate(within):
        frame[f"_slope{number}"] = design[name]
        parts[f"slope of {name}"] = f"0 + C(hypernym):_slope{number}"
    parts["run"] = "0 + C(run_id)"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what they say is in converged and sd
        fit = smf.mixedlm(formula, frame, groups=np.zeros(len(frame)), vc_formula=parts).fit(
            reml=True, method=["lbfgs", "powell"]
        )
    runs, hypernyms = frame["run_id"].nunique(), frame["hypernym"].nunique()
    terms = []
    for name in design.columns:
        between = name != "Intercept" and not _varies(design[name], frame["run_id"])
        levels = runs if between or name == "Intercept" else hypernyms
        df = max(1, min(levels, runs if between else levels) - design.shape[1])
        estimate, se = float(fit.fe_params[name]), float(fit.bse_fe[name])
        p = float(2 * student.sf(abs(estimate / se), df)) if se > 0 else float("nan")
        terms.append(Term(name, estimate, se, df, p))
    residual = np.asarray(fit.resid)
    sd = {
        k: float(np.sqrt(max(0.0, v)))
        for k, v in zip(fit.model.exog_vc.names, fit.vcomp, strict=True)
    }
    return MixedModel(
        formula=formula, terms=tuple(terms), sd={**sd, "residual": float(np.sqrt(fit.scale))},
        run_ids=tuple(sorted(frame["run_id"].unique())), n_rows=len(frame), n_hypernyms=hypernyms,
        n_left_out=left_out, converged=bool(fit.converged),
        residual_skew=float(((residual - residual.mean()) ** 3).mean() / residual.std() ** 3),
        at_ceiling=float((frame[response] >= 0.99).mean()),
    )  # fmt: skip


def _check_runs(frame: pd.DataFrame, design: pd.DataFrame) -> None:
    """Refuse effects that one run each stands for: what a seed does would pass for them."""
    runs = frame["run_id"].to_numpy()
    alike = [name for name in design.columns if not _varies(design[name], frame["run_id"])]
    by_run = design[alike].groupby(runs).first().to_numpy()
    free = len(by_run) - int(np.linalg.matrix_rank(by_run))
    if free < 1:
        raise ConfigError(
            f"{len(by_run)} runs for as many conditions: what a seed does cannot be told from the "
            "effects; train each condition with several seeds"
        )


def _varies(column: pd.Series, within: pd.Series) -> bool:
    """Whether a column has several values inside some level."""
    return bool((column.groupby(within.to_numpy()).nunique() > 1).any())
