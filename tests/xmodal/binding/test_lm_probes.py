"""From LMs to folders of probes: a pair is asked the same, once, and its records are whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import typer
from typer.testing import CliRunner

from cli.binding_retrieve import retrieve as command
from taxonomy.errors import ConfigError, DataError
from tests.xmodal.binding import talkers
from xmodal.binding.probe_folder import ProbeFacts, find_probe, write_probe
from xmodal.binding.subject import Subject
from xmodal.binding.task import Scenes
from xmodal.binding_tables import INTERCHANGE, RETRIEVAL
from xmodal.bindings.asked import probe_asked
from xmodal.bindings.lm_probes import Asked, probe_lms
from xmodal.bindings.looks import Look, settings_of
from xmodal.lms.causal import load_lm
from xmodal.seals import sealed, unsealed
from xmodal.store import Store

FACTS = ProbeFacts(
    kind="retrieval", lm="a", lm_hash="1", vocabulary="words", n_layers=2, n_examples=5, seed=0
)
ROW = {"n_objects": 4, "n_tokens": 30.5, "n_questions": 5, "n_right": 2, "n_right_open": 1}
TABLE = pa.Table.from_pylist([ROW], RETRIEVAL)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    root, tokenizer = tmp_path_factory.mktemp("models"), talkers.piece_tokenizer(700)
    lm = talkers.save(root / "qwen2", "qwen2", tokenizer)
    return lm, talkers.save(root / "qwen2-vl", "qwen2-vl", tokenizer)


def run(store: Path, *options: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(command)
    (store.parent / "runs").mkdir(exist_ok=True)
    result = CliRunner().invoke(app, [*options, "--store", str(store)])
    return result.exit_code, result.output


def test_a_pair_is_asked_the_same_once(models: tuple[Path, Path], tmp_path: Path) -> None:
    lm, vlm = map(str, models)
    options = ("--lm", lm, "--vlm-lm", vlm, "--objects", "4,9", "--n", "6", "--device", "cpu")
    code, said = run(tmp_path / "x.duckdb", *options)
    assert code == 0
    folders = sorted((tmp_path / "probes").iterdir())
    assert len(folders) == 2
    records = {one["lm"]: one for one in (read(folder) for folder in folders)}
    assert {name: one["is_vlm"] for name, one in records.items()} == {lm: False, vlm: True}
    first, second = records[lm], records[vlm]
    assert first["pair_id"] == second["pair_id"] is not None
    assert first["settings_json"] == second["settings_json"]
    assert json.loads(str(first["settings_json"]))["objects"] == [4, 9]
    assert second["lm_hash"] == load_lm(vlm, is_vlm=True).sha256 != first["lm_hash"]
    for folder in folders:
        table = pq.read_table(folder / "retrieval.parquet")
        assert table.schema.equals(RETRIEVAL)
        assert table["n_objects"].to_pylist() == [4, 9]
        assert table["n_questions"].to_pylist() == [6, 6]
    folder = tmp_path / "probes" / str(first["probe_id"])
    row = pq.read_table(folder / "retrieval.parquet").to_pylist()[0]
    assert (
        f"{lm}, 4 objects, {row['n_tokens']:.0f} tokens: {row['n_right'] / 6:.3f} right among the "
        f"scene's items, {row['n_right_open'] / 6:.3f} among all words, of 6"
    ) in said.splitlines()
    # asked again it is found, and says the same
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("probes/*/*")}
    code, again = run(tmp_path / "x.duckdb", *options)
    assert code == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("probes/*/*")} == before
    assert [one for one in again.splitlines() if " right " in one] == [
        one for one in said.splitlines() if " right " in one
    ]


def read(folder: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / "probe.json").read_text())
    assert found["probe_id"] == folder.name
    return found


def test_an_intervention_is_given_scenes_and_its_table_kept(
    models: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "runs").mkdir()

    def last_layer(subject: Subject, scenes: Sequence[Scenes]) -> pa.Table:
        """Answers once the last layer is that of the next scene."""
        rows = []
        for one in scenes:
            count = one.colours.shape[1]
            prompts = subject.prompts(one, torch.full((count,), 1))

            def put(layer: int, x: torch.Tensor) -> torch.Tensor:
                return x.roll(1, 0) if layer == subject.n_layers else x

            got = subject.logits(prompts, edit=put).argmax(-1)
            same = int((got == subject.logits(prompts).argmax(-1).roll(1)).sum())
            zero = dict.fromkeys(INTERCHANGE.names, 0)
            rows.append(
                zero
                | {"n_objects": one.n_objects, "layer": subject.n_layers, "n_examples": count,
                   "patch": "permuted", "n_reflexive": same, "n_ambiguous": 0}
            )  # fmt: skip
        return pa.Table.from_pylist(rows, INTERCHANGE)

    asked = Asked(lm=str(models[0]), objects=(4, 5), n_examples=3, seed=1, device="cpu")
    store = tmp_path / "x.duckdb"
    lines = list(probe_lms(store, asked, "interchange", last_layer, as_published=True))
    assert " probed: " in lines[0]
    (folder,) = (tmp_path / "probes").iterdir()
    record = read(folder)
    assert record["kind"] == "interchange"
    assert (record["as_published"], record["pair_id"]) == (True, None)
    rows = pq.read_table(folder / "interchange.parquet").to_pylist()
    assert [(row["n_objects"], row["n_reflexive"]) for row in rows] == [(4, 3), (5, 3)]


def test_of_lms_the_record_says_among_what_an_answer_was_taken(
    models: tuple[Path, Path], tmp_path: Path
) -> None:
    (tmp_path / "runs").mkdir()
    given: dict[str, Any] = {"lm": str(models[0]), "objects": [4], "n_examples": 3, "device": "cpu"}
    for answers in (None, "open"):
        list(probe_asked(tmp_path / "x.duckdb", answers=answers, **given))
    said = [json.loads(str(read(one)["settings_json"])) for one in (tmp_path / "probes").iterdir()]
    assert sorted(one["answers"] for one in said) == ["open", "scene"]
    with pytest.raises(ConfigError, match="answers goes with interchange interventions, got 'op"):
        next(probe_asked(tmp_path / "x.duckdb", kinds=["linear"], answers="open", **given))


def test_probes_of_runs_have_the_ids_that_they_had() -> None:
    assert settings_of("interchange", Look()) == {}
    assert settings_of("interchange", Look(answers="scene")) == {"answers": "scene"}
    with pytest.raises(ConfigError, match="answers must be one of open, scene, got 'x'"):
        Look(answers="x")


def test_a_folder_has_the_columns_of_the_store_and_appears_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_probe(tmp_path, FACTS) is None
    folder = write_probe(tmp_path, FACTS, TABLE, seconds=1.5, device="cpu")
    assert folder == find_probe(tmp_path, FACTS) == tmp_path / "probes" / FACTS.probe_id
    with Store.in_memory() as store:
        columns = store.query("DESCRIBE binding_probe")["column_name"].to_pylist()
    record = read(folder)
    assert {*unsealed(record), "content_hash"} == set(columns)
    assert record == sealed(record, folder, ["retrieval.parquet"])
    assert (record["seconds"], record["device"], record["run_id"]) == (1.5, "cpu", None)
    assert pq.read_table(folder / "retrieval.parquet").to_pylist() == [ROW]

    def full(*_: object) -> None:
        raise OSError("no space")

    # written again and cut off, it is not taken for whole
    monkeypatch.setattr("xmodal.binding.probe_folder.versions", full)
    with pytest.raises(OSError, match="no space"):
        write_probe(tmp_path, FACTS, TABLE, seconds=1.5, device="cpu")
    assert find_probe(tmp_path, FACTS) is None
    monkeypatch.undo()
    (folder / "probe.json").write_text('{"probe_id": ')
    with pytest.raises(DataError, match=r"probe.json is damaged .*; delete the folder to probe"):
        find_probe(tmp_path, FACTS)


def test_ids_hang_on_what_decides_the_result() -> None:
    others = [
        replace(FACTS, kind="interchange"), replace(FACTS, lm_hash="2"),
        replace(FACTS, is_vlm=True), replace(FACTS, pair_id="p"), replace(FACTS, n_examples=6),
        replace(FACTS, seed=1), replace(FACTS, settings={"a": 1}),
        replace(FACTS, as_published=True), replace(FACTS, context="image"),
        ProbeFacts(kind="retrieval", run_id="r", step=3, vocabulary="base", n_layers=2,
                   n_examples=5, seed=0),
    ]  # fmt: skip
    ids = {one.probe_id for one in (FACTS, *others)}
    assert len(ids) == len(others) + 1
    assert replace(FACTS, lm="b").probe_id == FACTS.probe_id == "c3fac873859d8343"


def test_what_makes_no_probe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a probe is of a run or of an LM, got run_id None and"):
        ProbeFacts(kind="linear", vocabulary="base", n_layers=1, n_examples=1, seed=0)
    with pytest.raises(ConfigError, match="kind must be one of interchange, knockout, linear, r"):
        ProbeFacts(kind="x", lm="a", lm_hash="1", vocabulary="w", n_layers=1, n_examples=1, seed=0)
    with pytest.raises(ValueError, match="a probe of kind retrieval has the columns"):
        write_probe(tmp_path, FACTS, TABLE.drop_columns(["n_right"]), seconds=1, device="cpu")
    for settings, reason in (
        ({}, "nothing is asked: give an lm, a vlm_lm or both"),
        ({"lm": "a", "vlm_revision": "x"}, "vlm_revision goes with a vlm_lm, got 'x'"),
        ({"vlm_lm": "a", "revision": "x", "vlm_revision": "y"}, "name one model: give one of"),
        ({"lm": "a", "objects": (4, 4)}, "objects must be numbers from 1 on, each once, got 4, 4"),
        ({"lm": "a", "template": "b"}, "unknown template 'b'; valid: plain"),
    ):
        with pytest.raises(ConfigError, match=reason):
            Asked(**settings)  # type: ignore[arg-type]
    assert Asked(vlm_lm="a", revision="x").models() == [("a", True, "x")]
    pair = Asked(lm="a", vlm_lm="b", revision="x")
    assert pair.models() == [("a", False, "x"), ("b", True, None)]
    code, said = run(tmp_path / "x.duckdb", "--vlm-lm", "a", "--objects", "4,x")
    assert (code, said) == (
        1, "error: objects must be whole numbers with commas between, got 'x'\n"
    )  # fmt: skip
    assert not (tmp_path / "probes").exists()
