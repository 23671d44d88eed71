"""Rank all hypernyms for each test picture of a run, beyond yes and no."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from taxonomy.errors import ConfigError
from taxonomy.manifest.draws import Floats, Ints
from taxonomy.manifest.world import Concepts, World, read_world
from taxonomy.model import Manifest
from taxonomy.relations.relation import question_text
from xmodal.features.extract import load_features
from xmodal.features.skipped import with_features
from xmodal.lms.causal import LanguageModel
from xmodal.store import Store
from xmodal.vlm.evaluate import ask
from xmodal.vlm.forward import tokenise
from xmodal.vlm.prompts import prompt_template
from xmodal.vlm.run_folder import RunFolder
from xmodal.vlm.trainset import Examples

LoadLm = Callable[[dict[str, Any]], LanguageModel]
"""From all columns of a run to its LM."""


def rank_pictures(
    store: Path, run_id: str, load: LoadLm, batch_size: int
) -> tuple[pa.Table, pa.Table]:
    """The rank of each true hypernym of each test picture, by the margin of Yes over No.

    Every hypernym is asked about every test picture, in the run's own question. A true
    hypernym, by the labels that the run's manifest gives the picture, is ranked among itself
    and the hypernyms that are false of that leaf in every source; ties count against it.

    Args:
        store: The DuckDB file; the run's folder and its features lie beside it.
        run_id: Id of a run or its beginning.
        load: Loads the run's LM.
        batch_size: Questions a forward pass.

    Returns:
        Scores over (picture, true hypernym), of held-out and of kept cells and of both; see
        rank_scores. Then the ranks one by one; see ranks.

    Raises:
        StoreError: No such run.
        ConfigError: The LM's weights are not those of the run.
        DataError: A folder of the run is not whole.
    """
    with Store.open(store, read_only=True) as opened:
        run = opened.load_run(run_id)
        manifest = opened.load_manifest(run["manifest_id"])
        taxonomy = opened.load_taxonomy(run["dataset_id"])
    relation = manifest.config.relation
    world = read_world(taxonomy, relation)
    features = load_features(store.parent / "features" / str(run["feature_set_id"]))
    manifest = with_features(manifest, features)
    projector = RunFolder(store.parent / "runs" / run["run_id"]).load_projector()
    lm = load(run)
    if lm.sha256 != run["lm_hash"]:
        raise ConfigError(
            f"run {run['run_id']} was trained with lm {run['lm']!r} of weights "
            f"{run['lm_hash'][:12]}, which are now {lm.sha256[:12]}; bring the old ones back"
        )
    image, leaf = labelled_pictures(manifest, world.leaves)
    prompt = prompt_template(run["prompt"], relation, question_text(taxonomy, relation))
    phrases = list(world.hypernyms.phrases)
    questions = tokenise(lm, prompt, phrases, [True] * len(phrases))
    scores = ask(
        lm,
        projector.to(lm.device),
        features.take(image),
        questions,
        _grid(image, leaf, phrases),
        batch_size=batch_size,
    )
    margin = (scores.logit_yes - scores.logit_no).reshape(len(image), -1).astype(np.float64)
    found = ranks(margin, image, leaf, world, manifest)
    return rank_scores(found), found


def labelled_pictures(manifest: Manifest, leaves: Concepts) -> tuple[Ints, Ints]:
    """The pictures of a manifest's test questions.

    Returns:
        int64 [N] each: ids, ascending, and the row in leaves of the label that each carries.
    """
    examples = manifest.examples
    test = np.flatnonzero(examples["split"].to_numpy() == "test")
    image, first = np.unique(examples["image_id"].to_numpy()[test], return_index=True)
    label = examples["label_leaf_id"].to_numpy()[test][first]
    return image.astype(np.int64), np.searchsorted(leaves.ids, label).astype(np.int64)


def _grid(image: Ints, leaf: Ints, phrases: list[str]) -> Examples:
    """Every phrase asked about every picture, picture by picture."""
    n_images, n_phrases = len(image), len(phrases)
    n = n_images * n_phrases
    return Examples(
        example_id=np.arange(n, dtype=np.int64),
        image=np.repeat(image, n_phrases),
        asked=np.tile(np.arange(n_phrases, dtype=np.int64), n_images),
        answer=np.zeros(n, dtype=np.bool_),
        kind=np.full(n, "hypernym"),
        split=np.full(n, "test"),
        question_set=np.full(n, "held_out"),
        in_training=np.zeros(n, dtype=np.bool_),
        leaf=np.repeat(leaf, n_phrases),
        phrases=phrases,
        targets=[True] * n_phrases,
    )


def ranks(margin: Floats, image: Ints, leaf: Ints, world: World, manifest: Manifest) -> pa.Table:
    """One row a (picture, true hypernym).

    Args:
        margin: float64 [N, H], logit of Yes less logit of No.
        image: int64 [N], ids of the pictures.
        leaf: int64 [N], rows of their labels in world.leaves.
        world: The dataset; H hypernyms.
        manifest: Says which cells are held out.

    Returns:
        image_id, leaf (the label), hypernym, held_out, margin, rank from 1, n_ranked.
    """
    held = {
        (row["leaf_id"], row["hypernym_id"]): row["held_out"]
        for row in manifest.cells.to_pylist()
        if row["answer"]
    }
    rows = []
    for place, row in enumerate(leaf.tolist()):
        rivals = margin[place, world.false[row]]
        for column in np.flatnonzero(world.used[row]).tolist():
            own = margin[place, column]
            cell = int(world.leaves.ids[row]), int(world.hypernyms.ids[column])
            rows.append(
                {
                    "image_id": int(image[place]),
                    "leaf": world.leaves.words[row],
                    "hypernym": world.hypernyms.words[column],
                    "held_out": held[cell],
                    "margin": float(own),
                    "rank": 1 + int((rivals >= own).sum()),
                    "n_ranked": 1 + len(rivals),
                }
            )
    return pa.Table.from_pylist(rows)


def rank_scores(found: pa.Table) -> pa.Table:
    """Scores of the rows of ranks.

    Returns:
        For held-out cells, kept cells and all cells: n, mean_rank, mrr (mean of 1 / rank) and
        recall_at_1, and beside each what a random order would give on average.
    """
    rank, n_ranked = (found[name].to_numpy().astype(np.float64) for name in ("rank", "n_ranked"))
    held = found["held_out"].to_numpy(zero_copy_only=False)
    groups = {"held_out": held, "kept": ~held, "all": np.ones(len(held), dtype=np.bool_)}
    harmonic = np.cumsum(1 / np.arange(1, int(n_ranked.max()) + 1))
    rows = []
    for name, chosen in groups.items():
        if not chosen.any():
            continue
        own, n = rank[chosen], n_ranked[chosen]
        rows.append(
            {
                "cells": name,
                "n": len(own),
                "mean_rank": float(own.mean()),
                "mean_rank_random": float(((n + 1) / 2).mean()),
                "mrr": float((1 / own).mean()),
                "mrr_random": float((harmonic[n.astype(np.int64) - 1] / n).mean()),
                "recall_at_1": float((own == 1).mean()),
                "recall_at_1_random": float((1 / n).mean()),
            }
        )
    return pa.Table.from_pylist(rows)
