"""xmodal import s1, end to end."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import Result
from typer.testing import CliRunner

from cli.main import app
from tests.xmodal.released.release import F1, FIXTURE, change, copy_to
from xmodal.store import Store


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["import", "s1", *map(str, arguments)])


def n_scores(store: Path) -> int:
    with Store.open(store, read_only=True) as opened:
        (row,) = opened.query("SELECT count(*) AS n FROM released_score").to_pylist()
    return int(row["n"])


def test_import_says_what_came_in(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    done = run(FIXTURE, "--store", store)
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "source s1: 30 runs, 510 scores",
        "  Qwen3-0.6B, DINOv2, pretrained: 18 runs",
        "  Qwen3-0.6B, DINOv2, random: 6 runs",
        "  Qwen3-1.7B, DINOv2, pretrained: 6 runs",
        "hypernyms: 8, 3 of them under other wordings in the files",
        "beside them: 16 text probes, 24 coherences",
        "repeated rows dropped: 0",
    ]
    assert done.stderr == ""
    assert n_scores(store) == 510


def test_results_stand_beside_our_own_in_main_results(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    run(FIXTURE, "--store", store)
    with Store.open(store, read_only=True) as opened:
        rows = opened.analysis("main-results").to_pylist()
    by_set = {
        row["question_set"]: row
        for row in rows
        if row["source"] == "s1"
        and (row["lm"], row["lm_init"]) == ("Qwen3-0.6B", "pretrained")
        and row["design"] == "systematic"
    }
    assert sorted(by_set) == ["held_out", "held_out_s1", "leaf", "seen_s1"]
    # 4.529749 / 9 as in tests/xmodal/released/test_read_s1.py
    assert round(by_set["held_out"]["macro_f1"], 6) == round(4.529749 / 9, 6)
    assert by_set["held_out"]["n_hypernyms"] == 3
    assert by_set["held_out_s1"]["n_hypernyms"] == 8


def test_other_files_are_named_on_stderr(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    (root / "results" / "notes.csv").write_text("x\n")
    (root / F1 / "all_leaf_guess_f1_scores.csv").unlink()
    done = run(root, "--store", tmp_path / "s.duckdb")
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "missing: all_leaf_guess_f1_scores.csv",
        "skipped: results/notes.csv",
    ]


def test_the_audit_names_missing_and_other_files_too(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    (root / "results" / "notes.csv").write_text("x\n")
    (root / F1 / "all_hyp_guess_f1_scores.csv").unlink()
    done = run(root, "--audit", "--format", "json")
    assert done.exit_code == 0
    assert done.stderr.splitlines() == [
        "missing: all_hyp_guess_f1_scores.csv",
        "skipped: results/notes.csv",
    ]
    assert {row["f1_two_class"] for row in json.loads(done.stdout)["scores"]} == {None}


def test_a_damaged_release_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    store, root = tmp_path / "s.duckdb", copy_to(tmp_path)
    assert run(root, "--store", store).exit_code == 0
    before = store.read_bytes()
    change(root, f"{F1}/all_unseen_f1_scores.csv", lambda text: text[:-40])
    done = run(root, "--store", store)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert "cut short; fetch it again" in done.stderr
    assert store.read_bytes() == before


def test_a_damaged_release_makes_no_store(tmp_path: Path) -> None:
    root = copy_to(tmp_path)
    change(root, f"{F1}/all_unseen_f1_scores.csv", lambda text: text[:-40])
    assert run(root, "--store", tmp_path / "s.duckdb").exit_code == 1
    assert not (tmp_path / "s.duckdb").exists()


def test_audit_prints_and_stores_nothing(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    done = run(FIXTURE, "--store", store, "--audit", "--format", "json")
    assert done.exit_code == 0
    said = json.loads(done.stdout)
    assert said["systematic"][0]["n_questions"] == 1391
    assert not store.exists()
    table = run(FIXTURE, "--audit")
    assert "Random ablation: nominal and realised" in table.stdout
    assert "1,391" in table.stdout


def test_audit_to_a_file(tmp_path: Path) -> None:
    done = run(FIXTURE, "--audit", "--output", tmp_path / "a.json")
    assert done.stdout == f"wrote {tmp_path / 'a.json'}\n"
    assert json.loads((tmp_path / "a.json").read_text())["source"] == "s1"


def test_settings_of_the_audit_need_it(tmp_path: Path) -> None:
    store = tmp_path / "s.duckdb"
    done = run(FIXTURE, "--store", store, "--format", "json")
    assert done.exit_code == 1
    assert done.stderr == "error: --format goes with --audit, got no --audit: add it\n"
    assert not store.exists()


def test_a_path_that_is_no_clone(tmp_path: Path) -> None:
    done = run(tmp_path / "nowhere", "--store", tmp_path / "s.duckdb")
    assert done.exit_code == 1
    assert "must be a clone of sally-xu-42/cross-modal-taxonomic-gen" in done.stderr
