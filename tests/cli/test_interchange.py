"""`manifest export` and `manifest import` from the outside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from benchmarks.things_shape import things_shaped
from cli.main import app
from taxonomy.model import Manifest, TaxonomyConfig
from tests.cli.tiny_store import Tiny
from xmodal.bundle.pictures import load_pictures
from xmodal.store import Store
from xmodal.taxonomies import build_taxonomy

FILES = ("chat.json", "manifest.json", "test.json", "validation.json")


def invoke(path: Path, *arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["manifest", *map(str, arguments), "--store", str(path)])


def new_store(path: Path, source: Path) -> Path:
    """A store with the dataset of another, and nothing else."""
    with Store.open(source, read_only=True) as store:
        taxonomy = store.load_taxonomy()
    with Store.open(path) as store:
        store.add_taxonomy(taxonomy)
    return path


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    path = tmp_path_factory.mktemp("stores") / "bundled.duckdb"
    with Store.open(path) as store:
        store.add_taxonomy(build_taxonomy(TaxonomyConfig()))
    built = invoke(path, "build", "--ratio", "0.5", "--mentions", "rebalance")
    return path, built.stdout.strip()


def test_another_store_gets_the_same_manifest(bundled: tuple[Path, str], tmp_path: Path) -> None:
    path, manifest_id = bundled
    out = tmp_path / "deep" / "out"
    exported = invoke(path, "export", manifest_id[:6], "--output", out, "--per", "image")
    assert exported.exit_code == 0, exported.stderr
    assert exported.stdout.startswith(f"manifest {manifest_id} to {out}: ")
    assert exported.stdout.endswith(
        "; the entries name pictures by their paths on this machine or bundle:<row>; with --images "
        "copy the folder can be moved\n"
    )
    assert sorted(file.name for file in out.iterdir()) == list(FILES)
    other = new_store(tmp_path / "other.duckdb", path)
    imported = invoke(other, "import", out)
    assert (imported.exit_code, imported.stdout.strip()) == (0, manifest_id), imported.stderr
    stored = []
    for where in (path, other):
        with Store.open(where, read_only=True) as store:
            stored.append(store.load_manifest(manifest_id))
    first, second = stored
    assert second.rows_sha256 == first.rows_sha256
    assert (second.config, second.summary) == (first.config, first.summary)
    for name in ("cells", "labels", "examples"):
        assert getattr(second, name).equals(getattr(first, name))


def test_the_entries_are_what_llava_and_prismatic_read(
    bundled: tuple[Path, str], tmp_path: Path
) -> None:
    path, manifest_id = bundled
    out = tmp_path / "out"
    exported = invoke(path, "export", manifest_id, "--output", out, "--images", "copy")
    assert exported.exit_code == 0
    assert " pictures copied to images/, by which the entries name them" in exported.stdout
    with Store.open(path, read_only=True) as store:
        manifest = store.load_manifest(manifest_id)
        taxonomy = store.load_taxonomy()
    rows = {str(row["example_id"]): row for row in manifest.examples.to_pylist()}
    phrases = taxonomy.concepts["phrase"].to_pylist()
    png = load_pictures()["png"]
    seen = set()
    for name, keep in (
        ("chat.json", lambda row: row["in_training"]),
        ("test.json", lambda row: row["split"] == "test"),
        ("validation.json", lambda row: row["split"] == "validation"),
    ):
        entries = json.loads((out / name).read_text())
        assert {entry["id"] for entry in entries} == {key for key, r in rows.items() if keep(r)}
        for entry in entries:
            row = rows[entry["id"]]
            human, gpt = entry["conversations"]
            question = f"<image>\nIs there {phrases[row['asked_id']]} in the image?"
            assert human == {"from": "human", "value": question}
            assert gpt == {"from": "gpt", "value": "Yes" if row["answer"] else "No"}
            if entry["image"] not in seen:
                assert (out / entry["image"]).read_bytes() == png[row["image_id"]].as_py()
                seen.add(entry["image"])
    assert len(seen) > 5000


def test_copied_pictures_are_known_by_their_bytes(
    bundled: tuple[Path, str], tmp_path: Path
) -> None:
    path, manifest_id = bundled
    out = tmp_path / "out"
    invoke(path, "export", manifest_id, "--output", out, "--images", "copy")
    (out / "manifest.json").unlink()
    other = new_store(tmp_path / "other.duckdb", path)
    imported = invoke(other, "import", out, "--seed", "42")
    assert imported.exit_code == 0, imported.stderr
    assert "imported design, shuffle none" in imported.stderr
    with Store.open(path, read_only=True) as store:
        made = store.load_manifest(manifest_id).examples
    with Store.open(other, read_only=True) as store:
        found = store.load_manifest(imported.stdout.strip())
    # the same questions have the same ids, so that predictions can be compared
    ids = {r["example_id"] for r in made.to_pylist() if r["in_training"] or r["split"] != "train"}
    assert set(found.examples["example_id"].to_pylist()) == ids
    assert (found.config.design, found.config.seed) == ("imported", 42)
    assert found.summary["imported"]["n_images_trained_by_dataset"] == 0


def authors_files(folder: Path) -> None:
    """Files as S1's authors make them: THINGS paths, one question an entry, no sidecar."""

    def write(name: str, *rows: tuple[str, str, str]) -> None:
        entries: list[dict[str, Any]] = [
            {
                "id": f"{number:06}",
                "image": image,
                "conversations": [
                    {"from": "human", "value": f"<image>\nIs there {asked} in the image?"},
                    {"from": "gpt", "value": answer},
                ],
            }
            for number, (image, asked, answer) in enumerate(rows)
        ]
        (folder / name).write_text(json.dumps(entries))

    leaves = ("saw", "shirt", "parrot")
    train = [(f"{leaf}/{leaf}_05.jpg", f"a {leaf}", "Yes") for leaf in leaves]
    train += [
        ("shirt/shirt_05.jpg", "an item of clothing", "Yes"),
        ("shirt/shirt_05.jpg", "a tool", "No"),
        ("parrot/parrot_05.jpg", "an animal", "Yes"),
    ]
    write("train_combined_ablated_30pct.json", *train)
    write(
        "test_hyp_ablated_30pct.json",
        ("saw/saw_00.jpg", "a tool", "Yes"),
        ("saw/saw_00.jpg", "clothing", "No"),
    )
    write("test_hyp_trained_30pct.json", ("shirt/shirt_01.jpg", "item of clothing", "Yes"))
    write("val_hyp.json", ("parrot/parrot_04.jpg", "an animal", "Yes"))


