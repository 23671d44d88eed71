"""What makes a run the run it is: its settings, its questions, its record, its scores."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from taxonomy.hashing import content_id
from taxonomy.model import Manifest, Taxonomy
from taxonomy.relations.relation import question_text
from xmodal.features.extract import FeatureSet
from xmodal.lms.causal import LanguageModel
from xmodal.provenance import SETUP, command, git_commit, now, setup, versions
from xmodal.vlm.cost import step_cost
from xmodal.vlm.early_stop import early_stop
from xmodal.vlm.evaluate import score
from xmodal.vlm.forward import Questions, tokenise
from xmodal.vlm.prompts import PromptTemplate, prompt_template
from xmodal.vlm.recipes import Recipe
from xmodal.vlm.run_folder import RunFolder
from xmodal.vlm.selfcheck import packing
from xmodal.vlm.trainer import Trainer, TrainState, steps_of, steps_of_pass
from xmodal.vlm.trainset import Examples, Groups, full_size, group_by_image, read_examples


@dataclass(frozen=True, kw_only=True)
class RunSpec:
    """What makes a run the run it is."""

    taxonomy: Taxonomy
    manifest: Manifest
    lm: LanguageModel
    features: FeatureSet
    recipe: Recipe
    prompt: str = "default"
    seed_init: int = 42
    seed_order: int = 42
    splits: tuple[str, ...] = ("test",)
    """Splits that are scored at the end."""
    image_modes: tuple[str, ...] = ("real", "mean")
    """Ways the pictures are shown at the end."""

    @property
    def template(self) -> PromptTemplate:
        """The prompt, as the manifest's relation words it."""
        relation = self.manifest.config.relation
        return prompt_template(self.prompt, relation, question_text(self.taxonomy, relation))

    @property
    def run_id(self) -> str:
        """Hash of everything that decides the result."""
        return content_id(
            {
                "experiment": "s1",
                "manifest": self.manifest.manifest_id,
                "rows": self.manifest.rows_sha256,
                "lm": self.lm.sha256,
                "lm_init": self.lm.init,
                "features": self.features.sha256,
                "recipe": self.recipe.as_dict(),
                "prompt": self.template.identity(),
                "seeds": [self.seed_init, self.seed_order],
                "scored": [self.splits, self.image_modes],
            }
        )


