"""Alignments as they are asked for: small enough to send to another process, and running them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from taxonomy.hashing import content_id
from taxonomy.model import Taxonomy
from taxonomy.separation import read_classes
from taxonomy.separation.edges import Edges
from xmodal.align.caption_pairs import choose_captions
from xmodal.align.class_pairs import Chosen, ClassWorld
from xmodal.align.evaluate import Evaluated, answer_classes, write_evaluation
from xmodal.align.pairs import Pairs
from xmodal.align.recipes import Recipe
from xmodal.align.run import AlignResult, AlignSpec, train_run
from xmodal.align.text_features import TextFeatureSet, load_text_features
from xmodal.align.trainer import Trainer
from xmodal.alignments.captions import bundled_nouns, caption_filter, stored_captions
from xmodal.features.extract import load_features
from xmodal.jobs import runs_dir
from xmodal.store import Store
from xmodal.store.separations import Part, load_part
from xmodal.tables import ANSWERS

OnRunStep = Callable[[int, int, int, float], None]
"""Called with (place of the run, step, steps in all, loss)."""


@dataclass(frozen=True, kw_only=True)
class AlignJob:
    """One run, over the pictures and class texts of a dataset or over captions."""

    store: Path
    text_feature_set_id: str
    """Of the texts that are trained on."""
    recipe: Recipe
    feature_set_id: str | None = None
    """Of a dataset's pictures: to train on, or, with captions, to ask about; None for none."""
    caption_set_id: str | None = None
    """Train on these captions."""
    class_texts: str | None = None
    """Text features of the classes to ask about; None for those that are trained on."""
    separation_id: str | None = None
    level: str | None = None
    arm: str | None = None
    n_pairs: int | None = None
    """Train on so many pairs only; None for all."""
    validation: str = "pictures"
    """What is looked at while training: pictures, classes, pairs (of captions) or none."""
    validation_share: float = 0.1
    """Of the classes, or of the captions' pictures, that are held out to look at."""
    seed: int = 42
    """Of initialisation, order and dropout; what is drawn among pairs and classes is the same for
    all seeds."""
    device: str = "cpu"
    rows: int | None = None
    """Rows that go through the projections at once; None for the whole batch."""
    offload: bool = False
    split: str = "test"
    """Whose pictures are asked about at the end."""


@dataclass(frozen=True, kw_only=True)
class _Data:
    """What a job trains on, and what it is asked."""

    chosen: Chosen
    facts: Mapping[str, Any]
    settings: Mapping[str, Any]
    world: ClassWorld | None
    part: Part


def align_jobs(jobs: list[AlignJob], on_step: OnRunStep | None = None) -> list[AlignResult]:
    """Train and score jobs one after another; what is finished is left as it is."""
    return [
        _align_job(job, functools.partial(on_step, i) if on_step is not None else None)
        for i, job in enumerate(jobs)
    ]


@dataclass(frozen=True, kw_only=True)
class PreparedJob:
    """A job with its data at hand."""

    job: AlignJob
    spec: AlignSpec
    world: ClassWorld | None
    """What is asked about at the end; None for nothing."""
    part: Part

    def score(self, result: AlignResult, split: str) -> Evaluated | None:
        """Ask the trained run about the pictures of a split; None if there is nothing to ask."""
        if self.world is None:
            return None
        device = torch.device(self.job.device)
        edges = edges_of(self.world.of)
        return score_classes(result, self.world, edges, self.part, split=split, device=device)


def _align_job(job: AlignJob, on_step: Callable[[int, int, float], None] | None) -> AlignResult:
    prepared = prepare_job(job)
    result = train_run(prepared.spec, runs_dir(job.store), on_step)
    prepared.score(result, job.split)
    return result


def prepare_job(job: AlignJob) -> PreparedJob:
    """Read what a job trains on and is asked; nothing is written."""
    data = _class_data(job) if job.caption_set_id is None else _caption_data(job)
    where = torch.device(job.device)
    spec = AlignSpec(
        trainer=Trainer(
            pairs=_on(data.chosen.train, where),
            validation=data.chosen.validation,
            recipe=job.recipe,
            seed_init=job.seed,
            seed_order=job.seed,
            data_id=content_id(
                [data.chosen.data_id, job.separation_id, job.level, job.arm, data.settings]
            ),
            rows=job.rows,
            offload=job.offload,
            device=where,
        ),
        trained=data.chosen.trained,
        facts={
            "separation_id": job.separation_id,
            "level": job.level,
            "arm": job.arm,
            **data.facts,
            "n_images": data.chosen.n_images,
            "validation": job.validation,
        },
        settings=data.settings,
    )
    return PreparedJob(job=job, spec=spec, world=data.world, part=data.part)


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
) -> Evaluated:
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
        "example_set": None,
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