@pytest.fixture
def things(tmp_path: Path) -> Path:
    path = tmp_path / "things.duckdb"
    pairs = [("saw", "tool"), ("shirt", "clothing"), ("parrot", "animal")]
    with Store.open(path) as store:
        store.add_taxonomy(things_shaped(pairs))
    return path


def test_the_authors_files_come_in_without_a_sidecar(things: Path, tmp_path: Path) -> None:
    files = tmp_path / "authors"
    files.mkdir()
    authors_files(files)
    result = invoke(
        things,
        *("import", files / "train_combined_ablated_30pct.json"),
        *("--test", files / "test_hyp_ablated_30pct.json"),
        *("--test", files / "test_hyp_trained_30pct.json"),
        *("--validation", files / "val_hyp.json"),
    )
    assert result.exit_code == 0, result.stderr
    with Store.open(things, read_only=True) as store:
        found = store.load_manifest(result.stdout.strip())
        names = dict(
            zip(
                store.load_taxonomy().concepts["concept_id"].to_pylist(),
                store.load_taxonomy().concepts["name"].to_pylist(),
                strict=True,
            )
        )
    sets = {
        (names[row["label_leaf_id"]], names[row["asked_id"]], row["split"]): row["question_set"]
        for row in found.examples.to_pylist()
        if row["kind"] == "hypernym"
    }
    assert sets == {
        ("shirt", "clothing", "train"): "seen",
        ("shirt", "tool", "train"): "unasked",
        ("parrot", "animal", "train"): "seen",
        ("parrot", "animal", "validation"): "seen",
        ("saw", "tool", "test"): "held_out",
        ("saw", "clothing", "test"): "held_out",
        ("shirt", "clothing", "test"): "seen",
    }
    # one of the three pairs, that of saw, is not trained; "a tool" is asked with No only
    assert found.config.ratio == pytest.approx(1 / 3, abs=1e-12)
    assert (found.config.unit, found.config.mentions) == ("leaf", "keep")
    listed = json.loads(invoke(things, "list", "--format", "json").stdout)
    assert [row["design"] for row in listed] == ["imported"]
    # two of the three test questions; how many left training is in no file
    assert [row["ratio_realised_questions"] for row in listed] == [None]
    assert "0.6667 of the hypernym questions of the test split (nominal 0.3333)" in result.stderr
    assert "the share over all splits is not known" in result.stderr
    again = invoke(things, "report", result.stdout.strip())
    assert "imported without manifest.json" in again.stdout


