"""Weights and states out of safetensors files that may hold anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, load_file
from torch import Tensor, nn

from taxonomy.errors import DataError
from taxonomy.reading import check_name, parse_json

M = TypeVar("M", bound=nn.Module)


def read_tensors(path: Path, advice: str) -> dict[str, Tensor]:
    """Every tensor of a file, on the CPU.

    Args:
        path: The file.
        advice: What to do where it is damaged, for the message.

    Raises:
        DataError: It is missing or damaged.
    """
    check_name(path)
    try:
        return load_file(path)
    except (OSError, SafetensorError, MemoryError) as error:
        raise damaged(path, error, advice) from error


def parse_tensors(content: bytes, path: Path, advice: str) -> dict[str, Tensor]:
    """Every tensor of a file whose bytes are there already; see read_tensors.

    Raises:
        DataError: They are damaged.
    """
    try:
        return load(content)
    except (SafetensorError, MemoryError) as error:
        raise damaged(path, error, advice) from error


def read_header(path: Path, advice: str) -> dict[str, str]:
    """What a file says beside its tensors; texts by name.

    Raises:
        DataError: It is missing or damaged.
    """
    check_name(path)
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError, MemoryError) as error:
        raise damaged(path, error, advice) from error


def read_said(path: Path, key: str, advice: str) -> dict[str, Any]:
    """The JSON object under a key of a file's header.

    Raises:
        DataError: The file is damaged, or holds nothing of the kind.
    """
    header = read_header(path, advice)
    if key not in header:
        raise damaged(path, f"its header has no {key!r}", advice)
    said = parse_json(header[key], f"{key} in the header of {path}")
    if not isinstance(said, dict):
        raise damaged(path, f"{key} in its header must be a JSON object", advice)
    return said


def filled(path: Path, make: Callable[[], M], tensors: Mapping[str, Tensor], advice: str) -> M:
    """A module with the tensors of a file as its weights.

    Shapes are compared before the module is made: a width of a billion in a header costs nothing.

    Args:
        path: The file, for messages.
        make: Makes the module, of the shape that the file states.
        tensors: By name.
        advice: What to do where they do not fit, for the message.

    Raises:
        DataError: The tensors are not those of such a module.
    """
    try:
        with torch.device("meta"):
            shape = make()
    except RuntimeError as error:  # sizes below 0, or whose product has no 64 bits
        raise damaged(path, "it states a shape that no weights have", advice) from error
    check_shapes(path, shape.state_dict(), tensors, advice)
    module = make()
    module.load_state_dict(dict(tensors))
    return module


def check_shapes(
    path: Path, want: Mapping[str, Tensor], got: Mapping[str, Tensor], advice: str
) -> None:
    """Hold the tensors of a file against those that they are to replace.

    Raises:
        DataError: One is missing, too many or of another shape.
    """
    for name in sorted(want.keys() ^ got.keys()):
        what = "has no" if name in want else "has an unknown"
        raise damaged(path, f"it {what} tensor {name}", advice)
    for name, value in want.items():
        if got[name].shape != value.shape:
            raise damaged(
                path,
                f"{name} must be {list(value.shape)}, got {list(got[name].shape)}",
                advice,
            )


def check_moments(
    path: Path,
    optimiser: torch.optim.Optimizer,
    moments: Mapping[int, Mapping[str, Tensor]],
    advice: str,
) -> None:
    """Hold what was saved of an optimiser against its parameters.

    Raises:
        DataError: It is of another number of them, or of others' shapes.
    """
    shapes = [p.shape for group in optimiser.param_groups for p in group["params"]]
    names = {frozenset(by_name) for by_name in moments.values()}
    if not moments.keys() <= set(range(len(shapes))) or len(names) > 1:
        raise damaged(path, "its optimiser is not that of these weights", advice)
    for index, by_name in moments.items():
        for name, value in by_name.items():
            if value.dim() and value.shape != shapes[index]:
                raise damaged(
                    path,
                    f"{name} {index} of its optimiser must be {list(shapes[index])}, got "
                    f"{list(value.shape)}",
                    advice,
                )


def split_name(path: Path, name: str, n_parts: int, advice: str) -> list[str]:
    """The parts of a tensor's name, parted by /.

    Raises:
        DataError: There are fewer.
    """
    parts = name.split("/", n_parts - 1)
    if len(parts) != n_parts:
        raise damaged(path, f"it has an unknown tensor {name}", advice)
    return parts


def moment_of(
    path: Path, name: str, moments: dict[int, dict[str, Tensor]], value: Tensor, advice: str
) -> None:
    """Put a tensor called <parameter>/<moment> among those of an optimiser.

    Raises:
        DataError: It is called otherwise.
    """
    index, moment = split_name(path, name, 2, advice)
    if not (index.isascii() and index.isdecimal() and len(index) < 10):
        raise damaged(path, f"it has an unknown tensor {name}", advice)
    moments.setdefault(int(index), {})[moment] = value


def damaged(path: Path, error: BaseException | str, advice: str) -> DataError:
    """What to raise for a file that cannot be used."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return DataError(f"{path} cannot be read ({reason}); {advice}")