def world_of(store: Store, feature_set_id: str, text_feature_set_id: str) -> ClassWorld:
    """A dataset's pictures and class texts, from the ids of their features.

    Args:
        store: Open, to read.
        feature_set_id: Of pictures; whole.
        text_feature_set_id: Of class texts; whole.
    """
    (row,) = store.query(
        "SELECT path, dataset_id FROM feature_set WHERE feature_set_id = $id",
        {"id": feature_set_id},
    ).to_pylist()
    of: Taxonomy = store.load_taxonomy(row["dataset_id"])
    return ClassWorld(
        of=of,
        pictures=load_features(Path(store.path).parent / row["path"]),
        texts=texts_of(store, text_feature_set_id),
    )


def texts_of(store: Store, text_feature_set_id: str) -> TextFeatureSet:
    """Text features by their whole id."""
    (row,) = store.query(
        "SELECT path FROM text_feature_set WHERE text_feature_set_id = $id",
        {"id": text_feature_set_id},
    ).to_pylist()
    return load_text_features(Path(store.path).parent / row["path"])


def edges_of(of: Taxonomy) -> Edges:
    """Edges between the classes of a dataset in WordNet."""
    classes = read_classes(of, bundled_nouns())
    return Edges(classes.nouns, dict(zip(classes.ids, classes.nodes, strict=True)))


@functools.lru_cache(maxsize=4)
def _world(store: Path, feature_set_id: str, text_feature_set_id: str) -> ClassWorld:
    with Store.open(store, read_only=True) as opened:
        return world_of(opened, feature_set_id, text_feature_set_id)


def _part(job: AlignJob) -> Part | None:
    """Who is unseen; None without a separation."""
    if job.separation_id is None or job.level is None or job.arm is None:
        return None
    with Store.open(job.store, read_only=True) as opened:
        return load_part(opened, job.separation_id, job.level, job.arm)


def _class_data(job: AlignJob) -> _Data:
    assert job.feature_set_id is not None
    world = _world(job.store, job.feature_set_id, job.text_feature_set_id)
    part = _part(job) or Part(frozenset(), frozenset(world.class_ids))
    chosen = world.choose(
        part.trained,
        validation=job.validation,
        share=job.validation_share,
        held_out=part.trained - part.unseen,
        n_pairs=job.n_pairs,
    )
    settings: dict[str, Any] = {"n_views": world.pictures.config.n_views, **_limit(job)}
    if job.validation == "classes":
        settings["validation_share"] = job.validation_share
    facts = {
        "dataset_id": world.of.dataset_id,
        "caption_set_id": None,
        **_text_facts(world.texts),
        "feature_set_id": world.pictures.feature_set_id,
        "encoder": world.pictures.config.encoder,
        "n_classes": len(chosen.trained),
    }
    return _Data(chosen=chosen, facts=facts, settings=settings, world=world, part=part)


def _caption_data(job: AlignJob) -> _Data:
    assert job.caption_set_id is not None
    part = _part(job)
    with Store.open(job.store, read_only=True) as opened:
        captions = stored_captions(opened, job.caption_set_id)
        texts = texts_of(opened, job.text_feature_set_id)
        separation = None
        if part is not None and job.separation_id is not None:
            separation = opened.load_separation(job.separation_id)
            of = opened.load_taxonomy(separation.dataset_id)
    keep = None
    if separation is not None and job.level is not None and job.arm is not None:
        keep = caption_filter(separation, of, job.level, job.arm, captions.texts())
    chosen = choose_captions(
        captions,
        texts,
        keep=keep,
        validation=job.validation,
        share=job.validation_share,
        n_pairs=job.n_pairs,
    )
    world = None
    if job.feature_set_id is not None and job.class_texts is not None:
        world = _world(job.store, job.feature_set_id, job.class_texts)
    if part is None:
        # no class was shown as such
        part = Part(frozenset(() if world is None else world.class_ids), frozenset())
    else:
        chosen = replace(chosen, trained=tuple(sorted(part.trained)))
    facts = {
        "dataset_id": None if separation is None else separation.dataset_id,
        "caption_set_id": captions.caption_set_id,
        **_text_facts(texts),
        "feature_set_id": None,
        "encoder": captions.encoder,
        "n_classes": None,
    }
    settings = _limit(job)
    if job.validation == "pairs":
        settings["validation_share"] = job.validation_share
    return _Data(chosen=chosen, facts=facts, settings=settings, world=world, part=part)


def _limit(job: AlignJob) -> dict[str, Any]:
    return {} if job.n_pairs is None else {"n_pairs": job.n_pairs}


def _text_facts(texts: TextFeatureSet) -> dict[str, Any]:
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


def _on(pairs: Pairs, device: torch.device) -> Pairs:
    """Pairs whose features lie on a GPU, where there is room for them; else as they are."""
    if device.type != "cuda":
        return pairs
    needed = sum(one.numel() * one.element_size() for one in (pairs.text, pairs.image))
    free, _ = torch.cuda.mem_get_info(device)
    if needed > free // 2:
        return pairs
    return replace(pairs, text=pairs.text.to(device), image=pairs.image.to(device))
