"""The Python API: the same answers and errors as the commands, as objects."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import xmodal
from taxonomy.errors import ConfigError, DataError, StoreError
from tests.cli import tiny_store
from tests.cli.tiny_store import Tiny
from xmodal.api import Result
from xmodal.lms.causal import load_lm
from xmodal.store.sandbox import run_user_query
from xmodal.vlm.run_folder import RunFolder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A store with one finished run of few steps."""
    made = tiny_store.make(tmp_path_factory.mktemp("api"))
    done = made.train("--epochs", "1")
    assert done.exit_code == 0, done.stderr
    return made


def test_queries_come_as_arrow_pandas_polars_and_rows(trained: Tiny) -> None:
    work = xmodal.open(trained.store)
    found = work.query("SELECT $n::INTEGER AS n, NULL AS gone, 0.25 AS x", n=3)
    assert found.to_arrow().to_pydict() == {"n": [3], "gone": [None], "x": [0.25]}
    assert [{k: float(v) if k == "x" else v for k, v in r.items()} for r in found.to_rows()] == [
        {"n": 3, "gone": None, "x": 0.25}
    ]
    pandas = pytest.importorskip("pandas")
    frame = work.query("@main-results").to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert set(frame["question_set"]) == {"held_out", "leaf"}
    polars = pytest.importorskip("polars")
    assert isinstance(work.query("from run").to_polars(), polars.DataFrame)


def test_a_result_without_pandas_says_what_to_do(
    trained: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = xmodal.open(trained.store).query("SELECT 1 AS one")
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ConfigError, match=r"^pandas is not installed: `pip install pandas`, or"):
        found.to_pandas()
    with pytest.raises(ConfigError, match=r"^polars is not installed: `pip install polars`, or"):
        found.to_polars()


def test_results_show_themselves(trained: Tiny) -> None:
    many = xmodal.open(trained.store).query("SELECT range AS n, '<b>' AS word FROM range(60)")
    assert "and 10 more rows" in repr(many)
    html = many._repr_html_()
    assert html.count("<tr>") == 51
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_a_query_cannot_write(trained: Tiny) -> None:
    with pytest.raises(StoreError, match="must be a statement that reads"):
        xmodal.open(trained.store).query("DELETE FROM run")


def test_the_projector_is_the_trained_one(trained: Tiny) -> None:
    """Its prefix, put before the questions, gives the logits that the run stored."""
    from xmodal.vlm.evaluate import score
    from xmodal.vlm.forward import tokenise
    from xmodal.vlm.prompts import prompt_template
    from xmodal.vlm.trainset import read_examples

    work = xmodal.open(trained.store)
    (run_id,) = work.query("SELECT run_id FROM run").to_arrow()["run_id"].to_pylist()
    run = work.run(run_id[:6])
    assert run.run_id == run_id
    projector, features = run.projector(), run.features()
    assert not projector.training
    manifest = work.manifest(run.record["manifest_id"])
    taxonomy = work.taxonomy(manifest.dataset_id)
    lm = load_lm(str(trained.lm))
    examples = read_examples(taxonomy, manifest)
    asked = examples.take(np.flatnonzero(examples.split == "test"))
    prompt = prompt_template(run.record["prompt"])
    scores = score(lm, projector, features, tokenise(lm, prompt, examples.phrases), asked)
    stored = run_user_query(
        trained.store,
        "SELECT example_id, logit_yes FROM prediction WHERE image_mode = 'real'",
    ).to_pydict()
    want = dict(zip(stored["example_id"], stored["logit_yes"], strict=True))
    got = dict(zip(asked.example_id.tolist(), scores.logit_yes.tolist(), strict=True))
    assert got.keys() == want.keys()
    assert got == pytest.approx(want, abs=1e-5)
    prefix = projector(torch.from_numpy(np.array(features.open()[:2])))
    assert list(prefix.shape) == [2, run.record["n_prefix_tokens"], lm.width]


def test_a_lost_or_damaged_projector_is_named(trained: Tiny, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"projector\.safetensors is missing: the run is not fin"):
        RunFolder(tmp_path).load_projector()
    (tmp_path / "projector.safetensors").write_bytes(b"no weights")
    with pytest.raises(DataError, match=r"projector\.safetensors cannot be read .*train anew$"):
        RunFolder(tmp_path).load_projector()


def test_wrong_names_are_one_line(trained: Tiny, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        xmodal.open(tmp_path / "gone.duckdb")
    work = xmodal.open(trained.store)
    with pytest.raises(StoreError, match="unknown run 'q'"):
        work.run("q")
    with pytest.raises(StoreError, match="unknown manifest 'q'"):
        work.manifest("q")
    with pytest.raises(StoreError, match="unknown dataset 'q'"):
        work.taxonomy("q")
    assert repr(work) == f"xmodal.open({str(trained.store)!r})"


def test_the_store_is_found_by_the_environment(
    trained: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XMODAL_STORE", str(trained.store))
    assert isinstance(xmodal.open().analyses(), Result)
    assert len(xmodal.open().query("from manifest")) == 2


def test_importing_xmodal_is_light() -> None:
    code = (
        "import sys, xmodal; heavy = {'torch', 'duckdb', 'pyarrow', 'transformers'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
