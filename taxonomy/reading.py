"""Reading files that may hold anything: text, JSON, and JSON as a record of typed fields.

Whatever a file holds, it is read or refused by a DataError that names it. Nothing here catches
an error that bytes cannot cause: a mistake in the code keeps its traceback.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from taxonomy.errors import ConfigError, DataError

T = TypeVar("T")

_LARGEST = 2**63
"""Whole numbers of files must be below it: arrays and tables have no larger ones."""


def read_bytes(path: Path, what: str = "") -> bytes:
    """All bytes of a file.

    Args:
        path: The file.
        what: Stands before its name in messages, such as "pairs ".

    Raises:
        DataError: It cannot be read, or its name is none that the system takes.
    """
    check_name(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error, what) from error


def read_text(path: Path, what: str = "") -> str:
    """The text of a file in UTF-8, without a byte order mark; line ends as they are.

    Raises:
        DataError: It cannot be read, is no UTF-8 or holds a NUL; the message has the line.
    """
    content = read_bytes(path, what)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        n_line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{what}{path} must be UTF-8, but line {n_line} has the byte "
            f"0x{error.object[error.start]:02x}; save it as UTF-8"
        ) from error
    if "\0" in text:
        n_line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(f"{what}{path} must be text, but line {n_line} has a NUL; take it out")
    return text


def unreadable(path: Path, error: OSError, what: str = "") -> DataError:
    """What to raise for a file that the system does not give."""
    return DataError(f"{what}{path} cannot be read: {error.strerror or error}")


def check_name(path: Path) -> None:
    """Refuse a name that no system call takes: it holds a NUL or half a character.

    Raises:
        DataError: It does.
    """
    if "\0" in str(path) or not _is_text(str(path)):
        raise DataError(f"{path} cannot be read: no file can have that name")


def parse_json(text: str | bytes, where: str) -> Any:
    """The value of a JSON text.

    Args:
        text: In UTF-8, or decoded.
        where: File, or file and line, for messages.

    Raises:
        DataError: It is no JSON, nested too deep, or has a number that is too long.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8-sig")
        return json.loads(text)
    except RecursionError as error:
        raise DataError(f"{where} is no JSON that can be read: it is nested too deep") from error
    except ValueError as error:
        raise DataError(f"{where} is not JSON: {error}") from error


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        DataError: It cannot be read or is no JSON.
    """
    return parse_json(read_bytes(path), str(path))


def read_object(path: Path) -> dict[str, Any]:
    """The object of a JSON file.

    Raises:
        DataError: It cannot be read or holds something else.
    """
    said = read_json(path)
    if not isinstance(said, dict):
        raise DataError(f"{path} must hold one JSON object, got {short(said)}")
    return said


def record_of(kind: type[T], said: Any, where: str, **known: Any) -> T:
    """A dataclass from what a file says of its fields, each held against its type.

    Lists become tuples and sets where the field is one, objects dataclasses; numbers must be
    finite and of 64 bits, texts whole characters.

    Args:
        kind: A dataclass.
        said: An object as JSON gives it.
        where: The file, for messages.
        known: Fields that are not said but known.

    Raises:
        DataError: A field is unknown, missing or of another type, or the dataclass refuses it.
    """
    try:
        return _record(kind, said, known)
    except _MisfitError as misfit:
        raise DataError(f"{where}: {misfit}") from misfit


def value_of(kind: Any, said: Any, where: str) -> Any:
    """A value of a file as a type, such as dict[str, int]; see record_of.

    Raises:
        DataError: It does not fit.
    """
    try:
        return _made(kind, said)
    except _MisfitError as misfit:
        raise DataError(f"{where}: {misfit}") from misfit


def short(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = repr(value) if _is_small(value, 3) else type(value).__name__
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_small(value: Any, depth: int) -> bool:
    """Whether a value is no large or deep nest, whose text would be made one list in another."""
    if not isinstance(value, list | dict):
        return True
    inside = value.values() if isinstance(value, dict) else value
    return depth > 0 and len(value) <= 4 and all(_is_small(one, depth - 1) for one in inside)


class _MisfitError(Exception):
    """A value that does not fit its type; the message begins with the field."""


def _record(kind: type[T], said: Any, known: Mapping[str, Any]) -> T:
    if not isinstance(said, dict):
        raise _MisfitError(f"it must hold an object, got {short(said)}")
    assert is_dataclass(kind)
    hints = get_type_hints(kind)
    wanted = {field.name: field for field in fields(kind) if field.init}
    made = dict(known)
    for name, value in said.items():
        if name in known:
            continue
        if name not in wanted:
            raise _MisfitError(f"it has a field {short(name)}, which {kind.__name__} has not")
        try:
            made[name] = _made(hints[name], value)
        except _MisfitError as misfit:
            raise _MisfitError(f"{name}: {misfit}") from misfit
    for name, field in wanted.items():
        if name not in made and field.default is MISSING and field.default_factory is MISSING:
            raise _MisfitError(f"{name} is missing")
    try:
        return kind(**made)
    except ConfigError as error:
        raise _MisfitError(str(error)) from error


def _made(hint: Any, value: Any) -> Any:
    """The value as the type wants it."""
    if hint is Any:
        return value
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return _record(hint, value, {})
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _one_of(inside, value)
    if origin is Literal:
        if value in inside and type(value) in {type(one) for one in inside}:
            return value
    elif origin in (dict, Mapping):
        if isinstance(value, dict):
            return {_made(inside[0], k): _made(inside[1], v) for k, v in value.items()}
    elif origin is not None:
        if isinstance(value, list | tuple):
            return _several(origin, inside, value)
    elif _is_plain(hint, value):
        return float(value) if hint is float else value
    raise _MisfitError(f"must be {_called(hint)}, got {short(value)}")


def _one_of(hints: Sequence[Any], value: Any) -> Any:
    if value is None and type(None) in hints:
        return None
    misfits = []
    for hint in hints:
        if hint is not type(None):
            try:
                return _made(hint, value)
            except _MisfitError as misfit:
                misfits.append(misfit)
    raise misfits[0]


def _several(origin: Any, inside: Sequence[Any], value: Sequence[Any]) -> Any:
    if origin is tuple and inside[-1] is not Ellipsis:
        if len(value) != len(inside):
            raise _MisfitError(f"must hold {len(inside)} values, got {len(value)}")
        return tuple(_made(hint, one) for hint, one in zip(inside, value, strict=True))
    made = [_made(inside[0], one) for one in value]
    kinds = {tuple: tuple, frozenset: frozenset, set: set, list: list}
    return kinds.get(origin, tuple)(made)


def _is_plain(hint: Any, value: Any) -> bool:
    if hint is str:
        return isinstance(value, str) and _is_text(value)
    if hint is bool:
        return isinstance(value, bool)
    if isinstance(value, bool):
        return False
    if hint is int:
        return isinstance(value, int) and -_LARGEST <= value < _LARGEST
    if hint is float:
        whole = isinstance(value, int) and -_LARGEST <= value < _LARGEST
        return whole or (isinstance(value, float) and math.isfinite(value))
    return value is None and hint is type(None)


def _is_text(text: str) -> bool:
    """Whether it can be written down: no half of a pair of surrogates."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _called(hint: Any) -> str:
    plain = {
        str: "text",
        int: "a whole number of 64 bits",
        float: "a finite number",
        bool: "true or false",
    }
    if hint in plain:
        return plain[hint]
    origin = get_origin(hint)
    if origin is Literal:
        return f"one of {', '.join(map(repr, get_args(hint)))}"
    return "an object" if origin in (dict, Mapping) else "a list"
