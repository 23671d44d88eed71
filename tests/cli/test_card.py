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
from typer import Exit

import xmodal
from cli.evaluate import evaluate as eval_command
from taxonomy.errors import DataError, StoreError, XmodalError
from taxonomy.model import Manifest, Taxonomy, TaxonomyConfig
from tests.cli.tiny_store import Tiny
from tests.sql import released
from tests.xmodal import tiny
from xmodal.evaluations import evaluate_run
from xmodal.features.config import FeatureConfig
from xmodal.features.new_pictures import NewPictures
from xmodal.features.pca import Pca
from xmodal.features.unseen import training_sha256
from xmodal.pipeline import ensure_features, train_manifests
from xmodal.sharing.card import make_card
from xmodal.sharing.evaluate import evaluate_card
from xmodal.store import Store
from xmodal.store.describe import describe_run
from xmodal.store.verify import verify
from xmodal.taxonomies import build_taxonomy

MEAN, PCA = (
    FeatureConfig(encoder="classical", pooling=pooling, n_components=8, n_views=2)
    for pooling in ("mean", "pca")
)


@dataclass(frozen=True)
class Shared:
    """A store with two runs, on features pooled by pca and by mean, and the cards of both."""

    world: Tiny
    runs: dict[str, str]
    cards: dict[str, Path]


