"""`xmodal reproduce`: runs of every kind made again, and what is refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import xmodal
from cli.main import app
from taxonomy.errors import ConfigError, DataError
from tests.cli.test_align_train import QUICK as ALIGN
from tests.cli.test_binding import TINY as DECODER
from tests.cli.tiny_store import Tiny
from xmodal.files import file_sha256
from xmodal.reproduce import Reproduction, reproduce
from xmodal.store import Store

pytestmark = pytest.mark.usefixtures("one_thread")

KINDS = {
    "projector": ["weights", "metrics", "predictions"],
    "alignment": ["weights", "metrics", "answers, test"],
    "decoder": ["weights", "metrics", "accuracy"],
}
RUNS = {
    "projector": "FROM run WHERE co_train_group IS NULL",
    "projectors": "FROM run WHERE co_train_group IS NOT NULL ORDER BY seed_init",
    "decoders": "FROM binding_run WHERE n_together = 2 ORDER BY seed_init",
    "alignment": "FROM align_run",
    "decoder": "FROM binding_run WHERE start_run_id IS NOT NULL",
}


@pytest.fixture(scope="module")
def trained(made: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A run of each kind, and two projectors that trained together."""
    world = made.copy(tmp_path_factory.mktemp("trained"))
    recipe = ("--recipe", "embedded", "--epochs", "1", "--batch-size", "6")
    train = ("train", "--manifest", world.manifests[0], "--lm", world.lm, *recipe)
    for call in (
        ("features", "extract", "--encoder", "classical", "--n-components", "8"),
        ("align", "features", "--lm", world.lm),
        ("align", "train", *ALIGN),
        (*train, "--seed", "7"),
        (*train, "--seeds", "2,1", "--co-train", "2"),
        ("binding", "train", "--start", "text-trained", *DECODER),
        ("binding", "train", "--seeds", "2,1", "--together", "2", *DECODER),
    ):
        done = world.call(*call)
        assert done.exit_code == 0, done.stderr
    return world


@pytest.fixture
def world(trained: Tiny, tmp_path: Path) -> Tiny:
    """All of that, for one test."""
    folder = Path(shutil.copytree(trained.store.parent, tmp_path / "own"))
    return Tiny(folder / trained.store.name, trained.lm, trained.manifests)


def row_of(world: Tiny, kind: str) -> dict[str, Any]:
    with Store.open(world.store, read_only=True) as store:
        return dict(store.query(RUNS[kind]).to_pylist()[0])


def change(world: Tiny, text: str, **params: Any) -> None:
    with Store.open(world.store) as store, store.transaction():
        store.execute(text, params)


def verdicts(found: Reproduction) -> dict[str, str]:
    return {part.part: found.verdict_of(part) for part in found.parts}


def below(world: Tiny) -> dict[str, str]:
    """Hash of every file, the store's too."""
    files = (path for path in world.store.parent.rglob("*") if path.is_file())
    return {str(path): file_sha256(path) for path in files}


@pytest.mark.parametrize("kind", ["alignment", "decoder"])
def test_every_kind_comes_again_bit_by_bit(kind: str, trained: Tiny) -> None:
    before = below(trained)
    found = xmodal.open(trained.store).reproduce(row_of(trained, kind)["run_id"])
    assert verdicts(found) == dict.fromkeys(KINDS[kind], "identical")
    assert (found.kind, found.verdict, found.environment) == (kind, "identical", [])
    assert all(part.n > 0 for part in found.parts)
    assert below(trained) == before


def test_the_command_keeps_what_it_made_where_it_is_told(trained: Tiny, tmp_path: Path) -> None:
    row, out, before = row_of(trained, "projector"), tmp_path / "again", below(trained)
    call = ("reproduce", row["run_id"][:6], "--output", out, "--format", "json")
    done = trained.call(*call)
    assert done.exit_code == 0, done.stderr
    first, *_, last = done.stderr.splitlines()
    assert first == f"run {row['run_id']}: identical"
    assert last == f"made again in {out / row['run_id']}"
    parts = json.loads(done.stdout)
    assert [part["part"] for part in parts] == KINDS["projector"]
    assert [part["verdict"] for part in parts] == 3 * ["identical"]
    assert [part["largest_difference"] for part in parts] == 3 * [0.0]
    assert below(trained) == before
    stored = trained.store.parent / "runs" / row["run_id"]
    for name in ("projector.safetensors", "predictions.parquet", "metrics.parquet"):
        assert (out / row["run_id"] / name).read_bytes() == (stored / name).read_bytes()
    done = trained.call(*call)
    assert done.exit_code == 1
    assert done.stderr == f"error: output must be a new or empty folder, got {out}\n"
    inside = trained.store.parent / "runs" / "x"
    with pytest.raises(ConfigError, match="output must not lie among the store's runs"):
        reproduce(trained.store, row["run_id"], output=inside)
    assert not inside.exists()


