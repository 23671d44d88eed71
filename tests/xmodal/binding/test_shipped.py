"""The text-trained decoders that ship: what their command would make, and as good as said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from xmodal.binding.evaluate import Asked, accuracy
from xmodal.binding.run_folder import BindingFolder, load_decoder
from xmodal.binding_tables import RUN_WEIGHTS
from xmodal.bindings.demo import SEEDS
from xmodal.bindings.plan import plan_binding
from xmodal.bindings.runs import run_jobs
from xmodal.bindings.shipped import lay_shipped, shipped_runs
from xmodal.files import file_sha256
from xmodal.jobs import runs_dir

MOST_BYTES = 3_000_000


def test_they_are_the_starts_of_the_demo_and_small(tmp_path: Path) -> None:
    store = tmp_path / "x.duckdb"
    plan = plan_binding(store, start="text-trained", seeds=SEEDS, device="cpu")
    ids = [run_id for job in plan.starts for run_id in job.run_ids]
    shipped = {folder.path.name: folder for folder in shipped_runs()}
    assert sorted(ids) == sorted(shipped)
    files = [path for folder in shipped.values() for path in folder.path.rglob("*")]
    assert sum(path.stat().st_size for path in files if path.is_file()) < MOST_BYTES
    results = run_jobs(plan.starts)
    assert [result.run_id for result in results] == ids
    assert not any(result.trained for result in results)
    # the same runs, asked for by the command that made them
    steps = ("second=0", "third=0")
    made = plan_binding(store, changes=steps, seeds=SEEDS, device="cpu")
    assert [run_id for job in made.jobs for run_id in job.run_ids] == ids


@pytest.mark.parametrize("folder", shipped_runs(), ids=lambda folder: str(folder.path.name))
def test_they_know_what_they_were_trained_on(folder: BindingFolder) -> None:
    record = folder.record()
    assert record is not None
    assert record["status"] == "finished"
    assert file_sha256(folder.path / RUN_WEIGHTS) == record["weights_sha256"]
    decoder, _ = load_decoder(folder.path / RUN_WEIGHTS)
    plan = plan_binding(Path("x.duckdb"), changes=("second=0", "third=0"), device="cpu")
    recipe = plan.jobs[0].recipe
    rows = pq.read_table(folder.path / "accuracy.parquet").to_pylist()
    said = {
        row["n_objects"]: row["n_right"] / row["n_questions"]
        for row in rows
        if row["step"] == record["n_steps"] and row["question"] == "two"
    }
    assert min(said[n] for n in range(recipe.n_from, recipe.n_to + 1)) >= 0.99
    for n, least, most in ((4, 0.97, 1.0), (8, 0.0, 0.5)):
        (found,) = accuracy(decoder, recipe, Asked(), n, 200, purpose="test of what ships")
        assert least <= found["n_right"] / 200 <= most
        assert found["n_right"] / 200 == pytest.approx(said[n], abs=0.15)


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    run_id = shipped_runs()[0].path.name
    runs = runs_dir(tmp_path / "x.duckdb")
    assert lay_shipped(run_id, runs)
    assert not lay_shipped(run_id, runs)
    assert not lay_shipped("0123456789abcdef", runs)
    shutil.rmtree(runs / run_id)
    (runs / run_id).mkdir()
    assert not lay_shipped(run_id, runs)
    assert [path.name for path in runs.iterdir()] == [run_id]
