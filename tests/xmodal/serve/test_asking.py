"""`xmodal ask`: the answers are those of the evaluation, and bad input is told in one line."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from taxonomy.errors import ConfigError, DataError, StoreError
from tests.cli.tiny_store import Tiny
from xmodal.asking import MOST_CONCEPTS, Answer, Asker, read_picture_file
from xmodal.features.pca import PCA
from xmodal.store import Store


@pytest.fixture(scope="module")
def asker(trained: Tiny, run_id: str) -> Asker:
    return Asker.load(trained.store, run_id[:8])


def test_a_test_picture_gets_the_stored_logits(trained: Tiny, run_id: str, asker: Asker) -> None:
    with Store.open(trained.store, read_only=True) as store:
        stored = store.query(
            "SELECT uri, asked.name, logit_yes, logit_no FROM prediction JOIN run USING (run_id) "
            "JOIN example USING (manifest_id, example_id) JOIN image USING (dataset_id, image_id) "
            "JOIN concept AS asked ON asked.dataset_id = run.dataset_id "
            "AND asked.concept_id = asked_id WHERE image_mode = 'real' AND example.split = 'test'"
        ).to_pylist()
    assert len({row["name"] for row in stored}) == 7, "leaves and hypernyms"
    for row in stored:
        (answer,) = asker.ask(read_picture_file(Path(row["uri"])), [row["name"]])
        assert answer.logit_yes == pytest.approx(row["logit_yes"], abs=1e-4)
        assert answer.logit_no == pytest.approx(row["logit_no"], abs=1e-4)
    assert len({round(row["logit_yes"], 3) for row in stored}) > len(stored) // 2, "they differ"


def test_a_pca_that_was_not_kept_is_fitted_again(
    trained: Tiny, run_id: str, asker: Asker, tmp_path: Path
) -> None:
    folder = shutil.copytree(trained.store.parent, tmp_path / "copy")
    (kept,) = folder.glob(f"features/*/{PCA}")
    before = kept.read_bytes()
    kept.unlink()
    again = Asker.load(folder / trained.store.name, run_id)
    image = Image.new("RGB", (30, 50), "red")
    assert again.ask(image, ["bird"])[0].margin == pytest.approx(
        asker.ask(image, ["bird"])[0].margin, abs=1e-4
    )
    assert kept.read_bytes() == before

    array = kept.with_name("features.npy")
    stored = np.load(array)
    np.save(array, stored[::-1])
    with pytest.raises(DataError, match="gives other features here than feature set"):
        Asker.load(folder / trained.store.name, run_id)
    kept.write_bytes(b"not a tensor")
    with pytest.raises(DataError, match="it is fitted again"):
        Asker.load(folder / trained.store.name, run_id)


def test_what_is_asked_by_default_and_how(asker: Asker) -> None:
    image = Image.new("RGBA", (9, 9), (0, 0, 0, 0))
    assert [one.concept for one in asker.ask(image)] == ["bird", "tool"]
    own = asker.ask(image, ["owl", " Owl ", "iron  kettle", "{x}", "<b>", "owl"])
    assert [one.concept for one in own] == ["owl", "Owl", "iron kettle", "{x}", "<b>"]
    assert [one.question for one in own[:3]] == [
        "Is there an owl in the image?",
        "Is there an owl in the image?",
        "Is there an iron kettle in the image?",
    ]
    assert own[0].margin == own[1].margin
    assert [bool(one.note) for one in own] == [False, False, True, True, True]


def test_probability_of_yes_against_no() -> None:
    def p(yes: float, no: float) -> float:
        one = Answer(concept="", question="", logit_yes=yes, logit_no=no, note="")
        return one.p_yes

    assert p(3.0, 3.0) == 0.5
    # odds of e^2 to 1
    assert p(2.0, 0.0) == pytest.approx(math.e**2 / (math.e**2 + 1), abs=1e-12)
    assert p(0.0, 2.0) == pytest.approx(1 / (math.e**2 + 1), abs=1e-12)
    assert (p(5000.0, 0.0), p(0.0, 5000.0)) == (1.0, 0.0)


@pytest.mark.parametrize(
    ("concepts", "told"),
    [
        ([""], "1 to 80 printable characters, got ''"),
        (["x" * 81], "1 to 80 printable characters"),
        (["a\x00b"], "printable"),
        ([str(n) for n in range(MOST_CONCEPTS + 1)], "at most 100 concepts at once, got 101"),
    ],
)
def test_concepts_that_cannot_be_asked(asker: Asker, concepts: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        asker.ask(Image.new("RGB", (4, 4)), concepts)


def test_unknown_run(trained: Tiny) -> None:
    with pytest.raises(StoreError, match="unknown run 'zzz'"):
        Asker.load(trained.store, "zzz")


def test_command(trained: Tiny, run_id: str, picture: Path, tmp_path: Path, asker: Asker) -> None:
    done = trained.call("ask", run_id[:6], picture, "bird", "tool", "--format", "json")
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    (bird, tool) = asker.ask(read_picture_file(picture), ["bird", "tool"])
    assert [row["concept"] for row in rows] == ["bird", "tool"]
    assert [row["p_yes"] for row in rows] == pytest.approx([bird.p_yes, tool.p_yes], abs=1e-6)

    bad = tmp_path / "bad.png"
    bad.write_bytes(b"\x89PNG nothing")
    for path, told in ((bad, "cannot be decoded"), (tmp_path / "none.png", "No such file")):
        done = trained.call("ask", run_id, path)
        assert done.exit_code == 1
        assert told in done.stderr
        assert done.stderr.count("\n") == 1
