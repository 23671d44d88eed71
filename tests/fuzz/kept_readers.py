"""Readers of what the package itself keeps: sets, weights, states, records."""

from __future__ import annotations

import functools
import io
import json
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import save

from tests.fuzz.card_files import card_files, read_card
from tests.fuzz.case import Reader
from tests.fuzz.damage import npy, to_parquet
from tests.xmodal.align import small as small_align
from tests.xmodal.binding import small as small_binding
from xmodal.align import captions, text_features
from xmodal.align.caption_index import PAIR, TEXT
from xmodal.align.checkpoint import Checkpoint as AlignCheckpoint
from xmodal.align.run_folder import AlignFolder
from xmodal.binding.probe_folder import (
    ProbeFacts,
    find_probe,
    probe_folder,
    read_table,
    write_probe,
)
from xmodal.binding.run_folder import BindingFolder, load_decoder, restore
from xmodal.binding.scene_config import SceneSetConfig, draw_objects
from xmodal.binding.scene_set import SceneRecord
from xmodal.binding.shown import load_scene_set
from xmodal.binding_tables import RETRIEVAL
from xmodal.bundle.encoder.load import PICTURES, RECIPE, SCALE, WEIGHTS, read_encoder
from xmodal.bundle.encoder.net import Net, NetConfig
from xmodal.features.config import FeatureConfig
from xmodal.features.feature_set import FeatureSet, load_features
from xmodal.features.imported import _read
from xmodal.features.shards import Note, Notes, Shard
from xmodal.run_record import RecordFolder
from xmodal.vlm.checkpoint import Checkpoint
from xmodal.vlm.early_stop import Looks
from xmodal.vlm.projector import Projector, ProjectorConfig
from xmodal.vlm.run_folder import RunFolder
from xmodal.vlm.trainer import TrainState

Row = tuple[str, dict[str, bytes], dict[str, str], Any, str]
SCENES = SceneSetConfig(n_from=2, n_to=3, n_scenes=20, seed=3)


def in_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def caption_files() -> dict[str, bytes]:
    said = captions.CaptionSet(
        caption_set_id="c", name="c", source="parquet", encoder="e", encoder_version="1",
        revision="1", weights_sha256=None, layer="last", pooling="mean", precision="float32",
        side=64, width=3, n_pairs=2, n_texts=2, n_images=2, n_skipped=0, first_skipped=None,
        sha256="0" * 64, path=Path(),
    )  # fmt: skip
    pairs = [{"pair": k, "key": str(k), "text_row": k, "image_row": k} for k in range(2)]
    texts = [{"row": k, "caption": f"text {k}"} for k in range(2)]
    return {
        captions.DESCRIPTION: in_json(asdict(said) | {"path": None}),
        captions.ARRAY: npy(np.ones((2, 3), np.float32)),
        captions.PAIRS: to_parquet(pa.Table.from_pylist(pairs, PAIR)),
        captions.TEXTS: to_parquet(pa.Table.from_pylist(texts, TEXT)),
    }


def read_caption_set(folder: Path) -> object:
    found = captions.load_caption_set(folder)
    return float(found.open().sum()), found.pairs().to_pylist(), found.texts()


def text_files() -> dict[str, bytes]:
    said = text_features.TextFeatureSet(
        text_feature_set_id="t", dataset_id=None, templates=("a {}",), lm="l", lm_revision=None,
        lm_hash="h", lm_init="pretrained", lm_kind="causal", n_lm_parameters=1, pooling="last",
        layer="last", longest=9, n_texts=2, n_cut=0, n_unknown=0, width=3, sha256="0" * 64,
        path=Path(),
    )  # fmt: skip
    rows = [{"row": k, "concept_id": None, "texts": ["x"]} for k in range(2)]
    return {
        text_features.DESCRIPTION: in_json(asdict(said) | {"path": None}),
        text_features.ARRAY: npy(np.ones((2, 3), np.float32)),
        text_features.TEXTS: to_parquet(pa.Table.from_pylist(rows, text_features.SCHEMA)),
    }


def read_text_set(folder: Path) -> object:
    found = text_features.load_text_features(folder)
    return float(found.open().sum()), found.table().to_pylist()


def feature_files() -> dict[str, bytes]:
    said = FeatureSet(
        feature_set_id="f", dataset_id="d", config=FeatureConfig(encoder="classical"), n_images=2,
        augmented=np.array([1]), sha256="0" * 64, path=Path(), skipped=((0, "cut"),),
        training_pictures=frozenset(["a" * 64]),
    )  # fmt: skip
    return {
        "feature_set.json": said.description().encode(),
        "features.npy": npy(np.ones((6, 1, 4), np.float32)),
    }


