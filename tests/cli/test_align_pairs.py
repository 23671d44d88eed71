"""`xmodal align pairs`, and what the other commands make of a caption set."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.cli.tiny_store import Tiny
from tests.xmodal.align import caption_worlds as worlds
from tests.xmodal.align.caption_worlds import PAIRS
from xmodal.align.captions import load_caption_set
from xmodal.alignments.captions import caption_filter
from xmodal.alignments.texts import texts_meant
from xmodal.store import Store

CLASSICAL = ("--encoder", "classical")


def made(world: Tiny, tmp_path: Path) -> str:
    """Id of a set of PAIRS."""
    path = worlds.parquet(tmp_path / "in" / "tiny.parquet")
    done = world.call("align", "pairs", path, *CLASSICAL)
    assert done.exit_code == 0, done.stderr
    return done.stdout.split()[0]


def stored(world: Tiny, name: str) -> list[dict[str, Any]]:
    with Store.open(world.store, read_only=True) as store:
        found: list[dict[str, Any]] = store.analysis(name).to_pylist()
    return found


def test_a_set_is_made_once_noted_and_listed(world: Tiny, tmp_path: Path) -> None:
    path = worlds.tar(tmp_path / "in" / "s-0.tar", worlds.members())
    given = ("align", "pairs", path.with_name("s-{0..0}.tar"), *CLASSICAL)
    first = world.call(*given)
    assert (first.exit_code, first.stderr) == (0, "")
    match = re.fullmatch(r"([0-9a-f]{16}) made: (.*)\n", first.stdout)
    assert match is not None
    folder = world.store.parent / "captions" / match[1]
    assert match[2] == str(folder)
    again = world.call(*given, "--name", "mine")
    assert again.stdout == f"{match[1]} is there: {folder}\n"
    with Store.open(world.store, read_only=True) as store:
        (row,) = store.query("FROM caption_set").to_pylist()
    assert (row["caption_set_id"], row["name"], row["source"]) == (match[1], "mine", "webdataset")
    assert (row["n_pairs"], row["n_texts"], row["n_images"], row["n_skipped"]) == (5, 4, 4, 0)
    assert (row["encoder"], row["pooling"], row["path"]) == (
        "classical",
        "mean",
        f"captions/{match[1]}",
    )
    assert load_caption_set(folder).open().shape == (4, row["width"])
    listed = world.call("query", "@caption-sets", "--format", "csv")
    assert match[1] in listed.stdout


def test_what_is_left_out_is_said(world: Tiny, tmp_path: Path) -> None:
    path = worlds.parquet(tmp_path / "in" / "a.parquet", [*PAIRS, (None, b"x"), ("cut", b"x")])
    done = world.call("align", "pairs", path, *CLASSICAL, "--skip-bad")
    assert done.exit_code == 0, done.stderr
    assert done.stderr == (f"2 of 7 pairs left out, first: a.parquet:5 of {path} has no caption\n")
    assert [row["n_skipped"] for row in stored(world, "caption-sets")] == [2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.parquet"], "no.parquet is not there: give a file or folder of captions and "),
        (["no.csv"], "no.csv must be a .parquet, .tar or .json file or a folder of such; --kind"),
        (["a.parquet", "--kind", "xml"], "unknown kind 'xml'; valid: "),
        (["a.parquet", "--pool", "pca"], "pooling must be mean or cls for pictures of no dataset"),
        (["a.parquet", "--pool", "cls"], "encoder 'classical' has no class token: take pooling "),
        (["a.parquet", "--layer", "2"], "layer goes with transformers models, not with encoder "),
        (["a.parquet", "--images", "no"], "images must be a folder of pictures, no is none"),
        (["a.parquet"], "a.parquet:1 of a.parquet has no caption: mend it, or leave such pairs "),
        (["a.parquet", "--device", "x"], "device 'x' is not here ("),
        (["b.parquet"], "picture b.parquet:0 of b.parquet cannot be decoded: "),
        (["c.parquet"], "c.parquet holds no pair of caption and picture"),
        (["d.parquet"], "d.parquet has no column caption or text, only url, image, alt"),
        (["."], ". holds parquet and webdataset: say which with --kind"),
        (["cut.tar"], "shard cut.tar is cut or damaged ("),
        (["up.json"], "up.json, entry 0 names the picture '../1.png', which leads out of "),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    world: Tiny, tmp_path: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    worlds.parquet(folder / "a.parquet", [PAIRS[0], (" ", PAIRS[1][1])])
    worlds.parquet(folder / "b.parquet", [("cut", PAIRS[0][1][:99])])
    worlds.parquet(folder / "c.parquet", [])
    worlds.parquet(folder / "d.parquet", caption="alt")
    cut = worlds.tar(folder / "cut.tar", worlds.members())
    cut.write_bytes(cut.read_bytes()[:1000])
    entry = {"image": "../1.png", "conversations": worlds.turns("a hen")}
    (folder / "up.json").write_text(json.dumps([entry]))
    monkeypatch.chdir(folder)
    before = world.store.read_bytes()
    done = world.call("align", "pairs", *arguments, *CLASSICAL)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert world.store.read_bytes() == before
    assert world.below() == {"x.duckdb", "in"}


def test_text_features_have_a_row_for_each_text(world: Tiny, tmp_path: Path) -> None:
    caption_set = made(world, tmp_path)
    given = ("align", "features", "--lm", world.lm)
    done = world.call(*given, "--captions", caption_set[:6])
    assert done.exit_code == 0, done.stderr
    folder = world.store.parent / "captions" / caption_set
    texts = load_caption_set(folder).texts()
    features = Path(done.stdout.split(": ")[1].strip())
    assert np.load(features / "features.npy").shape == (4, 16)
    rows = pq.read_table(features / "texts.parquet")["texts"].to_pylist()
    assert rows == [[text] for text in texts]
    same = world.call(*given, "--texts", folder / "texts.parquet")
    assert same.stdout.split()[1:3] == ["is", "there:"]
    for more, message in (
        (("--captions", "zz"), f"unknown caption set 'zz'; valid: {caption_set}"),
        (("--captions", "a", "--texts", "b.txt"), "give texts or captions, not both, got b.txt "),
    ):
        assert world.call(*given, *more).stderr.startswith(f"error: {message}")


def test_a_split_counts_what_is_left_of_texts(world: Tiny, tmp_path: Path) -> None:
    caption_set = made(world, tmp_path)
    quick = ("align", "split", "--n-unseen", "2", "--min-training", "2", "--max-branch", "3")
    more = ("--level", "lemma", "--format", "csv")
    done = world.call(*quick, *more, "--captions", caption_set)
    assert done.exit_code == 0, done.stderr
    rows = list(csv.DictReader(done.stdout.splitlines()))
    got = [
        tuple(int(row[f"n_{name}texts"]) for name in ("", "dropped_", "leaking_")) for row in rows
    ]
    # axe and saw are unseen: "a saw and an axe" is one of four texts
    assert got == [(3, 1, 0), (3, 1, 0)]
    texts = load_caption_set(world.store.parent / "captions" / caption_set).texts()
    with Store.open(world.store, read_only=True) as store:
        separation = store.load_separation(rows[0]["separation_id"])
        taxonomy = store.load_taxonomy()
        leaks = store.query("SELECT count(text_row) AS n FROM separation_leak")["n"].to_pylist()
    kept = caption_filter(separation, taxonomy, "lemma", "separated", texts)
    assert [t for t, keep in zip(texts, kept, strict=True) if not keep] == ["a saw and an axe"]
    assert leaks == [0]
    path = tmp_path / "t.txt"
    path.write_text("\n".join(texts))
    assert texts_meant(world.store, path, None) == texts_meant(world.store, None, caption_set)
    gone = world.call(*quick, *more, "--texts", tmp_path / "no.txt")
    assert gone.stderr.startswith(f"error: {tmp_path / 'no.txt'} cannot be read: ")
