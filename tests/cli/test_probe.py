"""`xmodal probe` from the outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.cli.tiny_store import Tiny
from tests.xmodal import tiny
from xmodal.store import Store

SENTENCES = [
    {
        "hyponym": leaf,
        "hypernym_pos": true,
        "hypernym_neg": false,
        "phrasing_id": 2,
        "sentence_pos": f"{leaf} then {true}",
        "sentence_neg": f"{leaf} then {false}",
    }
    for leaf, true, false in (("owl", "bird", "tool"), ("axe", "tool", "bird"))
]


def stored(world: Tiny, text: str) -> list[dict[str, Any]]:
    with Store.open(world.store, read_only=True) as store:
        rows: list[dict[str, Any]] = store.query(text).to_pylist()
    return rows


def probe(world: Tiny, *more: str | Path) -> list[dict[str, Any]]:
    """The printed summary of a probe of the tiny LM."""
    done = world.call("probe", "--lm", world.lm, "--format", "json", *more)
    assert (done.exit_code, done.stderr) == (0, "")
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows


def test_all_tasks_in_all_phrasings_are_stored(world: Tiny) -> None:
    shown = probe(world)
    tasks = ("yes_no", "sentence", "choice")
    assert [(row["task"], row["phrasing"]) for row in shown] == [
        (task, phrasing) for task in tasks for phrasing in (1, 2, 3, 4)
    ]
    rows = stored(world, "SELECT * FROM text_probe ORDER BY rowid")
    assert [row["template"] for row in rows] == [row["template"] for row in shown]
    assert {(row["lm"], row["lm_init"], row["relation"]) for row in rows} == {
        (str(world.lm), "pretrained", "hypernym")
    }
    said = json.loads(rows[0]["forms_json"])
    assert (set(said["yes"]), set(said["no"])) == ({"Yes", " Yes"}, {"No", " No"})
    counted = stored(
        world,
        "SELECT p.task, p.phrasing, count(*) AS n, avg((a.predicted = a.answer)::INT) AS accuracy "
        "FROM text_probe p JOIN text_probe_answer a USING (probe_id) "
        "JOIN concept l ON l.concept_id = a.leaf_id AND l.dataset_id = p.dataset_id "
        "JOIN concept h ON h.concept_id = a.hypernym_id AND h.dataset_id = p.dataset_id "
        "WHERE l.role = 'leaf' AND h.role = 'hypernym' GROUP BY ALL",
    )
    by = {(row["task"], row["phrasing"]): row for row in counted}
    # five leaves of one hypernym each; yes_no asks the foil too
    assert {key: row["n"] for key, row in by.items()} == {
        (task, phrasing): 10 if task == "yes_no" else 5
        for task in tasks
        for phrasing in (1, 2, 3, 4)
    }
    for row in shown:
        got = by[row["task"], row["phrasing"]]["accuracy"]
        assert row["accuracy"] == pytest.approx(got, abs=1e-12)


def test_the_analysis_says_what_the_command_printed(world: Tiny) -> None:
    shown = probe(world)
    done = world.call("query", "@probe", "--format", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    analysed = {(row["task"], row["phrasing"]): row for row in json.loads(done.stdout)}
    assert len(analysed) == len(shown)
    for row in shown:
        other = analysed[row["task"], row["phrasing"]]
        scores = {name: other[name] for name in row if name in other}
        assert {"accuracy", "hypernym_accuracy", "macro_f1", "mrr", "n_questions"} <= scores.keys()
        for name, value in scores.items():
            assert row[name] == (pytest.approx(value, abs=1e-12) if value is not None else None)


def test_the_same_probe_replaces_its_rows_and_another_adds_its_own(world: Tiny) -> None:
    asked = ("--task", "yes-no", "--phrasing", "2")
    probe(world, *asked)
    table = "SELECT * FROM text_probe_answer ORDER BY ALL"
    before = stored(world, table)
    probe(world, *asked, "--batch-size", "1")
    after = stored(world, table)
    assert len(after) == len(before) == 10
    for a, b in zip(before, after, strict=True):
        assert a["score_yes"] == pytest.approx(b["score_yes"], rel=1e-4)
        assert a | {"score_yes": 0, "score_no": 0} == b | {"score_yes": 0, "score_no": 0}
    probe(world, *asked, "--lm-init", "random")
    probe(world, *asked, "--seed", "7")
    assert len(stored(world, "FROM text_probe")) == 3


def test_asked_again_a_probe_takes_in_the_test_questions_of_new_manifests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # three hypernyms, so that a leaf has a false one that is not drawn
    monkeypatch.setattr(tiny, "LEAVES", {**tiny.LEAVES, "car": "vehicle", "bus": "vehicle"})
    taxonomy = tiny.taxonomy(tmp_path / "pictures")
    of = Tiny(tmp_path / "x.duckdb", tiny.save_lm(tmp_path / "lm"), ())
    with Store.open(of.store) as store:
        store.add_taxonomy(taxonomy)
    shown = probe(of, "--phrasing", "1")
    before = stored(of, "SELECT * FROM text_probe_answer ORDER BY ALL")
    assert all(row["drawn"] for row in before)
    manifest = tiny.manifest(taxonomy, ratio=1.0)
    with Store.open(of.store) as store:
        store.add_manifest(manifest)
    done = of.call("probe", "--lm", of.lm, "--format", "json", "--phrasing", "1")
    assert (done.exit_code, json.loads(done.stdout)) == (0, shown)
    after = stored(of, "SELECT * FROM text_probe_answer ORDER BY ALL")
    assert [row for row in after if row["drawn"]] == before
    asked = stored(
        of,
        "SELECT DISTINCT label_leaf_id, asked_id, example.answer, said.leaf_id AS found "
        "FROM example LEFT JOIN (text_probe_answer JOIN text_probe USING (probe_id)) AS said "
        "ON leaf_id = label_leaf_id AND hypernym_id = asked_id AND said.answer = example.answer "
        "AND task = 'yes_no' WHERE split = 'test' AND kind = 'hypernym'",
    )
    assert {row["answer"] for row in asked} == {True, False}
    assert all(row["found"] is not None for row in asked)
    n_more = len(after) - len(before)
    assert n_more > 0
    assert done.stderr == (
        f"{n_more} more pairs, of test questions, were asked yes-no to be held beside runs "
        "(@probe-vlm): they are in no score here\n"
    )


def test_a_choice_by_the_mean_is_another_probe(world: Tiny) -> None:
    probe(world, "--task", "choice", "--phrasing", "1")
    probe(world, "--task", "choice", "--phrasing", "1", "--choice-score", "mean")
    scores = stored(world, "SELECT forms_json FROM text_probe ORDER BY rowid")
    assert [json.loads(row["forms_json"])["score"] for row in scores] == ["total", "mean"]
    ranks = stored(world, "SELECT rank FROM text_probe_answer")
    assert {row["rank"] for row in ranks} <= {1, 2}


def test_a_file_of_pairs_brings_its_sentences(world: Tiny, tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in SENTENCES))
    out = tmp_path / "answers.csv"
    (shown,) = probe(
        world, "--task", "sentence", "--phrasing", "2", "--pairs", path, "--output", out
    )
    assert (shown["template"], shown["n_pairs"]) == ("sentences of the pairs", 2)
    assert [line.split(",")[2:4] for line in out.read_text().splitlines()] == [
        ["leaf", "hypernym"],
        ["owl", "bird"],
        ["axe", "tool"],
    ]
    done = world.call("probe", "--lm", world.lm, "--pairs", path, "--phrasing", "1")
    assert done.exit_code == 1
    assert done.stderr == "error: phrasing must be one of the file's 2, got 1\n"


def test_words_that_the_lm_does_not_know_are_said(world: Tiny) -> None:
    done = world.call("probe", "--task", "yes-no", "--phrasing", "1,3", "--format", "jsonl")
    assert done.exit_code == 0
    # its word is ax, asked about as true and as false; and no plural of the five is known
    assert done.stderr.splitlines() == [
        f"yes_no phrasing {phrasing}: {n} of 10 texts hold a word that lm 'embedded' does not "
        "know; its answers to them mean little"
        for phrasing, n in ((1, 2), (3, 10))
    ]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["n_unknown"] for row in rows] == [2, 10]
    said = stored(world, "SELECT forms_json FROM text_probe ORDER BY rowid")
    assert [json.loads(row["forms_json"])["n_unknown"] for row in said] == [2, 10]


def test_the_store_is_closed_while_the_lm_runs(
    world: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    from xmodal.probe import text

    seen = []
    whole = text.span_log_probs

    def look(*args: Any) -> Any:
        with Store.open(world.store, wait_s=0.0) as store:  # to write
            seen.append(store.table_sizes().num_rows > 0)
        return whole(*args)

    monkeypatch.setattr(text, "span_log_probs", look)
    probe(world, "--task", "yes-no", "--phrasing", "1")
    assert seen == [True]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "maybe"], "task must be one of all, yes-no, sentence, choice, got 'maybe'"),
        (["--phrasing", "5"], "phrasing must be from 1 to 4, got 5"),
        (["--phrasing", ""], "phrasing must be from 1 to 4, got none"),
        (["--phrasing", "one"], "phrasing must be whole numbers with commas between, got 'one'"),
        (["--batch-size", "0"], "batch_size must be at least 1, got 0"),
        (["--seed", "-1"], "seed must be at least 0, got -1"),
        (["--choice-score", "max"], "choice_score must be one of total, mean, got 'max'"),
        (["--device", "tpu"], "device must be one of cpu, cuda, got 'tpu'"),
        (["--lm", "/"], "lm '/' cannot be loaded as a folder: it holds no config.json"),
        (["--chat-template", "--task", "choice"], "a chat template goes with task yes-no"),
        (["--chat-template"], "lm 'embedded' has no chat template; ask it with --no-chat"),
        (["--dataset", "zz"], "unknown dataset 'zz'; valid: "),
        (["--relation", "near"], "unknown relation 'near'; valid: hypernym"),
        (["--pairs", "none.jsonl"], "pairs none.jsonl cannot be read: No such file"),
        (["--run", "zz"], "--run goes with --task choice"),
        (["--run", "zz", "--task", "choice", "--seed", "3"], "--run goes with --task choice"),
        (["--run", "zz", "--task", "choice"], "no run 'zz': the store holds none yet"),
    ],
)
def test_bad_input_is_one_line_and_stores_nothing(
    world: Tiny, arguments: list[str], message: str
) -> None:
    before = world.store.read_bytes()
    done = world.call("probe", *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert world.store.read_bytes() == before


def test_pictures_of_a_run_are_ranked_by_the_margins_that_it_was_scored_with(
    world: Tiny, tmp_path: Path
) -> None:
    assert world.train("--epochs", "2", manifest=1).exit_code == 0
    (run,) = stored(world, "SELECT run_id FROM run")
    out = tmp_path / "ranks.parquet"
    done = world.call(
        *("probe", "--task", "choice", "--run", run["run_id"], "--output", out),
        *("--batch-size", "7", "--format", "json"),
    )
    assert (done.exit_code, done.stderr) == (0, "")
    ranks = pq.read_table(out).to_pylist()
    scored = stored(
        world,
        "SELECT image_id, c.name AS hypernym, e.held_out, logit_yes - logit_no AS margin "
        "FROM prediction p JOIN run r USING (run_id) JOIN example e "
        "ON e.manifest_id = r.manifest_id AND e.example_id = p.example_id JOIN concept c "
        "ON c.dataset_id = r.dataset_id AND c.concept_id = e.asked_id "
        "WHERE kind = 'hypernym' AND answer AND image_mode = 'real' ORDER BY image_id",
    )
    # five leaves of one hypernym and two test pictures each
    assert len(ranks) == len(scored) == 10
    for row, want in zip(ranks, scored, strict=True):
        assert (row["image_id"], row["hypernym"], row["held_out"]) == (
            want["image_id"],
            want["hypernym"],
            want["held_out"],
        )
        assert row["margin"] == pytest.approx(want["margin"], rel=1e-3, abs=1e-3)
        assert row["n_ranked"] == 2
    shown = json.loads(done.stdout)
    assert [row["cells"] for row in shown] == ["held_out", "kept", "all"]
    assert shown[2]["mean_rank"] == pytest.approx(sum(r["rank"] for r in ranks) / 10, abs=1e-12)
    # two ranked: a random order gives (1 + 2) / 2, (1 + 1/2) / 2 and 1/2
    random = [shown[2][f"{name}_random"] for name in ("mean_rank", "mrr", "recall_at_1")]
    assert random == pytest.approx([1.5, 0.75, 0.5], abs=1e-12)


def test_a_run_whose_lm_has_changed_is_refused(world: Tiny) -> None:
    assert world.train("--epochs", "1").exit_code == 0
    (run,) = stored(world, "SELECT run_id FROM run")
    with Store.open(world.store) as store, store.transaction():
        store.execute("UPDATE run SET lm_hash = $hash", {"hash": "0" * 64})
    done = world.call("probe", "--task", "choice", "--run", run["run_id"])
    assert done.exit_code == 1
    assert "of weights 000000000000, which are now " in done.stderr
