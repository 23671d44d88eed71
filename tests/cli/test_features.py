"""`xmodal features` from the outside."""

from __future__ import annotations

import re

import pytest

from tests.cli.tiny_store import Tiny
from xmodal.store import Store


def test_extract_makes_a_feature_set_once(world: Tiny) -> None:
    first = world.call("features", "extract", "--n-components", "8", "--n-views", "2")
    assert (first.exit_code, first.stderr) == (0, "")
    match = re.fullmatch(r"([0-9a-f]{16}) extracted: (.*)\n", first.stdout)
    assert match is not None
    folder = world.store.parent / "features" / match[1]
    assert match[2] == str(folder)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    again = world.call("features", "extract", "--n-components", "8", "--n-views", "2")
    assert again.stdout == f"{match[1]} is there: {folder}\n"
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    assert before == after
    with Store.open(world.store, read_only=True) as store:
        (row,) = store.query("SELECT * FROM feature_set").to_pylist()
        dataset = store.load_taxonomy().dataset_id
    assert row == {
        "feature_set_id": match[1],
        "dataset_id": dataset,
        "encoder": "classical",
        "revision": "1",
        "layer": "output",
        "pooling": "pca",
        "n_tokens": 1,
        "width": 8,
        "n_views": 2,
        "dtype": "float32",
        "sha256": row["sha256"],
        "path": f"features/{match[1]}",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--encoder", "dinov2"], "encoder must be one of classical, embedded-ssl, got 'dinov2'"),
        (["--pooling", "mean"], "pooling must be one of pca, patches, got 'mean'"),
        (["--n-views", "0"], "n_views must be at least 1, got 0"),
        (["--dataset", "nope"], "unknown dataset 'nope'; valid: "),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    world: Tiny, arguments: list[str], message: str
) -> None:
    before = world.store.read_bytes()
    done = world.call("features", "extract", *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert world.store.read_bytes() == before
    assert world.below() == {"x.duckdb"}
