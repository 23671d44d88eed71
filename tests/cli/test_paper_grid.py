"""`manifest grid --paper s1` against small stores of 41 and of 40 hypernyms."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from taxonomy.manifest import build_manifest, headline
from taxonomy.model import ManifestConfig
from tests.cli.test_manifest import ids_of
from tests.taxonomy.manifest.worlds import things_like
from xmodal.released.s1_names import SHUFFLES
from xmodal.store import Store

S1 = ("--unit", "leaf", "--negatives", "image", "--mentions", "keep")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "xmodal.duckdb"
    with Store.open(made) as store:
        store.add_taxonomy(things_like(n_leaves=120, n_hypernyms=41, n_images=1200))
    return made


def invoke(path: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["manifest", *arguments, "--store", str(path)])


def test_the_paper_has_thirty_manifests_a_seed_and_full_and_swap_add_five(path: Path) -> None:
    plain = invoke(path, "grid", "--paper", "s1", "--seeds", "42,7")
    assert plain.exit_code == 0, plain.stderr
    assert len(set(ids_of(plain))) == len(ids_of(plain)) == 2 * 30
    more = invoke(path, "grid", "--paper", "s1", "--seeds", "42", "--with-full", "--with-swap")
    assert more.exit_code == 0, more.stderr
    assert len(set(ids_of(more))) == 35
    assert len(set(ids_of(more)) - set(ids_of(plain))) == 5
    rows = json.loads(invoke(path, "list", "--format", "json").stdout)
    shuffles: dict[tuple[str, float, int | None], set[str]] = {}
    for row in rows:
        key = (row["design"], round(row["ratio"], 6), row["n_held_out_hypernyms"])
        shuffles.setdefault(key, set()).add(row["shuffle"])
    three = {"none", "within", "across"}
    expected = {("random", ratio, None): three for ratio in (0.1, 0.3, 0.5, 0.7, 0.9)}
    expected |= {("systematic", round(n / 41, 6), n): three for n in (10, 20, 30, 40)}
    expected |= {
        ("random", 1.0, None): three | {"swap", "swap_control"},
        ("none", 0.0, None): three,
    }
    assert shuffles == expected
    assert {row["semantics"] for row in rows} == {None}


def test_s1s_semantics_are_labelled_where_they_are_shown(path: Path) -> None:
    ids = ids_of(invoke(path, "grid", "--paper", "s1", "--seeds", "42", *S1))
    assert len(ids) == 30
    rows = json.loads(invoke(path, "list", "--format", "json").stdout)
    assert {row["semantics"] for row in rows} == {"s1"}
    # S1's own derangement, the name that imported runs carry: one condition
    assert Counter(row["shuffle"] for row in rows) == dict.fromkeys(
        ("none", "within", SHUFFLES["shuffled"]), 10
    )
    assert json.loads(invoke(path, "report", ids[0], "--format", "json").stdout)
    lines = invoke(path, "report", ids[0], "--format", "json").stderr
    with Store.open(path, read_only=True) as store:
        summary = store.load_manifest(ids[0]).summary
    assert "S1's semantics (unit leaf, negatives image, mentions keep), union leak" in lines
    test = summary["ratio_realised_questions_by_split"]["test"]
    assert f"{test:.4f} of the test hypernym questions" in lines
    assert f"{summary['ratio_realised_questions']:.4f} of all are held out" in lines
    assert "where 0.1000 is nominal" in lines
    shown = invoke(path, "show", ids[0]).stdout
    assert any(line.split() == ["semantics", "s1"] for line in shown.splitlines())


def test_other_settings_are_not_called_s1s() -> None:
    taxonomy = things_like(n_leaves=40, n_hypernyms=5, n_images=200)
    for change in (
        {"unit": "pair"},
        {"negatives": "matched"},
        {"mentions": "drop_all"},
        {"shuffle": "across"},
    ):
        knobs = {"unit": "leaf", "negatives": "image", "mentions": "keep", **change}
        made = build_manifest(taxonomy, ManifestConfig(ratio=0.5, **knobs))
        assert "S1's semantics" not in headline(made)


def test_all_hypernyms_by_number_is_random_at_one_and_said(path: Path) -> None:
    random = invoke(path, "build", "--ratio", "1").stdout
    result = invoke(path, "build", "--design", "systematic", "--n-held-out-hypernyms", "41")
    assert (result.exit_code, result.stdout) == (0, random)
    said = (
        "n_held_out_hypernyms 41 is every hypernym of this dataset: built as design random, ratio 1"
    )
    assert said in result.stderr
    listed = invoke(
        path,
        *("grid", "--designs", "systematic", "--n-held-out-hypernyms", "10,41"),
        *("--seeds", "42,7"),
    )
    assert listed.stderr == f"{said}\n"
    assert random.strip() in ids_of(listed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--paper", "s1", "--ratios", "0.5"],
            "ratios is fixed by --paper s1, got '0.5': leave out one of the two",
        ),
        (
            ["--paper", "s1", "--designs", "random"],
            "designs is fixed by --paper s1, got 'random': leave out one of the two",
        ),
        (
            ["--paper", "s1", "--n-held-out-hypernyms", "53"],
            "n_held_out_hypernyms is fixed by --paper s1, got '53': leave out one of the two",
        ),
        (
            ["--paper", "s1", "--shuffles", "none"],
            "shuffles is fixed by --paper s1, got 'none': leave out one of the two",
        ),
        (
            ["--paper", "s1", "--closure", "down"],
            "closure is fixed by --paper s1, got 'down': leave out one of the two",
        ),
        (["--paper", "s2"], "paper must be one of s1, got 's2'"),
        (["--paper", "s1", "--seeds", ""], "seeds must be one or more whole numbers, got none"),
        (["--with-full"], "--with-full goes with --paper s1, got no --paper: add it"),
        (["--with-swap"], "--with-swap goes with --paper s1, got no --paper: add it"),
        (["--designs", "imported"], None),
    ],
)
def test_contradictions_are_one_line_and_leave_the_store_alone(
    path: Path, arguments: list[str], message: str | None
) -> None:
    before = path.read_bytes()
    result = invoke(path, "grid", *arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    expected = message or (
        "design imported is read by `xmodal manifest import` and cannot be built: choose none, "
        "random or systematic"
    )
    assert result.stderr == f"error: {expected}\n"
    assert path.read_bytes() == before


def test_a_dataset_of_forty_hypernyms_is_too_small(tmp_path: Path) -> None:
    small = tmp_path / "small.duckdb"
    with Store.open(small) as store:
        store.add_taxonomy(things_like(n_leaves=100, n_hypernyms=40, n_images=400))
    before = small.read_bytes()
    result = invoke(small, "grid", "--paper", "s1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == (
        "error: --paper s1 holds out up to 40 hypernyms and needs a dataset of 41 or more, this "
        "one has 40: build THINGS (`xmodal taxonomy build --source things`), or list --designs, "
        "--ratios and --n-held-out-hypernyms yourself\n"
    )
    assert small.read_bytes() == before
