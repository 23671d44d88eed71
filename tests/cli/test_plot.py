"""xmodal plot, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.xmodal.report import plotted
from xmodal.store import Store


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plot") / "s.duckdb"
    with Store.open(path) as store:
        plotted.fill(store)
    return path


def test_a_figure_is_drawn_from_the_runs_that_are_chosen(path: Path, tmp_path: Path) -> None:
    call = ["plot", "ablation", "--store", str(path), "--run", "a", "--run", "b"]
    done = CliRunner().invoke(
        app, [*call, "-w", "ratio=0.5", "--output", str(tmp_path), "--format", "svg"]
    )
    assert (done.exit_code, done.stdout) == (0, f"{tmp_path / 'ablation.svg'}\n"), done.stderr
    text = (tmp_path / "ablation.svg").read_text()
    assert "Chosen: ratio 0.5; run a, b." in text
    assert "macro-F1 (fraction)" in text


def test_the_list_counts_what_there_is(path: Path) -> None:
    done = CliRunner().invoke(app, ["plot", "--list", "--store", str(path), "-w", "source=own"])
    assert done.exit_code == 0, done.stderr
    counts = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines()[2:]}
    assert counts["ablation"] == "2"
    # exposure has no such column
    assert counts["exposure"] == counts["agreement"] == "0"


def test_what_is_wrong_is_one_line(path: Path, tmp_path: Path) -> None:
    for arguments, message in (
        ([], "error: give a figure, such as ablation, or --list\n"),
        (["ablatoin"], "error: unknown figure 'ablatoin'; valid: ablation"),
        (["ablation", "-w", "ratio"], "error: --where must be COLUMN=VALUE, got 'ratio'\n"),
        (["ablation", "-o", str(path / "x.png")], f"error: {path} cannot be the figures' folder"),
    ):
        done = CliRunner().invoke(app, ["plot", *arguments, "--store", str(path)])
        assert (done.exit_code, done.stdout) == (1, ""), arguments
        assert done.stderr.startswith(message), done.stderr
        assert done.stderr.count("\n") == 1
    done = CliRunner().invoke(app, ["plot", "ablation", "--store", str(tmp_path / "no.duckdb")])
    assert done.exit_code == 1
    assert "no store at" in done.stderr
