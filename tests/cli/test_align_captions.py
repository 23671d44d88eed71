"""Alignments over captions, and runs asked again: retrieval, compositions, lists of classes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.test_align_train import QUICK, SPLIT, rows
from tests.cli.tiny_store import Tiny
from tests.xmodal.align import caption_worlds
from tests.xmodal.align.caption_worlds import STRUCT, picture

NAMES = ("parrot", "owl", "hen", "saw", "axe")
PAIRS = [(f"the {NAMES[n % 5]} of picture {n}", picture(n)) for n in range(30)]
MEAN = ("--encoder", "classical", "--pool", "mean")


def first(done: Any) -> str:
    assert done.exit_code == 0, done.stderr
    return str(done.stdout.split()[0])


@pytest.fixture(scope="module")
def ready(made: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A caption set, a dataset by the same encoder, both read by the same LM, a separation."""
    world = made.copy(tmp_path_factory.mktemp("captions"))
    file = caption_worlds.parquet(world.store.parent / "pairs.parquet", PAIRS)
    first(world.call("align", "pairs", file, *MEAN))
    first(world.call("features", "extract", *MEAN, "--n-views", "1"))
    first(world.call("align", "features", "--lm", world.lm))
    first(world.call("align", "features", "--lm", world.lm, "--captions", captions(world)))
    first(world.call(*SPLIT))
    return world


@pytest.fixture
def world(ready: Tiny, tmp_path: Path) -> Tiny:
    folder = Path(shutil.copytree(ready.store.parent, tmp_path / "own"))
    return Tiny(folder / ready.store.name, ready.lm, ready.manifests)


def captions(world: Tiny) -> str:
    (row,) = rows(world, "FROM caption_set")
    return str(row["caption_set_id"])


def only(world: Tiny, table: str, column: str) -> str:
    (row,) = rows(world, "FROM query_table($table)", table=table)
    return str(row[column])


def train(world: Tiny, *more: str) -> str:
    return first(world.call("align", "train", "--captions", captions(world)[:8], *QUICK, *more))


def test_a_run_over_captions_is_asked_about_classes(world: Tiny) -> None:
    run_id = train(world, "--features", only(world, "feature_set", "feature_set_id"))
    (row,) = rows(world, "FROM align_run")
    assert (row["run_id"], row["caption_set_id"]) == (run_id, captions(world))
    assert row["dataset_id"] is row["feature_set_id"] is row["n_classes"] is None
    assert (row["validation"], row["n_pairs"], row["n_validation_pairs"]) == ("pairs", 27, 3)
    assert (row["encoder"], row["n_texts"], row["n_images"]) == ("classical", 27, 27)
    answers = rows(world, "SELECT task, count(*) AS n FROM align_answer GROUP BY ALL ORDER BY ALL")
    # no class was shown as such: all are unseen
    assert answers == [{"task": "text-to-image", "n": 5}, {"task": "zero-shot", "n": 10}]


def test_without_a_dataset_nothing_is_asked(world: Tiny) -> None:
    train(world)
    assert len(rows(world, "FROM align_run")) == 1
    assert not rows(world, "FROM align_evaluation")


def test_a_separation_leaves_out_what_speaks_of_unseen_classes(world: Tiny) -> None:
    of = only(world, "separation", "separation_id")
    train(world, "--separation", of, "--level", "lemma", "--validation", "none")
    (row,) = rows(world, "FROM align_run")
    # axe and saw are unseen: two of five captions have such a word
    assert (row["n_pairs"], row["level"], row["separation_id"]) == (18, "lemma", of)
    tasks = rows(world, "SELECT task, count(*) AS n FROM align_answer GROUP BY ALL ORDER BY ALL")
    assert {one["task"]: one["n"] for one in tasks}["zero-shot"] == 4
    (asked,) = rows(world, "FROM align_evaluation")
    # the class texts are found by the run's LM, though it was trained on other texts
    again = first(world.call("align", "evaluate", row["run_id"]))
    assert again == asked["evaluation_id"]
    train(world, "--separation", of, "--level", "none", "--validation", "none")
    assert rows(world, "FROM align_run WHERE level = 'none'")[0]["n_pairs"] == 30