def read_feature_set(folder: Path) -> object:
    found = load_features(folder)
    return found.shape, found.take(np.array([0, 1])), found.skipped_images


def npz(**arrays: Any) -> bytes:
    sink = io.BytesIO()
    np.savez(sink, **arrays)
    return sink.getvalue()


def given_files() -> dict[str, bytes]:
    rows = torch.ones(2, 3)
    return {
        "f.npz": npz(features=rows.numpy(), ids=np.array(["a", "b"])),
        "f.safetensors": save({"features": rows}, {"ids": '["a", "b"]'}),
        "ids.txt": b"a\nb\n",
    }


def read_given(name: str, folder: Path) -> object:
    found = _read(folder / name, folder / "ids.txt" if name == "f.npz" else None)
    return found.ids, found.read(np.arange(len(found.ids)))


def stepped(module: torch.nn.Module, kind: Any) -> Any:
    optimiser = kind(module.parameters(), lr=0.01)
    sum(value.sum() for value in module.parameters()).backward()
    optimiser.step()
    return optimiser


def vlm_state() -> TrainState:
    torch.manual_seed(0)
    projector = Projector(ProjectorConfig(hidden=4, n_tokens=2), 3, 5)
    weights = {name: value.clone() for name, value in projector.state_dict().items()}
    return TrainState(
        projector=projector,
        optimiser=stepped(projector, torch.optim.AdamW),
        step=1,
        metrics=[(1, "loss", 0.5)],
        looks=Looks(0.5, 1, weights, 0),
    )


def trained(home: Path) -> dict[str, dict[str, bytes]]:
    """Weights and states of the three experiments, as they are saved."""
    vlm, align, binding = (home / name for name in ("vlm", "align", "binding"))
    for folder in (vlm, align, binding):
        folder.mkdir(parents=True, exist_ok=True)
    state = vlm_state()
    RunFolder(vlm).save_projector(state, {"run_id": "r"})
    RunFolder(vlm).checkpoint.save({"r": state})
    run = small_align.trainer()
    trained_state = run.run(run.start(), until=4)
    AlignFolder(align).save_aligner(trained_state.aligner, "r", [1, 2])
    AlignFolder(align).checkpoint.save("r", trained_state)
    of = small_binding.trainer(1, dtype=torch.float32)
    stopped = of.run(of.start(), until=2)
    BindingFolder(binding).save_state("r", stopped, 0)
    BindingFolder(binding).save_decoder(stopped.decoder, 0, {"run_id": "r"})
    return {
        folder.name: {path.name: path.read_bytes() for path in folder.iterdir()}
        for folder in (vlm, align, binding)
    }


@functools.cache
def fresh() -> tuple[TrainState, Any, Any]:
    of = small_binding.trainer(1, dtype=torch.float32)
    return vlm_state(), small_align.trainer().start(), of.start()


def read_vlm_state(folder: Path) -> object:
    checkpoint = Checkpoint(folder / "state.safetensors")
    checkpoint.load({"r": fresh()[0]})
    return checkpoint.run_ids()


def read_binding_state(folder: Path) -> object:
    found = BindingFolder(folder)
    if not found.saved_step("r"):
        return None
    return restore(fresh()[2], [found.load_state("r")])


def scene_files() -> dict[str, bytes]:
    said = SceneRecord(
        scene_set_id="s", config=SCENES, encoder_version="1", revision="1", weights_sha256=None,
        side=64, n_image_tokens=4, width=3, mean=(0.0,) * 3, std=(1.0,) * 3, sha256="0" * 64,
        path=Path(),
    )  # fmt: skip
    return {
        "scene_set.json": in_json(asdict(said) | {"path": None}),
        "scenes.npz": npz(**draw_objects(SCENES).arrays()),
        "tokens.npy": npy(np.zeros((20, 4, 3), np.float16)),
    }


PROBED = ProbeFacts(
    kind="retrieval", lm="l", lm_hash="h", vocabulary="words", n_layers=2, n_examples=3, seed=0
)


def probe_files(home: Path) -> dict[str, bytes]:
    rows = pa.Table.from_pylist([dict.fromkeys(RETRIEVAL.names, 1)], RETRIEVAL)
    write_probe(home / "probed", PROBED, rows, seconds=1.0, device="cpu")
    folder = probe_folder(home / "probed", PROBED.probe_id)
    return {f"probes/{PROBED.probe_id}/{path.name}": path.read_bytes() for path in folder.iterdir()}


def read_probe(folder: Path) -> object:
    found = find_probe(folder, PROBED)
    return None if found is None else read_table(found, PROBED.kind)


