"""`xmodal demo` and `xmodal bundle` from the outside."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from xmodal.store import Store


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--seeds", "1,x"], 1, "error: seeds must be whole numbers with commas between, got 'x'"),
        (["--seeds", ""], 1, "error: seeds must be one or more whole numbers from 0, got []"),
        (["--seeds", "42,-7"], 1, "error: seeds must be one or more whole numbers from 0, got [42"),
        (["--epochs", "0"], 1, "error: epochs must be above 0 and finite, got 0.0"),
        (["--workers", "0"], 2, "Usage: "),
        (["--seed", "1"], 2, "Usage: "),
    ],
)
def test_bad_arguments_leave_no_folder(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    output = tmp_path / "demo"
    done = CliRunner().invoke(app, ["demo", "--output", str(output), *arguments])
    assert (done.exit_code, done.stdout) == (code, "")
    assert done.stderr.startswith(message)
    assert code == 2 or done.stderr.count("\n") == 1
    assert not output.exists()


def test_a_file_cannot_be_the_folder(tmp_path: Path) -> None:
    output = tmp_path / "demo"
    output.write_text("mine")
    done = CliRunner().invoke(app, ["demo", "--output", str(output)])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"error: {output} cannot be the demo's folder: File exists\n"
    assert output.read_text() == "mine"


@pytest.mark.slow
def test_the_demo_in_short_and_again(tmp_path: Path) -> None:
    output = tmp_path / "demo"
    arguments = ["demo", "--output", str(output), "--epochs", "0.05", "--workers", "1"]
    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == 0
    assert "7 trained, 0 there already" in first.stdout
    assert "scrambled LM, all removed" in first.stdout
    assert f"xmodal query @main-results --store {output / 'xmodal.duckdb'}" in first.stdout
    assert (output / "conditions.png").read_bytes().startswith(b"\x89PNG")
    assert (output / "conditions.svg").read_text().startswith("<svg")
    with Store.open(output / "xmodal.duckdb", read_only=True) as store:
        assert store.runs().num_rows == 7
        assert store.analysis("scrambled").num_rows == 1
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 0
    assert "0 trained, 7 there already" in again.stdout
    table = first.stdout[first.stdout.index("Macro-F1") :]
    assert again.stdout.endswith(table)


class TestAlignDemo:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--seeds", "1,x"], "seeds must be whole numbers with commas between, got 'x'"),
            (["--seeds", ""], "seeds must be one or more whole numbers from 0, got []"),
            (["--set", "depth=3"], "depth is of projections of kind mlp, got kind linear: "),
            (["--set", "deep=1"], "unknown setting 'deep'; valid: "),
            (["--n-unseen", "0"], "n_unseen must be at least 1, got 0"),
        ],
    )
    def test_bad_arguments_leave_no_folder(
        self, tmp_path: Path, arguments: list[str], message: str
    ) -> None:
        output = tmp_path / "demo"
        done = CliRunner().invoke(app, ["align", "demo", "--output", str(output), *arguments])
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith(f"error: {message}")
        assert done.stderr.count("\n") == 1
        assert not output.exists()

    @pytest.mark.slow
    def test_the_demo_in_short_and_again(self, tmp_path: Path) -> None:
        output = tmp_path / "demo"
        arguments = ["--output", str(output), "--set", "n_steps=3", "--seeds", "1,2"]
        first = CliRunner().invoke(app, ["align", "demo", *arguments])
        assert first.exit_code == 0, first.stderr
        assert "38 trained, 0 there already" in first.stdout
        assert (output / "levels.png").read_bytes().startswith(b"\x89PNG")
        with Store.open(output / "xmodal.duckdb", read_only=True) as store:
            assert store.query("FROM align_run").num_rows == 38
            assert store.analysis("text-controls").num_rows > 0
        again = CliRunner().invoke(app, ["align", "demo", *arguments])
        assert "0 trained, 38 there already" in again.stdout
        assert again.stdout.endswith(first.stdout[first.stdout.index("Pictures of") :])


class TestBundle:
    @pytest.mark.slow
    def test_train_lm_makes_a_folder_and_says_what_it_knows(self, tmp_path: Path) -> None:
        output = tmp_path / "lm"
        done = CliRunner().invoke(
            app, ["bundle", "train-lm", "--output", str(output), "--steps", "1", "--seed", "3"]
        )
        assert done.exit_code == 0, done.stderr
        assert "macro_f1_withheld: " in done.stdout
        assert done.stdout.endswith(f"saved: {output}\n")
        names = {path.name for path in output.iterdir()}
        assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
        assert {"taught.parquet", "recipe.json"} <= names

    def test_a_folder_that_exists_is_refused(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(app, ["bundle", "train-lm", "--output", str(tmp_path)])
        assert done.exit_code == 1
        assert done.stderr == f"error: {tmp_path} exists; give a folder that does not\n"
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.slow
    def test_train_encoder_makes_a_folder_that_loads(self, tmp_path: Path) -> None:
        from xmodal.bundle.encoder.load import read_encoder

        output = tmp_path / "encoder"
        arguments = ["--output", str(output), "--steps", "1", "--seed", "3"]
        done = CliRunner().invoke(app, ["bundle", "train-encoder", *arguments])
        assert done.exit_code == 0, done.stderr
        assert done.stdout.startswith("n_training_pictures: 3730\n")
        assert done.stdout.endswith(f"saved: {output}\n")
        assert len(read_encoder(output).training_pictures) == 3730

    def test_train_encoder_refuses_a_folder_that_exists(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(app, ["bundle", "train-encoder", "--output", str(tmp_path)])
        assert done.exit_code == 1
        assert done.stderr == f"error: {tmp_path} exists; give a folder that does not\n"
        assert list(tmp_path.iterdir()) == []

    def test_a_foreign_wordnet_folder_is_refused(self, tmp_path: Path) -> None:
        arguments = ["--output", str(tmp_path / "lm"), "--wordnet", str(tmp_path)]
        done = CliRunner().invoke(app, ["bundle", "train-lm", *arguments])
        assert done.exit_code == 1
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1
        assert not (tmp_path / "lm").exists()
