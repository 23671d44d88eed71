"""`xmodal card` and `xmodal eval --projector`: a run's projector in a folder, asked elsewhere."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from PIL import Image, ImageOps

import xmodal
from taxonomy.errors import DataError
from taxonomy.model import Manifest, Taxonomy, TaxonomyConfig
from tests.cli.tiny_store import Tiny
from tests.xmodal import tiny
from xmodal.features.new_pictures import NewPictures
from xmodal.store import Store
from xmodal.taxonomies import build_taxonomy

QUICK = ("--epochs", "3", "--batch-size", "6")


@dataclass(frozen=True)
class Shared:
    """A store with two runs, pooled by pca and by mean, and the cards of both."""

    world: Tiny
    runs: dict[str, str]
    cards: dict[str, Path]


def extracted(world: Tiny, pool: str, dataset: str | None = None) -> str:
    """Extract features and give their id."""
    more = () if dataset is None else ("--dataset", dataset)
    done = world.call("features", "extract", "--encoder", "classical", "--pool", pool, *more)
    assert done.exit_code == 0, done.stderr
    with Store.open(world.store, read_only=True) as store:
        rows = store.query(
            "SELECT feature_set_id AS id FROM feature_set WHERE pooling = $pool "
            "AND dataset_id = coalesce($dataset, dataset_id)",
            {"pool": pool, "dataset": dataset},
        )
    (found,) = rows["id"].to_pylist()
    return str(found)


@pytest.fixture(scope="module")
def shared(made: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    world = made.copy(tmp_path_factory.mktemp("trained"))
    runs, cards = {}, {}
    for pool in ("pca", "mean"):
        assert world.train(*QUICK, "--features", extracted(world, pool)).exit_code == 0
        (name,) = {one.name for one in (world.store.parent / "runs").iterdir()} - {*runs.values()}
        runs[pool] = name
        cards[pool] = tmp_path_factory.mktemp("cards") / pool
        done = world.call("card", name[:6], "--output", cards[pool])
        assert (done.exit_code, done.stdout) == (0, f"{cards[pool]}\n"), done.stderr
    return Shared(world, runs, cards)


@pytest.fixture
def elsewhere(made: Tiny, tmp_path: Path) -> Tiny:
    """Another store with the dataset, its manifests and features, and no run."""
    (tmp_path / "elsewhere").mkdir()
    world = made.copy(tmp_path / "elsewhere")
    extracted(world, "pca")
    return world


def asked(world: Tiny, card: Path, *more: str, manifest: str | None = None) -> Any:
    given = ("--projector", card, "--manifest", manifest or world.manifests[1])
    return world.call("eval", *given, "--lm", world.lm, *more)


def answers(world: Tiny) -> pa.Table:
    with Store.open(world.store, read_only=True) as store:
        return store.query(
            "SELECT * EXCLUDE (evaluation_id) FROM evaluation_prediction ORDER BY example_id"
        )


def refusal(done: Any) -> str:
    """The one line on stderr."""
    assert (done.exit_code, done.stdout) == (1, ""), done.stdout
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("error: ")
    return str(done.stderr.removeprefix("error: ").rstrip("\n"))


def test_the_four_lines_of_the_card_work_as_written(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pool, card in shared.cards.items():
        (code,) = re.findall(r"```python\n(.*?)```", (card / "README.md").read_text(), re.DOTALL)
        assert len(code.splitlines()) == 4
        monkeypatch.chdir(card)
        given: dict[str, Any] = {}
        exec(code, given)
        work = xmodal.open(shared.world.store)
        run = work.run(shared.runs[pool])
        encoder = NewPictures.load(work.taxonomy(), run.features())
        features = encoder.encode(Image.new("RGB", (9, 9)))
        assert torch.equal(given["features"], features)
        assert torch.equal(given["prefix"], run.projector()(features))
        assert given["prefix"].abs().max() > 0


def test_a_card_without_the_pca_says_so_and_loads(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(shared.world.store.parent, tmp_path / "older")
    for path in (folder / "features").rglob("pca.safetensors"):
        path.unlink()
    older = Tiny(folder / shared.world.store.name, shared.world.lm, shared.world.manifests)
    run = shared.runs["pca"]
    done = older.call("card", run)
    assert done.exit_code == 0, done.stderr
    card = folder / "cards" / run
    text = (card / "README.md").read_text()
    assert "the pca that pooled them is not here" in text
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(code.splitlines()) == 4
    monkeypatch.chdir(card)
    given: dict[str, Any] = {}
    exec(code, given)
    assert given["prefix"].shape == (1, 8, 16)
    with pytest.raises(DataError, match=r"has no pca.safetensors, by which the features were"):
        xmodal.load_encoder(card)
    # features with the same bytes are the same, whoever keeps the pca
    assert asked(older, card).exit_code == 0


def test_what_a_card_says(shared: Shared) -> None:
    card, run = shared.cards["pca"], shared.runs["pca"]
    config = json.loads((card / "config.json").read_text())
    with Store.open(shared.world.store, read_only=True) as store:
        row = store.load_run(run)
        scores = {
            one["question_set"]: one for one in store.analysis("score-points", runs=run).to_pylist()
        }
    folder = shared.world.store.parent / "runs" / run
    assert (card / "projector.safetensors").read_bytes() == (
        folder / "projector.safetensors"
    ).read_bytes()
    assert (config["run_id"], config["lm"]["weights_sha256"]) == (run, row["lm_hash"])
    # a folder of this machine: its last part alone
    assert config["lm"]["name"] == shared.world.lm.name
    assert str(shared.world.lm) not in "".join(path.read_text("latin-1") for path in card.iterdir())
    answer_ids = json.loads(row["recipe_json"])["answer_ids"]
    assert [config["prompt"]["yes_id"], config["prompt"]["no_id"]] == answer_ids
    assert config["manifest"]["manifest_id"] == row["manifest_id"]
    pictures = (card / "training_pictures.txt").read_text().split()
    assert len(pictures) == config["training"]["n_pictures"] > 0
    text = (card / "README.md").read_text()
    front = text.split("---")[1]
    assert "library_name: xmodal" in front
    assert "base_model" not in front
    for of in ("held_out", "leaf"):
        numbers = rf"{scores[of]['macro_f1']:.4f} \| {scores[of]['blind_f1']:.4f} \| [\d.]+ \|"
        assert re.search(numbers, text), of
    assert "ratio 1 nominal, 1.0000 of the cells" in text


def test_elsewhere_it_answers_as_the_run_does_to_the_bit(
    shared: Shared, elsewhere: Tiny, tmp_path: Path
) -> None:
    home = shutil.copytree(shared.world.store.parent, tmp_path / "home")
    here = Tiny(home / shared.world.store.name, shared.world.lm, shared.world.manifests)
    modes = ("--image", "real", "--image", "mean", "--image", "noise")
    done = here.call("eval", "--run", shared.runs["pca"], "--manifest", here.manifests[1], *modes)
    assert done.exit_code == 0, done.stderr
    done = asked(elsewhere, shared.cards["pca"], *modes, "--verify-batch")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        "1 runs brought in, 0 unchanged, 0 still running, 0 rejected, 3 evaluations brought in"
    )
    by_mode = (
        "SELECT image_mode, example_id, logit_yes, logit_no, predicted "
        "FROM evaluation_prediction JOIN evaluation USING (evaluation_id) ORDER BY ALL"
    )
    found = []
    for world in (here, elsewhere):
        with Store.open(world.store, read_only=True) as store:
            found.append(store.query(by_mode))
    assert found[0].num_rows > 0
    assert found[0] == found[1]


def test_its_answers_stay_apart_and_the_store_whole(shared: Shared, elsewhere: Tiny) -> None:
    card = shared.cards["pca"]
    assert asked(elsewhere, card).exit_code == 0
    again = asked(elsewhere, card)
    assert " is there: " in again.stdout
    with Store.open(elsewhere.store, read_only=True) as store:
        (row,) = store.query("FROM card_run").to_pylist()
        assert store.runs().num_rows == 0
        for name in ("main-results", "baselines", "runs-overview", "score-points"):
            assert store.analysis(name).num_rows == 0, name
        transfer = store.analysis("transfer").to_pylist()
    assert (row["trained_run_id"], row["trained_ratio"]) == (shared.runs["pca"], 1.0)
    assert {one["source"] for one in transfer} == {"card"}
    assert {one["run_id"] for one in transfer} == {row["run_id"]}
    # the manifest that it was trained from is here: what was held out then is known
    assert {(one["question_set"], one["own_set"]) for one in transfer} == {
        ("held_out", "held_out"), ("seen", "held_out"), ("leaf", "leaf")
    }  # fmt: skip
    before = answers(elsewhere)
    assert elsewhere.call("store", "rebuild").exit_code == 0
    assert answers(elsewhere) == before
    verified = elsewhere.call("store", "verify")
    assert verified.exit_code == 0, verified.stdout
    shown = elsewhere.call("runs", "show", row["run_id"])
    assert shared.runs["pca"] in shown.stdout


def other_dataset(folder: Path, *, swap: bool) -> tuple[Taxonomy, Manifest]:
    """Pictures in negative; or the same ones, trained on where they were tested and back."""
    table = tiny.table(folder)
    if swap:
        text = table.read_text().replace(",train", ",x").replace(",test", ",train")
        table.write_text(text.replace(",x", ",test"))
    else:
        for path in folder.glob("*.png"):
            ImageOps.invert(Image.open(path)).save(path)
    of = build_taxonomy(TaxonomyConfig(source="csv", min_leaves=2), csv=table)
    return of, tiny.manifest(of, ratio=1.0)


def test_another_dataset_is_asked_where_features_are_made_alike(
    shared: Shared, elsewhere: Tiny, tmp_path: Path
) -> None:
    of, manifest = other_dataset(tmp_path / "negative", swap=False)
    with Store.open(elsewhere.store) as store:
        store.add_taxonomy(of)
        store.add_manifest(manifest)
    to = {"manifest": manifest.manifest_id}
    assert "holds no features of dataset " in refusal(asked(elsewhere, shared.cards["mean"], **to))
    extracted(elsewhere, "pca", of.dataset_id)
    said = refusal(asked(elsewhere, shared.cards["mean"], **to))
    assert "was made otherwise than the card's: it has " in said
    assert "pooling pca, the card mean" in said
    extracted(elsewhere, "mean", of.dataset_id)
    done = asked(elsewhere, shared.cards["mean"], **to)
    assert done.exit_code == 0, done.stderr
    with Store.open(elsewhere.store, read_only=True) as store:
        transfer = store.analysis("transfer").to_pylist()
        (run,) = store.query("FROM card_run").to_pylist()
    assert {one["own_set"] for one in transfer} == {None}
    assert (run["dataset_id"] == of.dataset_id) > (run["trained_dataset_id"] == of.dataset_id)
    assert elsewhere.call("store", "verify").exit_code == 0
    said = refusal(asked(elsewhere, shared.cards["pca"], **to))
    assert re.search(r"was pooled by another pca than the card's|it has width \d", said), said
    said = refusal(asked(elsewhere, shared.cards["mean"], "--image", "mean", **to))
    assert said.startswith("image mean is made of the pictures that the projector was trained on")


def test_pictures_that_it_was_trained_on_are_refused(
    shared: Shared, elsewhere: Tiny, tmp_path: Path
) -> None:
    of, manifest = other_dataset(tmp_path / "swapped", swap=True)
    with Store.open(elsewhere.store) as store:
        store.add_taxonomy(of)
        store.add_manifest(manifest)
    extracted(elsewhere, "mean", of.dataset_id)
    to = {"manifest": manifest.manifest_id}
    said = refusal(asked(elsewhere, shared.cards["mean"], **to))
    assert said.startswith("the projector was trained on 20 of the 20 pictures asked about, such")
    assert not (elsewhere.store.parent / "runs").exists()
    assert asked(elsewhere, shared.cards["mean"], "--allow-seen", **to).exit_code == 0


def test_damaged_cards_are_one_line(shared: Shared, elsewhere: Tiny, tmp_path: Path) -> None:
    card = shutil.copytree(shared.cards["pca"], tmp_path / "card")
    config = json.loads((card / "config.json").read_text())

    def said(**changes: Any) -> str:
        (card / "config.json").write_text(json.dumps(config | changes))
        return refusal(asked(elsewhere, card))

    assert "must be of library xmodal and format 1, got 'xmodal' and 2" in said(format=2)
    assert "lm: it must hold an object, got 'x'" in said(lm="x")
    assert "question of prompt 'default' is 'Is there {phrase} in the image?' here" in said(
        prompt=config["prompt"] | {"question": "{phrase}?"}
    )
    assert "gives Yes and No the ids " in said(prompt=config["prompt"] | {"yes_id": 1})
    assert "of weights 000000000000" in said(lm=config["lm"] | {"weights_sha256": "0" * 64})
    (card / "training_pictures.txt").write_text("0\n")
    assert "is not the list that the card was made with" in said()
    weights = bytearray((card / "projector.safetensors").read_bytes())
    weights[-1] ^= 1
    (card / "projector.safetensors").write_bytes(weights)
    assert "projector.safetensors has sha256 " in said()
    with pytest.raises(DataError, match=r"projector\.safetensors has sha256 "):
        xmodal.load_projector(card)
    (card / "config.json").unlink()
    assert "is no folder of `xmodal card`: it has no config.json" in refusal(asked(elsewhere, card))
    assert not (elsewhere.store.parent / "runs").exists()


def test_bad_use_is_one_line(shared: Shared, elsewhere: Tiny, tmp_path: Path) -> None:
    card = shared.cards["pca"]
    said = refusal(
        elsewhere.call("eval", "--projector", card, "--manifest", elsewhere.manifests[0])
    )
    assert (
        said
        == "lm 'lm' of the card was a folder where it was trained: give its place here with --lm"
    )
    for given in ([], ["--projector", card], ["--run", "a", "--projector", card]):
        assert refusal(elsewhere.call("eval", *given)).startswith("give --run RUN, or --projector ")
    assert refusal(shared.world.call("card", "nope")).startswith("unknown run 'nope'; valid: ")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    run = shared.runs["pca"]
    for output, why in (
        (tmp_path / "full", "is not empty"),
        (tmp_path / "full" / "x", "is a file"),
    ):
        assert why in refusal(shared.world.call("card", run, "--output", output))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "full"]
