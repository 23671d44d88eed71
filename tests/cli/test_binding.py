"""`xmodal binding` from the command line: train, probe, ask, and the demo on tiny settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from xmodal.binding.named import arm_recipe
from xmodal.store import Store

TINY = [
    f"--set={one}"
    for one in (
        "n_layers=2", "width=16", "n_heads=2", "lessons=6", "text=3", "second=4", "third=2",
        "batch_size=4", "n_colours=8", "n_shapes=8", "n_items=8", "n_evaluated=2", "warmup_steps=1",
    )
]  # fmt: skip
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
    shown = run("query", "@binding-mechanism", "--store", trained, "--format", "json")
    rows = json.loads(shown.stdout)
    assert {row["layer"] for row in rows} == {0, 1, 2}
    # seeds are averaged: the start's, and each arm's
    assert max(row["n_runs"] for row in rows) == 2
    assert len({row["condition"] for row in rows if row["n_runs"] == 2}) == 3
    assert {row["patch"] for row in rows} == {"counterfactual", "random-direction", "permuted"}
    for name in ("binding-accuracy", "binding-arms", "binding-factors", "binding-knockout",
                 "binding-linear", "binding-points", "binding-steps"):  # fmt: skip
        asked = run("query", f"@{name}", "--store", trained, "--format", "json")
        assert json.loads(asked.stdout), name


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
        (["train", "--arm", "image-text"], "`xmodal binding data` makes one"),
        (["train", "--arm", "text", "--grid", "factorial"], "exclude one another"),
        (["train", "--seeds", "-1"], "seed"),
        (["train", "--together", "0"], "together must be at least 1, got 0"),
        (["train", "--size", "paper"], "precision bfloat16 is for GPUs"),
        (["train", "--stages", "missing.json"], "missing.json cannot be read"),
        (["train", "--start", "image"], "start must be one of scratch, text-trained, got 'image'"),
        (["probe", "--kind", "x-ray"], "kind must be one of interchange, knockout, linear"),
        (["probe", "nothing"], "no store at xmodal.duckdb"),
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
    assert job.startswith("noise-text small learned seed 1: ")
    assert total.startswith("1 runs, ")


def test_a_dry_run_trains_nothing(tmp_path: Path) -> None:
    stages = tmp_path / "stages.json"
    stages.write_text(
        json.dumps([{"name": "all", "n_steps": 3, "lessons": {"text": 0.5, "noise": 0.5}}])
    )
    store = tmp_path / "x.duckdb"
    done = run("binding", "train", "--store", store, "--stages", stages, "--dry-run")
    assert done.exit_code == 0, done.output
    assert "own small learned seed 42: 3 steps (all 3)" in done.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stages.json"]
