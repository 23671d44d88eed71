"""`xmodal ceiling` from the outside."""

from __future__ import annotations

import json

import pytest

from tests.cli.tiny_store import Tiny
from xmodal.store import Store


@pytest.fixture
def extracted(world: Tiny) -> Tiny:
    done = world.call("features", "extract", "--n-components", "8", "--n-views", "1")
    assert done.exit_code == 0
    return world


def test_one_manifest_by_one_method(extracted: Tiny) -> None:
    one = extracted.manifests[1]
    done = extracted.call(
        *("ceiling", "--manifest", one[:8], "--methods", "hypernym-neighbours"),
        *("--format", "json"),
    )
    assert (done.exit_code, done.stderr) == (0, "")
    rows = json.loads(done.stdout)
    assert {row["manifest_id"] for row in rows} == {one}
    assert {row["question_set"] for row in rows} == {"held_out", "leaf", "seen"}
    with Store.open(extracted.store, read_only=True) as store:
        (about,) = store.query("SELECT * FROM ceiling").to_pylist()
        (n,) = store.query("SELECT count(*) AS n FROM ceiling_prediction").to_pylist()
    assert (about["manifest_id"], about["method"]) == (one, "hypernym-neighbours")
    assert n["n"] == sum(row["n_questions"] for row in rows)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--methods", "guess"], "method must be one of leaf-lookup, hypernym-neighbours, got"),
        (
            ["--methods", ""],
            "give one method or more of leaf-lookup, hypernym-neighbours, got none",
        ),
        (["--features", "zz"], "unknown feature set 'zz'; valid: "),
        (["--manifest", "zz"], "unknown manifest 'zz'; valid: "),
    ],
)
def test_bad_input_is_one_line_and_stores_nothing(
    extracted: Tiny, arguments: list[str], message: str
) -> None:
    before = extracted.store.read_bytes()
    done = extracted.call("ceiling", *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert extracted.store.read_bytes() == before
