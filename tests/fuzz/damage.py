"""Bad files out of good ones: strategies that cut, flip, retype and rename."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from hypothesis import strategies as st
from safetensors.torch import load, save

Draw = st.DrawFn

NEST = "[" * 100_000
TOKENS = (
    b"\0", b"\xef\xbb\xbf", b"\r\n", b"\r", b"\n", b"\xff\xfe", b"\xe9", b'"', b",", b"\t", b"|",
    "\u2028\u202e".encode(), b"\xed\xa0\x80", b"\x1b[2J", b"{", b"}", b"[", b"]", b"null", b"NaN",
    b"-1", b"1e999", b"9" * 5000, b"..\\..\\x", b"../../x", b"x" * 200_000, NEST.encode(), b"#",
    b"Infinity", b"=", b"%s{0}", b"\\u0000", b"\\ud800",
)  # fmt: skip
"""What is put in somewhere."""

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 7, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, 1e308, float("inf"),
    float("nan"), "", "x", "\0", "\ud800", "a\nb", "../x", "/etc/passwd", "C:\\x", "\u202e",
    "x" * 5000, "{phrase.__class__}", "9" * 5000, [], {}, [[]], [None], [1, 2], {"a": {}}, ["x"],
    {"path": "x"}, json.loads("[" * 400 + "]" * 400),
)  # fmt: skip
"""What stands in the place of a value."""


@st.composite
def any_bytes(draw: Draw, good: bytes) -> bytes:
    """Bytes that are random, or a good file cut, flipped, or with something put in."""
    how = draw(st.sampled_from(["random", "cut", "flip", "flip", "put", "put", "twice", "empty"]))
    if how == "random":
        return draw(st.binary(max_size=300))
    if how == "empty" or not good:
        return b""
    place = st.integers(0, len(good) - 1)
    if how == "cut":
        return good[: draw(place)]
    if how == "twice":
        return good + good[draw(place) :]
    if how == "put":
        at, width = draw(place), draw(st.sampled_from([0, 0, 1, 8]))
        return good[:at] + draw(st.sampled_from(TOKENS)) + good[at + width :]
    made = bytearray(good)
    for at, mask in draw(st.lists(st.tuples(place, st.integers(1, 255)), min_size=1, max_size=4)):
        made[at] ^= mask
    return bytes(made)


def _walk(value: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every value inside a value."""
    found: list[tuple[Any, Any]] = []
    stack = [value]
    while stack:
        one = stack.pop()
        pairs = one.items() if isinstance(one, dict) else enumerate(one)
        for key, inner in pairs:
            found.append((one, key))
            if isinstance(inner, dict | list):
                stack.append(inner)
    return found


# copied: what is put into one case must not be changed by the next
values = st.sampled_from(VALUES).map(copy.deepcopy)


@st.composite
def other_json(draw: Draw, good: Any) -> Any:
    """A JSON value with some value in it replaced, left out, or beside an unknown one."""
    made = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 2))):
        places = _walk(made) if isinstance(made, dict | list) else []
        if not places or draw(st.integers(0, 30)) == 0:
            return draw(values)
        container, key = draw(st.sampled_from(places))
        how = draw(st.sampled_from(["replace", "replace", "replace", "drop", "add", "text"]))
        if how == "replace":
            container[key] = draw(values)
        elif how == "drop":
            del container[key]
        elif how == "text":
            container[key] = draw(st.text(max_size=20))
        elif isinstance(container, dict):
            container[draw(st.sampled_from(["odd", "", "\ud800", "a\nb", "path"]))] = 1
        else:
            container.append(draw(values))
    return made


@st.composite
def json_bytes(draw: Draw, good: bytes) -> bytes:
    return json.dumps(draw(other_json(json.loads(good)))).encode()


@st.composite
def jsonl_bytes(draw: Draw, good: bytes) -> bytes:
    lines = good.split(b"\n")
    at = draw(st.integers(0, len(lines) - 1))
    if not lines[at].strip():
        return good + b"{}\n"
    lines[at] = draw(json_bytes(lines[at]))
    return b"\n".join(lines)


