"""`xmodal align` from the outside."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.tiny_store import Tiny
from tests.xmodal.lms import tiny_texts
from xmodal.store import Store


def stored(world: Tiny) -> list[dict[str, Any]]:
    with Store.open(world.store, read_only=True) as store:
        found: list[dict[str, Any]] = store.query("FROM text_feature_set ORDER BY ALL").to_pylist()
    return found


def test_class_names_are_read_once(world: Tiny) -> None:
    given = ("align", "features", "--lm", world.lm)
    first = world.call(*given)
    assert (first.exit_code, first.stderr) == (0, "")
    match = re.fullmatch(r"([0-9a-f]{16}) made: (.*)\n", first.stdout)
    assert match is not None
    folder = world.store.parent / "text-features" / match[1]
    assert match[2] == str(folder)
    again = world.call(*given)
    assert again.stdout == f"{match[1]} is there: {folder}\n"
    (row,) = stored(world)
    assert row["text_feature_set_id"] == match[1]
    assert (row["lm"], row["lm_kind"], row["pooling"]) == (str(world.lm), "decoder", "last")
    assert (row["n_rows"], row["n_texts"], row["width"]) == (5, 5, 16)
    assert json.loads(row["templates_json"]) == ["name"]
    assert world.store.parent / row["path"] == folder
    assert np.load(folder / "features.npy").shape == (5, 16)
    listed = world.call("query", "@text-features", "--format", "csv")
    assert match[1] in listed.stdout


def test_an_encoder_has_its_sound_pooling_and_the_paper_s(world: Tiny, tmp_path: Path) -> None:
    lm = tiny_texts.save(tmp_path / "bert", "bert")
    for more in ((), ("--pool", "s2"), ("--template", "photo", "--template", "name")):
        done = world.call("align", "features", "--lm", lm, *more)
        assert done.exit_code == 0, done.stderr
    rows = {(row["pooling"], row["n_texts"]): row for row in stored(world)}
    assert sorted(rows) == [("mean", 5), ("mean", 10), ("s2", 5)]
    assert {row["lm_kind"] for row in rows.values()} == {"encoder"}


def test_words_without_an_lm(world: Tiny) -> None:
    done = world.call("align", "features", "--lm", "bag-of-words", "--template", "photo")
    assert (done.exit_code, done.stderr) == (0, "")
    (row,) = stored(world)
    assert (row["lm"], row["lm_kind"], row["lm_init"]) == ("bag-of-words", "words", "none")
    assert (row["n_lm_parameters"], row["width"], row["n_rows"]) == (0, 4096, 5)
    rows = np.load(world.store.parent / row["path"] / "features.npy")
    assert np.allclose((rows * rows).sum(1), 1)


@pytest.mark.parametrize("suffix", [".txt", ".parquet"])
def test_captions_of_a_file(world: Tiny, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"captions{suffix}"
    texts = ["an owl at night", "a hen", "an owl at night"]
    if suffix == ".txt":
        path.write_text("\n".join(texts) + "\n")
    else:
        pq.write_table(pa.table({"url": ["a", "b", "c"], "caption": texts}), path)
    done = world.call("align", "features", "--lm", world.lm, "--texts", path, "--longest", "4")
    assert done.exit_code == 0, done.stderr
    assert done.stderr == "1 of 2 texts were cut at 4 tokens\n"
    (row,) = stored(world)
    assert (row["dataset_id"], row["n_rows"], row["templates_json"]) == (None, 2, "[]")


def test_names_in_another_language_are_another_set(world: Tiny, tmp_path: Path) -> None:
    path = tmp_path / "names.csv"
    names = ("axe,axe", "hen,hen", "owl,owl", "owl,barn owl", "parrot,parrot", "saw,saw")
    path.write_text("class,name,language\n" + "".join(f"{line},en\n" for line in names))
    own = world.call("align", "features", "--lm", world.lm)
    given = world.call("align", "features", "--lm", world.lm, "--names", path)
    assert (given.exit_code, given.stderr) == (0, "")
    rows = {row["names"]: row for row in stored(world)}
    assert sorted(rows, key=str) == [None, "en"]
    assert (rows[None]["n_texts"], rows["en"]["n_texts"]) == (5, 6)
    assert own.stdout.split()[0] != given.stdout.split()[0]
    # the same texts under another name are a set of their own, and the dataset's own stays
    path.write_text("class,name\n" + "".join(f"{line}\n" for line in names if "barn" not in line))
    again = world.call("align", "features", "--lm", world.lm, "--names", path)
    assert " made: " in again.stdout
    assert sorted(row["names"] or "" for row in stored(world)) == ["", "en", "names"]
    same, own_set = (
        np.load(world.store.parent / row["path"] / "features.npy")
        for row in stored(world)
        if row["names"] in (None, "names")
    )
    assert same.tobytes() == own_set.tobytes()
    listed = world.call("query", "@text-features", "--format", "jsonl").stdout.splitlines()
    assert {json.loads(line)["names"] for line in listed} == {None, "en", "names"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--lm", "/no/lm"], "lm '/no/lm' cannot be loaded as a local folder or hub model: "),
        (["--pool", "max"], "pooling must be one of last, mean, eos, cls, s2, got 'max'"),
        (["--layer", "top"], "layer must be penultimate, last or a whole number, got 'top'"),
        (["--template", "nam"], "unknown template 'nam'; valid: name"),
        (["--template", "gloss"], "5 classes have no gloss, such as "),
        (["--longest", "1"], "longest must be at least 2 tokens, got 1"),
        (["--longest", "9" * 30], "longest must be below 2147483648 tokens, got 999"),
        (["--seed", "-1"], "seeds must be one or more whole numbers from 0, got [-1]"),
        (["--seed", "9" * 30], "seeds must be below 2 to the power of 63, got 999"),
        (["--template", "{name!x}"], "template '{name!x}' cannot be filled in: "),
        (["--template", "{name:>q}"], "template '{name:>q}' cannot be filled in: "),
        (["--dataset", "nope"], "unknown dataset 'nope'; valid: "),
        (["--texts", "no.txt"], "no.txt cannot be read: "),
        (["--texts", "no.csv"], "no.csv must be a .txt or .parquet file of texts"),
        (["--role", "inner"], "dataset "),
        (
            ["--lm", "bag-of-words", "--pool", "mean"],
            "the lm bag-of-words has no states to choose ",
        ),
        (["--lm", "bag-of-words", "--layer", "last"], "the lm bag-of-words has no states to "),
        (["--lm", "bag-of-words", "--lm-init", "random"], "the lm bag-of-words has no weights, "),
        (["--lm", "bag-of-words", "--revision", "main"], "the lm bag-of-words has no revisions"),
        (["--names", "no.csv"], "no.csv cannot be read: "),
        (["--language", "de"], "language goes with a file of names, got 'de'"),
        (["--names", "n.csv", "--texts", "t.txt"], "names go with classes, and t.txt gives texts"),
        (["--lm-init", "scrambled"], "lm_init scrambled goes with the lm 'embedded' only, got "),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    world: Tiny, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    before = world.store.read_bytes()
    lm = () if "--lm" in arguments else ("--lm", str(world.lm))
    done = world.call("align", "features", *lm, *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert world.store.read_bytes() == before
    assert world.below() == {"x.duckdb"}


def test_an_empty_text_is_named(world: Tiny, tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("an owl\n\na hen\n")
    done = world.call("align", "features", "--lm", world.lm, "--texts", path)
    assert done.stderr == f"error: {path} has an empty text in line 2: take it out\n"


@pytest.mark.parametrize("values", [[1, 2], [["an owl"], ["a hen"]]])
def test_a_column_that_holds_no_texts(world: Tiny, tmp_path: Path, values: list[Any]) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"caption": values}), path)
    done = world.call("align", "features", "--lm", world.lm, "--texts", path)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith(f"error: {path}: column caption must hold texts, got ")


class TestSplit:
    QUICK = ("align", "split", "--n-unseen", "2", "--min-training", "2", "--max-branch", "3")

    def test_levels_and_controls_are_stored_and_printed(self, world: Tiny) -> None:
        done = world.call(*self.QUICK, "--format", "csv")
        assert done.exit_code == 0, done.stderr
        assert done.stderr.startswith("unseen: ")
        names, *lines = (line.split(",") for line in done.stdout.splitlines())
        rows = [dict(zip(names, line, strict=True)) for line in lines]
        assert [(row["level"], row["arm"]) for row in rows] == [
            (level, arm)
            for level in ("none", "lemma", "synset", "subtree", "branch")
            for arm in ("separated", "control")
        ]
        assert {row["n_unseen"] for row in rows} == {"2"}
        assert [row["n_training"] for row in rows[:4]] == ["5", "5", "3", "3"]
        branch = next(row for row in rows if row["level"] == "branch")
        assert (branch["arm"], branch["n_leaks"]) == ("separated", "0")
        again = world.call(*self.QUICK, "--format", "csv")
        assert again.stdout == done.stdout
        with Store.open(world.store, read_only=True) as store:
            assert store.query("FROM separation").num_rows == 1
            unseen = store.query(
                "SELECT DISTINCT name FROM separation_class JOIN concept ON concept_id = class_id "
                "WHERE status = 'unseen' ORDER BY ALL"
            )["name"].to_pylist()
        assert unseen == ["axe", "saw"]

    def test_levels_are_given_in_any_order(self, world: Tiny) -> None:
        levels = ("--level", "branch", "--level", "none")
        done = world.call(*self.QUICK, *levels, "--format", "jsonl")
        assert [json.loads(line)["level"] for line in done.stdout.splitlines()] == [
            *("none", "none"),
            *("branch", "branch"),
        ]

    def test_similar_features_are_a_level(self, world: Tiny) -> None:
        made = world.call("align", "features", "--lm", world.lm).stdout.split()[0]
        more = ("--text-features", made[:8], "--max-cosine", "0.999", "--format", "jsonl")
        done = world.call(*self.QUICK, *more)
        assert done.exit_code == 0, done.stderr
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert rows[-1]["level"] == "similar"
        with Store.open(world.store, read_only=True) as store:
            (row,) = store.query("FROM separation").to_pylist()
        assert (row["text_feature_set_id"], row["max_cosine"]) == (made, 0.999)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--min-training", "100"], "level none leaves 5 of 5 classes in training"),
            (["--n-unseen", "9"], ""),
            (["--distance", "0"], "distance must be at least 1, got 0"),
            (["--seed", "9" * 30], "seed must be below 2 to the power of 63, got 999"),
            (["--max-branch", "9" * 30], "max_branch must be below 2 to the power of 63, got 999"),
            (["--level", "twig"], "levels must be some of none, lemma, synset, subtree, branch, "),
            (["--level", "none", "--level", "none"], "levels must be some of none, lemma, "),
            (["--max-cosine", "0.5"], "features and max_cosine go together, got max_cosine 0.5"),
            (
                ["--text-features", "zz", "--max-cosine", "0.5"],
                "no text feature set 'zz': the store holds none yet",
            ),
            (["--dataset", "nope"], "unknown dataset 'nope'; valid: "),
            (["--format", "xml"], "format must be one of "),
        ],
    )
    def test_bad_input_is_one_line_and_changes_nothing(
        self, world: Tiny, arguments: list[str], message: str
    ) -> None:
        before = world.store.read_bytes()
        done = world.call(*self.QUICK, *arguments)
        assert (done.exit_code, done.stdout) == (1, "")
        assert done.stderr.startswith(f"error: {message}")
        assert done.stderr.count("\n") == 1
        assert world.store.read_bytes() == before
