"""`xmodal binding data`: scene sets beside a store, and what is shown of the task."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner, Result

from cli.binding_data import data
from taxonomy.errors import StoreError
from xmodal.bindings.scene_sets import stored_scene_set
from xmodal.store import Store
from xmodal.store.scene_sets import add_scene_set, load_scene_set_row

app = typer.Typer()
app.command()(data)
QUICK = ("--n-scenes", "40", "--objects", "2-3")


def call(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--store", str(store)])


def test_a_set_is_made_once_and_noted(tmp_path: Path) -> None:
    store = tmp_path / "x.duckdb"
    first = call(store, *QUICK, "--scene-layout", "jittered", "--seed", "5")
    assert (first.exit_code, first.stderr) == (0, "")
    match = re.fullmatch(
        r"([0-9a-f]{16}) made: (.*)\n"
        r"40 scenes of 2 to 3 objects, 64 tokens of 58 channels each\n",
        first.stdout,
    )
    assert match is not None
    folder = tmp_path / "features" / match[1]
    assert match[2] == str(folder)
    again = call(store, *QUICK, "--scene-layout", "jittered", "--seed", "5")
    assert again.stdout == first.stdout.replace(" made: ", " is there: ")
    with Store.open(store, read_only=True) as opened:
        (row,) = opened.query("FROM scene_set").to_pylist()
    sha256, weights = row.pop("sha256"), row.pop("weights_sha256")
    assert (len(sha256), weights) == (64, None)
    assert row == {
        "scene_set_id": match[1], "encoder": "classical", "revision": "1", "layer": "output",
        "scene_layout": "jittered", "size_from": pytest.approx(0.235 * 0.85), "size_to": 0.235,
        "n_colours": 16, "n_shapes": 16, "n_from": 2, "n_to": 3, "n_scenes": 40, "side": 64,
        "n_image_tokens": 64, "width": 58, "seed": 5, "path": f"features/{match[1]}",
    }  # fmt: skip
    assert len(stored_scene_set(store, match[1][:5]).rows(3)) == 18
    with pytest.raises(StoreError, match=f"unknown scene set 'zz'; valid: {match[1]}"):
        stored_scene_set(store, "zz")
    with Store.open(store) as opened:
        # one that has moved is noted once
        moved = load_scene_set_row(opened, match[1]).model_copy(update={"path": "elsewhere"})
        add_scene_set(opened, moved)
        assert opened.query("SELECT path FROM scene_set")["path"].to_pylist() == ["elsewhere"]


def test_samples_are_words_and_a_sheet(tmp_path: Path) -> None:
    store = tmp_path / "x.duckdb"
    done = call(store, *QUICK, "--scene-layout", "fixed", "--vocabulary", "expanded",
                "--n-colours", "9", "--sample", "3", "--rate")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    *lines, sheet, rate = done.stdout.splitlines()[2:]
    assert len(lines) == 3
    for line, n in zip(lines, (2, 3, 2), strict=True):
        said, _, answer = line.partition(" -> ")
        context, _, rest = said.partition(" [CTX_END] ")
        told, _, asked = rest.partition(" [QUE] ")
        assert len(asked.split()) == 1
        pairs = dict(re.findall(r"(colour-[0-8]) (shape-\d+)", context))
        items = dict(re.findall(r"(shape-\d+) (item-\d+)", told))
        assert len(pairs) == len(items) == n
        assert items[pairs[asked.split()[0]]] == answer
    path = Path(sheet.removeprefix("scenes: "))
    assert path.parent == tmp_path
    with Image.open(path) as image:
        # six scenes of 128 pixels with lines of 4 between, for 2 and for 3 objects
        assert image.size == (6 * 132, 2 * 132)
        pixels = np.asarray(image)
    # the first cells hold objects, the last row of cells none
    assert (pixels[2:34, 2:130] < 200).any()
    assert (pixels[100:130, 2:130] == 255).all()
    assert re.fullmatch(r"[1-9]\d* text sequences a second with 3 objects on cpu", rate)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--objects", "2-"], "objects must be a number or a range such as 2-8, got '2-'"),
        (["--objects", "8-2"], "objects must say the fewest first, as 2-8, got '8-2'"),
        (["--objects", "2-17"], "objects must be from 1 to 16, the fewest of colours, shapes, "),
        (["--scene-layout", "grid"], "scene layout must be one of fixed, jittered, random, got "),
        (["--vocabulary", "large"], "vocabulary must be one of base, expanded, got 'large'"),
        (["--n-shapes", "1"], "n_shapes must be from 2 to 216, got 1"),
        (["--n-scenes", "5"], "n_scenes must be at least 20, 10 for each number of objects, got "),
        (["--object-size", "0.5"], "size must be above 0 and at most 0.24, a cell of the grid "),
        (["--side", "32"], "side goes with transformers models, not with encoder 'classical', "),
        (["--device", "x"], "device 'x' is not here ("),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    done = call(tmp_path / "x.duckdb", *QUICK, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "features").exists()


def test_an_encoder_that_mixes_sides_is_said(tmp_path: Path) -> None:
    done = call(tmp_path / "x.duckdb", *QUICK, "--n-scenes", "20", "--encoder", "embedded-ssl")
    assert done.exit_code == 0, done.stderr
    assert done.stderr == (
        "embedded-ssl gives a picture and its mirror image the same tokens: they do not say on "
        "which side an object stands, encoder classical does\n"
    )
