"""`xmodal align train`: runs in the store like any other, and what they answer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.cli.tiny_store import Tiny
from tests.xmodal.lms import tiny_texts
from tests.xmodal.tiny import StoppedError
from xmodal.align import run as align_run
from xmodal.align.run_folder import AlignFolder
from xmodal.align.trainer import Trainer
from xmodal.features.extract import load_features
from xmodal.store import Store

SPLIT = ("align", "split", "--n-unseen", "2", "--min-training", "2", "--max-branch", "3")
QUICK = (
    "--set",
    "n_steps=12",
    "--set",
    "look_every=4",
    "--set",
    "width=8",
    "--set",
    "batch_size=8",
)


@pytest.fixture(scope="module")
def ready(made: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Features of pictures and of class names, and a separation."""
    world = made.copy(tmp_path_factory.mktemp("ready"))
    encoder = ("--encoder", "classical", "--n-components", "8", "--n-views", "2")
    for call in (
        ("features", "extract", *encoder),
        ("align", "features", "--lm", world.lm),
        SPLIT,
    ):
        done = world.call(*call)
        assert done.exit_code == 0, done.stderr
    return world


@pytest.fixture
def world(ready: Tiny, tmp_path: Path) -> Tiny:
    """All of that, for one test."""
    folder = Path(shutil.copytree(ready.store.parent, tmp_path / "own"))
    return Tiny(folder / ready.store.name, ready.lm, ready.manifests)


def separation(world: Tiny) -> str:
    with Store.open(world.store, read_only=True) as store:
        (found,) = store.query("FROM separation")["separation_id"].to_pylist()
    return str(found)


def rows(world: Tiny, text: str, **params: Any) -> list[dict[str, Any]]:
    with Store.open(world.store, read_only=True) as store:
        found: list[dict[str, Any]] = store.query(text, params).to_pylist()
    return found


def train(world: Tiny, *more: str) -> list[str]:
    """Run ids, in the order of their lines."""
    done = world.call("align", "train", *QUICK, *more)
    assert done.exit_code == 0, done.stderr
    return [line.split()[0] for line in done.stdout.splitlines() if ": " in line]


def test_a_run_is_in_the_store_and_is_not_trained_twice(world: Tiny) -> None:
    first = world.call("align", "train", *QUICK)
    assert first.exit_code == 0, first.stderr
    run_id = first.stdout.split()[0]
    folder = world.store.parent / "runs" / run_id
    assert first.stdout == (
        f"{run_id} trained: {folder}\n1 runs brought in, 0 unchanged, 0 still running, 0 rejected, "
        "1 evaluations brought in\n"
    )
    (row,) = rows(world, "FROM align_run")
    assert row["run_id"] == run_id
    assert (row["n_pairs"], row["n_images"], row["n_texts"], row["n_classes"]) == (40, 20, 5, 5)
    assert (row["side"], row["projection"], row["depth"], row["width"]) == ("text", "mlp", 4, 8)
    assert (row["validation"], row["n_validation_pairs"], row["n_steps"]) == ("pictures", 5, 12)
    assert (row["lm"], row["lm_kind"], row["encoder"]) == (str(world.lm), "decoder", "classical")
    assert row["separation_id"] is row["level"] is row["arm"] is None
    looked = rows(world, "SELECT step FROM metric WHERE name = 'validation_loss' ORDER BY step")
    assert [one["step"] for one in looked] == [4, 8, 12]
    assert row["best_step"] in (4, 8, 12)
    (asked,) = rows(world, "FROM align_evaluation")
    assert (asked["run_id"], asked["split"], asked["class_list"]) == (run_id, "test", None)
    again = world.call("align", "train", *QUICK)
    assert again.stdout == (
        f"{run_id} is there: {folder}\n0 runs brought in, 1 unchanged, 0 still running, 0 "
        "rejected\n"
    )


