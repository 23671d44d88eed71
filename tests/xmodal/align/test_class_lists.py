"""Lists of classes: every way to name one, and what names none or several."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import DataError
from taxonomy.model import Taxonomy, TaxonomyConfig
from taxonomy.tables import CONCEPT, EDGE, IMAGE, LEAF_HYPERNYM
from xmodal.align.class_lists import Lookup, read_class_list


def concept(number: int, key: str, name: str, synset: str | None, offset: int | None) -> tuple:
    role, _, _ = key.partition("/")
    return (number, key, name, f"a {name}", synset, offset, None, role, False, None)


ROWS = [
    concept(0, "hypernym/bird", "bird", "bird.n.01", 1503061),
    concept(1, "leaf/crane_bird", "crane", "crane.n.05", 2012849),
    concept(2, "leaf/crane_machine", "crane", "crane.n.04", 3126707),
    concept(3, "leaf/macaw", "macaw", "macaw.n.01", 1818515),
    concept(4, "leaf/polish", "polish", None, None),
    concept(5, "leaf/Polish", "Polish", None, None),
    concept(6, "leaf/great owl", "great owl", None, None),
]


@pytest.fixture(scope="module")
def of() -> Taxonomy:
    columns = list(map(list, zip(*ROWS, strict=True)))
    empty = {"edges": EDGE, "leaf_hypernym": LEAF_HYPERNYM, "images": IMAGE}
    return Taxonomy(
        dataset_id="d",
        config=TaxonomyConfig(),
        concepts=pa.table(columns, schema=CONCEPT),
        **{name: schema.empty_table() for name, schema in empty.items()},
    )


def test_a_text_file(of: Taxonomy, tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text(
        "\ufeff# of the paper\n\n leaf/crane_bird \nn01818515  # macaw\ncrane.n.04\r\nPolish\n"
        "Great  Owl\nmacaw\n#polish"
    )
    assert read_class_list(path, of) == {1, 2, 3, 5, 6}
    path.write_text("bird")
    assert read_class_list(path, of, "hypernym") == {0}


def test_tables(of: Taxonomy, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text('note, class\n"a, b",macaw\n,polish\n')
    assert read_class_list(path, of) == {3, 4}
    path = tmp_path / "r.parquet"
    pq.write_table(pa.table({"class": ["leaf/macaw", "n02012849"]}), path)
    assert read_class_list(path, of) == {1, 3}


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.sets(st.integers(1, 6), min_size=1), st.data())
def test_what_names_one_class_finds_it(of: Taxonomy, chosen: set[int], data: st.DataObject) -> None:
    lookup = Lookup(of)
    for number in chosen:
        _, key, name, _, synset, offset, *_ = ROWS[number]
        forms = [key, synset or key, f"n{offset:08d}" if offset else key]
        forms += [name] if number > 2 else []
        assert lookup.find(data.draw(st.sampled_from(forms))) == [number]
    assert lookup.find("crane") == [1, 2]
    assert lookup.find("CRANE") == [1, 2]
    # only case parts these two, so another case is either
    assert lookup.find("POLISH") == [4, 5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "macaw\nmacau\n\ncrane",
            "2 of 3 entries do not name one class, the first in line 2: unknown class 'macau'; "
            "valid: macaw (of 5)",
        ),
        (
            "crane",
            "1 of 1 entries do not name one class, the first in line 1: class 'crane' may be any "
            "of leaf/crane_bird, leaf/crane_machine: give one of these keys",
        ),
        ("n01818516", "'n01818516'; valid: n01818515"),
        ("leaf/macau", "valid: leaf/macaw"),
        ("macaw.n.02", "valid: macaw.n.01"),
        # a hypernym is no class here
        ("bird.n.01", "unknown class 'bird.n.01'; valid: "),
        ("# none\n", "lists no class: give one a line"),
    ],
)
def test_what_cannot_be_told_is_one_line(
    of: Taxonomy, tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "r.txt"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_class_list(path, of)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.csv", b"name\nmacaw\n", "has no column class, only name"),
        ("r.csv", b"", "has no column class, only no column at all"),
        ("r.csv", b"class\ngoldfish, Carassius auratus\n", "line 2 has more cells than columns"),
        ("r.csv", b"class,note\n,x\n", "has no class in line 2: fill it in"),
        ("r.csv", b"class\n", "lists no class"),
        ("r.txt", b"\xff\xfe\x00", "must be UTF-8, but line 1 has the byte 0xff"),
        ("r.parquet", b"PAR1", "cannot be read as Parquet: "),
        ("no.txt", None, "cannot be read: "),
    ],
)
def test_bad_files(
    of: Taxonomy, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_class_list(path, of)


def test_numbers_are_no_classes(of: Taxonomy, tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    pq.write_table(pa.table({"class": [1, 2]}), path)
    with pytest.raises(DataError, match="column class must be text, got 1"):
        read_class_list(path, of)