def test_an_imported_manifest_trains_and_is_analysed_like_any_other(
    world: Tiny, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert world.call("manifest", "export", world.manifests[0], "--output", out).exit_code == 0
    (out / "manifest.json").unlink()
    imported = world.call("manifest", "import", out)
    assert imported.exit_code == 0, imported.stderr
    manifest_id = imported.stdout.strip()
    assert manifest_id not in world.manifests
    quick = ("--lm", world.lm, "--epochs", "2", "--batch-size", "6")
    trained = world.call("train", "--manifest", manifest_id, *quick)
    assert trained.exit_code == 0, trained.stderr
    with Store.open(world.store, read_only=True) as store:
        rows = store.analysis("main-results").to_pylist()
    assert {row["design"] for row in rows} == {"imported"}
    assert {row["question_set"] for row in rows} >= {"held_out", "leaf"}


def broken(folder: Path, name: str, text: str | None) -> None:
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)


GOOD = '[{"id": "1", "image": "%s", "conversations": %s}]'
TURNS = '[{"from": "human", "value": "%s"}, {"from": "gpt", "value": "Yes"}]'


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("chat.json", None, "no chat file at {folder}/chat.json"),
        (
            "test.json",
            None,
            "{folder}/chat.json has the training questions only: put test.json beside it or name "
            "a file with --test",
        ),
        ("chat.json", "{}", "{folder}/chat.json must hold a list of entries, got dict"),
        (
            "chat.json",
            "[1",
            "{folder}/chat.json is not JSON: Expecting ',' delimiter: ",
        ),
        ("chat.json", "[1]", "chat.json entry 0: image must be a path, got None"),
        (
            "chat.json",
            GOOD % ("saw/saw_09.jpg", "[]"),
            "chat.json entry 0: conversations must be pairs of human and gpt, got []",
        ),
        (
            "chat.json",
            GOOD % ("saw/saw_09.jpg", TURNS.replace("human", "user") % "Is it?"),
            "chat.json entry 0: a turn from human with a text must stand here, got "
            "{{'from': 'user', 'value': 'Is it?'}}",
        ),
        (
            "chat.json",
            GOOD % ("saw/saw_09.jpg", TURNS % "What is this?"),
            "chat.json entry 0: a question must read 'Is there {{phrase}} in the image?' with a "
            "concept for {{phrase}}, got 'What is this?'",
        ),
        (
            "chat.json",
            GOOD % ("sow/saw_09.jpg", TURNS % "Is there a saw in the image?"),
            "chat.json entry 0: image 'sow/saw_09.jpg' is none of the dataset's, neither by its "
            "path nor by the bytes of such a file",
        ),
        (
            "chat.json",
            GOOD % ("saw/saw_09.jpg", TURNS % "Is there a sew in the image?"),
            "chat.json entry 0: unknown concept in a question 'a sew'; valid: ",
        ),
    ],
)
def test_a_wrong_file_is_one_line_and_leaves_the_store_alone(
    things: Path, tmp_path: Path, name: str, text: str | None, message: str
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    entry = GOOD % ("saw/saw_09.jpg", TURNS % "Is there a saw in the image?")
    (folder / "chat.json").write_text(entry)
    (folder / "test.json").write_text(entry.replace("_09", "_00"))
    broken(folder, name, text)
    before = things.read_bytes()
    result = invoke(things, "import", folder)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
    assert result.stderr.startswith(f"error: {message.format(folder=folder)}")
    assert things.read_bytes() == before


def test_files_changed_after_the_export_are_seen(bundled: tuple[Path, str], tmp_path: Path) -> None:
    path, manifest_id = bundled
    out = tmp_path / "out"
    invoke(path, "export", manifest_id, "--output", out)
    other = new_store(tmp_path / "other.duckdb", path)
    before = other.read_bytes()
    said = json.loads((out / "manifest.json").read_text())

    def refused(message: str, *more: str) -> None:
        result = invoke(other, "import", out, *more)
        assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (1, "", 1)
        assert message in result.stderr
        assert other.read_bytes() == before

    entries = json.loads((out / "chat.json").read_text())
    entries[7]["conversations"][1]["value"] = "Maybe"
    shutil.copy(out / "chat.json", tmp_path / "kept.json")
    (out / "chat.json").write_text(json.dumps(entries))
    refused(f"chat.json: entry 7 of {len(entries)} is not what manifest.json says was exported")
    shutil.copy(tmp_path / "kept.json", out / "chat.json")

    held = said["tables"]["cells"]["held_out"]
    held[0] = not held[0]
    (out / "manifest.json").write_text(json.dumps(said))
    refused("it was changed; export the manifest again")
    held[0] = not held[0]
    for change, message in (
        ({"version": 2}, "has version 2, this xmodal reads 1"),
        ({"format": "other"}, "is no xmodal-manifest file"),
        ({"config": {**said["config"], "ratio": 0.25}}, "its settings are those of"),
        ({"config": {**said["config"], "knob": 1}}, "cannot be read"),
        ({"dataset_id": "f" * 16}, "belongs to a dataset that is not in"),
    ):
        (out / "manifest.json").write_text(json.dumps({**said, **change}))
        refused(message)
    (out / "manifest.json").write_text(json.dumps(said))
    refused("--seed is said by", "--seed", "7")
    assert invoke(other, "import", out).stdout.strip() == manifest_id


def test_an_export_is_whole_or_not_there(bundled: tuple[Path, str], tmp_path: Path) -> None:
    path, manifest_id = bundled
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "mine.txt").write_text("mine")
    for arguments, message in (
        (("--output", taken), "is there already: give a new or empty folder with --output"),
        (("--output", tmp_path / "new", "--format", "csv"), "format must be one of llava-json"),
        (("--output", tmp_path / "new", "--per", "leaf"), "per must be one of question, image"),
        (("--output", tmp_path / "new", "--images", "all"), "images must be one of none, copy"),
    ):
        result = invoke(path, "export", manifest_id, *arguments)
        assert (result.exit_code, result.stdout) == (1, "")
        assert message in result.stderr
    assert [file.name for file in tmp_path.rglob("*")] == ["taken", "mine.txt"]


