"""`xmodal taxonomy` from the outside: exit status, both outputs, and what is in the store."""

from __future__ import annotations

import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from cli.main import app
from tests.taxonomy.things_files import CATEGORIES, CONCEPTS, categories_file, concepts_file
from xmodal.store import Store


def xmodal(*args: str | Path) -> Result:
    return CliRunner().invoke(app, ["taxonomy", *map(str, args)])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the bundled taxonomy."""
    store = tmp_path_factory.mktemp("store") / "x.duckdb"
    done = xmodal("build", "--store", store)
    assert done.exit_code == 0, done.stderr
    return store


@pytest.fixture
def table(tmp_path: Path) -> Path:
    lines = ["leaf,image,synset,hypernym"]
    for i, leaf in enumerate(("parrot", "owl")):
        for k in range(4):
            Image.new("RGB", (4, 4), (i, k, 0)).save(tmp_path / f"{leaf}{k}.png")
            lines.append(f"{leaf},{leaf}{k}.png,{leaf}.n.01,bird")
    path = tmp_path / "t.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_build_writes_the_dataset_and_says_what_it_holds(built: Path) -> None:
    with Store.open(built, read_only=True) as store:
        taxonomy = store.load_taxonomy()
    assert taxonomy.concepts["role"].to_pylist().count("leaf") == 518
    assert sum(taxonomy.leaf_hypernym["used"].to_pylist()) == 525
    again = xmodal("build", "--store", built)
    assert again.exit_code == 0
    assert f"dataset {taxonomy.dataset_id}: source emoji, pairs agreed, WordNet 3.0" in again.stdout
    assert "518 leaves, 47 inner (in no question)" in again.stdout
    assert "dropped, fewer than 6 leaves: furniture 3, lamp 5" in again.stdout
    assert again.stderr == ""
    with Store.open(built, read_only=True) as store:
        assert store.datasets().num_rows == 1


def test_show_draws_the_birds(built: Path) -> None:
    done = xmodal("show", "bird", "--store", built)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith("bird [hypernym]: 16 leaves, ")
    assert lines[0].endswith("; asked of 16")
    assert len(lines) == 17
    assert any(line.startswith("├── parrot: ") for line in lines)


def test_show_can_draw_the_synsets_too(built: Path) -> None:
    done = xmodal("show", "bird.n.01", "--store", built, "--synsets")
    assert "bird_of_prey.n.01 [synset]" in done.stdout


def test_show_of_an_unknown_name_lists_the_nearest(built: Path) -> None:
    done = xmodal("show", "brid", "--store", built)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error: unknown concept 'brid'; valid: bridge, ")
    assert ", bird, " in done.stderr
    assert done.stderr.count("\n") == 1


def test_stats_lists_hypernyms_and_near_duplicates(built: Path) -> None:
    done = xmodal("stats", "--store", built)
    assert done.exit_code == 0
    assert "leaves of each hypernym: animal 96, mammal 49, " in done.stdout
    assert "leaves have no validation image: " in done.stdout
    assert "pairs of near-duplicates across splits" in done.stdout


def test_list_has_a_row_a_dataset_and_the_one_taken_is_said(table: Path, tmp_path: Path) -> None:
    store = tmp_path / "x.duckdb"
    assert xmodal("build", "--store", store).exit_code == 0
    assert xmodal("stats", "--store", store).stderr == ""  # one dataset: nothing to say
    assert xmodal("build", "--store", store, "--csv", table, "--min-leaves", "2").exit_code == 0
    done = xmodal("list", "--store", store, "--format", "json")
    assert (done.exit_code, done.stderr) == (0, "")
    first, last = json.loads(done.stdout)
    counts = ("source", "pairs", "relations", "n_leaves", "n_hypernyms", "n_images")
    assert [first[name] for name in counts] == ["emoji", "agreed", "hypernym", 518, 34, 6308]
    assert [last[name] for name in counts] == ["csv", "agreed", "hypernym", 2, 1, 8]
    assert first["created_at"] < last["created_at"]
    assert last["dataset_id"] in xmodal("list", "--store", store).stdout
    said = (
        f"took dataset {last['dataset_id']}, the latest of 2: --dataset names another, "
        "`xmodal taxonomy list` shows them\n"
    )
    for command in (["stats"], ["show", "bird"]):
        done = xmodal(*command, "--store", store)
        assert done.stderr == said
        named = xmodal(*command, "--store", store, "--dataset", first["dataset_id"][:6])
        assert named.stderr == ""
        assert named.stdout != done.stdout
    built = CliRunner().invoke(app, ["manifest", "build", "--store", str(store)])
    assert built.stderr.startswith(said)
    assert built.stderr.count("took dataset") == 1


def test_list_of_an_empty_store(tmp_path: Path) -> None:
    store = tmp_path / "x.duckdb"
    with Store.open(store):
        pass
    done = xmodal("list", "--store", store, "--format", "json")
    assert (done.exit_code, json.loads(done.stdout)) == (0, [])


def test_lists_that_are_cut_short_can_be_had_in_full(tmp_path: Path) -> None:
    words = [f"gadget{n:02}" for n in range(15)]
    rows = (*CONCEPTS, *((word, word, "") for word in words))
    listed = (*CATEGORIES, *(("tool", word) for word in words))
    store = tmp_path / "t.duckdb"
    files = ["--concepts", concepts_file(tmp_path, rows)]
    files += ["--categories", categories_file(tmp_path, listed)]
    base = ["build", "--store", store, "--source", "things", *files, "--min-leaves", "1"]
    built = xmodal(*base, "--pairs", "categories")
    assert "16 concepts have no synset; WordNet is silent about them: flatiron, " in built.stdout
    assert "and 4 more" in built.stdout
    where = "in full: `xmodal taxonomy stats --all`"
    assert built.stdout.splitlines()[-1] == where
    assert xmodal("stats", "--store", store).stdout.splitlines()[-1] == where
    whole = xmodal("stats", "--store", store, "--all").stdout
    assert f"silent about them: flatiron, {', '.join(words)}\n" in whole
    assert " more" not in whole
    assert where not in whole


def test_build_from_a_table(table: Path, tmp_path: Path) -> None:
    store = tmp_path / "x.duckdb"
    done = xmodal("build", "--store", store, "--csv", table, "--min-leaves", "2")
    assert done.exit_code == 0, done.stderr
    assert "source csv" in done.stdout
    with Store.open(store, read_only=True) as opened:
        taxonomy = opened.load_taxonomy()
    assert taxonomy.config.source == "csv"
    assert taxonomy.leaf_hypernym["used"].to_pylist() == [True, True]
    assert Path(taxonomy.images["uri"][0].as_py()).is_file()


BAD = {
    "missing WordNet": (["--wordnet", "gone"], "error: WordNet folder gone does not exist; name"),
    "foreign WordNet": (["--wordnet", "."], "error: . is not a WordNet folder: it must hold data"),
    "unknown pairs": (["--pairs", "most"], "error: pairs must be one of agreed, strict, everyday"),
    "unknown source": (["--source", "moon"], "error: source must be one of emoji, csv, things, "),
    "no leaves": (["--min-leaves", "0"], "error: min_leaves must be at least 1, got 0"),
    "too many leaves": (["--min-leaves", "500"], "error: no hypernym has min_leaves = 500 leaves"),
    "source without table": (["--source", "csv"], "error: source csv needs csv, got no csv"),
    "table without source": (
        ["--source", "emoji", "--csv", "t.csv"],
        "error: csv goes with source csv, got 'emoji'",
    ),
    "missing table": (["--csv", "gone.csv"], "error: gone.csv cannot be read: No such file"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_leaves_the_store_as_it_was(
    case: str, built: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    args, message = BAD[case]
    before = sha256(built.read_bytes()).hexdigest()
    done = xmodal("build", "--store", built, *args)
    assert done.exit_code == 1
    assert done.stdout == ""
    assert done.stderr.startswith(message), done.stderr
    assert done.stderr.count("\n") == 1
    assert sha256(built.read_bytes()).hexdigest() == before


TABLE_FAULTS = {
    "cycle": ("bird,owl0.png,,owl", "hypernyms must not form a cycle, got bird -> owl -> bird"),
    "unknown synset": ("swan,owl0.png,swann.n.01,bird", "unknown synset 'swann.n.01'; valid: swan"),
    "no images": ("swan,,swan.n.01,bird", "leaf 'swan' has no images"),
    "truncated": ("swan,cut.png,swan.n.01,bird", "cut.png of leaf 'swan' cannot be decoded"),
    "repeated": ("owl,owl0.png,owl.n.01,bird", "repeats line 6"),
}


@pytest.mark.parametrize("fault", TABLE_FAULTS)
def test_a_bad_table_makes_no_store(fault: str, table: Path, tmp_path: Path) -> None:
    row, message = TABLE_FAULTS[fault]
    whole = (tmp_path / "owl0.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[:-20])
    table.write_text(table.read_text() + row + "\n")
    store = tmp_path / "x.duckdb"
    done = xmodal("build", "--store", store, "--csv", table, "--min-leaves", "2")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not store.exists()


def test_show_without_a_store(tmp_path: Path) -> None:
    done = xmodal("show", "bird", "--store", tmp_path / "none.duckdb")
    assert done.exit_code == 1
    assert "taxonomy build" in done.stderr


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from cli.main import app\n"
        "done = CliRunner().invoke(app, ['taxonomy', 'build', '--help'])\n"
        "assert done.exit_code == 0 and '--min-leaves' in done.stdout\n"
        "heavy = {'nltk', 'networkx', 'duckdb', 'pyarrow', 'numpy', 'torch', 'PIL'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_things_from_the_outside(tmp_path: Path) -> None:
    store = tmp_path / "t.duckdb"
    files = ["--concepts", concepts_file(tmp_path), "--categories", categories_file(tmp_path)]
    leaves = tmp_path / "leaves.txt"
    leaves.write_text("bat\nbird\nowl\nparrot\nbandana\nflatiron\n")
    base = ["build", "--store", store, "--source", "things", *files, "--min-leaves", "1"]
    done = xmodal(*base, "--pairs", "categories", "--leaves", leaves)
    assert done.exit_code == 0, done.stderr
    assert "7 leaves, 0 inner (in no question), no images" in done.stdout
    assert "1 leaves are above other leaves and were kept: bird" in done.stdout
    with Store.open(store, read_only=True) as opened:
        taxonomy = opened.load_taxonomy()
    assert taxonomy.config.inner_leaves == "keep"
    assert sum(taxonomy.leaf_hypernym["used"].to_pylist()) == 9
    compared = xmodal("compare", "--store", store, "--format", "csv")
    assert compared.exit_code == 0
    lines = compared.stdout.splitlines()
    assert lines[0] == (
        "hypernym,synset,n_both,n_list_only,n_wordnet_only,n_one_silent,list_only,wordnet_only"
    )
    assert 'animal,animal.n.01,3,0,1,0,[],"[""owl""]"' in lines
    said = "11 pairs of 6 hypernyms; 6 in both, 2 in THINGSplus' categories only"
    assert said in compared.stderr
    rows = json.loads(xmodal("compare", "--store", store, "--format", "json").stdout)
    assert {"hypernym": "animal", "wordnet_only": ["owl"]}.items() <= {
        key: value for row in rows if row["hypernym"] == "animal" for key, value in row.items()
    }.items()
    assert "[" not in xmodal("compare", "--store", store).stdout
    refused = CliRunner().invoke(app, ["manifest", "build", "--store", str(store)])
    assert refused.exit_code == 1
    assert refused.stderr.startswith("error: dataset ")
    assert "(source things) has no images, and a manifest asks about images" in refused.stderr
    assert xmodal("stats", "--store", store).exit_code == 0
    assert xmodal("show", "bird", "--store", store).exit_code == 0


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--source", "wordnet"], "error: source wordnet needs synsets, got no synsets\n"),
        (["--synsets", "s.txt"], "error: synsets goes with source wordnet, got 'emoji'\n"),
        (["--depth", "3-x"], "error: depth must be a number or two such as 4-8, got '3-x'\n"),
        (
            ["--depth", "3"],
            "error: depth goes with source things, imagefolder, wordnet, list, got 'e",
        ),
        (["--pairs", "categories"], "error: pairs categories goes with source things, got 'emo"),
        (["--inner-leaves", "keep"], "error: inner_leaves keep goes with source things, imagef"),
        (["--inner-leaves", "x"], "error: inner_leaves must be one of drop, keep, got 'x'\n"),
    ],
)
def test_options_go_with_their_source(tmp_path: Path, args: list[str], message: str) -> None:
    store = tmp_path / "t.duckdb"
    done = xmodal("build", "--store", store, *args)
    assert done.exit_code == 1
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
    assert not store.exists()
