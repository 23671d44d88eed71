"""Other relations from the outside: build, manifests, training, the demo."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from tests.cli.tiny_store import Tiny
from tests.xmodal import tiny
from xmodal.store import Store

TABLE = [
    "concept,relation,target,question",
    "bird,habitat,forest,Does it live in {phrase}?",
    "tool,habitat,shed,",
    "hen,part,comb,",
    "owl,part,comb,",
]


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with the tiny dataset and two relations of a table."""
    csv = tiny.table(tmp_path / "pictures")
    table = tmp_path / "relations.csv"
    table.write_text("\n".join(TABLE) + "\n")
    path = tmp_path / "store" / "x.duckdb"
    path.parent.mkdir()
    built = call(
        *("taxonomy", "build", "--csv", csv, "--min-leaves", "2"),
        *("--relations", table, "--store", path),
    )
    assert (built.exit_code, built.stderr) == (0, "")
    assert "relation habitat: 2 targets, 5 (leaf, habitat) pairs" in built.stdout
    assert "leaves of each habitat: forest 3, shed 2" in built.stdout
    return path


def built_manifest(store: Path, *more: str) -> str:
    done = call("manifest", "build", "--store", store, *more)
    assert done.exit_code == 0, done.stderr
    return done.stdout.strip()


def test_a_table_s_relation_is_held_out_trained_and_told(store: Path, tmp_path: Path) -> None:
    manifest = built_manifest(store, "--relation", "habitat", "--ratio", "0.5")
    report = call("manifest", "report", manifest, "--store", store, "--format", "csv")
    assert [line.split(",")[1] for line in report.stdout.splitlines()[1:]] == ["forest", "shed"]
    assert "of the habitat questions" in report.stderr
    exposed = call("query", "@exposure", "--store", store, "--format", "csv")
    assert {line.split(",")[3] for line in exposed.stdout.splitlines()[1:]} == {"forest", "shed"}
    trained = call(
        *("train", "--manifest", manifest, "--store", store, "--lm", tiny.save_lm(tmp_path / "lm")),
        *("--epochs", "2", "--batch-size", "6"),
    )
    assert trained.exit_code == 0, trained.stderr
    with Store.open(store, read_only=True) as opened:
        rows = opened.analysis("main-results").to_pylist()
    assert {row["relation"] for row in rows} == {"habitat"}
    assert {row["question_set"] for row in rows} >= {"held_out", "leaf"}


def test_a_grid_takes_the_relation(store: Path) -> None:
    done = call(
        *("manifest", "grid", "--store", store, "--relation", "habitat"),
        *("--ratios", "0.5,1", "--seeds", "42", "--shuffles", "none,across"),
    )
    assert done.exit_code == 0, done.stderr
    assert len(set(done.stdout.splitlines())) == 4
    with Store.open(store, read_only=True) as opened:
        assert set(opened.manifests()["relation"].to_pylist()) == {"habitat"}


def test_an_unknown_relation_is_one_line_and_nothing_is_stored(store: Path) -> None:
    done = call("manifest", "build", "--store", store, "--relation", "habitats")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "unknown relation 'habitats'; valid: habitat (of 3);" in done.stderr
    assert done.stderr.count("\n") == 1
    with Store.open(store, read_only=True) as opened:
        assert opened.manifests().num_rows == 0


def test_a_bad_row_is_one_line_and_leaves_no_store(tmp_path: Path) -> None:
    table = tmp_path / "r.csv"
    table.write_text("concept,relation,target\nparot,part,wing\n")
    store = tmp_path / "x.duckdb"
    done = call("taxonomy", "build", "--relations", table, "--store", store)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {table} line 2: unknown concept 'parot'; valid: ")
    assert done.stderr.count("\n") == 1
    assert not store.exists()


def test_an_lm_that_does_not_know_the_words_is_refused(store: Path) -> None:
    manifest = built_manifest(store, "--relation", "part")
    done = call("train", "--manifest", manifest, "--store", store, "--lm", "embedded")
    assert done.exit_code == 1
    assert "lm 'embedded' does not know the words of 'Does it have ...?'" in done.stderr
    with Store.open(store, read_only=True) as opened:
        assert opened.runs().num_rows == 0


def test_hypernyms_of_such_a_dataset_are_as_ever(store: Path, world: Tiny) -> None:
    mine, other = (call("taxonomy", "show", "bird", "--store", s) for s in (store, world.store))
    assert mine.exit_code == 0
    assert mine.stdout == other.stdout


def test_the_demo_knows_two_relations(tmp_path: Path) -> None:
    output = tmp_path / "demo"
    done = call("demo", "--relation", "habitat", "--output", output)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "error: relation must be one of hypernym, part, got 'habitat'\n"
    assert not output.exists()


@pytest.mark.slow
def test_the_demo_of_parts_in_short(tmp_path: Path) -> None:
    output = tmp_path / "demo"
    arguments = ("demo", "--relation", "part", "--output", output, "--epochs", "0.05")
    first = call(*arguments, "--workers", "1")
    assert first.exit_code == 0, first.stderr
    assert "314 (leaf, part) pairs" in first.stdout
    assert "6 trained, 0 there already" in first.stdout
    assert "every question about a part removed" in first.stdout
    assert "hypernym" not in first.stdout[: first.stdout.index("Try next")]
    assert (output / "conditions.png").read_bytes().startswith(b"\x89PNG")
    with Store.open(output / "xmodal.duckdb", read_only=True) as store:
        runs = store.runs().to_pylist()
        assert {row["lm"] for row in runs} == {"embedded-parts"}
        assert set(store.manifests()["relation"].to_pylist()) == {"part"}
    again = call(*arguments, "--workers", "1")
    assert "0 trained, 6 there already" in again.stdout
