"""No reader catches more than bad bytes can raise: a mistake in the code keeps its traceback."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BROAD = {"Exception", "BaseException", "TypeError", "AttributeError", "NameError", "LookupError"}
READERS = (
    "taxonomy/reading.py", "taxonomy/relations", "taxonomy/selection.py",
    "taxonomy/separation/nouns.py", "taxonomy/sources", "taxonomy/interchange", "xmodal/align",
    "xmodal/alignments", "xmodal/arrays.py", "xmodal/binding", "xmodal/bundle/encoder/load.py",
    "xmodal/features", "xmodal/interchange.py", "xmodal/parquet.py", "xmodal/probe/pairs.py",
    "xmodal/released", "xmodal/run_record.py", "xmodal/sharing", "xmodal/store/exchange.py",
    "xmodal/store/folders.py", "xmodal/store/on_disk.py", "xmodal/store/sync.py",
    "xmodal/tensors.py", "xmodal/vlm/checkpoint.py", "xmodal/vlm/run_folder.py",
    "xmodal/vlm/transfer.py",
)  # fmt: skip
ALLOWED = {
    # what another library raises on bad bytes, around its calls alone
    ("taxonomy/sources/picture_files.py", "LookupError"),
    ("taxonomy/sources/picture_files.py", "TypeError"),
    ("xmodal/arrays.py", "TypeError"),
    # of a text of the command line, around its filling in alone
    ("xmodal/align/templates.py", "AttributeError"),
    ("xmodal/align/templates.py", "LookupError"),
    # these raise again what they caught
    ("xmodal/align/captions.py", "BaseException"),
    ("xmodal/align/parts.py", "BaseException"),
    ("xmodal/binding/scene_set.py", "BaseException"),
    ("xmodal/features/extract.py", "BaseException"),
}


def files() -> Iterator[Path]:
    for name in READERS:
        path = ROOT / name
        assert path.exists(), name
        yield from [path] if path.is_file() else sorted(path.rglob("*.py"))


def names(node: ast.expr | None, constants: dict[str, ast.expr]) -> set[str]:
    """Names of what an except clause catches; constants of the module are looked into."""
    if node is None:
        return {"BaseException"}
    found = {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}
    for name in found & constants.keys():
        found |= names(constants[name], {})
    return found


def caught(text: str) -> set[str]:
    tree = ast.parse(text)
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    handlers = (node for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler))
    return {name for one in handlers for name in names(one.type, constants)} & BROAD


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("try: f()\nexcept Exception: pass", {"Exception"}),
        ("try: f()\nexcept: pass", {"BaseException"}),
        ("A = (OSError, TypeError)\ntry: f()\nexcept (A, KeyError): pass", {"TypeError"}),
        ("try: f()\nexcept (OSError, ValueError): pass", set()),
    ],
)
def test_what_is_caught_is_seen(text: str, want: set[str]) -> None:
    assert caught(text) == want


def test_readers_catch_nothing_broad() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in files()
        for name in caught(path.read_text(encoding="utf-8"))
    }
    assert found <= ALLOWED, sorted(found - ALLOWED)