def test_captions_find_their_pictures(world: Tiny) -> None:
    run_id = train(world)
    done = world.call("align", "evaluate", run_id[:8], "--captions", captions(world))
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[0].split(": ")[0].endswith(" scored")
    assert done.stdout.splitlines()[1].endswith("1 evaluations brought in")
    found = rows(world, "SELECT task, n_candidates, count(*) AS n FROM align_answer GROUP BY ALL")
    assert sorted(tuple(row.values()) for row in found) == [
        ("image-to-text", 30, 30),
        ("text-to-image", 30, 30),
    ]
    again = world.call("align", "evaluate", run_id, "--captions", captions(world))
    assert again.stdout.splitlines()[0].split(": ")[0].endswith(" is there")
    shown = world.call("query", "@retrieval", "--format", "csv")
    assert shown.exit_code == 0, shown.stderr
    assert len(shown.stdout.splitlines()) == 3


def test_compositions(world: Tiny, tmp_path: Path) -> None:
    run_id = train(world)
    path = tmp_path / "winoground.parquet"
    columns: dict[str, Any] = {"id": [4], "caption_0": ["an owl"], "caption_1": ["a saw"]}
    for i in (0, 1):
        columns[f"image_{i}"] = pa.array([{"bytes": picture(90 + i), "path": None}], STRUCT)
    pq.write_table(pa.table({**columns, "tag": ["Noun"]}), path)
    done = world.call("align", "evaluate", run_id, "--winoground", path)
    assert done.exit_code == 0, done.stderr
    (row,) = rows(world, "FROM align_composition")
    assert (row["example_id"], row["tag"]) == (4, "Noun")
    assert all(-1 <= row[name] <= 1 for name in ("c0_i0", "c1_i0", "c0_i1", "c1_i1"))
    assert len({row[name] for name in ("c0_i0", "c1_i0", "c0_i1", "c1_i1")}) == 4
    shown = world.call("query", "@winoground", "--format", "csv")
    assert shown.exit_code == 0, shown.stderr
    (asked,) = rows(world, "FROM align_evaluation WHERE example_set IS NOT NULL")
    assert asked["example_set"].startswith("winoground@")
    assert asked["example_set"] in shown.stdout


def test_a_list_of_classes_limits_pictures_and_candidates(world: Tiny, tmp_path: Path) -> None:
    run_id = first(world.call("align", "train", *QUICK))
    path = tmp_path / "birds.txt"
    path.write_text("owl\nhen\nparrot\n")
    done = world.call("align", "evaluate", run_id, "--classes", path)
    assert done.exit_code == 0, done.stderr
    (row,) = rows(world, "FROM align_evaluation WHERE class_list IS NOT NULL")
    assert row["class_list"].startswith("birds@")
    asked = rows(
        world,
        "SELECT DISTINCT task, n_candidates FROM align_answer WHERE evaluation_id = $id "
        "AND task = 'seen'",
        id=row["evaluation_id"],
    )
    assert asked == [{"task": "seen", "n_candidates": 3}]
    other = world.call("align", "evaluate", run_id, "--split", "validation")
    assert other.exit_code == 0, other.stderr
    assert len(rows(world, "FROM align_evaluation")) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--classes", "no.txt"], "no.txt"),
        (["--split", "dev"], "split must be one of train, validation, test, got 'dev'"),
        (["--captions", "zz"], "unknown caption set 'zz'; valid: "),
        (["--winoground", "no"], "no"),
        (["--text-features", "zz"], "unknown text feature set 'zz'; valid: "),
        (
            ["--captions", "x", "--winoground", "y"],
            "classes, captions and winoground are asked about one at a time",
        ),
    ],
)
def test_bad_questions_are_one_line(world: Tiny, arguments: list[str], message: str) -> None:
    run_id = train(world)
    before = world.store.read_bytes()
    done = world.call("align", "evaluate", run_id, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert world.store.read_bytes() == before


def test_features_of_another_lm_or_encoder_are_refused(world: Tiny) -> None:
    run_id = train(world)
    other = first(world.call("align", "features", "--lm", world.lm, "--pool", "mean"))
    done = world.call("align", "evaluate", run_id, "--text-features", other)
    assert done.stderr.startswith(f"error: text features {other} have pooling mean, trained were ")
    pca = first(world.call("features", "extract", "--encoder", "classical", "--n-views", "1"))
    done = world.call("align", "train", "--captions", captions(world), "--features", pca)
    assert done.stderr.startswith(f"error: features {pca} have pooling pca, trained were ")
    done = world.call("align", "train", "--captions", captions(world), "--validation", "classes")
    assert done.stderr == "error: validation must be one of pairs, none, got 'classes'\n"
    done = world.call("align", "evaluate", "zz")
    assert done.stderr.startswith("error: unknown alignment 'zz'; valid: ")
