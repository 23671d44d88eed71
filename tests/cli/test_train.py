"""`xmodal train` from the outside: run folders, the store, errors, and being killed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.tiny_store import Tiny
from tests.xmodal import tiny
from xmodal.store import Store
from xmodal.vlm.run_folder import RunFolder

QUICK = ("--epochs", "3", "--batch-size", "6")


pytestmark = pytest.mark.usefixtures("one_thread")


def runs(world: Tiny) -> list[dict[str, object]]:
    with Store.open(world.store, read_only=True) as store:
        found: list[dict[str, object]] = store.runs().to_pylist()
    return found


def run_folders(world: Tiny) -> dict[str, RunFolder]:
    return {path.name: RunFolder(path) for path in (world.store.parent / "runs").iterdir()}


def test_a_run_is_trained_scored_and_stored(world: Tiny) -> None:
    done = world.train(*QUICK, "--seed", "7")
    assert done.exit_code == 0, done.stderr
    trained, synced = done.stdout.splitlines()
    ((run_id, folder),) = run_folders(world).items()
    assert trained == f"{run_id} trained: {folder.path}"
    assert synced == "1 runs brought in, 0 unchanged, 0 still running, 0 rejected"
    (row,) = runs(world)
    assert (row["run_id"], row["manifest_id"]) == (run_id, world.manifests[0])
    assert (row["seed_init"], row["seed_order"], row["lm_init"]) == (7, 7, "pretrained")
    assert row["recipe"] == "embedded (batch_size=6, epochs=3.0)"
    with Store.open(world.store, read_only=True) as store:
        scores = store.analysis("main-results").to_pylist()
        modes = store.query("SELECT DISTINCT image_mode FROM prediction ORDER BY ALL")
        (features,) = store.query("SELECT * FROM feature_set").to_pylist()
    assert {score["question_set"] for score in scores} == {"held_out", "leaf"}
    assert modes["image_mode"].to_pylist() == ["mean", "real"]
    assert row["feature_set_id"] == features["feature_set_id"]
    assert (world.store.parent / features["path"] / "features.npy").is_file()
    shown = world.call("runs", "show", run_id[:8])
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert run_id in shown.stdout


def test_the_recipe_is_the_paper_s_but_for_the_embedded_lms(world: Tiny) -> None:
    given = ("train", "--manifest", world.manifests[0], "--dry-run", "--format", "csv")
    for lm, recipe in ((world.lm, "s1"), ("embedded", "embedded")):
        done = world.call(*given, "--lm", lm)
        assert done.exit_code == 0, done.stderr
        names, row = (line.split(",") for line in done.stdout.splitlines())
        assert dict(zip(names, row, strict=True))["recipe"] == recipe


def test_projector_prefix_and_batches_are_changes_of_the_recipe(world: Tiny) -> None:
    more = ("--projector", "resampler", "--prefix-tokens", "3", "--batch-unit", "questions")
    done = world.train("--epochs", "1", "--batch-size", "40", *more)
    assert done.exit_code == 0, done.stderr
    (row,) = runs(world)
    assert (row["projector"], row["n_prefix_tokens"]) == ("resampler", 3)
    assert row["recipe"] == (
        "embedded (batch_size=40, batch_unit=questions, epochs=1.0, prefix_tokens=3, "
        "projector=resampler)"
    )
    said = json.loads(str(row["recipe_json"]))
    assert (said["batch_unit"], said["leaf_no_per_visit"]) == ("questions", None)
    assert (said["packed"], said["attention"]) == (True, "dense")


def test_an_lm_that_cannot_be_packed_is_trained_all_the_same(world: Tiny, tmp_path: Path) -> None:
    lm = tiny.save_lm(tmp_path / "bloom", "bloom")
    done = world.train(*QUICK, "--lm", str(lm))
    assert done.exit_code == 0, done.stderr
    notices = [line for line in done.stderr.splitlines() if line.startswith("notice: ")]
    assert [line.split(",")[0] for line in notices] == [
        f"notice: lm {lm} is asked one question a row"
    ]
    (row,) = runs(world)
    said = json.loads(str(row["recipe_json"]))
    assert (said["packed"], said["attention"]) == (False, None)


def test_a_finished_run_is_not_trained_again(world: Tiny) -> None:
    first = world.train(*QUICK)
    ((run_id, folder),) = run_folders(world).items()
    before = {path: path.stat().st_mtime_ns for path in folder.path.iterdir()}
    again = world.train(*QUICK)
    assert first.exit_code == again.exit_code == 0
    assert again.stdout.splitlines() == [
        f"{run_id} is there: {folder.path}",
        "0 runs brought in, 1 unchanged, 0 still running, 0 rejected",
    ]
    assert before == {path: path.stat().st_mtime_ns for path in folder.path.iterdir()}
    assert len(runs(world)) == 1


@pytest.mark.parametrize("name", RunFolder.FILES)
def test_a_finished_run_that_lost_a_file_is_made_again(world: Tiny, name: str) -> None:
    assert world.train(*QUICK).exit_code == 0
    ((_, folder),) = run_folders(world).items()
    lost = folder.path / name
    before = lost.read_bytes()
    lost.unlink()
    again = world.train(*QUICK)
    assert again.exit_code == 0, again.stderr
    assert lost.read_bytes() == before


@pytest.mark.slow
def test_two_workers_train_what_one_does(world: Tiny, made: Tiny, tmp_path: Path) -> None:
    both = ("--manifest", world.manifests[1], "--seed", "1", "--seed", "2", "--seed", "1")
    assert world.train(*QUICK, *both).exit_code == 0
    (tmp_path / "two").mkdir()
    other = made.copy(tmp_path / "two")
    code = "import sys; from cli.main import app; app(sys.argv[1:])"
    arguments = ["train", "--manifest", world.manifests[0], "--lm", str(world.lm), *QUICK, *both]
    arguments += ["--recipe", "embedded"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--workers", "2", "--store", str(other.store)],
        capture_output=True,
        text=True,
        env=tiny.environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "4 runs brought in, 0 unchanged, 0 still running, 0 rejected" in done.stdout
    one, two = run_folders(world), run_folders(other)
    assert sorted(one) == sorted(two)
    assert len(one) == 4
    for run_id, folder in one.items():
        assert tiny.files(folder) == tiny.files(two[run_id])


@pytest.mark.slow
def test_an_error_in_a_worker_is_one_line(world: Tiny) -> None:
    assert world.train(*QUICK, "--seed", "1").exit_code == 0
    ((_, folder),) = run_folders(world).items()
    (folder.path / "run.json").write_text("{")
    code = "import sys; from cli.main import app; app(sys.argv[1:])"
    arguments = ["train", "--manifest", world.manifests[0], "--lm", str(world.lm), *QUICK]
    arguments += ["--recipe", "embedded"]
    arguments += ["--seed", "1", "--seed", "2", "--workers", "2", "--store", str(world.store)]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        env=tiny.environment(),
        check=False,
    )
    assert done.returncode == 1
    (error,) = [line for line in done.stderr.splitlines() if ": step " not in line]
    assert error.startswith(f"error: {folder.path / 'run.json'} is damaged (")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--recipe", "s2"], "unknown recipe 's2'; valid: s1"),
        (["--prompt", "s2"], "unknown prompt 's2'; valid: s1"),
        (["--lm-init", "trained"], "lm_init must be one of pretrained, random, scrambled, got"),
        (["--lm-init", "scrambled"], "lm_init scrambled goes with the lm 'embedded' only, got"),
        (["--epochs", "0"], "epochs must be above 0 and finite, got 0.0"),
        (["--epochs", "inf"], "epochs must be above 0 and finite, got inf"),
        (["--learning-rate", "nan"], "learning_rate must be above 0 and finite, got nan"),
        (["--batch-size", "0"], "batch_size must be at least 1, got 0"),
        (["--learning-rate", "-1"], "learning_rate must be above 0 and finite, got -1.0"),
        (["--projector", "qformer"], "projector must be one of linear, mlp, resampler, got"),
        (["--projector", "resampler"], "projector resampler needs prefix_tokens, the number of"),
        (["--prefix-tokens", "0"], "prefix_tokens must be at least 1, got 0"),
        (["--batch-unit", "leaves"], "batch_unit must be one of images, questions, got 'leaves'"),
        (["--seed", "-1"], "seeds must be one or more whole numbers from 0, got [-1]"),
        (["--manifest", "nope"], "unknown manifest 'nope'; valid: "),
        (["--lm", "/nowhere/lm"], "lm '/nowhere/lm' cannot be loaded as a local folder or hub"),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    world: Tiny, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    before = world.store.read_bytes()
    done = world.train(*arguments)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert world.store.read_bytes() == before
    assert world.below() == {"x.duckdb"}


def test_a_store_that_is_not_there_is_named(world: Tiny, tmp_path: Path) -> None:
    missing = Tiny(tmp_path / "no" / "x.duckdb", world.lm, world.manifests)
    done = missing.train()
    assert done.exit_code == 1
    assert str(missing.store) in done.stderr
    assert done.stderr.count("\n") == 1
    assert not missing.store.parent.exists()


def test_a_dry_run_counts_and_trains_nothing(world: Tiny) -> None:
    from_both = ("--manifest", world.manifests[1], "--seeds", "1,2", "--co-train", "3")
    done = world.train(*QUICK, *from_both, "--dry-run", "--format", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    rows = json.loads(done.stdout)
    assert [(row["group"], row["manifest_id"], row["seed"]) for row in rows] == [
        (0, world.manifests[0], 1),
        (0, world.manifests[0], 2),
        (1, world.manifests[1], 1),
        (1, world.manifests[1], 2),
    ]
    assert runs(world) == []
    assert not (world.store.parent / "runs").exists()
    assert world.train(*QUICK, "--seed", "1").exit_code == 0
    (row,) = runs(world)
    # what is counted beforehand is what the run records
    assert rows[0]["flops"] == pytest.approx(row["flops"], rel=1e-12)
    assert (rows[0]["n_steps"], rows[0]["n_params_projector"]) == (row["n_steps"], row["n_params"])
    # 20 pictures in batches of 6: 6, 6, 6 and 2
    assert rows[0]["images_a_step"] == 5
    assert min(rows[0]["seconds_of_group"], rows[0]["memory_mb"]) > 0


@pytest.mark.parametrize("given", ["0", "-1", "two", "1.5"])
def test_a_group_needs_a_number(world: Tiny, given: str) -> None:
    done = world.train(*QUICK, "--co-train", given)
    assert done.exit_code == 1
    assert done.stderr == f"error: co-train must be auto or a whole number from 1, got '{given}'\n"


def test_a_device_that_is_not_here_is_refused(world: Tiny) -> None:
    done = world.train(*QUICK, "--device", "warp:7")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: device 'warp:7' is not here (")
    assert done.stderr.endswith("; take cpu\n")
    assert runs(world) == []
