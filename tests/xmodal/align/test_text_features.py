"""Text features on disk: the LM's vectors, once, whatever happens in between."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from taxonomy.errors import ConfigError, DataError
from taxonomy.hashing import content_id
from taxonomy.model import Taxonomy
from tests.xmodal import tiny
from xmodal.align import text_features
from xmodal.align.templates import TEMPLATES, class_texts, template
from xmodal.align.text_features import (
    TextFeatureSet,
    TextSource,
    load_text_features,
    make_text_features,
    same_rows,
)
from xmodal.files import own
from xmodal.lms.reader import Pooling
from xmodal.lms.text import TextModel, load_text_model
from xmodal.lms.words import BagOfWords

CAPTIONS = ["an owl", "a hen and an axe", "an owl", "saw", "a parrot on a branch"]


@pytest.fixture(scope="module")
def lm(lm_folder: Path) -> TextModel:
    return load_text_model(str(lm_folder))


@pytest.fixture(scope="module")
def taxonomy(tmp_path_factory: pytest.TempPathFactory) -> Taxonomy:
    return tiny.taxonomy(tmp_path_factory.mktemp("pictures"))


def source(texts: list[str] = CAPTIONS) -> TextSource:
    return TextSource(texts=same_rows(texts))


class TestTemplates:
    def test_a_class_is_put_into_each(self, taxonomy: Taxonomy) -> None:
        found = class_texts(taxonomy, ["photo", "the word {name}"])
        names = {row["concept_id"]: row["name"] for row in taxonomy.concepts.to_pylist()}
        assert [names[i] for i in found.concept_id] == sorted(
            tiny.LEAVES, key=list(names.values()).index
        )
        at = [names[i] for i in found.concept_id].index("owl")
        assert found.texts[at] == ["a photo of an owl", "the word owl"]

    def test_other_roles_have_texts_too(self, taxonomy: Taxonomy) -> None:
        found = class_texts(taxonomy, ["name"], "hypernym")
        assert sorted(texts[0] for texts in found.texts) == ["bird", "tool"]

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("photos", r"^unknown template 'photos'; valid: photo.*; or give a text with \{name\}"),
            ("a {colour} {name}", r"asks for \{colour\}: a class has name, phrase, gloss$"),
            ("a {name", r"^template 'a \{name' cannot be read: "),
        ],
    )
    def test_what_is_no_template(self, given: str, message: str) -> None:
        with pytest.raises(ConfigError, match=message):
            template(given)

    def test_classes_without_what_is_asked_for(self, taxonomy: Taxonomy) -> None:
        with pytest.raises(DataError, match=r"^5 classes have no gloss, such as "):
            class_texts(taxonomy, ["gloss"])
        with pytest.raises(DataError, match="has no concept of role inner"):
            class_texts(taxonomy, ["name"], "inner")
        with pytest.raises(ConfigError, match="each once, got name, name"):
            class_texts(taxonomy, ["name", "name"])
        assert template("photo") == TEMPLATES["photo"]


def test_a_row_is_the_mean_of_its_texts(lm: TextModel, taxonomy: Taxonomy, tmp_path: Path) -> None:
    found = class_texts(taxonomy, ["photo", "name"])
    of = TextSource(
        texts=found.texts,
        concept_id=found.concept_id,
        dataset_id=taxonomy.dataset_id,
        templates=("photo", "name"),
    )
    made, new = make_text_features(of, lm, tmp_path, pooling=Pooling("mean"))
    assert new
    for row, texts in enumerate(found.texts):
        want = torch.stack([lm.encode([text], Pooling("mean"))[0] for text in texts]).mean(0)
        assert np.allclose(made.open()[row], want, atol=1e-5)
    assert made.table().column("concept_id").to_pylist() == found.concept_id
    assert made.table().column("texts").to_pylist() == found.texts
    assert (made.dataset_id, made.templates) == (taxonomy.dataset_id, ("photo", "name"))
    assert (made.n_texts, made.width, made.lm_kind) == (10, 16, "decoder")


def test_rows_of_several_texts_in_several_chunks(
    lm: TextModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_features, "CHUNK", 2)
    texts = [["an owl", "a hen"], ["saw"], ["a parrot on a branch", "an axe", "owl"], ["hen"]]
    made, _ = make_text_features(TextSource(texts=texts), lm, tmp_path)
    want = [torch.stack([lm.encode([text])[0] for text in row]).mean(0) for row in texts]
    assert np.allclose(made.open(), torch.stack(want), atol=1e-5)
    assert made.n_texts == 7


def test_each_text_is_read_once(lm: TextModel, tmp_path: Path) -> None:
    made, _ = make_text_features(source(), lm, tmp_path)
    assert made.table().column("texts").to_pylist() == [[t] for t in dict.fromkeys(CAPTIONS)]
    assert made.open().shape == (4, 16)
    assert made.table().column("concept_id").null_count == 4


def test_a_second_call_does_nothing(lm: TextModel, tmp_path: Path) -> None:
    first, _ = make_text_features(source(), lm, tmp_path)
    before = {path: path.stat().st_mtime_ns for path in first.path.iterdir()}
    again, new = make_text_features(source(), lm, tmp_path)
    assert (new, again) == (False, first)
    assert before == {path: path.stat().st_mtime_ns for path in first.path.iterdir()}
    # the paper's pooling of a decoder is the sound one
    assert not make_text_features(source(), lm, tmp_path, pooling=Pooling("s2"))[1]
    assert [path.name for path in tmp_path.iterdir()] == [first.text_feature_set_id]


def test_other_texts_weights_and_settings_are_other_sets(
    lm: TextModel, lm_folder: Path, tmp_path: Path
) -> None:
    other = load_text_model(str(lm_folder), init="random", seed=1)
    made = [
        make_text_features(source(), lm, tmp_path)[0],
        make_text_features(source(), other, tmp_path)[0],
        make_text_features(source(CAPTIONS[:2]), lm, tmp_path)[0],
        make_text_features(source(), lm, tmp_path, pooling=Pooling("mean"))[0],
        make_text_features(source(), lm, tmp_path, pooling=Pooling("last", "1"))[0],
        make_text_features(source(), lm, tmp_path, longest=3)[0],
    ]
    assert len({one.text_feature_set_id for one in made}) == len(made)
    long = sum(len(lm.tokenizer(text)["input_ids"]) > 3 for text in set(CAPTIONS))
    assert 0 < long < 4
    assert [one.n_cut for one in made] == [0, 0, 0, 0, 0, long]


def test_what_was_stopped_goes_on_where_it_was(
    lm: TextModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_features, "CHUNK", 1)
    want, _ = make_text_features(source(), lm, tmp_path / "want")
    read: list[int] = []

    def stop(done: int, total: int) -> None:
        assert total == 4
        read.append(done)
        if done == 3:
            raise tiny.StoppedError

    with pytest.raises(tiny.StoppedError):
        make_text_features(source(), lm, tmp_path / "got", progress=stop)
    assert not list((tmp_path / "got").glob("[!.]*"))
    read.clear()
    got, new = make_text_features(
        source(), lm, tmp_path / "got", progress=lambda d, t: read.append(d)
    )
    assert new
    # two chunks were there before
    assert read == [2, 3, 4]
    assert (got.sha256, got.open().tobytes()) == (want.sha256, want.open().tobytes())
    assert {path.name for path in got.path.iterdir()} == {path.name for path in want.path.iterdir()}
    assert [path.name for path in (tmp_path / "got").iterdir()] == [got.text_feature_set_id]


def test_what_cannot_be_read_leaves_nothing(lm: TextModel, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has 2 blocks"):
        make_text_features(source(), lm, tmp_path / "a", pooling=Pooling("last", "9"))
    assert list((tmp_path / "a").iterdir()) == []
    with pytest.raises(ConfigError, match="needs a tokenizer with a cls token"):
        make_text_features(source(), lm, tmp_path / "b", pooling=Pooling("cls"))
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("damage", ["{", "[]", json.dumps({"lm": "x"})])
def test_a_damaged_description_is_one_line(lm: TextModel, tmp_path: Path, damage: Any) -> None:
    made, _ = make_text_features(source(), lm, tmp_path)
    (made.path / text_features.DESCRIPTION).write_text(damage)
    with pytest.raises(DataError, match="holds no whole text features"):
        load_text_features(made.path)


def test_a_missing_array_is_one_line(lm: TextModel, tmp_path: Path) -> None:
    made: TextFeatureSet = make_text_features(source(), lm, tmp_path)[0]
    (made.path / text_features.ARRAY).unlink()
    with pytest.raises(DataError, match="delete its folder to read the texts anew"):
        made.open()


def test_another_process_that_reads_the_same_is_waited_for(lm: TextModel, tmp_path: Path) -> None:
    made_id = text_features.text_feature_set_id(source(), lm, Pooling("last"), 512)
    part = tmp_path / f".{made_id}.part"
    part.mkdir()
    with own(part), pytest.raises(DataError, match="another process extracts into"):
        make_text_features(source(), lm, tmp_path)
    # what a killed process left is no hindrance
    assert make_text_features(source(), lm, tmp_path)[1]


def test_how_a_tokenizer_was_called_last_does_not_matter(lm: TextModel) -> None:
    before = text_features.text_feature_set_id(source(), lm, Pooling("last"), 512)
    lm.tokenizer(CAPTIONS, truncation=True, max_length=3)
    assert text_features.text_feature_set_id(source(), lm, Pooling("last"), 512) == before


def test_the_id_is_made_of_what_it_was_at_first(lm: TextModel) -> None:
    said = json.loads(lm.tokenizer.backend_tokenizer.to_str())
    want = {
        "texts": content_id({"texts": source().texts, "concepts": None}),
        "lm": lm.sha256,
        "pooling": "last",
        "layer": "last",
        "longest": 512,
        "tokens": content_id({k: said[k] for k in said if k not in ("truncation", "padding")}),
    }
    made_id = text_features.text_feature_set_id
    assert made_id(source(), lm, Pooling("last"), 512) == content_id(want)
    named = TextSource(texts=source().texts, names="de")
    assert made_id(named, lm, Pooling("last"), 512) == content_id(want | {"names": "de"})
    # equal texts of equal classes, of another dataset: a set of its own, as it says whose it is
    of = TextSource(texts=source().texts, dataset_id="d1")
    assert made_id(of, lm, Pooling("last"), 512) == content_id(want | {"dataset": "d1"})


def test_each_text_is_tokenised_once(lm: TextModel, tmp_path: Path) -> None:
    class Counted:
        """The tokenizer, and the texts that it was given."""

        def __init__(self) -> None:
            self.given: list[str] = []

        def __call__(self, texts: list[str], **options: Any) -> Any:
            self.given += texts
            return lm.tokenizer(texts, **options)

        def __getattr__(self, name: str) -> Any:
            return getattr(lm.tokenizer, name)

    counted = Counted()
    counting = dataclasses.replace(lm, tokenizer=counted)
    got, _ = make_text_features(source(), counting, tmp_path / "got")
    want, _ = make_text_features(source(), lm, tmp_path / "want")
    assert counted.given == list(dict.fromkeys(CAPTIONS))
    assert (got.sha256, got.text_feature_set_id) == (want.sha256, want.text_feature_set_id)


def test_bags_of_words_are_a_set_like_any_other(tmp_path: Path) -> None:
    made, new = make_text_features(source(), BagOfWords(), tmp_path)
    assert new
    assert (made.lm, made.lm_init, made.lm_kind, made.lm_revision) == (
        "bag-of-words", "none", "words", None
    )  # fmt: skip
    assert (made.n_lm_parameters, made.pooling, made.layer) == (0, "mean", "0")
    assert (made.width, made.n_texts, made.n_cut, made.n_unknown) == (4096, 4, 0, 0)
    assert not make_text_features(source(), BagOfWords(), tmp_path)[1]
    with pytest.raises(ConfigError, match="has no states to choose from, got pooling 'last'"):
        make_text_features(source(), BagOfWords(), tmp_path, pooling=Pooling("last"))
    # the scheme's version is in the id: who changes the scheme must change that
    assert made.text_feature_set_id == "f4f2ed4f871fc04e"
