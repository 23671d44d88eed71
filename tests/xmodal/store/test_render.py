"""Every kind of value in every format."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from taxonomy.errors import ConfigError, DataError
from xmodal.store import Store
from xmodal.store.render import (
    FORMATS,
    as_csv,
    as_json,
    as_jsonl,
    as_markdown,
    emit,
)
from xmodal.store.screen import as_record, as_table

VALUES = """
SELECT 1 AS i, 0.123456789::DOUBLE AS f, 'nan'::DOUBLE AS n, NULL AS u, true AS b,
    DATE '2026-01-02' AS d, TIMESTAMP '2026-01-02 03:04:05' AS t, 12.50::DECIMAL(6, 2) AS m,
    sum(7) AS s, [1, NULL, 2] AS l, {'a': 0.5, 'b': 'x'} AS o, '\\xAA'::BLOB AS h, 'a|b' AS p,
    1e-9 AS e, '-inf'::DOUBLE AS v
"""


@pytest.fixture(scope="module")
def values() -> pa.Table:
    with Store.in_memory() as store:
        return store.query(VALUES)


def test_csv(values: pa.Table) -> None:
    (got,) = csv.DictReader(io.StringIO(as_csv(values)))
    assert got == {
        "i": "1",
        "f": "0.123456789",
        "n": "NaN",
        "u": "",
        "b": "true",
        "d": "2026-01-02",
        "t": "2026-01-02T03:04:05",
        "m": "12.50",
        "s": "7",
        "l": "[1, null, 2]",
        "o": '{"a": 0.5, "b": "x"}',
        "h": "aa",
        "p": "a|b",
        "e": "1e-09",
        "v": "-inf",
    }


def test_json_and_jsonl(values: pa.Table) -> None:
    (got,) = json.loads(as_json(values), parse_constant=pytest.fail)
    assert got == {
        "i": 1,
        "f": 0.123456789,
        "n": None,
        "u": None,
        "b": True,
        "d": "2026-01-02",
        "t": "2026-01-02T03:04:05",
        "m": 12.5,
        "s": 7,
        "l": [1, None, 2],
        "o": {"a": 0.5, "b": "x"},
        "h": "aa",
        "p": "a|b",
        "e": 1e-9,
        "v": None,
    }
    assert json.loads(as_jsonl(values)) == got
    assert as_jsonl(values).count("\n") == 1


def test_markdown(values: pa.Table) -> None:
    head, rule, row = as_markdown(values.select(["i", "f", "n", "u", "p", "e"])).splitlines()
    assert head == "| i | f | n | u | p | e |"
    assert rule == "| ---: | ---: | ---: | --- | --- | ---: |"
    assert row == r"| 1 | 0.1235 | NaN |  | a\|b | 1.000e-09 |"


def test_table(values: pa.Table) -> None:
    text = as_table(values)
    row = [cell.strip() for cell in text.splitlines()[-1].split("│")]
    assert row == [
        *("1", "0.1235", "NaN", "NULL", "true", "2026-01-02", "2026-01-02T03:04:05", "12.50"),
        *("7", "[1, null, 2]", '{"a": 0.5, "b": "x"}', "aa", "a|b", "1.000e-09", "-inf"),
    ]


def test_a_table_too_wide_for_the_terminal_moves_what_never_changes_below() -> None:
    rows = pa.table({"condition": ["same words here"] * 2, "macro_f1": [0.5, 0.75]})
    assert "same in every row" not in as_table(rows, width=60)
    text = re.sub(r"\x1b\[\d*m|\s", " ", as_table(rows, width=20))
    shown, below = " ".join(text.split()).split("the same in every row:")
    assert "condition same words here" in below
    assert "0.7500" in shown


def plain(text: str) -> str:
    return re.sub(r"\x1b\[\d*m", "", text)


@pytest.mark.parametrize("width", [24, 40, 60, 100, 200])
def test_no_value_is_cut_and_no_line_wider_than_the_terminal(width: int) -> None:
    n = 6
    rows = pa.table(
        {
            "lm": ["Qwen3-0.6B"] * 3 + ["Qwen3-1.7B"] * 3,
            "n_held_out_hypernyms": [10, 20, 30] * 2,
            "question_set": ["held_out_s1"] * n,
            "macro_f1": [0.1234, 0.2345, 0.3456, 0.4567, 0.5678, 0.6789],
            "said": ["words that may stand on several lines of a narrow table"] * (n - 1) + ["x"],
        }
    )
    shown = plain(as_table(rows, width=width))
    assert max(map(len, shown.splitlines())) <= width
    words = shown.replace("│", " ").split()
    for value in ("0.1234", "0.6789", "held_out_s1"):
        assert value in words
    assert sum(word.strip(",") == "Qwen3-0.6B" for word in words) >= 1
    assert "several" in words


def test_first_columns_become_headings_before_a_table_becomes_records() -> None:
    rows = pa.table({"model": ["one"] * 2 + ["two"] * 2, "a": [1, 2, 3, 4], "b": [5, 6, 7, 8]})
    as_grid = plain(as_table(rows, width=12)).split()
    # the heading once over its two rows
    assert (as_grid.count("one"), as_grid.count("two")) == (1, 1)
    as_records = plain(as_table(rows, width=4)).split()
    assert (as_records.count("one"), as_records.count("two")) == (2, 2)


def test_repeated_names_and_no_rows() -> None:
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert json.loads(as_jsonl(twice)) == {"a": 1, "a_2": 2}
    nothing = twice.slice(0, 0)
    assert as_csv(nothing) == "a,a_2\n"
    assert json.loads(as_json(nothing)) == []
    assert as_jsonl(nothing) == ""
    assert "a" in as_table(nothing)


def test_markup_in_values_is_text() -> None:
    assert "[red]x[/red]" in as_table(pa.table({"[b]": ["[red]x[/red]"]}))


def test_record_lays_out_json() -> None:
    text = as_record({"run_id": "a", "git_commit": None, "recipe_json": '{"lr": 0.01}'})
    assert text.splitlines() == [
        "run_id       a",
        "git_commit   NULL",
        "recipe_json",
        "  lr         0.01",
    ]


@pytest.mark.parametrize("fmt", FORMATS)
def test_a_file_is_written_whole(values: pa.Table, tmp_path: Path, fmt: str) -> None:
    output = tmp_path / "out"
    output.write_text("before")
    emit(values, fmt, output)
    assert output.read_bytes() not in (b"", b"before")
    assert list(tmp_path.iterdir()) == [output]


def test_the_suffix_chooses_the_format(values: pa.Table, tmp_path: Path) -> None:
    equal_to_itself = values.drop_columns(["n"])
    emit(equal_to_itself, None, tmp_path / "o.parquet")
    assert pq.read_table(tmp_path / "o.parquet") == equal_to_itself
    emit(values, None, tmp_path / "o.md")
    assert (tmp_path / "o.md").read_text() == as_markdown(values)


def test_bad_format_and_bad_folder(values: pa.Table, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^format must be one of table, csv, .*, got 'xml'$"):
        emit(values, "xml")
    with pytest.raises(DataError, match=r"none/o.csv cannot be written: No such file"):
        emit(values, "csv", tmp_path / "none" / "o.csv")


def test_long_tables_are_cut_on_screen_only(capsys: pytest.CaptureFixture[str]) -> None:
    rows = pa.table({"a": list(range(1000))})
    emit(rows)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 202
    assert err == "first 200 of 1000 rows; --format csv gives all\n"
    emit(rows, "csv")
    assert len(capsys.readouterr().out.splitlines()) == 1001
