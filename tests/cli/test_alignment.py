"""`xmodal probe --alignment` from the outside."""

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


def test_what_is_printed_is_what_is_stored(extracted: Tiny) -> None:
    done = extracted.call(
        *("probe", "--alignment", "--lm", extracted.lm, "--k", "2"), *("--format", "json")
    )
    assert done.exit_code == 0
    assert done.stderr == (
        "shuffle none: 2 of 2 hypernyms have no cka, as fewer than 4 of their leaves have "
        "pictures, or all are alike; @alignment leaves them out: bird, tool\n"
    )
    (shown,) = json.loads(done.stdout)
    with Store.open(extracted.store, read_only=True) as store:
        rows = store.query("SELECT * FROM alignment ORDER BY rowid").to_pylist()
        assert store.query("SELECT * FROM text_probe").num_rows == 0
    # two manifests of one shuffle are measured once
    assert [row["hypernym"] for row in rows] == [None, "bird", "tool"]
    assert shown.items() <= rows[0].items()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--alignment"], "k must be at most 3 with 5 leaves, got 10"),
        (["--alignment", "--k", "2", "--layer", "9"], "layer must be from -3 to 2 for lm "),
        (["--alignment", "--task", "choice"], "--alignment asks nothing: leave out --task, "),
        (["--alignment", "--run", "r"], "--run does not go with --alignment: "),
        (["--k", "3"], "--features, --k, --layer, --manifest and --shuffle go with --alignment"),
    ],
)
def test_bad_input_is_one_line_and_stores_nothing(
    extracted: Tiny, arguments: list[str], message: str
) -> None:
    before = extracted.store.read_bytes()
    done = extracted.call("probe", "--lm", extracted.lm, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert extracted.store.read_bytes() == before
