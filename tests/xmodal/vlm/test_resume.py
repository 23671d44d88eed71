"""A run that was stopped goes on with the same bits; a finished one is left alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from taxonomy.errors import DataError
from tests.xmodal import tiny
from xmodal.seals import unsealed
from xmodal.store import RunRecord
from xmodal.vlm import group_run
from xmodal.vlm.experiment import RunSpec
from xmodal.vlm.group_run import run
from xmodal.vlm.run_folder import RunFolder


@pytest.fixture(scope="module")
def whole(spec: RunSpec, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The run without any stop."""
    result = run(spec, tmp_path_factory.mktemp("runs"))
    assert result.trained
    return RunFolder(result.path)


def stop_after(step: int) -> Callable[[int, int, float], None]:
    def stop(done: int, _total: int, _loss: float) -> None:
        if done == step + 1:
            raise tiny.StoppedError

    return stop


@pytest.mark.parametrize("step", [1, 7, 11])
def test_a_saved_state_gives_the_same_bits(spec: RunSpec, tmp_path: Path, step: int) -> None:
    trainer = tiny.trainer(spec)
    assert step < trainer.n_steps
    straight = trainer.run(trainer.start())
    folder = RunFolder(tmp_path)
    folder.checkpoint.save({"run": trainer.run(trainer.start(), until=step)})
    again = tiny.trainer(spec)
    state = again.start()
    folder.checkpoint.load({"run": state})
    assert state.step == step
    assert tiny.same_state(again.run(state), straight)


def test_a_stopped_run_finishes_as_if_it_had_not_stopped(
    spec: RunSpec, whole: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_run, "SAVE_EVERY_S", 0.0)
    for step in (3, 8):
        with pytest.raises(tiny.StoppedError):
            run(spec, tmp_path, stop_after(step))
    folder = RunFolder(tmp_path / spec.run_id)
    record = folder.record()
    assert record is not None
    assert record["status"] == "running"
    state = tiny.trainer(spec).start()
    folder.checkpoint.load({spec.run_id: state})
    # saved before the step that was stopped in was told of
    assert state.step == 8
    steps: list[int] = []
    assert run(spec, tmp_path, lambda done, _total, _loss: steps.append(done)).trained
    assert steps[0] == 9
    assert tiny.files(folder) == tiny.files(whole)
    assert not (folder.path / "state.safetensors").exists()


def test_another_process_with_another_hash_seed_goes_on_with_the_same_bits(
    spec: RunSpec, whole: RunFolder, folder: Path, lm_folder: Path, tmp_path: Path
) -> None:
    trainer = tiny.trainer(spec)
    stopped = RunFolder(tmp_path / spec.run_id)
    stopped.path.mkdir()
    stopped.checkpoint.save({spec.run_id: trainer.run(trainer.start(), until=5)})
    code = (
        "import sys; from pathlib import Path; from tests.xmodal import tiny\n"
        "from xmodal.vlm.group_run import run; from xmodal.lms.causal import load_lm\n"
        "spec = tiny.spec(Path(sys.argv[1]), load_lm(sys.argv[2]))\n"
        "steps = []\n"
        "run(spec, Path(sys.argv[3]), lambda done, total, loss: steps.append(done))\n"
        "print(spec.run_id, steps[0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(lm_folder), str(tmp_path)],
        capture_output=True,
        text=True,
        env=tiny.environment(PYTHONHASHSEED="11"),
        check=True,
    )
    assert done.stdout.split() == [spec.run_id, "6"]
    assert tiny.files(stopped) == tiny.files(whole)


def test_a_run_is_trained_by_one_at_a_time(spec: RunSpec, whole: RunFolder, tmp_path: Path) -> None:
    refused = []

    def meanwhile(step: int, *_: object) -> None:
        if step == 3:
            with pytest.raises(DataError, match=r"^another process trains .*: wait for it to end$"):
                run(spec, tmp_path)
            refused.append(step)

    assert run(spec, tmp_path, meanwhile).trained
    assert refused == [3]
    assert tiny.files(RunFolder(tmp_path / spec.run_id)) == tiny.files(whole)


def test_a_finished_run_is_not_touched(spec: RunSpec, whole: RunFolder) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole.path.iterdir()}
    assert not run(spec, whole.path.parent).trained
    assert before == {path: path.stat().st_mtime_ns for path in whole.path.iterdir()}


