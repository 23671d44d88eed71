"""Compositional examples: both layouts of Winoground, and the cosines that its scores need."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import DataError
from tests.xmodal.align.caption_worlds import STRUCT
from xmodal.align.winoground import (
    COMPOSITION,
    Example,
    compose,
    images_of,
    read_winoground,
    texts_of,
)
from xmodal.store import Store

ROWS: list[dict[str, Any]] = [
    {"id": 7, "caption_0": "an owl on a hen", "caption_1": "a hen on an owl", "tag": "Noun"},
    {"id": 3, "caption_0": "a red saw", "caption_1": "a saw, red", "tag": None},
]
PICTURES = [(b"70", b"71"), (b"30", b"31")]
EXAMPLES = [
    Example(
        example_id=row["id"],
        captions=(row["caption_0"], row["caption_1"]),
        images=images,
        tag=row["tag"],
    )
    for row, images in zip(ROWS, PICTURES, strict=True)
]


def parquet(path: Path, **changed: Any) -> Path:
    columns = {name: [row[name] for row in ROWS] for name in ROWS[0]}
    columns["secondary_tag"] = ["x", "y"]
    for i in (0, 1):
        images = [{"bytes": pair[i], "path": None} for pair in PICTURES]
        columns[f"image_{i}"] = pa.array(images, STRUCT)
    pq.write_table(pa.table(columns | changed), path)
    return path


def folder(path: Path, suffix: str = ".png", **changed: Any) -> Path:
    (path / "images").mkdir(parents=True)
    lines = []
    for row, pair in zip(ROWS, PICTURES, strict=True):
        names = {f"image_{i}": f"ex_{row['id']}_img_{i}" for i in (0, 1)}
        for name, content in zip(names.values(), pair, strict=True):
            (path / "images" / f"{name}{suffix}").write_bytes(content)
        lines.append(json.dumps(row | names | changed))
    (path / "examples.jsonl").write_text("\n".join(lines) + "\n")
    return path


def test_both_layouts_give_the_same(tmp_path: Path) -> None:
    assert read_winoground(parquet(tmp_path / "test.parquet")) == EXAMPLES
    assert read_winoground(tmp_path) == EXAMPLES
    assert read_winoground(folder(tmp_path / "a")) == EXAMPLES
    assert read_winoground(folder(tmp_path / "b", ".jpg") / "examples.jsonl") == EXAMPLES
    assert texts_of(EXAMPLES)[1:3] == ["a hen on an owl", "a red saw"]
    assert images_of(EXAMPLES) == [b"70", b"71", b"30", b"31"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"id": 7}, "line 2 has the id 7 of an earlier example$"),
        ({"id": "7"}, "line 1 must have a whole number as id, got '7'$"),
        ({"caption_1": " "}, r"line 1 must have caption_0 and caption_1, got \('an owl"),
        ({"image_1": "no"}, r"^image_1 of .*line 1: no picture .*images.no or "),
        ({"image_0": "../x"}, r"^image_0 of .* names the picture '\.\./x', which leads out of"),
        ({"image_0": None}, "line 1 must be a picture or the name of one, got None$"),
    ],
)
def test_what_an_example_lacks(tmp_path: Path, changed: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_winoground(folder(tmp_path / "a", **changed))


def test_what_is_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must hold examples\.jsonl or one \.parquet file"):
        read_winoground(tmp_path)
    with pytest.raises(DataError, match=r"must be a \.parquet file of examples, or a folder"):
        read_winoground(tmp_path / "no.parquet")
    pq.write_table(pa.table({"id": [1]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"has no column image_0, only id$"):
        read_winoground(tmp_path)
    (tmp_path / "examples.jsonl").write_text("\n")
    with pytest.raises(DataError, match=r"holds no example$"):
        read_winoground(tmp_path)
    (tmp_path / "examples.jsonl").write_text("[1]\n")
    with pytest.raises(DataError, match=r"line 1 must be an object, got list$"):
        read_winoground(tmp_path)
    (tmp_path / "a.parquet").write_bytes(b"no")
    with pytest.raises(DataError, match="cannot be read as Parquet: "):
        read_winoground(tmp_path / "a.parquet")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seed=st.integers(0, 999), n=st.integers(1, 4), width=st.integers(1, 6))
def test_cosines_one_by_one(seed: int, n: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    examples = [EXAMPLES[0]] * n
    text, image = rng.normal(size=(2, 2 * n, width)).astype(np.float32)
    rows = compose(examples, text * 3, image).to_pylist()
    for e, row in enumerate(rows):
        for c in (0, 1):
            for i in (0, 1):
                a, b = text[2 * e + c], image[2 * e + i]
                want = float(a @ b) / (float(a @ a) * float(b @ b)) ** 0.5
                assert row[f"c{c}_i{i}"] == pytest.approx(want, abs=1e-5)


def test_the_columns_are_those_of_the_store() -> None:
    # caption 0 is picture 0, caption 1 lies between the pictures
    text = np.array([[1, 0], [1, 1], [0, 2], [1, 0]], np.float32)
    image = np.array([[1, 0], [0, 1], [0, 1], [-1, 0]], np.float32)
    table = compose(EXAMPLES, text, image)
    half = pytest.approx(0.5**0.5, abs=1e-6)
    cosines = [[row[name] for name in COMPOSITION.names[2:]] for row in table.to_pylist()]
    assert cosines == [[1, half, 0, half], [1, 0, 0, -1]]
    with Store.in_memory() as store:
        with store.transaction():
            store.insert("align_composition", table, COMPOSITION, {"evaluation_id": "e"})
        got = store.query("FROM align_composition ORDER BY example_id DESC").to_pylist()
    assert [(row["example_id"], row["tag"], row["c1_i0"]) for row in got] == [
        (7, "Noun", half),
        (3, None, 0.0),
    ]


def test_vectors_that_do_not_fit() -> None:
    good = np.ones((4, 2), np.float32)
    for text, image in ((good[:3], good[:3]), (good, good[:, :1]), (good[:, 0], good[:, 0])):
        with pytest.raises(DataError, match=r"^vectors must be \[4, D\], two texts and two pict"):
            compose(EXAMPLES, text, image)
    for bad in (0.0, np.nan, np.inf):
        broken = good.copy()
        broken[3] = bad
        with pytest.raises(DataError, match=r"^picture vector 1 of example 1 must be finite and "):
            compose(EXAMPLES, good, broken)