@st.composite
def csv_bytes(draw: Draw, good: bytes) -> bytes:
    """A table with a column or cell that is wrong."""
    mark = b"\t" if b"\t" in good else b","
    rows = [line.split(mark) for line in good.rstrip(b"\n").split(b"\n")]
    row = draw(st.integers(0, len(rows) - 1))
    column = draw(st.integers(0, max(len(rows[row]) - 1, 0)))
    how = draw(st.sampled_from(["cell", "cell", "drop", "twice", "extra", "fewer", "row", "head"]))
    if how == "cell":
        text = draw(st.sampled_from([str(value) for value in VALUES]) | st.text(max_size=12))
        rows[row][column] = text.encode("utf-8", "surrogatepass")
    elif how == "drop":
        rows = [cells[:column] + cells[column + 1 :] for cells in rows]
    elif how == "twice":
        rows = [[*cells, *cells[column : column + 1]] for cells in rows]
    elif how == "extra":
        rows = [[*cells, b"odd"] for cells in rows]
    elif how == "fewer":
        rows[row] = rows[row][:-1]
    elif how == "row":
        rows.append(list(rows[row]))
    else:
        rows = rows[:1]
    end = draw(st.sampled_from([b"\n", b"\r\n", b"\n\n", b"\r"]))
    return end.join(mark.join(cells) for cells in rows) + draw(st.sampled_from([b"", end]))


_TYPES = (
    pa.string(), pa.int64(), pa.int32(), pa.float32(), pa.float64(), pa.bool_(), pa.binary(),
    pa.timestamp("ns"), pa.decimal128(20, 3), pa.list_(pa.int64()), pa.null(), pa.large_string(),
    pa.dictionary(pa.int32(), pa.string()), pa.struct([("bytes", pa.int64())]),
)  # fmt: skip


def _column(kind: pa.DataType, n: int) -> pa.Array:
    values: dict[str, Any] = {
        "string": "x", "large_string": "x", "int64": 2**62, "int32": -1, "float": float("nan"),
        "double": float("inf"), "bool": True, "binary": b"\xff\xfe", "timestamp[ns]": 2**62,
    }  # fmt: skip
    if pa.types.is_dictionary(kind):
        return pa.array(["x"] * n).dictionary_encode()
    if pa.types.is_struct(kind):
        return pa.array([{"bytes": 10**12}] * n, kind)
    return pa.array([values.get(str(kind))] * n, kind)


def not_utf8(n: int) -> pa.Array:
    """A column of texts whose bytes are no UTF-8."""
    _, offsets, content = pa.array([b"\xff\xfe"] * n, pa.binary()).buffers()
    return pa.StringArray.from_buffers(n, offsets, content)


def to_parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


@st.composite
def parquet_bytes(draw: Draw, good: bytes) -> bytes:
    """A table with columns missing, added, there twice, of other types, or with other values."""
    table = pq.read_table(pa.BufferReader(good))
    at = draw(st.integers(0, table.num_columns - 1))
    name, n = table.column_names[at], table.num_rows
    how = draw(st.sampled_from(["drop", "rename", "twice", "extra", "type", "utf8", "null", "cut"]))
    if how == "drop":
        table = table.remove_column(at)
    elif how == "rename":
        names = [*table.column_names]
        names[at] = draw(st.sampled_from(["odd", "", name.upper(), "a.b", "x\ny"]))
        table = table.rename_columns(names)
    elif how == "twice":
        table = table.append_column(name, table.column(at))
    elif how == "extra":
        table = table.append_column("odd", _column(draw(st.sampled_from(_TYPES)), n))
    elif how == "utf8":
        table = table.set_column(at, name, not_utf8(n))
    elif how == "null":
        table = table.set_column(at, name, pa.nulls(n, table.schema.field(at).type))
    elif how == "cut":
        table = table.slice(0, draw(st.integers(0, n)))
    else:
        table = table.set_column(at, name, _column(draw(st.sampled_from(_TYPES)), n))
    return to_parquet(table)