def test_answers_are_those_of_the_projections(world: Tiny) -> None:
    given = ("--separation", separation(world), "--level", "branch")
    (run_id,) = train(world, *given)
    (run,) = rows(world, "FROM align_run")
    aligner, trained = AlignFolder(world.store.parent / "runs" / run_id).load_aligner()
    part = rows(world, "FROM separation_class WHERE level = 'branch' AND arm = 'separated'")
    unseen = {one["class_id"] for one in part if one["status"] == "unseen"}
    assert trained == {one["class_id"] for one in part if one["in_training"]}
    assert (len(unseen), run["n_classes"]) == (2, len(trained))
    beside = world.store.parent
    pictures = load_features(beside / "features" / run["feature_set_id"]).open()
    texts = beside / "text-features" / run["text_feature_set_id"]
    ids = pq.read_table(texts / "texts.parquet")["concept_id"].to_pylist()
    import torch

    with torch.no_grad():
        text = aligner.embed("text", torch.from_numpy(np.load(texts / "features.npy"))).numpy()
        image = aligner.embed("image", torch.from_numpy(np.array(pictures)[:, 0])).numpy()
    tests = rows(world, "FROM image WHERE split = 'test' ORDER BY image_id")
    wanted = {}
    for task, asked in (("zero-shot", unseen), ("generalised", unseen | trained)):
        among = [row for row, one in enumerate(ids) if one in asked]
        for one in tests:
            if one["concept_id"] in asked:
                cosines = text[among].astype(float) @ image[one["image_id"]].astype(float)
                order = np.argsort(-cosines)
                at = among.index(ids.index(one["concept_id"]))
                wanted[task, one["image_id"]] = (
                    int(np.flatnonzero(order == at)[0]) + 1,
                    ids[among[order[0]]],
                    one["concept_id"] in unseen,
                    len(among),
                )
    found = {
        (one["task"], one["query_id"]): (
            *(one["rank"], one["first_id"], one["unseen"], one["n_candidates"]),
        )
        for one in rows(world, "FROM align_answer")
        if one["task"] in ("zero-shot", "generalised")
    }
    assert found == wanted


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """End a run while it takes a step."""
    original = Trainer.step

    def stopping(self: Trainer, state: Any) -> float:
        if state.step == step:
            raise StoppedError
        return original(self, state)

    monkeypatch.setattr(Trainer, "step", stopping)
    monkeypatch.setattr(align_run, "SAVE_EVERY_S", 0.0)


def files(world: Tiny, run_id: str) -> dict[str, bytes]:
    folder = world.store.parent / "runs" / run_id
    return {name: (folder / name).read_bytes() for name in AlignFolder.FILES}


