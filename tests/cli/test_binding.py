"""`xmodal binding` from the command line: train, probe, ask, and the demo on tiny settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from xmodal.binding.named import SIZES, arm_recipe
from xmodal.binding.run_folder import BindingFolder
from xmodal.binding.scene_config import SceneSetConfig
from xmodal.binding.shifted import SHIFTS
from xmodal.binding.trainer import Trainer
from xmodal.bindings.looks import left_out
from xmodal.bindings.plan import known_settings, plan_binding
from xmodal.bindings.scene_sets import ensure_scene_set
from xmodal.bindings.settings import MEANINGS
from xmodal.bindings.shipped import shipped_runs
from xmodal.store import Store

SET = (
    "n_layers=2", "width=16", "n_heads=2", "lessons=6", "text=3", "second=4", "third=2",
    "batch_size=4", "n_colours=8", "n_shapes=8", "n_items=8", "n_evaluated=2", "warmup_steps=1",
)  # fmt: skip
TINY = [f"--set={one}" for one in SET]
"""A decoder that learns nothing in 9 steps, and arms of 6 more."""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("binding") / "xmodal.duckdb"
    done = run(
        "binding", "train", "--store", store, "--arm", "text", "--arm", "noise-text",
        "--start", "text-trained", "--seeds", "1,2", *TINY,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1].startswith("6 runs brought in, 0 unchanged")
    return store


def test_arms_go_on_from_one_decoder_a_seed(trained: Path) -> None:
    with Store.open(trained, read_only=True) as store:
        rows = store.query(
            "SELECT arm, start, start_run_id, seed_init, run_id, n_steps, n_questions, n_tokens "
            "FROM binding_run ORDER BY start, arm, seed_init"
        ).to_pylist()
    starts = {row["seed_init"]: row["run_id"] for row in rows if row["start"] == "scratch"}
    assert sorted(starts) == [1, 2]
    arms = [row for row in rows if row["start"] == "text-trained"]
    assert all(row["start_run_id"] == starts[row["seed_init"]] for row in arms)
    assert len({(row["n_steps"], row["n_questions"]) for row in arms}) == 1
    by_arm = {row["arm"]: row["n_tokens"] for row in arms}
    # in 6 steps, 4 sequences each with noise up to the 64 tokens of an image
    recipe, _ = arm_recipe("noise-text")
    n_noise = sum(4 * (64 - 2 * recipe.n_objects(step)) for step in range(6))
    assert by_arm["noise-text"] - by_arm["text"] == n_noise


def test_a_second_call_trains_nothing(trained: Path) -> None:
    done = run(
        "binding", "train", "--store", trained, "--arm", "noise-text", "--start", "text-trained",
        "--seeds", "2", *TINY,
    )  # fmt: skip
    assert done.exit_code == 0
    assert [line.split()[1:3] for line in done.stdout.splitlines()[:2]] == 2 * [["is", "there:"]]
    assert "0 runs brought in, 6 unchanged" in done.stdout


def test_looks_and_what_they_say(trained: Path) -> None:
    given = ["binding", "probe", "--store", trained, "--n", "4", "--objects", "4"]
    done = run(*given)
    assert done.exit_code == 0, done.output
    assert sum(" made: " in line for line in done.stdout.splitlines()) == 6
    with Store.open(trained, read_only=True) as store:
        (start,) = store.query(
            "SELECT run_id FROM binding_run WHERE start = 'scratch' AND seed_init = 1"
        )["run_id"].to_pylist()
    kinds = [f"--kind={kind}" for kind in ("interchange", "knockout", "linear")]
    more = run(*given, start, *kinds, "--steps", "kept")
    assert more.exit_code == 0, more.output
    # its stages end at steps 2, 6 and 9; the last one's interchange is there already
    assert sum(" made: " in line for line in more.stdout.splitlines()) == 8
    assert sum(" is there: " in line for line in more.stdout.splitlines()) == 1
    moved = run(*given, start, "--kind", "shift")
    assert moved.exit_code == 0, moved.output
    assert " made: " in moved.stdout
    shown = run("query", "@binding-shift", "--store", trained, "--format", "json")
    asked = [
        (row["n_objects"], row["n_questions"], row["shift"]) for row in json.loads(shown.stdout)
    ]
    lost = [one for one in SHIFTS if (4, 4, one) not in asked]
    assert asked == [(4, 4, one) for one in SHIFTS if one not in lost]
    assert ("with 4 objects not shifted by " in moved.stdout) == bool(lost)
    shown = run("query", "@binding-mechanism", "--store", trained, "--format", "json")
    rows = json.loads(shown.stdout)
    assert {row["layer"] for row in rows} == {0, 1, 2}
    # seeds are averaged: the start's, and each arm's
    assert max(row["n_runs"] for row in rows) == 2
    assert len({row["condition"] for row in rows if row["n_runs"] == 2}) == 3
    assert {row["patch"] for row in rows} == {"counterfactual", "random-direction", "permuted"}
    for name in ("binding-accuracy", "binding-arms", "binding-factors", "binding-knockout",
                 "binding-linear", "binding-points", "binding-lift", "binding-steps"):  # fmt: skip
        asked = run("query", f"@{name}", "--store", trained, "--format", "json")
        assert json.loads(asked.stdout), name


@pytest.mark.parametrize(
    ("name", "param", "message"),
    [
        ("accuracy", "context=sound", "context must be one of text, image, got 'sound'"),
        (
            "accuracy",
            "question=three",
            "question must be one of two, colour-shape, shape-item, all",
        ),
        ("mechanism", "patch=none", "patch must be one of counterfactual, random-direction, perm"),
        ("factors", "factor=noise", "factor must be one of uses_noise, uses_grounding, uses_image"),
        ("predicts", "looks=some", "looks must be one of within, all, got 'some'"),
        ("accuracy", "arm=tekst", "unknown arm 'tekst'; valid: text (of 2)"),
        ("lift", "arm=image-text", "unknown arm 'image-text'; valid: "),
        ("mechanism", "lm=gpt2", "no lm 'gpt2': the store holds none yet"),
        ("pairs", "pair=x", "no pair 'x': the store holds none yet"),
        ("shift", "run=zzzz", "unknown run 'zzzz'; valid: "),
    ],
)
def test_values_that_no_row_has_are_one_line(
    trained: Path, name: str, param: str, message: str
) -> None:
    done = run("query", f"@binding-{name}", "--store", trained, "--param", param)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"error: {message}")
    assert len(done.stderr.strip().splitlines()) == 1


def test_values_that_a_row_has(trained: Path) -> None:
    for name, param in (("accuracy", "question=shape-item"), ("lift", "arm=noise-text")):
        asked = run(
            "query", f"@binding-{name}", "--store", trained, "--param", param, "--format", "json"
        )
        assert json.loads(asked.stdout), (name, param)


def test_figures(trained: Path, tmp_path: Path) -> None:
    named = ["--name", "arms", "--name", "accuracy"]
    done = run("binding", "figures", "--store", trained, "-o", tmp_path / "drawn", *named)
    assert done.exit_code == 0, done.output
    made = sorted(path.name for path in (tmp_path / "drawn").iterdir())
    assert made == [
        f"binding-{name}.{end}" for name in ("accuracy", "arms") for end in ("png", "svg")
    ]
    assert all(str(tmp_path / "drawn" / name) in done.stdout for name in made)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["figures", "--run", "zz"], "unknown binding run 'zz'"),
        (["figures", "--name", "arm"], "unknown figure 'arm'; valid: arms"),
        (["figures", "--run", "zz", "--name", "factors"], "leave --run out"),
        (["probe", "--context", "image"], "no binding run with context image, vocabulary base"),
        (["probe", "--vocabulary", "expanded"], "with context text, vocabulary expanded in"),
        (["probe", "--n", "4", "--objects", "20"], "n_objects must be from 1 to 8"),
    ],
)
def test_what_the_store_has_not_is_one_line(trained: Path, given: list[str], message: str) -> None:
    before = sorted(path.name for path in trained.parent.rglob("*"))
    done = run("binding", given[0], "--store", trained, *given[1:])
    assert done.exit_code == 1
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert sorted(path.name for path in trained.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["train", "--arm", "tekst"], "error: unknown arm 'tekst'; valid: text"),
        (["train", "--size", "large"], "size must be one of paper, small, got 'large'"),
        (["train", "--set", "width=30"], "width must be a multiple of twice the heads, 8, got 30"),
        (["train", "--set", "speed=3"], "unknown setting 'speed'"),
        (["train", "--arm", "image-text"], "binding data --store xmodal.duckdb` makes one"),
        (["train", "--arm", "text", "--grid", "factorial"], "exclude one another"),
        (["train", "--seeds", "-1"], "seed"),
        (["train", "--together", "0"], "together must be at least 1, got 0"),
        (["train", "--size", "paper"], "precision bfloat16 is for GPUs"),
        (["train", "--stages", "missing.json"], "missing.json cannot be read"),
        (["train", "--start", "image"], "start must be one of scratch, text-trained, got 'image'"),
        (["probe", "--kind", "x-ray"], "kind must be one of interchange, knockout, linear"),
        (["probe", "--kind", "shift", "--context", "image"], "kind shift is of text, got context"),
        (["probe", "--kind", "shift", "--lm", "embedded"], "kind shift is of runs: LMs are not"),
        (["probe", "nothing"], "no store at xmodal.duckdb: `xmodal binding train --store xmodal."),
        (["figures", "--store", "y"], "no store at y: `xmodal binding train --store y` makes one"),
        (
            ["train", "--store", "y", "--start", "text-trained", "--arm", "image-text"],
            "no scene set in y: `xmodal binding data --store y` makes one",
        ),
        (["probe", "--template", "sentences"], "revisions and template are of LMs"),
        (["train", "--set", "rope_base=inf"], "rope_base must be above 1 and finite, got inf"),
        (["probe", "--lm", "a", "--context", "image"], "context, vocabulary and steps are of runs"),
        (["demo", "--seeds", "a", "-o", "x"], "seeds"),
        (["train", "--store", ".", *TINY], "is a folder, and a store is one file"),
        (["train", "--set", "n_positions=9"], "n_positions must be at least 35 for these"),
        (
            ["train", "--set", "width=9999999998", "--set", "n_heads=1"],
            "do not fit in memory: take a smaller width",
        ),
        (
            [
                "train",
                "--arm",
                "text",
                "--arm",
                "noise",
                "--set",
                "text=0",
                "--set",
                "second=0",
                "--set",
                "third=0",
            ],
            "arms text and noise-text are one and the same",
        ),
    ],
)
def test_wrong_input_is_one_line(
    tmp_path: Path, given: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("binding", *given)
    assert done.exit_code in (1, 2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_a_name_of_factors_is_the_arms_own(tmp_path: Path) -> None:
    done = run(
        "binding", "train", "--store", tmp_path / "x", "--dry-run", "--seeds", "1,1",
        "--arm", "noise", "--arm", "noise-text",
    )  # fmt: skip
    job, total = done.stdout.splitlines()
    assert job.startswith("noise-text (from scratch) small learned seed 1: to train; ")
    assert total.startswith("1 runs: 0 there, 0 shipped, 1 to train; ")


@pytest.mark.parametrize("size", SIZES)
def test_settings_are_all_listed(tmp_path: Path, size: str) -> None:
    store = tmp_path / "x.duckdb"
    done = run("binding", "train", "--store", store, "--settings", "--size", size)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    listed = [line.split()[:2] for line in lines[1:] if not line.startswith(" ")]
    # what a plan makes of each value said is what it makes of none
    given = [f"{name}={value}" for name, value in listed]
    plan = plan_binding(store, size=size, changes=given, device="cpu")
    assert plan.jobs[0].run_ids == plan_binding(store, size=size, device="cpu").jobs[0].run_ids
    assert {name for name, _ in listed} == set(known_settings()) == set(MEANINGS)
    assert max(map(len, lines)) <= 100
    assert not list(tmp_path.iterdir())


def test_where_nothing_is_asked_out_of_distribution_it_is_said(tmp_path: Path) -> None:
    given = ["binding", "train", "--store", tmp_path / "x", "--dry-run", "--set"]
    said = "nothing is asked out of distribution: n_to and n_most are 16"
    assert run(*given, "n_to=16").stderr.startswith(said)
    assert run(*given, "n_to=8").stderr == ""


def test_a_dry_run_trains_nothing(tmp_path: Path) -> None:
    stages = tmp_path / "stages.json"
    stages.write_text(
        json.dumps([{"name": "all", "n_steps": 3, "lessons": {"text": 0.5, "noise": 0.5}}])
    )
    store = tmp_path / "x.duckdb"
    done = run("binding", "train", "--store", store, "--stages", stages, "--dry-run")
    assert done.exit_code == 0, done.output
    said = "own (from scratch) small learned seed 42: to train; a run has 3 steps (all 3), "
    assert said in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stages.json"]


def test_a_dry_run_says_what_is_there(trained: Path) -> None:
    """Seeds 1 and 2 and their arms are trained; of seed 3 nothing is."""
    before = sorted(path.name for path in trained.parent.rglob("*"))
    done = run(
        "binding", "train", "--store", trained, "--arm", "noise-text", "--together", "3",
        "--start", "text-trained", "--seeds", "1,2,3", *TINY, "--dry-run",
    )  # fmt: skip
    start, arm, total = done.stdout.splitlines()
    far = "seeds 1, 2, 3: seed 1 is there, seed 2 is there, seed 3 to train; a run has "
    assert start.startswith(f"text (from scratch) small learned {far}9 steps (")
    assert arm.startswith(f"noise-text, from text-trained, small learned {far}6 steps (")
    assert total.startswith("6 runs: 4 there, 0 shipped, 2 to train; left: 15 steps, ")
    with Store.open(trained, read_only=True) as store:
        (sums,) = store.query(
            "SELECT sum(n_questions)::BIGINT AS n_questions, sum(n_tokens)::BIGINT AS n_tokens, "
            "sum(n_tokens_computed)::BIGINT AS n_tokens_computed, sum(flops) AS flops "
            "FROM binding_run WHERE seed_init = 1 AND (start = 'scratch' OR arm = 'noise-text')"
        ).to_pylist()
    # as a seed that is trained has counted
    assert total.endswith(
        f", {sums['n_questions']:,} questions, {sums['n_tokens']:,} tokens "
        f"({sums['n_tokens_computed']:,} computed), {sums['flops']:.3g} FLOPs"
    )
    assert sorted(path.name for path in trained.parent.rglob("*")) == before


def test_a_dry_run_says_what_ships_and_what_was_stopped(tmp_path: Path) -> None:
    plan = plan_binding(tmp_path / "x.duckdb", seeds=(5,), changes=SET, device="cpu")
    job = plan.jobs[0]
    stopped = Trainer(recipe=job.recipe, seeds=(5,))
    state = stopped.run(stopped.start(), until=4)
    BindingFolder(tmp_path / "runs" / job.run_ids[0]).save_state(job.run_ids[0], state, 0)
    given = ["binding", "train", "--store", tmp_path / "x.duckdb", "--dry-run"]
    goes_on = run(*given, "--seeds", "5", *TINY)
    assert "seed 5: goes on from step 4; a run has 15 steps" in goes_on.stdout
    assert "1 runs: 0 there, 0 shipped, 1 to train; left: 11 steps, " in goes_on.stdout
    ships = run(*given, "--seeds", "0", "--start", "text-trained")
    assert ships.stdout.startswith("text (from scratch) small learned seed 0: ships; ")
    # one that lies there without its weights is trained anew, not laid out
    (tmp_path / "runs" / shipped_runs()[0].path.name).mkdir()
    each = run(*given, "--seeds", "0,1,2", "--start", "text-trained")
    assert "6 runs: 0 there, 2 shipped, 4 to train; " in each.stdout


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--workers", "0"], "workers must be at least 1, got 0"),
        (["--size", "paper"], "precision bfloat16 is for GPUs"),
        (["--arm=image-text"], "the scene set must have n_colours 16, got 8: make one with"),
        (
            ["--arm=image-text", *TINY],
            "must have scenes of 2 to 8 objects, got 2 to 3: make one with `xmodal binding data "
            "--objects 2-8`",
        ),
        (
            ["--arm=image-text", *TINY, "--set=n_to=2", "--set=n_most=3", "--set=n_positions=40"],
            "n_positions must be at least 73 for these contexts, got 40",
        ),
        (["--arm=image-text", "--scene-set", "zz"], "unknown scene set 'zz'"),
    ],
)
def test_a_dry_run_refuses_what_training_does(
    few_scenes: Path, given: list[str], message: str
) -> None:
    before = sorted(path.name for path in few_scenes.parent.rglob("*"))
    said = []
    for more in ([], ["--dry-run"]):
        done = run("binding", "train", "--store", few_scenes, *given, *more)
        assert done.exit_code == 1
        said.append(done.stderr)
    assert said[0] == said[1]
    assert message in said[0]
    assert len(said[0].strip().splitlines()) == 1
    assert sorted(path.name for path in few_scenes.parent.rglob("*")) == before


def test_what_is_left_out_of_a_look_is_said(few_scenes: Path) -> None:
    store = ["--store", few_scenes]
    few = ["--set=n_to=2", "--set=n_most=3", "--set=optimiser=adamw"]
    arms = ["--arm=text", "--arm=noise-text", "--arm=image-text"]
    assert run("binding", "train", *store, *TINY, *few, *arms).exit_code == 0
    look = ["binding", "probe", *store, "--n", "2", "--kind", "knockout", "--objects", "3"]
    done = run(*look, "--context", "image")
    assert done.exit_code == 0, done.output
    first, made, _ = done.stdout.splitlines()
    said = "2 runs left out, each of which has seen no image; for those take --context text"
    assert first == said
    assert " made: " in made
    reasons = ["never saw the expanded vocabulary: take --vocabulary base"]
    assert list(left_out(reasons)) == [
        "1 run left out, which never saw the expanded vocabulary; for it take --vocabulary base"
    ]
    assert list(left_out([])) == []


@pytest.fixture(scope="module")
def few_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("scenes") / "xmodal.duckdb"
    config = SceneSetConfig(n_from=2, n_to=3, n_scenes=20, n_colours=8, n_shapes=8)
    ensure_scene_set(store, config)
    return store