@pytest.fixture(scope="module")
def shared(made: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    world = made.copy(tmp_path_factory.mktemp("trained"))
    runs, cards = {}, {}
    for config in (PCA, MEAN):
        features, _ = ensure_features(world.store, config)
        said, synced = train_manifests(
            world.store,
            world.manifests[:1],
            seeds=[7],
            lm=str(world.lm),
            recipe="embedded",
            features=features.feature_set_id,
            changes={"epochs": 1.0, "batch_size": 6},
        )
        name = said.split()[0]
        assert synced.endswith(" 0 rejected")
        runs[config.pooling] = name
        cards[config.pooling] = tmp_path_factory.mktemp("cards") / config.pooling
        make_card(world.store, name[:6], cards[config.pooling])
    return Shared(world, runs, cards)


@pytest.fixture
def elsewhere(made: Tiny, shared: Shared, tmp_path: Path) -> Tiny:
    """Another store with the dataset, its manifests and features, and no run."""
    (tmp_path / "elsewhere").mkdir()
    world = made.copy(tmp_path / "elsewhere")
    shutil.copytree(shared.world.store.parent / "features", world.store.parent / "features")
    for config in (PCA, MEAN):
        assert not ensure_features(world.store, config)[1]
    return world


def asked(world: Tiny, card: Path, *images: str, manifest: str | None = None, **more: Any) -> str:
    """The last line of what is said."""
    given: dict[str, Any] = {"images": images or ("real",), "lm": str(world.lm)} | more
    manifest = manifest or world.manifests[1]
    return list(evaluate_card(world.store, card, manifest_id=manifest, **given))[-1]


def answers(world: Tiny) -> pa.Table:
    text = (
        "SELECT image_mode, example_id, logit_yes, logit_no, predicted "
        "FROM evaluation_prediction JOIN evaluation USING (evaluation_id) ORDER BY ALL"
    )
    with Store.open(world.store, read_only=True) as store:
        return store.query(text)


def refused(world: Tiny, card: Path, *images: str, **more: Any) -> str:
    """What is said of a card that cannot be asked."""
    with pytest.raises(XmodalError) as caught:
        asked(world, card, *images, **more)
    return str(caught.value)


def run_lines(card: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the four lines of a card's text leave, run in its folder."""
    (code,) = re.findall(r"```python\n(.*?)```", (card / "README.md").read_text(), re.DOTALL)
    assert len(code.splitlines()) == 4
    monkeypatch.chdir(card)
    given: dict[str, Any] = {}
    exec(code, given)
    return given


def test_the_four_lines_of_the_card_work_as_written(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = xmodal.open(shared.world.store)
    for pooling, card in shared.cards.items():
        given = run_lines(card, monkeypatch)
        run = work.run(shared.runs[pooling])
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
    card = make_card(older.store, shared.runs["pca"])
    assert card == folder / "cards" / shared.runs["pca"]
    assert "the pca that pooled them is not here" in (card / "README.md").read_text()
    assert run_lines(card, monkeypatch)["prefix"].shape == (1, 8, 16)
    with pytest.raises(DataError, match=r"has no pca\.safetensors, by which the features were"):
        xmodal.load_encoder(card)


def test_what_a_card_says(shared: Shared) -> None:
    card, run = shared.cards["pca"], shared.runs["pca"]
    config = json.loads((card / "config.json").read_text())
    with Store.open(shared.world.store, read_only=True) as store:
        row = store.load_run(run)
        scores = {
            one["question_set"]: one for one in store.analysis("score-points", runs=run).to_pylist()
        }
    weights = shared.world.store.parent / "runs" / run / "projector.safetensors"
    assert (card / "projector.safetensors").read_bytes() == weights.read_bytes()
    assert (config["run_id"], config["lm"]["weights_sha256"]) == (run, row["lm_hash"])
    # a folder of this machine: its last part alone
    assert config["lm"]["name"] == shared.world.lm.name
    assert str(shared.world.lm) not in "".join(path.read_text("latin-1") for path in card.iterdir())
    answer_ids = json.loads(row["recipe_json"])["answer_ids"]
    assert [config["prompt"]["yes_id"], config["prompt"]["no_id"]] == answer_ids
    assert config["manifest"]["manifest_id"] == row["manifest_id"]
    pictures = (card / "training_pictures.txt").read_text().split()
    assert len(pictures) == config["training"]["n_pictures"] == 20
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
    images, card = ("real", "noise"), shared.cards["pca"]
    manifest = here.manifests[1]
    list(evaluate_run(here.store, shared.runs["pca"], manifest_id=manifest, images=images))
    assert asked(elsewhere, card, *images, verified=3).startswith("1 runs brought in, 0 unchanged")
    found = answers(elsewhere)
    assert found.num_rows > 0
    assert found == answers(here)
    # apart from own runs; the manifest that it was trained from is here: its cells are known
    with Store.open(elsewhere.store, read_only=True) as store:
        (row,) = store.query("FROM card_run").to_pylist()
        assert store.analysis("main-results").num_rows == store.runs().num_rows == 0
        transfer = store.analysis("transfer").to_pylist()
        assert describe_run(store, row["run_id"])["trained_run_id"] == shared.runs["pca"]
    assert {(one["source"], one["run_id"]) for one in transfer} == {("card", row["run_id"])}
    assert {(one["question_set"], one["own_set"]) for one in transfer} == {
        ("held_out", "held_out"), ("seen", "held_out"), ("leaf", "leaf")
    }  # fmt: skip


def negative(folder: Path) -> tuple[Taxonomy, Manifest]:
    """The same leaves with other pictures."""
    table = tiny.table(folder)
    for path in folder.glob("*.png"):
        ImageOps.invert(Image.open(path)).save(path)
    of = build_taxonomy(TaxonomyConfig(source="csv", min_leaves=2), csv=table)
    return of, tiny.manifest(of, ratio=1.0)


def test_another_dataset_is_asked_where_features_are_made_alike(
    shared: Shared, elsewhere: Tiny, tmp_path: Path
) -> None:
    of, manifest = negative(tmp_path / "negative")
    with Store.open(elsewhere.store) as store:
        store.add_taxonomy(of)
        store.add_manifest(manifest)
    mean, pca = shared.cards["mean"], shared.cards["pca"]
    to = {"manifest": manifest.manifest_id}
    assert "holds no features of dataset " in refused(elsewhere, mean, **to)
    ensure_features(elsewhere.store, MEAN, of.dataset_id)
    said = refused(elsewhere, pca, **to)
    assert "was made otherwise than the card's: it has " in said
    assert "pooling mean, the card pca" in said
    assert asked(elsewhere, mean, **to).endswith("1 evaluations brought in")
    with Store.open(elsewhere.store, read_only=True) as store:
        transfer = store.analysis("transfer").to_pylist()
        (run,) = store.query("FROM card_run").to_pylist()
        problems = [one.problems for one in verify(store, elsewhere.store.parent / "runs")]
    assert problems == [()] * len(problems)
    assert {one["own_set"] for one in transfer} == {None}
    assert run["dataset_id"] == of.dataset_id != run["trained_dataset_id"]
    said = refused(elsewhere, mean, "mean", **to)
    assert said.startswith("image mean is made of the pictures that the projector was trained on")


def test_pictures_that_it_was_trained_on_are_refused(
    shared: Shared, elsewhere: Tiny, tmp_path: Path
) -> None:
    card = Path(shutil.copytree(shared.cards["mean"], tmp_path / "card"))
    # a card whose projector was trained on every picture
    with Store.open(elsewhere.store, read_only=True) as store:
        pictures = store.query("SELECT DISTINCT sha256 FROM image ORDER BY 1")["sha256"].to_pylist()
    (card / "training_pictures.txt").write_text("".join(f"{one}\n" for one in pictures))
    config = json.loads((card / "config.json").read_text())
    config["training"]["pictures_sha256"] = training_sha256(pictures)
    (card / "config.json").write_text(json.dumps(config))
    said = refused(elsewhere, card)
    assert said.startswith("the projector was trained on 10 of the 10 pictures asked about, such")
    assert not (elsewhere.store.parent / "runs").exists()
    assert asked(elsewhere, card, allow_seen=True).endswith("1 evaluations brought in")


def test_damaged_cards_are_refused(shared: Shared, elsewhere: Tiny, tmp_path: Path) -> None:
    card = Path(shutil.copytree(shared.cards["pca"], tmp_path / "card"))
    config = json.loads((card / "config.json").read_text())

    def said(**changes: Any) -> str:
        (card / "config.json").write_text(json.dumps(config | changes))
        return refused(elsewhere, card)

    assert "must be of library xmodal and format 1, got 'xmodal' and 2" in said(format=2)
    assert "question of prompt 'default' is 'Is there {phrase} in the image?' here" in said(
        prompt=config["prompt"] | {"question": "{phrase}?"}
    )
    assert "gives Yes and No the ids " in said(prompt=config["prompt"] | {"yes_id": 1})
    another = config["features"] | {"sha256": "0" * 64, "pca_sha256": "1" * 64}
    assert "was pooled by another pca than the card's (" in said(features=another)
    (card / "config.json").write_text(json.dumps(config))
    assert refused(elsewhere, card, lm=None) == (
        "lm 'lm' of the card was a folder where it was trained: give its place here with --lm"
    )
    assert "of weights 000000000000" in said(lm=config["lm"] | {"weights_sha256": "0" * 64})
    (card / "training_pictures.txt").write_text("0\n")
    assert "is not the list that the card was made with" in said()
    weights = bytearray((card / "projector.safetensors").read_bytes())
    weights[-1] ^= 1
    (card / "projector.safetensors").write_bytes(weights)
    assert "projector.safetensors has sha256 " in said()
    with pytest.raises(DataError, match=r"projector\.safetensors has sha256 "):
        xmodal.load_projector(card)
    Pca(*(torch.ones(size) for size in ((4,), (4, 2), (1,)))).save(card / "pca.safetensors")
    with pytest.raises(DataError, match=r"pca\.safetensors has sha256 "):
        xmodal.load_encoder(card)
    (card / "config.json").unlink()
    assert "is no folder of `xmodal card`: it has no config.json" in refused(elsewhere, card)
    assert not (elsewhere.store.parent / "runs").exists()


def test_what_is_written_and_what_is_not(shared: Shared, tmp_path: Path) -> None:
    with Store.open(shared.world.store) as store:
        released.add(store, [(released.run("published"), [])])
    with pytest.raises(StoreError, match=r"^run published is a released one and has no projector"):
        make_card(shared.world.store, "published")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(DataError, match="is not empty: give a folder that is empty or not there"):
        make_card(shared.world.store, shared.runs["pca"], tmp_path / "full")
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "x"]


def test_the_commands(
    shared: Shared, elsewhere: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "card"
    done = shared.world.call("card", shared.runs["pca"][:6], "--output", card)
    assert (done.exit_code, done.stdout) == (0, f"{card}\n"), done.stderr
    assert {path.name for path in card.iterdir()} == {
        "README.md", "config.json", "pca.safetensors", "projector.safetensors",
        "training_pictures.txt",
    }  # fmt: skip
    given = ("--projector", card, "--manifest", elsewhere.manifests[0])
    done = elsewhere.call("eval", *given)
    assert (done.exit_code, done.stderr) == (1, (
        "error: lm 'lm' of the card was a folder where it was trained: give its place here with "
        "--lm\n"
    ))  # fmt: skip
    done = elsewhere.call("eval", *given, "--lm", elsewhere.lm)
    assert done.exit_code == 0, done.stderr
    assert " scored: " in done.stdout
    # of a shared projector its own manifest is another's too
    with Store.open(elsewhere.store, read_only=True) as store:
        transfer = store.analysis("transfer").to_pylist()
    assert {(one["asked_ratio"], one["trained_ratio"]) for one in transfer} == {(1.0, 1.0)}
    capsys.readouterr()
    for use in ({"projector": card}, {"run": "a", "lm": "b"}, {"run": "a", "projector": card}, {}):
        with pytest.raises(Exit):
            eval_command(store=elsewhere.store, **use)  # type: ignore[arg-type]
        assert capsys.readouterr().err.startswith("error: give --run RUN, or --projector FOLDER ")
