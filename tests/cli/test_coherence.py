"""`xmodal coherence` from the outside."""

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
        "coherence", "--shuffle", "none,across", "--by-hypernym", "--format", "json"
    )
    assert (done.exit_code, done.stderr) == (0, "")
    with Store.open(extracted.store, read_only=True) as store:
        assert store.query("SELECT * FROM coherence ORDER BY rowid").to_pylist() == json.loads(
            done.stdout
        )
    means = extracted.call("coherence", "--shuffle", "none,across", "--format", "jsonl")
    rows = [json.loads(line) for line in means.stdout.splitlines()]
    assert [row["shuffle"] for row in rows] == ["none", "across"]
    assert all(row["n_hypernyms"] == 2 for row in rows)


def test_manifests_of_one_shuffle_share_a_coherence(extracted: Tiny) -> None:
    ids = [option for one in extracted.manifests for option in ("--manifest", one)]
    done = extracted.call("coherence", *ids, "--format", "jsonl")
    assert (done.exit_code, len(done.stdout.splitlines())) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shuffle", "sideways"], "shuffle must be one of none, within, "),
        (["--features", "zz"], "unknown feature set 'zz'; valid: "),
        (["--manifest", "zz"], "unknown manifest 'zz'; valid: "),
        (["--dataset", "zz"], "unknown dataset 'zz'; valid: "),
    ],
)
def test_bad_input_is_one_line_and_stores_nothing(
    extracted: Tiny, arguments: list[str], message: str
) -> None:
    before = extracted.store.read_bytes()
    done = extracted.call("coherence", *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert extracted.store.read_bytes() == before
