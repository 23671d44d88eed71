"""How runs are dealt out to tasks, and what is read off a few timed steps."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxonomy.reading import record_of
from xmodal.jobs import TrainJob
from xmodal.sweep.estimate import Estimate, Line, fit
from xmodal.sweep.folder import RunOf, key_of
from xmodal.sweep.plan import Grouping, _cut, _tasks, id_of
from xmodal.vlm.cost import Calibration
from xmodal.vlm.recipes import named_recipe


def job(manifest: str, lm: str = "a", init: str = "pretrained", seed: int = 0) -> TrainJob:
    return TrainJob(
        store=Path("x.duckdb"), manifest_id=manifest, lm=lm, lm_init=init, seed=seed,
        recipe=named_recipe("s1"), feature_set_id="f",
    )  # fmt: skip


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=30), st.integers(1, 12))
def test_parts_are_runs_of_the_list_and_none_is_empty(weights: list[float], n: int) -> None:
    places = list(range(100, 100 + len(weights)))
    parts = list(_cut(places, n, weights))
    assert [one for part in parts for one in part] == places
    assert len(parts) == min(n, len(places))
    assert all(parts)
    # no bound is off by more than the heaviest
    total, before = sum(weights), 0
    for k, part in enumerate(parts[:-1], start=1):
        before += len(part)
        free = len(places) > n  # else each part has one
        if free and 0 < before < len(places):
            off = abs(sum(weights[:before]) - total * k / len(parts))
            assert off <= max(weights) * len(parts)


jobs_ = st.lists(
    st.builds(
        job,
        st.sampled_from("mnop"),
        st.sampled_from("ab"),
        st.sampled_from(["pretrained", "random"]),
        st.integers(0, 3),
    ),
    min_size=1,
    max_size=24,
    unique_by=key_of,
)


@given(jobs_, st.floats(1, 50), st.data())
def test_each_run_is_in_one_task_with_runs_of_its_lm(
    jobs: list[TrainJob], task_s: float, data: st.DataObject
) -> None:
    step, more = data.draw(st.floats(0.1, 3)), data.draw(st.floats(0, 1))
    line = Line(
        step_s=step, more_step_s=more, memory_mb=10.0, more_memory_mb=2.0,
        together=data.draw(st.integers(1, 5)),
    )  # fmt: skip
    estimates = [Estimate(line, data.draw(st.floats(1, 30))) for _ in jobs]
    tasks = list(_tasks(jobs, estimates, Grouping(task_s=task_s)))
    dealt = [one for task in tasks for one in task.jobs]
    assert sorted(map(key_of, dealt)) == sorted(map(key_of, jobs))
    of = {key_of(one): estimate for one, estimate in zip(jobs, estimates, strict=True)}
    for task in tasks:
        assert len({(one.lm, one.lm_init, one.lm_seed) for one in task.jobs}) == 1
        own = [of[key_of(one)] for one in task.jobs]
        n = task.co_train
        assert 1 <= n <= min(line.together, len(task.jobs))
        # a pass of n runs takes the first one's time and a share for each more
        passes = [one.n_steps * (step + (n - 1) * more) / n for one in own]
        assert task.seconds == pytest.approx(sum(passes))
        assert task.memory_mb == pytest.approx(10 + 2 * (n - 1))


@given(jobs_, st.integers(1, 5))
def test_so_many_runs_to_a_task(jobs: list[TrainJob], n: int) -> None:
    tasks = list(_tasks(jobs, None, Grouping(runs_per_task=n)))
    assert sum(len(task.jobs) for task in tasks) == len(jobs)
    assert max(len(task.jobs) for task in tasks) <= n
    assert {task.seconds for task in tasks} == {None}


@pytest.mark.parametrize("changes", [{}, {"epochs": 2.0, "patience": 3}, {"projector": "linear"}])
def test_a_run_keeps_its_key_through_the_sweep_s_file(changes: dict[str, Any]) -> None:
    asked = replace(job("m"), recipe=named_recipe("embedded", **changes), device="auto")
    text = json.dumps(asdict(RunOf.of(asked)))
    read = record_of(RunOf, json.loads(text), "x").job(asked.store)
    assert read == asked
    assert key_of(read) == key_of(asked)
    assert key_of(replace(asked, device="cuda")) == key_of(asked)
    assert key_of(replace(asked, seed=1)) != key_of(asked)


@given(jobs_)
def test_a_sweep_is_known_by_its_runs_in_any_order(jobs: list[TrainJob]) -> None:
    assert id_of(jobs) == id_of(jobs[::-1])
    assert id_of(jobs) != id_of([*jobs, job("z")])


def test_a_straight_line_says_how_many_runs_fit() -> None:
    # 2 GB and 1 s alone; each more run adds 1 GB and 0.1 s: 7 fit into 8 GB
    alone = Calibration(step_seconds=1.0, memory_bytes=2 * 10**9)
    four = Calibration(step_seconds=1.3, memory_bytes=5 * 10**9)
    found = fit(alone, four, 8 * 10**9)
    assert found.together == 7
    run = Estimate(found, n_steps=1000.0)
    assert run.seconds(1) == pytest.approx(1000.0)
    assert 4 * run.seconds(4) == pytest.approx(1300.0)
    assert 7 * run.seconds(7) == pytest.approx(1000 * (1.0 + 6 * 0.1))
    assert run.memory_mb(7) == pytest.approx(8 * 10**9 / 2**20)
    # one run alone is always tried
    assert fit(alone, four, 10**9).together == 1
