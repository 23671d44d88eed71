"""Runs that end when their validation questions are answered no better."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import torch

from taxonomy.errors import ConfigError
from tests.xmodal import tiny
from xmodal.vlm import group_run
from xmodal.vlm.co_train import TrainGroup
from xmodal.vlm.early_stop import EarlyStop, Looks, keep_best
from xmodal.vlm.experiment import RunSpec
from xmodal.vlm.group_run import run
from xmodal.vlm.projector import Projector, ProjectorConfig
from xmodal.vlm.run_folder import RunFolder
from xmodal.vlm.trainer import Trainer

# so steep that the validation loss soon rises
STEEP = replace(tiny.RECIPE, epochs=40.0, learning_rate=0.05, patience=2)


@pytest.fixture(scope="module")
def steep(spec: RunSpec) -> RunSpec:
    return replace(spec, recipe=STEEP)


def stop_of(trainer: Trainer) -> EarlyStop:
    assert trainer.early_stop is not None
    return trainer.early_stop


def looks_of(state: Any) -> list[tuple[int, float]]:
    return [(step, value) for step, name, value in state.metrics if name == "validation_loss"]


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_only_what_training_may_ask_is_looked_at(steep: RunSpec, ratio: float) -> None:
    knobs = {"design": "none"} if ratio == 0 else {}
    of = replace(steep, manifest=tiny.manifest(steep.taxonomy, ratio=ratio, **knobs))
    trainer = tiny.trainer(of)
    asked = stop_of(trainer).examples
    rows = of.manifest.examples
    by_id = {row["example_id"]: row for row in rows.to_pylist()}
    chosen = [by_id[int(i)] for i in asked.example_id]
    assert {row["split"] for row in chosen} == {"validation"}
    assert not any(row["held_out"] for row in chosen)
    trained = set(pc.filter(rows["asked_id"], rows["in_training"]).to_pylist())
    assert {row["asked_id"] for row in chosen} <= trained
    kinds = Counter(row["kind"] for row in chosen)
    assert kinds["leaf"] > 0
    assert (kinds["hypernym"] > 0) == (ratio < 1)


def test_the_loss_is_that_of_the_questions_one_by_one(steep: RunSpec) -> None:
    trainer = tiny.trainer(steep)
    projector = trainer.start().projector.train()
    stop = stop_of(trainer)
    got = stop.loss(trainer.lm, projector, trainer.features, trainer.questions)
    assert projector.training
    # the LM's own forward pass, one question at a time
    projector.eval()
    lost, weight = 0.0, 0.0
    for n in range(len(stop.examples)):
        text = trainer.questions.tokens[stop.examples.asked[n]]
        text = text[: trainer.questions.lengths[stop.examples.asked[n]]]
        shown = trainer.features.take(stop.examples.image[[n]])
        with torch.no_grad():
            parts = [
                trainer.lm.embed(torch.tensor([trainer.lm.start_ids], dtype=torch.int64)),
                projector(shown),
                trainer.lm.embed(text[None]),
            ]
            logits = trainer.lm.model(inputs_embeds=torch.cat(parts, 1)).logits[0, -1].double()
        said = trainer.questions.yes_id if stop.examples.answer[n] else trainer.questions.no_id
        lost -= float(logits.log_softmax(0)[said]) * float(stop.weights[n])
        weight += float(stop.weights[n])
    assert got == pytest.approx(lost / weight, rel=1e-5)
    # Yes and No count the same within a kind
    for kind in set(stop.examples.kind.tolist()):
        of_kind = stop.examples.kind == kind
        yes, no = (stop.weights[of_kind & (stop.examples.answer == a)].sum() for a in (True, False))
        assert yes == pytest.approx(no)


def test_a_run_ends_after_patience_and_keeps_its_best_projector(
    steep: RunSpec, tmp_path: Path
) -> None:
    folder = RunFolder(run(steep, tmp_path).path)
    metrics = pq.read_table(folder.path / "metrics.parquet").to_pylist()
    looks = [(m["step"], m["value"]) for m in metrics if m["name"] == "validation_loss"]
    trainer = tiny.trainer(steep)
    every = math.ceil(len(trainer.groups.images) / STEEP.batch_size)
    assert [step for step, _ in looks] == [every * (n + 1) for n in range(len(looks))]
    best = min(range(len(looks)), key=lambda n: looks[n][1])
    assert 0 < best == len(looks) - 1 - 2
    assert looks[-1][0] < trainer.n_steps
    record = folder.record()
    assert record is not None
    assert record["n_steps"] == looks[-1][0]
    whole = tiny.trainer(replace(steep, recipe=replace(STEEP, patience=None)))
    planned = replace(steep, recipe=replace(STEEP, patience=None))
    assert planned.run_id != steep.run_id
    state = whole.run(whole.start(), until=looks[best][0])
    kept = tiny.load_projector(folder)
    assert all(
        torch.equal(kept[name], value) for name, value in state.projector.state_dict().items()
    )


def test_patience_that_is_not_used_up_trains_to_the_end(spec: RunSpec) -> None:
    trainer = tiny.trainer(replace(spec, recipe=replace(tiny.RECIPE, epochs=2.5, patience=9)))
    state = trainer.run(trainer.start())
    assert state.step == trainer.n_steps
    # the last look is at the end, within a pass
    assert looks_of(state)[-1][0] == trainer.n_steps
    assert trainer.n_steps % stop_of(trainer).every


def test_a_stopped_run_finishes_as_if_it_had_not_stopped(
    steep: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    want = tiny.files(RunFolder(run(steep, tmp_path / "whole").path))
    monkeypatch.setattr(group_run, "SAVE_EVERY_S", 0.0)
    trainer = tiny.trainer(steep)
    last = trainer.run(trainer.start()).step
    n_stops = 0

    def stop(done: int, _total: int, _loss: float) -> None:
        nonlocal n_stops
        # once after a look that was in vain
        if done == (last - stop_of(trainer).every + 2, 3)[n_stops == 0] and n_stops < 2:
            n_stops += 1
            raise tiny.StoppedError

    for _ in range(2):
        with pytest.raises(tiny.StoppedError):
            run(steep, tmp_path / "stopped", stop)
    result = run(steep, tmp_path / "stopped", stop)
    assert tiny.files(RunFolder(result.path)) == want


def test_co_trained_runs_stop_each_for_itself(steep: RunSpec) -> None:
    others = [
        steep,
        replace(steep, seed_init=7, seed_order=7, recipe=replace(STEEP, patience=1)),
        replace(steep, recipe=replace(STEEP, patience=None, epochs=30.0)),
    ]
    trainers = [tiny.trainer(one) for one in others]
    together = [trainer.start() for trainer in trainers]
    assert TrainGroup(tuple(trainers), math.inf).run(together) == {}
    for trainer, state in zip(trainers, together, strict=True):
        alone = trainer.run(trainer.start())
        assert state.step == alone.step
        assert [step for step, _ in looks_of(state)] == [step for step, _ in looks_of(alone)]
        if state.looks is not None and alone.looks is not None:
            assert state.looks.best_step == alone.looks.best_step
    assert len({state.step for state in together}) > 1


def test_a_lower_loss_is_kept_and_no_number_never() -> None:
    projector = Projector(ProjectorConfig(hidden=2), 3, 2, 1.0)
    looks: Looks | None = None
    for step, (loss, best, n_since) in enumerate(
        [(math.nan, 0, 0), (2.0, 1, 0), (2.0, 1, 1), (math.nan, 1, 2), (1.0, 4, 0), (3.0, 4, 1)]
    ):
        looks = keep_best(looks, loss, step, projector)
        assert (looks.best_step, looks.n_since) == (best, n_since)


def test_a_dataset_without_validation_pictures_is_refused(steep: RunSpec) -> None:
    examples = steep.manifest.examples
    rows = examples.filter(pc.not_equal(examples["split"], "validation"))
    without = replace(steep, manifest=replace(steep.manifest, examples=rows))
    with pytest.raises(ConfigError, match=r"^patience needs validation pictures that are asked "):
        tiny.trainer(without)


def test_a_recipe_without_patience_is_the_recipe_it_was() -> None:
    assert "patience" not in tiny.RECIPE.as_dict()
    assert STEEP.as_dict()["patience"] == 2
    with pytest.raises(ConfigError, match="patience must be at least 1, got 0"):
        replace(STEEP, patience=0)