def test_a_changed_number_is_found(world: Tiny) -> None:
    row = row_of(world, "projector")
    change(world, "UPDATE metric SET value = value + 0.25 WHERE run_id = $id", id=row["run_id"])
    text = (
        "UPDATE prediction SET predicted = NOT predicted WHERE run_id = $id AND image_mode = 'real'"
        " AND example_id = (SELECT min(example_id) FROM prediction WHERE run_id = $id)"
    )
    change(world, text, id=row["run_id"])
    done = world.call("reproduce", row["run_id"], "--tolerance", "0.2", "--format", "json")
    assert done.exit_code == 1
    assert done.stderr.splitlines()[0] == f"run {row['run_id']}: different"
    parts = {part["part"]: part for part in json.loads(done.stdout)}
    assert [parts[name]["verdict"] for name in KINDS["projector"]] == [
        "identical",
        "different",
        "different",
    ]
    assert parts["metrics"]["largest_difference"] == pytest.approx(0.25, abs=1e-12)
    n = parts["predictions"]["n"]
    assert parts["predictions"]["equal_ratio"] == pytest.approx((n - 1) / n, abs=1e-12)
    assert parts["predictions"]["note"].startswith("1 rows differ in predicted though")


def test_a_changed_folder_is_found(world: Tiny) -> None:
    row = row_of(world, "decoder")
    path = world.store.parent / "runs" / row["run_id"] / "accuracy.parquet"
    path.write_bytes(path.read_bytes() + b"x")
    found = reproduce(world.store, row["run_id"], steps=row["n_steps"])
    assert verdicts(found) == {"metrics": "identical", "accuracy": "identical"}
    assert (found.verdict, found.changed) == ("different", True)
    weights = path.parent / "decoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"decoder\.safetensors cannot be read"):
        reproduce(world.store, row["run_id"])
    path.unlink()
    with pytest.raises(DataError, match=r"has no accuracy\.parquet in runs/"):
        reproduce(world.store, row["run_id"])


def test_the_first_steps_alone(trained: Tiny) -> None:
    row = row_of(trained, "alignment")
    found = reproduce(trained.store, row["run_id"], steps=4)
    # of looks at steps 4, 8 and 12: loss and both ways of retrieval
    assert [(part.part, part.n, part.identical) for part in found.parts] == [("metrics", 3, True)]
    with pytest.raises(DataError, match="its first metric at step 4: give more --steps than 3"):
        reproduce(trained.store, row["run_id"], steps=3)
    with pytest.raises(DataError, match="steps must be from 1 to the run's 12, got 13"):
        reproduce(trained.store, row["run_id"], steps=13)


def test_a_run_of_a_group_comes_again_alone_but_for_rounding(trained: Tiny) -> None:
    run_id = row_of(trained, "projectors")["run_id"]
    found = reproduce(trained.store, run_id, tolerance=1e-4)
    assert found.is_same
    assert all(part.largest <= 1e-4 for part in found.parts)
    if found.verdict != "identical":
        assert found.notes[0].startswith("the run trained in one pass with others, as group ")


@pytest.mark.parametrize("kind", ["projectors", "decoders"])
def test_a_run_of_a_group_comes_again_with_it_bit_by_bit(kind: str, trained: Tiny) -> None:
    found = reproduce(trained.store, row_of(trained, kind)["run_id"], together=True)
    assert [part.identical for part in found.parts] == 3 * [True]
    ids = xmodal.open(trained.store).provenance(found.run_id)["run"]["together"]
    with Store.open(trained.store, read_only=True) as store:
        seeds = {row["run_id"]: row["seed_init"] for row in store.query(RUNS[kind]).to_pylist()}
    assert [seeds[one] for one in ids] == [2, 1]  # as they were asked for


