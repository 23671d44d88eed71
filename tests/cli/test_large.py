"""The commands on a list of images whose questions are derived."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from taxonomy.manifest import images
from tests.taxonomy.test_image_list import rows
from xmodal.store import Store


def run(*words: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.stdout, done.stderr


def test_from_a_list_to_derived_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, listed, out = tmp_path / "x.duckdb", tmp_path / "images.parquet", tmp_path / "rows"
    pq.write_table(pa.Table.from_pylist(rows()), listed)
    to, source = ("--store", store), ("--source", "list", "--min-leaves", 2)
    code, said, _ = run("taxonomy", "build", *to, *source, "--images", listed)
    assert code == 0
    assert "5 leaves, 0 inner (in no question), 30 images" in said
    assert "hashes were taken from the list at their word" in said
    design = ("manifest", "build", *to, "--ratio", 0.5)
    code, said, error = run(*design, "--negatives", "strided")
    assert code == 0
    assert "random design, shuffle none: held out 0.5" in error
    manifest_id = said.strip()
    code, said, _ = run("manifest", "list", *to, "--format", "csv")
    assert code == 0
    assert "strided" in said
    code, said, _ = run("manifest", "show", manifest_id, *to)
    assert code == 0
    assert "n_questions" in said
    code, table, error = run("manifest", "report", manifest_id, *to, "--format", "csv")
    assert code == 0
    assert error.startswith("random design")
    assert ",bird," in table
    export = ("manifest", "export", manifest_id, *to)
    code, said, _ = run(*export, "--format", "parquet", "--output", out)
    with Store.open(store, read_only=True) as opened:
        derived = opened.query("SELECT * FROM example_derived ORDER BY ALL")
        n_images = opened.query("SELECT count(*) AS n FROM image")["n"][0].as_py()
    written = pq.read_table(out).drop_columns(["leaves"])
    files = list(out.rglob("*.parquet"))
    n_bytes = sum(file.stat().st_size for file in files)
    assert code == 0
    assert f"{len(derived)} questions in {len(files)} Parquet files, {n_bytes}" in said
    order = [(name, "ascending") for name in ("image_id", "asked_id")]
    assert written.sort_by(order).to_pylist() == derived.sort_by(order).to_pylist()
    assert n_images == 30
    assert len(derived) > 60
    code, _, error = run(*export, "--format", "parquet", "--output", listed / "rows")
    assert code == 1
    assert "images.parquet cannot be the folder of an export: File exists" in error
    code, said, _ = run("store", "verify", *to)
    assert code == 0
    assert "problem" not in said
    with Store.open(store) as opened, opened.transaction():
        opened.execute("UPDATE image SET sha256 = $hash WHERE image_id = 3", {"hash": "0" * 64})
        opened.execute("UPDATE strided_draw SET n_draws = n_draws + $more", {"more": 1})
    code, said, _ = run("store", "verify", *to)
    assert code == 1
    assert "its rows have the id" in said
    assert "its rows are not those that its rows_sha256 is of" in said
    code, _, error = run(*export, "--output", tmp_path / "chat")
    assert code == 1
    assert "lists no questions (negatives strided)" in error
    code, _, error = run(*design, "--negatives", "strided", "--mentions", "rebalance")
    assert code == 1
    assert "goes with negatives matched or image, got 'strided'" in error
    monkeypatch.setattr(images, "MOST_LISTED", 29)
    code, _, error = run(*design)
    assert code == 1
    assert "has 30 images, and negatives matched lists every question" in error
