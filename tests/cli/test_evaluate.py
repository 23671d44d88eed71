"""`xmodal eval`: a trained run asked again, and checked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.cli.tiny_store import Tiny
from tests.xmodal.store import world as written
from xmodal.store import Store
from xmodal.vlm import evaluate as scoring

QUICK = ("--epochs", "3", "--batch-size", "6")


@pytest.fixture(scope="module")
def trained(made: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The first manifest's run, on a store of this module."""
    of = made.copy(tmp_path_factory.mktemp("trained"))
    assert of.train(*QUICK).exit_code == 0
    return of


@pytest.fixture
def world(trained: Tiny, tmp_path: Path) -> Tiny:
    """A copy of it, run folder and features beside it."""
    folder = shutil.copytree(trained.store.parent, tmp_path / "copy")
    return Tiny(folder / trained.store.name, trained.lm, trained.manifests)


def run_id(world: Tiny) -> str:
    (folder,) = (world.store.parent / "runs").iterdir()
    return folder.name


def evaluate(world: Tiny, *more: str) -> Any:
    return world.call("eval", "--run", run_id(world)[:6], *more)


def rows(world: Tiny, text: str) -> list[dict[str, Any]]:
    with Store.open(world.store, read_only=True) as store:
        found: list[dict[str, Any]] = store.query(text).to_pylist()
    return found


def analysis(world: Tiny, name: str) -> list[dict[str, Any]]:
    with Store.open(world.store, read_only=True) as store:
        found: list[dict[str, Any]] = store.analysis(name).to_pylist()
    return found