@dataclass(frozen=True)
class RunResult:
    """Where a run lies and whether it was trained now."""

    run_id: str
    path: Path
    trained: bool


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A run ready to train: its questions, its trainer and its record."""

    spec: RunSpec
    folder: RunFolder
    examples: Examples
    groups: Groups
    questions: Questions
    trainer: Trainer
    record: dict[str, Any]
    """What run.json says; kept up to date."""

    def begin(self, state: TrainState, group_id: str | None, together: Sequence[str]) -> None:
        """Note that the run is under way, and with which others, in their order."""
        if self.record.get("status") == "finished":
            return
        self.record.update(_record(self.spec, self.trainer, state, self.record))
        self.record["co_train_group"] = group_id
        lm = self.spec.lm
        self.record[SETUP] = setup(str(lm.device), str(lm.dtype).removeprefix("torch."), together)
        self.folder.write_record(self.record)

    def fail(self, state: TrainState) -> None:
        """Note that the run ended before its time; asked for again it starts anew."""
        self.record.update(seconds=round(state.seconds, 3), status="failed")
        self.folder.write_record(self.record)


def prepare(spec: RunSpec, runs_dir: Path, record: dict[str, Any] | None) -> Prepared:
    """Read the questions of a run and set its trainer up; nothing is written.

    Args:
        spec: What to run.
        runs_dir: Folder of run folders.
        record: What run.json says so far.
    """
    examples = read_examples(spec.taxonomy, spec.manifest)
    groups = group_by_image(examples, spec.recipe.balance, spec.recipe.leaf_no_per_visit)
    questions = tokenise(spec.lm, spec.template, examples.phrases, examples.targets)
    return Prepared(
        spec=spec,
        folder=RunFolder(runs_dir / spec.run_id),
        examples=examples,
        groups=groups,
        questions=questions,
        trainer=_trainer(spec, examples, groups, questions),
        record=dict(record or {}),
    )


def finish(prepared: Prepared, state: TrainState) -> None:
    """Score a trained run and write what a finished run leaves; nothing if that is there."""
    spec, folder = prepared.spec, prepared.folder
    if prepared.record.get("status") == "finished" and folder.is_whole():
        return
    if state.looks is not None:
        state.projector.load_state_dict(state.looks.weights)
        prepared.record.update(
            n_steps=state.step, flops=step_cost(prepared.trainer).flops * state.step
        )
    predictions = _predict(spec, state, prepared.examples, prepared.groups, prepared.questions)
    folder.write_predictions(predictions)
    folder.write_metrics(state.metrics)
    folder.save_projector(state, {"run_id": spec.run_id, "lm_hash": spec.lm.sha256})
    prepared.record.update(seconds=round(state.seconds, 3), status="finished")
    folder.write_record(prepared.record)


def _trainer(spec: RunSpec, examples: Examples, groups: Groups, questions: Questions) -> Trainer:
    unit = spec.recipe.batch_unit
    own = len(groups.images) if unit == "images" else len(groups.examples)
    stop = None
    if spec.recipe.patience is not None:
        stop = early_stop(
            examples,
            groups.examples,
            patience=spec.recipe.patience,
            every=steps_of_pass(spec.recipe, own),
            balance=spec.recipe.balance,
        )
    return Trainer(
        lm=spec.lm,
        features=spec.features,
        questions=questions,
        groups=groups,
        recipe=spec.recipe,
        n_steps=steps_of(spec.recipe, own, full_size(examples, unit)),
        seed_init=spec.seed_init,
        seed_order=spec.seed_order,
        early_stop=stop,
    )


def _predict(
    spec: RunSpec, state: TrainState, examples: Examples, groups: Groups, questions: Questions
) -> pa.Table:
    """Logits of every question of the scored splits, in every image mode."""
    asked = examples.take(np.flatnonzero(np.isin(examples.split, spec.splits)))
    tables = []
    for mode in spec.image_modes:
        scores = score(
            spec.lm,
            state.projector,
            spec.features,
            questions,
            asked,
            image_mode=mode,
            train_images=groups.images,
            seed=spec.seed_order,
        )
        tables.append(
            pa.table(
                {
                    "image_mode": pa.array([mode] * len(asked), pa.string()),
                    "example_id": pa.array(asked.example_id, pa.int64()),
                    "logit_yes": pa.array(scores.logit_yes, pa.float32()),
                    "logit_no": pa.array(scores.logit_no, pa.float32()),
                    "predicted": pa.array(scores.predicted, pa.bool_()),
                }
            )
        )
    return pa.concat_tables(tables)


def _record(
    spec: RunSpec, trainer: Trainer, state: TrainState, earlier: dict[str, Any] | None
) -> dict[str, Any]:
    """Every column of run; xmodal.store holds the same names."""
    n_prefix = spec.recipe.projector.n_prefix(spec.features.open().shape[1])
    packed = packing(spec.lm, trainer.questions, n_prefix)
    recipe = {
        **spec.recipe.as_dict(),
        "answer_ids": [trainer.questions.yes_id, trainer.questions.no_id],
        "features": spec.features.config.as_dict(),
        "random_std": spec.lm.random_std,
        "image_modes": spec.image_modes,
        "splits": spec.splits,
        "threads": _threads(),
        "packed": packed.exact,
        "attention": packed.attention,
    }
    return {
        "run_id": spec.run_id,
        "experiment": "s1",
        "dataset_id": spec.taxonomy.dataset_id,
        "manifest_id": spec.manifest.manifest_id,
        "source": "own",
        "lm": spec.lm.name,
        "lm_revision": spec.lm.revision,
        "lm_hash": spec.lm.sha256,
        "lm_init": spec.lm.init,
        "feature_set_id": spec.features.feature_set_id,
        "encoder": spec.features.config.encoder,
        "prompt": spec.prompt,
        "recipe": spec.recipe.name,
        "recipe_json": json.dumps(recipe, sort_keys=True),
        "projector": spec.recipe.projector.kind,
        "n_prefix_tokens": n_prefix,
        "co_train_group": None,
        "seed_init": spec.seed_init,
        "seed_order": spec.seed_order,
        "n_steps": trainer.n_steps,
        "batch_size": spec.recipe.batch_size,
        "n_train_questions": len(trainer.groups.examples),
        "n_params": sum(p.numel() for p in state.projector.parameters()),
        "flops": step_cost(trainer).flops * trainer.n_steps,
        "seconds": 0.0,
        "device": str(spec.lm.device),
        "status": "running",
        "versions_json": json.dumps(versions(), sort_keys=True),
        "command": command(),
        "git_commit": git_commit(),
        "started_at": (earlier["started_at"] if earlier and "started_at" in earlier else now()),
    }


def _threads() -> int:
    import torch

    return int(torch.get_num_threads())
