"""`xmodal features` from the outside."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.cli.tiny_store import Tiny
from tests.xmodal import tiny
from tests.xmodal.features import tiny_encoders
from xmodal.bundle.encoder.load import load_encoder
from xmodal.features.feature_set import load_features
from xmodal.pipeline import note_features
from xmodal.store import Store

QUICK = ("--epochs", "3", "--batch-size", "6")


def stored(world: Tiny, table: str = "feature_set") -> list[dict[str, object]]:
    with Store.open(world.store, read_only=True) as store:
        found: list[dict[str, object]] = store.query(
            "FROM query_table($t) ORDER BY ALL", {"t": table}
        ).to_pylist()
    return found


def made_id(stdout: str) -> str:
    return stdout.split()[0]


def test_extract_makes_a_feature_set_once(world: Tiny) -> None:
    first = world.call("features", "extract", "--n-components", "8", "--n-views", "2")
    assert (first.exit_code, first.stderr) == (0, "")
    match = re.fullmatch(r"([0-9a-f]{16}) extracted: (.*)\n", first.stdout)
    assert match is not None
    folder = world.store.parent / "features" / match[1]
    assert match[2] == str(folder)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    again = world.call("features", "extract", "--n-components", "8", "--n-views", "2")
    assert again.stdout == f"{match[1]} is there: {folder}\n"
    after = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    assert before == after
    with Store.open(world.store, read_only=True) as store:
        (row,) = store.query("SELECT * FROM feature_set").to_pylist()
        dataset = store.load_taxonomy().dataset_id
    encoder = load_encoder()
    assert row == {
        "feature_set_id": match[1],
        "dataset_id": dataset,
        "encoder": "embedded-ssl",
        "revision": encoder.version,
        "layer": "output",
        "pooling": "pca",
        "n_tokens": 1,
        "width": 8,
        "n_views": 2,
        "dtype": "float32",
        "sha256": row["sha256"],
        "path": f"features/{match[1]}",
        "weights_sha256": encoder.weights_sha256,
        "side": 64,
        "fit": "own",
        "precision": "float32",
        "n_training_pictures": 3730,
        "training_sha256": row["training_sha256"],
        "n_skipped": 0,
    }


def test_parts_make_the_set_of_one_call(world: Tiny, made: Tiny, tmp_path: Path) -> None:
    options = ("--encoder", "classical", "--n-components", "8", "--n-views", "2")
    whole = world.call("features", "extract", *options)
    (tmp_path / "parts").mkdir()
    apart = made.copy(tmp_path / "parts")
    before = apart.store.read_bytes()
    first = apart.call("features", "extract", *options, "--shard", "1/2")
    assert (first.exit_code, first.stderr) == (0, "")
    set_id = made_id(whole.stdout)
    assert first.stdout == f"part 1/2 of {set_id} is whole; 1 missing: 2\n"
    assert apart.store.read_bytes() == before
    last = apart.call("features", "extract", *options, "--shard", "2/2")
    folder = apart.store.parent / "features" / set_id
    assert (last.stdout, last.stderr) == (f"{set_id} is there: {folder}\n", "")
    assert [path.name for path in folder.parent.iterdir()] == [set_id]
    for path in (world.store.parent / "features" / set_id).iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()
    assert stored(apart) == stored(world)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--shard", "3/2"], "shard must be i/n with i from 1 to n and n at most 9999, got 3/2"),
        (
            ["--encoder", "/no/dinov2"],
            "encoder '/no/dinov2' is none of the package and cannot be loaded as a local folder or",
        ),
        (["--pooling", "max"], "pooling must be one of pca, patches, cls, mean, given, got 'max'"),
        (
            ["--layer", "last"],
            "layer goes with transformers models, not with encoder 'embedded-ssl'",
        ),
        (["--resize", "28"], "side goes with transformers models, not with encoder 'embedded-ssl'"),
        (["--dtype", "float16"], "dtype must be one of float32, bfloat16, got 'float16'"),
        (["--pool", "given"], "features of 'embedded-ssl' were imported: no encoder makes them"),
        (["--n-views", "0"], "n_views must be at least 1, got 0"),
        (["--dataset", "nope"], "unknown dataset 'nope'; valid: "),
    ],
)
def test_bad_input_is_one_line_and_changes_nothing(
    world: Tiny, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    before = world.store.read_bytes()
    done = world.call("features", "extract", *arguments)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {message}")
    assert done.stderr.count("\n") == 1
    assert world.store.read_bytes() == before
    assert world.below() == {"x.duckdb"}


def test_a_model_of_transformers_from_folder_to_trained_run(world: Tiny, tmp_path: Path) -> None:
    folder = tiny_encoders.save(tmp_path / "dinov2", "dinov2-registers")
    options = ("--encoder", folder, "--layer", "-1", "--resize", "14", "--dtype", "bfloat16")
    done = world.call("features", "extract", *options)
    assert (done.exit_code, done.stderr) == (0, "")
    (row,) = stored(world)
    weights = row["weights_sha256"]
    assert isinstance(weights, str)
    assert row["feature_set_id"] == made_id(done.stdout)
    assert (row["encoder"], row["layer"], row["pooling"]) == (str(folder), "-1", "patches")
    assert (row["n_tokens"], row["width"], row["side"], row["n_views"]) == (4, 16, 14, 1)
    assert (row["dtype"], row["precision"], len(weights)) == ("bfloat16", "float32", 64)
    trained = world.train(*QUICK, "--features", made_id(done.stdout)[:6])
    assert trained.exit_code == 0, trained.stderr
    (run,) = stored(world, "run")
    assert (run["feature_set_id"], run["encoder"]) == (row["feature_set_id"], str(folder))
    # no other set was made on the way
    assert len(stored(world)) == 1
    for command in ("coherence", "ceiling"):
        measured = world.call(command)
        assert measured.exit_code == 0, measured.stderr


def test_features_are_listed(world: Tiny) -> None:
    assert world.call("features", "list").exit_code == 0
    first = made_id(world.call("features", "extract", "--n-views", "1").stdout)
    second = made_id(world.call("features", "extract", "--pool", "mean").stdout)
    done = world.call("features", "list")
    assert (done.exit_code, done.stderr) == (0, "")
    assert first in done.stdout
    assert second in done.stdout


def bad_picture(world: Tiny, tmp_path: Path) -> Tiny:
    """A store of pictures of its own, of which one test picture is cut short."""
    of = tiny.taxonomy(tmp_path / "pictures")
    manifest = tiny.manifest(of)
    (tmp_path / "own").mkdir()
    with Store.open(tmp_path / "own" / "x.duckdb") as store:
        store.add_taxonomy(of)
        store.add_manifest(manifest)
    picture = tmp_path / "pictures" / "owl6.png"
    picture.write_bytes(picture.read_bytes()[:-30])
    return Tiny(tmp_path / "own" / "x.duckdb", world.lm, (manifest.manifest_id,))


def test_a_bad_picture_fails_or_leaves_with_its_questions(world: Tiny, tmp_path: Path) -> None:
    own = bad_picture(world, tmp_path)
    failed = own.call("features", "extract", "--n-views", "1")
    assert failed.exit_code == 1
    assert re.fullmatch(r"error: picture .*owl6\.png cannot be decoded: .*\n", failed.stderr)
    assert own.below() == {"x.duckdb"}
    done = own.call("features", "extract", "--n-views", "1", "--skip-bad")
    assert (done.exit_code, done.stderr) == (0, "")
    features = made_id(done.stdout)
    assert " extracted, 1 pictures skipped: " in done.stdout
    (skipped,) = stored(own, "skipped_image")
    assert str(skipped["uri"]).endswith("owl6.png")
    assert skipped["feature_set_id"] == features
    assert [row["n_skipped"] for row in stored(own)] == [1]
    trained = own.train(*QUICK, "--features", features)
    assert trained.exit_code == 0, trained.stderr
    said = trained.stdout.splitlines()[0]
    assert re.fullmatch(
        rf"manifest {own.manifests[0]}: \d+ of \d+ questions left out, about 1 pictures that "
        rf"feature set {features} lacks",
        said,
    )
    with Store.open(own.store, read_only=True) as store:
        answered = store.query(
            "SELECT count(*) AS n FROM prediction JOIN example USING (example_id) "
            "WHERE image_id = $id",
            {"id": skipped["image_id"]},
        )["n"][0].as_py()
        asked = store.query("SELECT count(*) AS n FROM example WHERE split = 'test'")["n"][0]
        real = store.query("SELECT count(*) AS n FROM prediction WHERE image_mode = 'real'")["n"]
    assert answered == 0
    assert 0 < real[0].as_py() < asked.as_py()
    for command in ("coherence", "ceiling"):
        measured = own.call(command)
        assert measured.exit_code == 0, measured.stderr


def sounds(world: Tiny, folder: Path) -> Path:
    """Features of every picture that no encoder of the package made."""
    with Store.open(world.store, read_only=True) as store:
        uris = store.load_taxonomy().images["uri"].to_pylist()
    rows = np.random.default_rng(0).normal(size=(len(uris), 5)).astype(np.float32)
    np.savez(folder / "sounds.npz", features=rows, ids=np.array([Path(uri).name for uri in uris]))
    return folder / "sounds.npz"


def test_imported_features_train_a_run(world: Tiny, tmp_path: Path) -> None:
    path = sounds(world, tmp_path)
    done = world.call("features", "import", path, "--name", "sounds")
    assert (done.exit_code, done.stderr) == (0, "")
    match = re.fullmatch(r"([0-9a-f]{16}) imported by name: .*\n", done.stdout)
    assert match is not None
    again = world.call("features", "import", path, "--name", "sounds")
    assert again.stdout.startswith(f"{match[1]} is there: ")
    (row,) = stored(world)
    assert (row["encoder"], row["pooling"], row["width"]) == ("sounds", "given", 5)
    assert world.train(*QUICK, "--features", match[1]).exit_code == 0
    assert [run["encoder"] for run in stored(world, "run")] == ["sounds"]


def test_training_takes_the_features_there_are(world: Tiny, tmp_path: Path) -> None:
    """A set that was made on purpose is not passed over in silence for the default one."""
    done = world.call("features", "import", sounds(world, tmp_path), "--name", "sounds")
    assert world.train(*QUICK).exit_code == 0
    (run,) = stored(world, "run")
    assert run["feature_set_id"] == made_id(done.stdout)
    other = world.call("features", "extract", "--n-components", "8", "--n-views", "2")
    refused = world.train(*QUICK, "--seed", "7")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "has 2 feature sets, give one of " in refused.stderr
    assert made_id(other.stdout) in refused.stderr
    usual = world.call("features", "extract")
    assert world.train(*QUICK, "--seed", "7").exit_code == 0
    (run,) = (row for row in stored(world, "run") if row["seed_init"] == 7)
    assert run["feature_set_id"] == made_id(usual.stdout)


def test_import_refuses_with_one_line(world: Tiny, tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    np.savez(path, features=np.zeros((2, 5), np.float32), ids=np.array(["owl0.png", "no.png"]))
    before = world.store.read_bytes()
    done = world.call("features", "import", path, "--name", "mine")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: {path} has 1 ids that are the name of no picture")
    assert done.stderr.count("\n") == 1
    assert world.store.read_bytes() == before
    assert world.below() == {"x.duckdb", "f.npz"}


def test_training_refuses_an_encoder_that_saw_the_test_pictures(
    world: Tiny, tmp_path: Path
) -> None:
    with Store.open(world.store, read_only=True) as store:
        of = store.load_taxonomy()
    images = of.images.to_pylist()
    seen = [row["sha256"] for row in images if row["split"] in ("train", "test")]
    (tmp_path / "seen.txt").write_text("\n".join(seen))
    np.savez(
        tmp_path / "f.npz",
        features=np.random.default_rng(0).normal(size=(35, 5)),
        ids=np.array([row["sha256"] for row in images]),
    )
    options = ("--name", "leaky", "--trained-on", tmp_path / "seen.txt")
    done = world.call("features", "import", tmp_path / "f.npz", *options)
    assert done.exit_code == 0, done.stderr
    assert [row["n_training_pictures"] for row in stored(world)] == [30]
    refused = world.train(*QUICK, "--features", made_id(done.stdout))
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "was trained on 10 of the 10 test pictures" in refused.stderr
    assert stored(world, "run") == []
    allowed = world.train(*QUICK, "--features", made_id(done.stdout), "--allow-seen")
    assert allowed.exit_code == 0, allowed.stderr
    (run,) = stored(world, "run")
    ask = ("eval", "--run", run["run_id"], "--image", "zero")
    refused = world.call(*ask)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "was trained on 10 of the 10 test pictures" in refused.stderr
    # pictures that neither trained
    assert world.call(*ask, "--split", "validation").exit_code == 0
    assert world.call(*ask, "--allow-seen").exit_code == 0


def test_training_refuses_features_of_another_dataset(
    world: Tiny, made: Tiny, tmp_path: Path
) -> None:
    other = tiny.taxonomy(tmp_path / "more")
    with Store.open(world.store) as store:
        rows = other.images.to_pylist()
        rows[0]["split"] = "validation"
        images = other.images.from_pylist(rows, schema=other.images.schema)
        from dataclasses import replace

        other = replace(other, dataset_id="0" * 16, images=images)
        store.add_taxonomy(other)
    done = world.call("features", "extract", "--dataset", "0000", "--n-views", "1")
    assert done.exit_code == 0, done.stderr
    refused = world.train(*QUICK, "--features", made_id(done.stdout))
    assert refused.exit_code == 1
    assert "leave one of the two out" in refused.stderr
    unknown = world.train(*QUICK, "--features", "zz")
    assert unknown.stderr.startswith("error: unknown feature set 'zz'; valid: ")


def test_a_set_is_noted_again_under_its_new_path(world: Tiny) -> None:
    done = world.call("features", "extract", "--n-views", "1")
    folder = world.store.parent / "features" / made_id(done.stdout)
    moved = Path(shutil.copytree(folder, world.store.parent / "elsewhere"))
    with Store.open(world.store, read_only=True) as store:
        of = store.load_taxonomy()
    note_features(world.store, of, load_features(moved))
    assert [row["path"] for row in stored(world)] == ["elsewhere"]