def evaluations(world: Tiny) -> dict[Path, bytes]:
    folder = world.store.parent / "runs" / run_id(world) / "evals"
    return {path: path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def close(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    names = ("logit_yes", "logit_no")
    return all(abs(a[n] - b[n]) <= 1e-4 * max(1, abs(b[n])) for n in names)


def test_another_manifests_questions_are_asked_and_stored(world: Tiny) -> None:
    done = evaluate(world, "--manifest", world.manifests[1], "--verify-batch")
    assert done.exit_code == 0, done.stderr
    line, synced = done.stdout.splitlines()
    (stored,) = rows(world, "FROM evaluation")
    folder = world.store.parent / "runs" / run_id(world) / "evals" / stored["evaluation_id"]
    n = stored["n_questions"]
    assert line.startswith(
        f"{stored['evaluation_id']} scored: {n} test questions, real picture: {folder}; "
        f"{min(n, 64)} asked one by one: off by "
    )
    assert synced.endswith("0 rejected, 1 evaluations brought in")
    assert (stored["manifest_id"], stored["packed"]) == (world.manifests[1], True)
    assert stored["n_verified"] == min(n, 64)
    assert 0 <= stored["largest_difference"] <= 1e-4
    # test questions of a dataset are the same under every ablation: so are the answers
    own = {row["example_id"]: row for row in rows(world, "FROM prediction WHERE image_mode='real'")}
    got = {row["example_id"]: row for row in rows(world, "FROM evaluation_prediction")}
    assert got.keys() == own.keys()
    assert len(got) == n
    assert all(close(got[i], own[i]) for i in got)
    transfer = {(row["question_set"], row["own_set"]): row for row in analysis(world, "transfer")}
    assert {asked for asked, _ in transfer} >= {"held_out", "seen", "leaf"}
    assert {of for _, of in transfer} == {"held_out", "leaf"}
    assert sum(row["n_questions"] for row in transfer.values()) == n
    assert {row["asked_ratio"] for row in transfer.values()} == {0.5}


def test_blind_modes_of_the_own_manifest_fill_the_baselines(world: Tiny) -> None:
    before = analysis(world, "baselines")
    assert {row["zero_f1"] for row in before} == {None}
    modes = [word for mode in ("zero", "noise", "other-leaf", "mean") for word in ("--image", mode)]
    done = evaluate(world, *modes)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[3].startswith("at the end of training is there: ")
    assert len(rows(world, "FROM evaluation")) == 3
    after = analysis(world, "baselines")
    for row, earlier in zip(after, before, strict=True):
        assert None not in (row["zero_f1"], row["noise_f1"], row["other_leaf_f1"])
        assert (row["macro_f1"], row["mean_image_f1"]) == (
            earlier["macro_f1"],
            earlier["mean_image_f1"],
        )
    assert analysis(world, "transfer") == []


def test_the_modes_are_those_of_the_end_of_training(world: Tiny) -> None:
    """What `train` scored with the mean picture, `eval` scores to the same logits."""
    own = rows(world, "FROM prediction WHERE image_mode = 'mean' ORDER BY example_id")
    assert evaluate(world, "--manifest", world.manifests[1], "--image", "mean").exit_code == 0
    got = rows(world, "FROM evaluation_prediction ORDER BY example_id")
    assert all(close(a, b) for a, b in zip(got, own, strict=True))


def test_what_is_there_is_not_scored_again(world: Tiny) -> None:
    asked = ("--manifest", world.manifests[1][:8], "--image", "zero", "--split", "validation")
    assert evaluate(world, *asked).exit_code == 0
    before = evaluations(world)
    assert len(before) == 2
    again = evaluate(world, *asked, "--verify-batch", "--verify-sample", "0")
    assert again.exit_code == 0, again.stderr
    line, synced = again.stdout.splitlines()
    (stored,) = rows(world, "FROM evaluation")
    n = stored["n_questions"]
    assert f"{stored['evaluation_id']} is there: {n} validation questions, zero picture" in line
    assert f"{n} asked one by one: off by " in line
    assert synced == "0 runs brought in, 1 unchanged, 0 still running, 0 rejected"
    assert evaluations(world) == before


def test_a_batch_that_is_answered_otherwise_is_an_error_and_leaves_nothing(
    world: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = scoring.answer_logits

    def off(*given: Any, **more: Any) -> torch.Tensor:
        logits = theirs(*given, **more)
        logits[0] += 0.5
        return logits

    monkeypatch.setattr(scoring, "answer_logits", off)
    asked = ("--manifest", world.manifests[1], "--verify-batch", "--verify-sample", "0")
    done = evaluate(world, *asked)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: batched scoring is off by ")
    assert done.stderr.count("\n") == 1
    assert evaluations(world) == {}
    assert rows(world, "FROM evaluation") == []
    monkeypatch.undo()
    assert evaluate(world, *asked).exit_code == 0


def test_the_runs_own_predictions_can_be_verified(world: Tiny) -> None:
    done = evaluate(world, "--verify-batch", "--verify-sample", "0")
    assert done.exit_code == 0, done.stderr
    path = world.store.parent / "runs" / run_id(world) / "predictions.parquet"
    assert f"real picture: {path}; " in done.stdout
    table = pq.read_table(path)
    # answers are found by their example, wherever they stand
    pq.write_table(table.take(np.arange(len(table))[::-1]), path)
    assert evaluate(world, "--verify-batch").exit_code == 0
    bent = pa.array(np.array(table["logit_yes"]) + np.float32(0.01), pa.float32())
    pq.write_table(table.set_column(2, "logit_yes", bent), path)
    done = evaluate(world, "--verify-batch")
    assert done.exit_code == 1
    assert "the logit of Yes of example " in done.stderr


def test_random_weights_are_drawn_again_and_other_weights_refused(
    made: Tiny, tmp_path: Path
) -> None:
    lm = Path(shutil.copytree(made.lm, tmp_path / "lm"))
    (tmp_path / "store").mkdir()
    world = Tiny(made.copy(tmp_path / "store").store, lm, made.manifests)
    assert world.train(*QUICK, "--lm-init", "random", "--seed", "7").exit_code == 0
    done = evaluate(world, "--image", "zero", "--verify-batch")
    assert done.exit_code == 0, done.stderr
    config = json.loads((lm / "config.json").read_text())
    (lm / "config.json").write_text(json.dumps(config | {"initializer_range": 0.3}))
    refused = evaluate(world, "--image", "noise")
    assert refused.exit_code == 1
    assert "of weights " in refused.stderr
    assert "those drawn from seed 7 here are " in refused.stderr
    assert len(rows(world, "FROM evaluation")) == 1


def test_a_pretrained_lm_with_other_weights_is_refused(world: Tiny, tmp_path: Path) -> None:
    moved = tmp_path / "kept"
    shutil.copytree(world.lm, moved)
    try:
        weights = load_file(world.lm / "model.safetensors")
        weights["model.norm.weight"] += 1e-3
        save_file(weights, world.lm / "model.safetensors", metadata={"format": "pt"})
        done = evaluate(world, "--image", "zero")
    finally:
        shutil.copytree(moved, world.lm, dirs_exist_ok=True)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: run {run_id(world)} was trained with lm ")
    assert evaluations(world) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "all"], "split must be one of train, validation, test, got 'all'"),
        (["--image", "blank"], "image must be one of real, zero, mean, noise, other-leaf, got"),
        (["--manifest", "nope"], "unknown manifest 'nope'; valid: "),
    ],
)
def test_bad_input_is_one_line(world: Tiny, arguments: list[str], message: str) -> None:
    done = evaluate(world, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1


def test_unknown_runs_and_foreign_manifests_are_refused(world: Tiny) -> None:
    done = world.call("eval", "--run", "nope")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: unknown run 'nope'; valid: ")
    foreign = written.manifest([(1, 3, 0, True, "held_out")])
    with Store.open(world.store) as store:
        store.add_taxonomy(written.taxonomy())
        store.add_manifest(foreign)
    done = evaluate(world, "--manifest", foreign.manifest_id)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: manifest {foreign.manifest_id} is of dataset d1, run ")


def test_a_run_that_lost_its_projector_is_named(world: Tiny) -> None:
    lost = world.store.parent / "runs" / run_id(world) / "projector.safetensors"
    lost.unlink()
    done = evaluate(world, "--image", "zero")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {lost} is missing: ")