def test_a_stopped_run_goes_on_with_the_same_bits(
    world: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Tiny(
        Path(shutil.copytree(world.store.parent, tmp_path / "other")) / world.store.name,
        world.lm,
        world.manifests,
    )
    (run_id,) = train(other)
    with monkeypatch.context() as patched:
        stop_at(patched, 7)
        done = world.call("align", "train", *QUICK)
        assert isinstance(done.exception, StoppedError)
    folder = world.store.parent / "runs" / run_id
    assert {path.name for path in folder.iterdir()} == {"run.json", "state.safetensors"}
    assert json.loads((folder / "run.json").read_text())["status"] == "running"
    assert world.call("store", "sync").stdout.startswith("0 runs brought in, 0 unchanged, 1 still")
    started = []
    with monkeypatch.context() as patched:
        original = Trainer.step
        patched.setattr(
            Trainer,
            "step",
            lambda self, state: (started.append(state.step), original(self, state))[1],
        )
        assert train(world) == [run_id]
    assert started == list(range(7, 12))
    assert files(world, run_id) == files(other, run_id)
    assert not (folder / "state.safetensors").exists()


def test_a_run_whose_folder_lost_a_file_is_made_again(world: Tiny) -> None:
    (run_id,) = train(world)
    want = files(world, run_id)
    (world.store.parent / "runs" / run_id / "aligner.safetensors").unlink()
    done = world.call("align", "train", *QUICK)
    assert done.stdout.startswith(f"{run_id} trained: ")
    assert files(world, run_id) == want
    assert len(rows(world, "FROM align_run")) == len(rows(world, "FROM align_evaluation")) == 1


def test_an_evaluation_that_lost_its_table_is_made_again(world: Tiny) -> None:
    (run_id,) = train(world)
    (table,) = (world.store.parent / "runs" / run_id).glob("evals/*/answers.parquet")
    want = table.read_bytes()
    table.unlink()
    done = world.call("align", "evaluate", run_id)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[0].split(": ")[0].endswith(" scored")
    assert table.read_bytes() == want


def test_levels_arms_grids_and_seeds_are_runs_of_their_own(world: Tiny) -> None:
    given = ("--separation", separation(world)[:6], "--level", "none", "--level", "branch")
    grid = ("--grid", "side=text,both", "--arm", "separated", "--arm", "control")
    ids = train(world, *given, *grid, "--seeds", "1,2")
    found = rows(world, "SELECT level, arm, side, seed_init, run_id FROM align_run ORDER BY ALL")
    assert sorted(ids) == sorted(row["run_id"] for row in found)
    # nothing is removed at level none: its control is the same run
    parts = [("branch", "control"), ("branch", "separated"), ("none", "separated")]
    assert [tuple(row.values())[:4] for row in found] == [
        (*part, side, seed) for part in parts for side in ("both", "text") for seed in (1, 2)
    ]
    n_classes = rows(world, "SELECT DISTINCT level, n_classes FROM align_run ORDER BY ALL")
    assert n_classes[-1] == {"level": "none", "n_classes": 5}


def test_all_pairs_by_number_are_a_run_of_their_own(world: Tiny) -> None:
    # the analyses tell the two apart, so that one must not stand for the other
    assert train(world) != train(world, "--n-pairs", "40")
    assert [row["n_pairs"] for row in rows(world, "FROM align_run")] == [40, 40]


def test_fewer_pairs_and_validation_classes(world: Tiny) -> None:
    train(world, "--n-pairs", "10,20", "--validation", "none")
    train(world, "--validation", "classes", "--validation-share", "0.4")
    found = rows(world, "FROM align_run ORDER BY n_pairs")
    assert [row["n_pairs"] for row in found] == [10, 20, 24]
    assert [row["validation"] for row in found] == ["none", "none", "classes"]
    assert [row["n_validation_pairs"] for row in found] == [0, 0, 10]
    assert [row["n_classes"] for row in found][-1] == 3
    assert [row["best_step"] for row in found][:2] == [12, 12]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--text-features", "zz"], "unknown text feature set 'zz'; valid: "),
        (["--features", "zz"], "unknown feature set 'zz'; valid: "),
        (["--separation", "zz"], "unknown separation 'zz'; valid: "),
        (["--level", "branch"], "level and arm are those of a separation: give --separation too"),
        (["--recipe", "s3"], "unknown recipe 's3'; valid: "),
        (["--set", "depth=1"], "depth of an mlp must be at least 2, got 1"),
        (["--grid", "deep=1,2"], "unknown setting 'deep'; valid: "),
        (["--n-pairs", "1"], "n-pairs must be from 2 to the 40 there are, got 1"),
        (["--n-pairs", "few"], "n-pairs must be whole numbers with commas between, got 'few'"),
        (["--validation", "all"], "validation must be one of pictures, classes, none, got 'all'"),
        (["--split", "dev"], "split must be one of train, validation, test, got 'dev'"),
        (["--rows", "0"], "rows must be at least 1, got 0"),
        (["--seed", "9" * 30], "seeds must be below 2 to the power of 63, got 999"),
        (
            ["--set", "side=both", "--set", "dim=99999999999"],
            "dim must be at most 1000000, got 99999999999",
        ),
        (["--set", "depth=" + "9" * 30], "depth must be at most 1000, got 999"),
        (["--seed", "-1"], "seeds must be one or more whole numbers from 0, got [-1]"),
        (["--set", "learning_rate=1e30"], "run "),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    world: Tiny, arguments: list[str], message: str
) -> None:
    before = world.store.read_bytes()
    done = world.call("align", "train", *QUICK, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert world.store.read_bytes() == before
    assert not list(world.store.parent.glob("runs/*/aligner.safetensors"))


def test_a_level_that_the_separation_lacks(world: Tiny) -> None:
    done = world.call("align", "train", "--separation", separation(world), "--level", "similar")
    assert done.stderr == (
        "error: level must be one of none, lemma, synset, subtree, branch, got 'similar'\n"
    )


def test_what_is_missing_is_named(made: Tiny, tmp_path: Path) -> None:
    bare = made.copy(tmp_path)
    done = bare.call("align", "train")
    assert "holds no features of dataset" in done.stderr
    assert "`xmodal features extract" in done.stderr
    bare.call("features", "extract", "--encoder", "classical", "--n-views", "1")
    done = bare.call("align", "train")
    assert "holds no text features of dataset" in done.stderr
    assert "`xmodal align features" in done.stderr


def test_the_analyses_find_what_is_alike_but_for_one_thing(world: Tiny, tmp_path: Path) -> None:
    of = ("--separation", separation(world), "--level", "branch")
    both = ("--arm", "separated", "--arm", "control", "--seeds", "1,2")
    train(world, *of, *both, "--grid", "side=text,image")
    train(world, *of, "--n-pairs", "10,16", "--seeds", "1,2", "--set", "side=text")
    train(world, *of, "--grid", "depth=2,6", "--seeds", "1,2", "--set", "side=text")
    encoder = tiny_texts.save(tmp_path / "bert", "bert")
    for more in (("--lm", encoder), ("--lm", world.lm, "--lm-init", "random")):
        done = world.call("align", "features", *more)
        assert done.exit_code == 0, done.stderr
        features = ("--text-features", done.stdout.split()[0])
        train(world, *of, *features, "--seeds", "1,2", "--set", "side=text")
    with Store.open(world.store, read_only=True) as store:
        found = {
            name: store.analysis(name, **params).to_pylist()
            for name, params in {
                "sides": {},
                "separation-effect": {},
                "pairs-curve": {},
                "projection-grid": {},
                "encoder-vs-decoder": {"ratio": 1000.0},
                "text-controls": {},
                "visual-generalization": {},
            }.items()
        }
    assert all(found.values()), {name: len(said) for name, said in found.items()}
    # seeds are averaged, nothing else is
    assert {row["n_runs"] for row in found["visual-generalization"]} == {2}
    assert [row["n_pairs"] for row in found["pairs-curve"]][:2] == [10, 16]
    assert {row["depth"] for row in found["projection-grid"]} == {2, 4, 6}
    assert {row["n_runs_separated"] for row in found["separation-effect"]} == {2}