@st.composite
def tensor_bytes(draw: Draw, good: bytes) -> bytes:
    """Tensors of other names, shapes or types, or beside another header."""
    length = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + length])
    how = draw(st.sampled_from(["header", "said", "said", "said", "tensor", "tensor", "length"]))
    if how == "length":
        return draw(st.sampled_from([0, 1, 2**31, 2**63, length + 1])).to_bytes(8, "little") + good
    if how == "header":
        text = json.dumps(draw(other_json(header))).encode()
        return len(text).to_bytes(8, "little") + text + good[8 + length :]
    tensors, said = dict(load(good)), dict(header.get("__metadata__", {}))
    if how == "said" and said:
        key = draw(st.sampled_from(sorted(said)))
        value = draw(other_json(json.loads(said[key])))
        said[key] = draw(st.sampled_from([json.dumps(value), "", "{", NEST[:5000], "null"]))
        said[key] = said[key] if draw(st.booleans()) else json.dumps(value)
        return save(tensors, said)
    key = draw(st.sampled_from(sorted(tensors)))
    value = tensors[key]
    tensors[key] = draw(
        st.sampled_from(
            [
                *(value.reshape(-1), value[None].clone(), torch.zeros(0), torch.zeros(3, 5)),
                *(torch.zeros((), dtype=torch.int64), torch.full((2,), float("nan"))),
            ]
        )
    )
    if draw(st.booleans()):
        moved = tensors.pop(key)
        if draw(st.booleans()):
            tensors[draw(st.sampled_from(["odd", "a/b/c/d", "", "optimiser/x/y", "x\ny"]))] = moved
    return save({name: one.contiguous() for name, one in tensors.items()}, said)


HEADERS = (
    "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999, 3), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 3), }",
    "{'descr': '|O', 'fortran_order': False, 'shape': (2, 3), }",
    "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f3', 'fortran_order': False, 'shape': (2,), }",
    "{'descr': '<f4', 'fortran_order': 0, 'shape': 2, }",
    "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), }",
    "{'descr': '<U999999999', 'fortran_order': False, 'shape': (9,), }",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999999999, 999999999999999999), }",
    "{1: 2, 'a': 3}",
    "{[]: 1}",
    "(" * 9000,
    "'",
    "",
)


def npy(array: Any) -> bytes:
    sink = io.BytesIO()
    np.save(sink, array, allow_pickle=True)
    return sink.getvalue()


@st.composite
def npy_bytes(draw: Draw, good: bytes) -> bytes:
    """Another header before the numbers, or another array."""
    if draw(st.booleans()):
        header = draw(st.sampled_from(HEADERS)).encode().ljust(117) + b"\n"
        version = draw(st.sampled_from([1, 1, 1, 2, 3, 9]))
        length = len(header).to_bytes(2 if version == 1 else 4, "little")
        return b"\x93NUMPY" + bytes([version, 0]) + length + header + good[128:]
    arrays: list[Any] = [
        np.zeros((0, 3), np.float32), np.zeros((), np.float32), np.array(["x", "y"]),
        np.array([{"a": 1}]), np.full((2, 3), np.nan, np.float32), np.zeros((2, 2, 2), np.float64),
        np.array([b"\xff"]), np.zeros((2, 3), np.complex64),
    ]  # fmt: skip
    return npy(draw(st.sampled_from(arrays)))


@st.composite
def npz_bytes(draw: Draw, good: bytes) -> bytes:
    """Arrays left out, changed, there twice or packed in other ways."""
    with zipfile.ZipFile(io.BytesIO(good)) as file:
        members = {name: file.read(name) for name in file.namelist()}
    name = draw(st.sampled_from(sorted(members)))
    how = draw(st.sampled_from(["drop", "change", "bytes", "twice", "odd"]))
    if how == "drop":
        del members[name]
    elif how == "change":
        members[name] = draw(npy_bytes(members[name]))
    elif how == "bytes":
        members[name] = draw(any_bytes(members[name]))
    kinds = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2]
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", draw(st.sampled_from(kinds))) as file:
        for one, content in members.items():
            file.writestr(one, content)
        if how == "twice":
            file.writestr(zipfile.ZipInfo(name.replace(".npy", "")), members[name])
        if how == "odd":
            file.writestr("../out.npy", b"x")
    made = sink.getvalue()
    return draw(any_bytes(made)) if draw(st.integers(0, 3)) == 0 else made


KINDS: Mapping[str, Callable[[bytes], st.SearchStrategy[bytes]]] = {
    "text": any_bytes,
    "json": json_bytes,
    "jsonl": jsonl_bytes,
    "csv": csv_bytes,
    "parquet": parquet_bytes,
    "tensors": tensor_bytes,
    "npy": npy_bytes,
    "npz": npz_bytes,
}


def damaged(kind: str, good: bytes) -> st.SearchStrategy[bytes]:
    """Files that are no longer good: any bytes, or by the kind of file."""
    return st.one_of(any_bytes(good), KINDS[kind](good)) if kind != "text" else any_bytes(good)


PLACES = ("missing", "folder", "link", "loop", "dangling")
"""What may stand in the place of a file."""
