"""Chat files as they come: which files, and every question with its answer."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taxonomy import reading
from taxonomy.errors import ConfigError, DataError
from taxonomy.interchange.llava import IMAGE_TOKEN, TEST, TRAINING, VALIDATION
from taxonomy.reading import short

ANSWERS = {"yes": True, "no": False}


@dataclass(frozen=True, kw_only=True)
class Files:
    """The chat files of one manifest, by split."""

    train: tuple[Path, ...]
    validation: tuple[Path, ...]
    test: tuple[Path, ...]

    def by_split(self) -> Iterator[tuple[str, Path]]:
        """(split, file), training first."""
        for split in ("train", "validation", "test"):
            for path in getattr(self, split):
                yield split, path


@dataclass(frozen=True)
class Turn:
    """One question about one image, as the file has it."""

    where: str
    """File and entry, for messages."""
    folder: Path
    """Of the file: where a relative image path may start."""
    split: str
    image: str
    question: str
    """Without the image token."""
    answer: bool


def find_files(path: Path, validation: Sequence[Path] = (), test: Sequence[Path] = ()) -> Files:
    """The chat files at a path and those named beside it.

    Args:
        path: A folder with chat.json, test.json and perhaps validation.json, or the file of
            the training questions.
        validation: Further files of validation questions.
        test: Further files of test questions.

    Raises:
        DataError: A file is not there.
        ConfigError: There is nothing to test with.
    """
    train = [path / TRAINING if path.is_dir() else path]
    beside = path if path.is_dir() else path.parent
    found = {VALIDATION: list(validation), TEST: list(test)}
    for name, given in found.items():
        if not given and (beside / name).is_file() and beside / name != train[0]:
            given.append(beside / name)
    for file in (*train, *found[VALIDATION], *found[TEST]):
        if not os.path.isfile(file):
            raise DataError(f"no chat file at {file}")
    if not found[TEST]:
        raise ConfigError(
            f"{train[0]} has the training questions only: put {TEST} beside it or name a file "
            "with --test"
        )
    return Files(train=tuple(train), validation=tuple(found[VALIDATION]), test=tuple(found[TEST]))


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        DataError: It is not there or no JSON.
    """
    if not os.path.lexists(path):
        raise DataError(f"no chat file at {path}")
    return reading.read_json(path)


def read_turns(files: Files) -> list[Turn]:
    """Every question of the files, in their order.

    Raises:
        DataError: A file is not a list of entries with image and conversations, or a turn is
            no yes/no question with its answer; names the first such entry.
    """
    return [turn for split, path in files.by_split() for turn in _turns(split, path)]


def _turns(split: str, path: Path) -> Iterator[Turn]:
    entries = read_json(path)
    if not isinstance(entries, list):
        raise DataError(f"{path} must hold a list of entries, got {type(entries).__name__}")
    for number, entry in enumerate(entries):
        where = f"{path.name} entry {number}"
        said = entry if isinstance(entry, dict) else {}
        image, turns = said.get("image"), said.get("conversations")
        if not isinstance(image, str) or not image:
            raise DataError(f"{where}: image must be a path, got {short(image)}")
        if not isinstance(turns, list) or not turns or len(turns) % 2:
            raise DataError(
                f"{where}: conversations must be pairs of human and gpt, got {short(turns)}"
            )
        for asked, answered in zip(turns[::2], turns[1::2], strict=True):
            question = _value(where, asked, "human")
            answer = _value(where, answered, "gpt").strip().rstrip(".").lower()
            if answer not in ANSWERS:
                raise DataError(f"{where}: an answer must be Yes or No, got {short(answer)}")
            text = " ".join(question.replace(IMAGE_TOKEN, " ").split())
            yield Turn(where, path.parent, split, image, text, ANSWERS[answer])


def _value(where: str, turn: Any, speaker: str) -> str:
    said = turn if isinstance(turn, dict) else {}
    if said.get("from") != speaker or not isinstance(said.get("value"), str):
        raise DataError(
            f"{where}: a turn from {speaker} with a text must stand here, got {short(turn)}"
        )
    return str(said["value"])