def encoder_files() -> dict[str, bytes]:
    config = NetConfig(width=4, n_channels=2)
    weights = save({**Net(config).state_dict(), SCALE: torch.tensor(1.0)})
    files = {WEIGHTS: weights, PICTURES: b"a" * 64 + b"\n"}
    hashes = {name: sha256(content).hexdigest() for name, content in files.items()}
    recipe = {"sha256": hashes, "training": {"net": vars(config), "n_steps": 1}}
    return {RECIPE: in_json(recipe), **files}


SHARD = cast(Shard, SimpleNamespace(name="000000000000"))


def kept_readers(home: Path) -> list[Reader]:
    """Readers of the package's own files, which are made in home."""
    runs = trained(home)
    scenes, probe = scene_files(), probe_files(home)
    record, table = (next(n for n in probe if n.endswith(end)) for end in (".json", ".parquet"))
    notes = home / "notes"
    notes.mkdir(exist_ok=True)
    Notes(notes).write(SHARD, Note(sha256="a", fit="", skipped=((1, "x"),)))
    note = {path.name: path.read_bytes() for path in notes.iterdir()}
    (note_name,) = note
    sets: list[Row] = [
        ("caption-set", caption_files(), dict(zip(
            (captions.DESCRIPTION, captions.ARRAY, captions.PAIRS, captions.TEXTS),
            ("json", "npy", "parquet", "parquet"), strict=True)),
         read_caption_set, "xmodal.align.captions:record_of"),
        ("text-set", text_files(), dict(zip(
            (text_features.DESCRIPTION, text_features.ARRAY, text_features.TEXTS),
            ("json", "npy", "parquet"), strict=True)),
         read_text_set, "xmodal.align.text_features:record_of"),
        ("feature-set", feature_files(), {"feature_set.json": "json", "features.npy": "npy"},
         read_feature_set, "xmodal.features.feature_set:FeatureConfig.__post_init__"),
        ("given-npz", given_files(), {"f.npz": "npz", "ids.txt": "text"},
         functools.partial(read_given, "f.npz"), "xmodal.features.imported:_lines"),
        ("given-tensors", given_files(), {"f.safetensors": "tensors"},
         functools.partial(read_given, "f.safetensors"), "xmodal.features.imported:value_of"),
        ("scene-set", scenes, {"scene_set.json": "json", "scenes.npz": "npz", "tokens.npy": "npy"},
         load_scene_set, "xmodal.binding.shown:_check_objects"),
        ("probe", probe, {record: "json", table: "parquet"}, read_probe,
         "xmodal.binding.probe_folder:read_object"),
        ("encoder", encoder_files(), {RECIPE: "json", WEIGHTS: "tensors", PICTURES: "text"},
         read_encoder, "xmodal.bundle.encoder.load:NetConfig.__post_init__"),
        ("note", note, {note_name: "json"}, lambda f: Notes(f).read(SHARD),
         "xmodal.features.shards:record_of"),
        ("record", {"run.json": in_json({"status": "finished", "started_at": "x"})},
         {"run.json": "json"}, lambda f: RecordFolder(f).record(), "xmodal.run_record:read_object"),
    ]  # fmt: skip
    card = card_files(runs["vlm"]["projector.safetensors"])
    weights: list[Row] = [
        ("card", card, dict(zip(card, ("json", "tensors", "text", "tensors"), strict=True)),
         read_card, "xmodal.sharing.config:CardConfig.__init__"),
        ("projector", runs["vlm"], {"projector.safetensors": "tensors"},
         lambda f: RunFolder(f).load_projector(), "xmodal.vlm.run_folder:Projector.__init__"),
        ("vlm-state", runs["vlm"], {"state.safetensors": "tensors"}, read_vlm_state,
         "xmodal.vlm.checkpoint:_restore"),
        ("aligner", runs["align"], {"aligner.safetensors": "tensors"},
         lambda f: AlignFolder(f).load_aligner(), "xmodal.align.run_folder:Aligner.__init__"),
        ("align-state", runs["align"], {"state.safetensors": "tensors"},
         lambda f: AlignCheckpoint(f / "state.safetensors").load("r", fresh()[1]),
         "xmodal.align.checkpoint:_looks"),
        ("decoder", runs["binding"], {"decoder.safetensors": "tensors"},
         lambda f: load_decoder(f / "decoder.safetensors"), "xmodal.binding.run_folder:Decoder"),
        ("binding-state", runs["binding"], {"state.safetensors": "tensors"}, read_binding_state,
         "xmodal.binding.run_folder:_moments"),
    ]  # fmt: skip
    return [
        Reader(name=name, files=files, kinds=kinds, read=read, planted=planted)
        for name, files, kinds, read, planted in (*sets, *weights)
    ]