def test_equal_weights_are_equal_files(spec: RunSpec, tmp_path: Path) -> None:
    state = tiny.trainer(spec).start()
    contents = set()
    for _ in range(20):
        RunFolder(tmp_path).save_projector(state, {name: name for name in "abcd"})
        contents.add((tmp_path / "projector.safetensors").read_bytes())
    assert len(contents) == 1


def test_a_run_folder_is_what_the_store_reads(spec: RunSpec, whole: RunFolder) -> None:
    assert sorted(path.name for path in whole.path.iterdir()) == [
        "metrics.parquet",
        "predictions.parquet",
        "projector.safetensors",
        "run.json",
    ]
    said = unsealed(json.loads((whole.path / "run.json").read_text()))
    assert said.pop("setup")["threads"] == torch.get_num_threads()
    record = RunRecord(**said)
    assert (record.run_id, record.status) == (spec.run_id, "finished")
    assert (record.lm_hash, record.seed_init) == (spec.lm.sha256, 42)
    trainer = tiny.trainer(spec)
    assert (record.n_steps, record.n_train_questions) == (
        trainer.n_steps,
        len(trainer.groups.examples),
    )
    weights = tiny.load_projector(whole)
    assert record.n_params == sum(value.numel() for value in weights.values())
    assert record.seconds > 0
    recipe = json.loads(record.recipe_json)
    assert recipe["answer_ids"] == [spec.lm.answer_id(" Yes"), spec.lm.answer_id(" No")]
    assert recipe["features"] == spec.features.config.as_dict()
    metrics = pq.read_table(whole.path / "metrics.parquet")
    assert metrics["step"].to_pylist()[-1] == trainer.n_steps
    scored = pq.read_table(whole.path / "predictions.parquet")
    test = [row for row in spec.manifest.examples.to_pylist() if row["split"] == "test"]
    assert scored.num_rows == len(spec.image_modes) * len(test)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"status": "running"}'])
def test_a_damaged_record_is_one_line(spec: RunSpec, tmp_path: Path, content: str) -> None:
    path = tmp_path / spec.run_id / "run.json"
    path.parent.mkdir()
    path.write_text(content)
    with pytest.raises(DataError, match=r"run\.json is damaged \(.*\); delete the folder to"):
        run(spec, tmp_path)
    assert path.read_text() == content


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "headless"])
def test_a_damaged_state_is_one_line(spec: RunSpec, tmp_path: Path, damage: str) -> None:
    trainer = tiny.trainer(spec)
    folder = RunFolder(tmp_path / spec.run_id)
    folder.path.mkdir()
    path = folder.path / "state.safetensors"
    state = trainer.run(trainer.start(), until=2)
    if damage == "other":
        hidden = replace(tiny.RECIPE, projector=replace(tiny.RECIPE.projector, hidden=9))
        other = tiny.trainer(replace(spec, recipe=hidden))
        state = other.run(other.start(), until=1)
    folder.checkpoint.save({spec.run_id: state})
    whole = path.read_bytes()
    if damage == "headless":
        folder.save_projector(state, {})
        (folder.path / "projector.safetensors").rename(path)
    elif damage != "other":
        path.write_bytes(whole[: len(whole) // 2] if damage == "cut" else b"")
    match = r"state\.safetensors cannot be read \(.*\); delete it to train anew"
    with pytest.raises(DataError, match=match):
        run(spec, tmp_path)


def test_a_file_that_fails_midway_leaves_the_old_one(spec: RunSpec, tmp_path: Path) -> None:
    trainer = tiny.trainer(spec)
    folder = RunFolder(tmp_path)
    state = trainer.run(trainer.start(), until=1)
    folder.checkpoint.save({"run": state})
    before = (tmp_path / "state.safetensors").read_bytes()
    state.metrics.append((1, "broken", object()))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        folder.checkpoint.save({"run": state})
    assert [path.name for path in tmp_path.iterdir()] == ["state.safetensors"]
    assert (tmp_path / "state.safetensors").read_bytes() == before


def test_a_group_that_was_never_saved_leaves_no_folder(spec: RunSpec, tmp_path: Path) -> None:
    specs = [spec, replace(spec, seed_init=7, seed_order=7)]
    results = group_run.run_group(specs, tmp_path)
    assert [result.trained for result in results] == [True, True]
    assert {path.name for path in tmp_path.iterdir()} >= {one.run_id for one in specs}
    assert not list(tmp_path.glob(".groups/*"))
    assert [result.trained for result in group_run.run_group(specs, tmp_path)] == [False, False]
