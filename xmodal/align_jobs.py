"""Alignments as they are asked for: small enough to send to another process, and running them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from taxonomy.hashing import content_id
from taxonomy.model import Taxonomy
from taxonomy.separation import read_classes, read_nouns
from taxonomy.separation.edges import Edges
from taxonomy.wordnet import WordNet
from xmodal.align.class_pairs import ClassWorld
from xmodal.align.evaluate import ANSWERS, answer_classes, write_evaluation
from xmodal.align.pairs import Pairs
from xmodal.align.recipes import Recipe
from xmodal.align.run import AlignResult, AlignSpec, train_run
from xmodal.align.text_features import TextFeatureSet, load_text_features
from xmodal.align.trainer import Trainer
from xmodal.bundle import wordnet_files
from xmodal.features.extract import FeatureSet, load_features
from xmodal.jobs import runs_dir
from xmodal.store import Store
from xmodal.store.separations import Part, load_part

OnRunStep = Callable[[int, int, int, float], None]
"""Called with (place of the run, step, steps in all, loss)."""


@dataclass(frozen=True, kw_only=True)
class AlignJob:
    """One run over the pictures and class texts of a dataset."""

    store: Path
    feature_set_id: str
    text_feature_set_id: str
    recipe: Recipe
    separation_id: str | None = None
    level: str | None = None
    arm: str | None = None
    n_pairs: int | None = None
    """Train on so many pairs only; None for all."""
    validation: str = "pictures"
    """What is looked at while training: pictures, classes or none."""
    validation_share: float = 0.1
    """Of the classes that are held out to look at, for validation classes."""
    seed: int = 42
    """Of initialisation, order, dropout, and of what is drawn among pairs and classes."""
    device: str = "cpu"
    rows: int | None = None
    """Rows that go through the projections at once; None for the whole batch."""
    offload: bool = False
    split: str = "test"
    """Whose pictures are asked about at the end."""


def align_jobs(jobs: list[AlignJob], on_step: OnRunStep | None = None) -> list[AlignResult]:
    """Train and score jobs one after another; what is finished is left as it is."""
    return [
        _align_job(job, functools.partial(on_step, i) if on_step is not None else None)
        for i, job in enumerate(jobs)
    ]


def _align_job(job: AlignJob, on_step: Callable[[int, int, float], None] | None) -> AlignResult:
    world, edges = _world(job.store, job.feature_set_id, job.text_feature_set_id)
    part = _part(job, world)
    chosen = world.choose(
        part.trained,
        validation=job.validation,
        share=job.validation_share,
        held_out=part.trained - part.unseen,
        n_pairs=job.n_pairs,
        seed=job.seed,
    )
    where = torch.device(job.device)
    where_id = [job.separation_id, job.level, job.arm]
    spec = AlignSpec(
        trainer=Trainer(
            pairs=_on(chosen.train, where),
            validation=chosen.validation,
            recipe=job.recipe,
            seed_init=job.seed,
            seed_order=job.seed,
            data_id=content_id([chosen.data_id, *where_id]),
            rows=job.rows,
            offload=job.offload,
            device=where,
        ),
        trained=chosen.trained,
        facts={
            **_facts(world, part, job),
            "n_images": chosen.n_images,
            "n_classes": len(chosen.trained),
            "validation": job.validation,
        },
        settings=_settings(world, job),
    )
    result = train_run(spec, runs_dir(job.store), on_step)
    score_classes(result, world, edges, part, split=job.split, device=where)
    return result


def score_classes(
    result: AlignResult,
    world: ClassWorld,
    edges: Edges,
    part: Part,
    *,
    split: str,
    device: torch.device,
    limit: frozenset[int] | None = None,
    class_list: str | None = None,
) -> Any:
    """Ask a trained run about the pictures of a split, unless that was done.

    Args:
        result: The run.
        world: Whose pictures and class texts; of the encoder and the LM of the run.
        edges: Between two classes.
        part: Which classes are unseen.
        split: Of the pictures.
        device: Where to compute.
        limit: Concept ids of the classes that pictures and candidates are limited to.
        class_list: What that list is called.
    """
    facts = {
        "dataset_id": world.of.dataset_id,
        "caption_set_id": None,
        "text_feature_set_id": world.texts.text_feature_set_id,
        "feature_set_id": world.pictures.feature_set_id,
        "names": world.texts.names,
        "class_list": class_list,
        "split": split,
    }
    identity = {
        "text": world.texts.sha256,
        "image": world.pictures.sha256,
        "unseen": sorted(part.unseen),
        "limit": None if limit is None else sorted(limit),
    }

    def answer() -> dict[str, Any]:
        aligner, trained = result.folder.load_aligner()
        table = answer_classes(
            aligner.to(device), world, split=split, unseen=part.unseen, trained=trained,
            limit=limit, edges=edges,
        )  # fmt: skip
        return {ANSWERS: table}

    return write_evaluation(result.folder, facts, identity, answer, str(device))


@functools.lru_cache(maxsize=4)
def _world(store: Path, feature_set_id: str, text_feature_set_id: str) -> tuple[ClassWorld, Edges]:
    with Store.open(store, read_only=True) as opened:
        found = world_of(opened, feature_set_id, text_feature_set_id)
    return found, edges_of(found.of)


def world_of(store: Store, feature_set_id: str, text_feature_set_id: str) -> ClassWorld:
    """A dataset's pictures and class texts, from the ids of their features.

    Args:
        store: Open, to read.
        feature_set_id: Of pictures; whole.
        text_feature_set_id: Of class texts; whole.
    """
    beside = Path(store.path).parent
    (pictures,) = store.query(
        "SELECT path, dataset_id FROM feature_set WHERE feature_set_id = $id",
        {"id": feature_set_id},
    ).to_pylist()
    (texts,) = store.query(
        "SELECT path FROM text_feature_set WHERE text_feature_set_id = $id",
        {"id": text_feature_set_id},
    ).to_pylist()
    of: Taxonomy = store.load_taxonomy(pictures["dataset_id"])
    found: FeatureSet = load_features(beside / pictures["path"])
    read: TextFeatureSet = load_text_features(beside / texts["path"])
    return ClassWorld(of=of, pictures=found, texts=read)


def edges_of(of: Taxonomy) -> Edges:
    """Edges between the classes of a dataset in WordNet."""
    classes = read_classes(of, read_nouns(WordNet.open(wordnet_files.wordnet_dir())))
    return Edges(classes.nouns, dict(zip(classes.ids, classes.nodes, strict=True)))


def _part(job: AlignJob, world: ClassWorld) -> Part:
    if job.separation_id is None or job.level is None or job.arm is None:
        return Part(frozenset(), frozenset(world.class_ids))
    with Store.open(job.store, read_only=True) as opened:
        return load_part(opened, job.separation_id, job.level, job.arm)


def _facts(world: ClassWorld, part: Part, job: AlignJob) -> dict[str, Any]:
    """Columns of align_run that say what was trained on what."""
    return {
        "dataset_id": world.of.dataset_id,
        "caption_set_id": None,
        "separation_id": job.separation_id,
        "level": job.level,
        "arm": job.arm,
        **text_facts(world.texts),
        "feature_set_id": world.pictures.feature_set_id,
        "encoder": world.pictures.config.encoder,
    }


def text_facts(texts: TextFeatureSet) -> dict[str, Any]:
    """Columns of align_run that say what read the texts."""
    return {
        "text_feature_set_id": texts.text_feature_set_id,
        "lm": texts.lm,
        "lm_revision": texts.lm_revision,
        "lm_hash": texts.lm_hash,
        "lm_init": texts.lm_init,
        "lm_kind": texts.lm_kind,
        "n_lm_parameters": texts.n_lm_parameters,
        "lm_pooling": texts.pooling,
        "lm_layer": texts.layer,
        "templates_json": json.dumps(texts.templates),
    }


def _settings(world: ClassWorld, job: AlignJob) -> dict[str, Any]:
    """What decides the pairs and has no column."""
    said: dict[str, Any] = {"n_views": world.pictures.config.n_views}
    if job.validation == "classes":
        said["validation_share"] = job.validation_share
    return said


def _on(pairs: Pairs, device: torch.device) -> Pairs:
    """Pairs whose features lie on a GPU, where there is room for them; else as they are."""
    if device.type != "cuda":
        return pairs
    held = {id(one): one for one in (pairs.text, pairs.image)}.values()
    needed = sum(one.numel() * one.element_size() for one in held)
    free, _ = torch.cuda.mem_get_info(device)
    if needed > free // 2:
        return pairs
    return Pairs(
        text=pairs.text.to(device),
        image=pairs.image.to(device),
        text_row=pairs.text_row,
        image_row=pairs.image_row,
        group=pairs.group,
    )