def test_a_group_is_made_again_whole_or_not_at_all(world: Tiny) -> None:
    row = row_of(world, "projectors")
    change(world, "DELETE FROM run WHERE co_train_group IS NOT NULL AND seed_init = 2")
    with pytest.raises(DataError, match=f"^run \\w+, which trained with {row['run_id']}, is not "):
        reproduce(world.store, row["run_id"], together=True)
    change(world, "DELETE FROM run_setup")
    with pytest.raises(DataError, match=f"^run {row['run_id']} trained with others, and it was n"):
        reproduce(world.store, row["run_id"], together=True)


def _features(world: Tiny) -> None:
    path = next((world.store.parent / "features").glob("*/features.npy"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def _texts(world: Tiny) -> None:
    shutil.rmtree(world.store.parent / "text-features")


def _encoder(world: Tiny) -> None:
    path = next((world.store.parent / "features").glob("*/feature_set.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"encoder_version": "0"}))


def _start(world: Tiny) -> None:
    shutil.rmtree(world.store.parent / "runs" / row_of(world, "decoder")["start_run_id"])


def _sql(text: str) -> Callable[[Tiny], None]:
    return lambda world: change(world, text)


@pytest.mark.parametrize(
    ("kind", "spoil", "said"),
    [
        ("projector", _features, r"^feature set \w+ has changed: it has a file of hash \w+ here"),
        ("projector", _encoder, r"^encoder 'classical' has changed: it has weights or "),
        (
            "projector",
            _sql("UPDATE example SET answer = NOT answer WHERE NOT in_training"),
            r"^manifest \w+ has changed: it has rows of hash \w+ here, the run was made with \w+",
        ),
        ("projector", _sql("DELETE FROM manifest"), r"^manifest \w+ is not here: no manifest"),
        ("projector", _sql("UPDATE run SET lm_hash = 'ab'"), r"^lm '.*' has changed: it has weig"),
        ("projector", _sql("UPDATE run SET lm = '/gone'"), r"^lm '/gone' cannot be loaded"),
        ("projector", _sql("UPDATE run SET seed_order = 8"), r"^run \w+ cannot be made again: "),
        ("alignment", _texts, r"^text feature set \w+ is not here: "),
        (
            "alignment",
            _sql("UPDATE text_feature_set SET lm_hash = 'ab'"),
            r"^lm '.*' has changed: it has weights of hash \w+ here, the run was made with ab",
        ),
        ("decoder", _start, r"^start run \w+ is not here: "),
    ],
)
def test_what_is_gone_or_changed_is_named(
    kind: str, spoil: Callable[[Tiny], None], said: str, world: Tiny, tmp_path: Path
) -> None:
    spoil(world)
    with pytest.raises(DataError, match=said):
        reproduce(world.store, row_of(world, kind)["run_id"], output=tmp_path / "again")
    assert not (tmp_path / "again").exists()
    if spoil is _encoder:  # stored features need it no more
        found = reproduce(world.store, row_of(world, kind)["run_id"], trust_features=True)
        assert found.verdict == "identical"


def test_what_a_run_was_made_from(trained: Tiny) -> None:
    row = row_of(trained, "projector")
    traced = xmodal.open(trained.store).provenance(row["run_id"])
    with Store.open(trained.store, read_only=True) as store:
        (manifest,) = [
            one for one in store.manifests().to_pylist() if one["manifest_id"] == row["manifest_id"]
        ]
        (features,) = store.query("FROM feature_set").to_pylist()
    assert traced["manifest"]["rows_sha256"] == manifest["rows_sha256"]
    assert traced["features"]["sha256"] == features["sha256"]
    assert traced["lm"]["weights_sha256"] == row["lm_hash"]
    assert traced["seeds"] == {"init": 7, "order": 7, "sampling": manifest["seed"]}
    assert traced["recipe"]["epochs"] == 1.0
    assert traced["recipe"]["projector.kind"] == "mlp"
    machine = traced["machine"]
    assert (machine["device"], machine["precision"], machine["threads"]) == ("cpu", "float32", 1)
    weights = trained.store.parent / "runs" / row["run_id"] / "projector.safetensors"
    assert traced["files"]["projector.safetensors"] == file_sha256(weights)
    assert traced["files"]["as_synced"] is True
    assert not [name for name, said in traced["run"].items() if said == "unknown"]


def test_settings_out_of_range(trained: Tiny) -> None:
    run_id = row_of(trained, "projector")["run_id"]
    with pytest.raises(ConfigError, match="tolerance must be at least 0 and finite, got -1"):
        reproduce(trained.store, run_id, tolerance=-1.0)
    done = CliRunner().invoke(app, ["reproduce", "x", "--store", str(trained.store)])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("error: unknown run 'x'; valid: ")