def test_a_missing_picture_leaves_no_folder(things: Path, tmp_path: Path) -> None:
    built = invoke(things, "build").stdout.strip()
    result = invoke(things, "export", built, "--output", tmp_path / "out", "--images", "copy")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be read (No such file or directory)" in result.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["things.duckdb"]


def test_parts_come_back_without_the_sidecar(tmp_path: Path) -> None:
    path = tmp_path / "parts.duckdb"
    with Store.open(path) as store:
        store.add_taxonomy(build_taxonomy(TaxonomyConfig(relations=("hypernym", "part"))))
    built = invoke(path, "build", "--relation", "part", "--ratio", "1")
    invoke(path, "export", built.stdout.strip(), "--output", tmp_path / "out")
    (tmp_path / "out" / "manifest.json").unlink()
    refused = invoke(path, "import", tmp_path / "out")
    assert refused.exit_code == 1
    done = invoke(path, "import", tmp_path / "out", "--relation", "part")
    assert done.exit_code == 0, done.stderr
    with Store.open(path, read_only=True) as store:
        own, back = (store.load_manifest(i.stdout.strip()) for i in (built, done))
    assert back.config.relation == "part"
    assert back.config.ratio == 1.0

    def asked(of: Manifest) -> set[tuple[Any, ...]]:
        """Questions of the files: what the ablation dropped is in none of them."""
        names = ("split", "image_id", "asked_id", "answer")
        rows = of.examples.to_pylist()
        kept = (row for row in rows if row["in_training"] or row["split"] != "train")
        return {tuple(row[name] for name in names) for row in kept}

    assert asked(back) == asked(own)
