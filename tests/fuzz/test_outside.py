"""Paths that a file names stay below its folder, unless --allow-outside is given."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli.main import app
from taxonomy.errors import DataError
from taxonomy.interchange import find_files, infer_manifest, read_turns
from taxonomy.sources.csv_pictures import read_pictures
from taxonomy.sources.csv_table import Row
from taxonomy.sources.inside import inside
from tests.fuzz import wordnet
from tests.fuzz.text_readers import concepts, dataset, picture
from xmodal.align.caption_files import caption_source
from xmodal.align.winoground import read_winoground

NAMES = {
    "dots": "../out.png",
    "dots within": "a/../../out.png",
    "absolute": "{outside}/out.png",
    "link": "link.png",
    "folder link": "linked/out.png",
    "drive": "C:\\out.png",
    "drive alone": "C:out.png",
    "server": "\\\\server\\share\\out.png",
    "backslash": "..\\out.png",
}
REAL = ("dots", "dots within", "absolute", "link", "folder link")
"""Those that lead to a file on this system."""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a picture beside it, and links to it inside."""
    made = tmp_path / "root"
    (made / "a").mkdir(parents=True)
    (tmp_path / "out.png").write_bytes(picture(3))
    (made / "in.png").write_bytes(picture(4))
    (made / "link.png").symlink_to("../out.png")
    (made / "linked").symlink_to("..", target_is_directory=True)
    return made


def named(root: Path, name: str) -> str:
    return NAMES[name].format(outside=root.parent)


def by_table(root: Path, name: str, allow: bool) -> object:
    row = Row(where="t.csv line 2", leaf="a", image=name, synset="", hypernyms=(), split="",
              group="")  # fmt: skip
    return read_pictures([row], root, 0, frozenset(["a"]), allow_outside=allow)


def by_captions(root: Path, name: str, allow: bool) -> object:
    table = pa.table({"text": ["t"], "image_path": [name]})
    pq.write_table(table, root / "c.parquet")
    return [one.read() for one in caption_source(root / "c.parquet", allow_outside=allow).records()]


def by_chat_captions(root: Path, name: str, allow: bool) -> object:
    (root / "c.json").write_text(json.dumps([{"image": name, "caption": "t"}]))
    return [one.read() for one in caption_source(root / "c.json", allow_outside=allow).records()]


def by_winoground(root: Path, name: str, allow: bool) -> object:
    """Its pictures lie in a folder images, so names start there."""
    (root / "images").symlink_to(".", target_is_directory=True)
    line = {"id": 0, "image_0": name, "image_1": "in", "caption_0": "a b", "caption_1": "b a"}
    (root / "examples.jsonl").write_text(json.dumps(line))
    return read_winoground(root, allow_outside=allow)


@pytest.mark.parametrize("read", [by_table, by_captions, by_chat_captions, by_winoground])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_out_is_refused(
    root: Path, name: str, read: Callable[[Path, str, bool], object]
) -> None:
    with pytest.raises(DataError, match=r"leads out of .* or give --allow-outside") as caught:
        read(root, named(root, name), False)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("read", [by_table, by_captions, by_chat_captions, by_winoground])
@pytest.mark.parametrize("name", REAL)
def test_it_is_read_where_that_is_allowed(
    root: Path, name: str, read: Callable[[Path, str, bool], object]
) -> None:
    assert read(root, named(root, name), True)


@pytest.mark.parametrize("allow", [False, True])
@pytest.mark.parametrize("name", ["in.png", "a/../in.png", "./in.png", "{root}/in.png"])
def test_names_that_stay_inside_are_read(root: Path, name: str, allow: bool) -> None:
    assert by_table(root, name.format(root=root), allow)


@pytest.mark.parametrize("name", ["a\0b.png", "\ud800.png"])
@pytest.mark.parametrize("allow", [False, True])
def test_no_file_has_that_name(root: Path, name: str, allow: bool) -> None:
    with pytest.raises(DataError, match=r"^w names the picture .*which no file can have$"):
        inside(root, name, "w", allow_outside=allow)


def test_a_root_that_is_a_link_is_where_it_leads(root: Path) -> None:
    other = root.parent / "other"
    other.symlink_to("root", target_is_directory=True)
    assert os.path.samefile(inside(other, "in.png", "w"), root / "in.png")


def chat(root: Path, name: str) -> None:
    turns = [
        {"from": "human", "value": "<image>\nIs there a parrot in the image?"},
        {"from": "gpt", "value": "Yes"},
    ]
    for file in ("chat.json", "test.json"):
        (root / file).write_text(json.dumps([{"image": name, "conversations": turns}]))


@pytest.mark.parametrize("name", NAMES)
def test_a_chat_files_picture_is_not_looked_for_outside(root: Path, name: str) -> None:
    chat(root, named(root, name))
    turns = read_turns(find_files(root))
    with pytest.raises(DataError, match=r"chat\.json entry 0 names the picture .* leads out of"):
        infer_manifest(dataset(), concepts(), turns, aliases={})
    # it is looked for, and is none of the dataset's
    with pytest.raises(DataError, match="is none of the dataset's"):
        infer_manifest(dataset(), concepts(), turns, aliases={}, allow_outside=True)


def test_a_picture_that_the_dataset_names_needs_no_file(root: Path) -> None:
    """Exported files name pictures by their path on the machine where they were."""
    chat(root, "bundle:300")
    turns = read_turns(find_files(root))
    with pytest.raises(DataError, match=r"in two splits"):
        infer_manifest(dataset(), concepts(), turns, aliases={})


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    return result.exit_code, result.stderr


def test_the_option_of_taxonomy_build(root: Path) -> None:
    rows = []
    for n, leaf in enumerate(("parrot", "owl")):
        for k in range(4):
            (root.parent / f"{leaf}{k}.png").write_bytes(picture(9 * n + k))
            rows.append(f"{leaf},../{leaf}{k}.png,{'bird' if n else 'pet'}")
    (root / "t.csv").write_text("\n".join(["leaf,image,hypernym", *rows]) + "\n")
    nouns = root.parent / "nouns"
    nouns.mkdir()
    for name, content in wordnet.files().items():
        (nouns / name).write_bytes(content)
    store = root.parent / "x.duckdb"
    given = (
        *("taxonomy", "build", "--csv", root / "t.csv", "--min-leaves", "1", "--store", store),
        *("--wordnet", nouns),
    )
    code, said = run(*given)
    assert code == 1
    assert "'../parrot0.png', which leads out of" in said
    assert "--allow-outside" in said
    assert not store.exists()
    assert run(*given, "--allow-outside")[0] == 0
    assert store.exists()
    code, said = run("taxonomy", "build", "--allow-outside", "--store", root.parent / "y.duckdb")
    assert (code, said) == (1, "error: allow_outside goes with source csv or list, got 'emoji'\n")


@pytest.mark.parametrize(
    "command",
    [("taxonomy", "build"), ("align", "pairs"), ("align", "evaluate"), ("manifest", "import")],
)
def test_every_command_that_reads_such_files_has_it(command: tuple[str, str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert "--allow-outside" in result.stdout
