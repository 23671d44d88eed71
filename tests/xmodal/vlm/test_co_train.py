"""Runs trained together are the runs trained alone."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from taxonomy.errors import ConfigError
from tests.xmodal import tiny
from xmodal.lms.causal import load_lm
from xmodal.vlm.co_train import TrainGroup, merge_questions
from xmodal.vlm.experiment import RunSpec
from xmodal.vlm.forward import answer_logits
from xmodal.vlm.trainer import Trainer, TrainState

N_STEPS = 50


def specs(spec: RunSpec) -> list[RunSpec]:
    """Other manifests, seeds, batches, lengths and schedules; one LM, one feature set."""
    long = replace(tiny.RECIPE, epochs=60.0)
    other = tiny.manifest(spec.taxonomy, ratio=1.0, seed=3)
    plain = replace(long, batch_unit="questions", batch_size=5, learning_rate=3e-3, clip=0.3)
    return [
        replace(spec, recipe=long),
        replace(spec, recipe=long, seed_init=7, seed_order=7),
        replace(spec, recipe=long, manifest=other),
        replace(spec, recipe=plain, manifest=other, seed_init=1, seed_order=2),
        replace(spec, recipe=replace(long, epochs=4.0, match="epochs"), manifest=other),
    ]


def weights(states: list[TrainState]) -> list[torch.Tensor]:
    return [torch.nn.utils.parameters_to_vector(s.projector.parameters()) for s in states]


def started(trainers: list[Trainer], dtype: torch.dtype) -> list[TrainState]:
    states = [trainer.start() for trainer in trainers]
    for state in states:
        state.projector.to(dtype)
    return states


# in float64 with an LM that has no float32 inside, as the root mean square norms of the others have
@pytest.mark.parametrize(
    ("architecture", "dtype", "most"),
    [("qwen3", torch.float32, 1e-5), ("neox", torch.float64, 1e-10)],
)
def test_a_co_trained_run_is_the_run_alone(
    spec: RunSpec, tmp_path: Path, architecture: str, dtype: torch.dtype, most: float
) -> None:
    lm = load_lm(str(tiny.save_lm(tmp_path, architecture)))
    lm.model.to(dtype)
    trainers = [tiny.trainer(replace(one, lm=lm)) for one in specs(spec)]
    together, alone = started(trainers, dtype), started(trainers, dtype)
    before = weights(together)
    group = TrainGroup(tuple(trainers), most_tokens=math.inf)
    assert group.run(together, until=N_STEPS) == {}
    for trainer, state in zip(trainers, alone, strict=True):
        trainer.run(state, until=N_STEPS)
    steps = [min(N_STEPS, trainer.n_steps) for trainer in trainers]
    assert steps[0] == N_STEPS > steps[-1] > 1
    assert [state.step for state in together] == [state.step for state in alone] == steps
    for start, a, b in zip(before, weights(together), weights(alone), strict=True):
        assert float((a - b).detach().abs().max()) <= most
        # a run that hardly moved would show nothing
        assert float((a - start).detach().abs().max()) > 1e-2
    for a_state, b_state in zip(together, alone, strict=True):
        assert [m[:2] for m in a_state.metrics] == [m[:2] for m in b_state.metrics]


def test_a_run_that_diverges_ends_alone(spec: RunSpec) -> None:
    good, bad = (tiny.trainer(one) for one in specs(spec)[:2])
    states = started([good, bad], torch.float32)
    with torch.no_grad():
        next(states[1].projector.parameters()).fill_(float("nan"))
    failed = TrainGroup((good, bad)).run(states, until=4)
    assert (states[0].step, states[1].step) == (4, 0)
    assert list(failed) == [1]
    assert str(failed[1]).startswith("the loss is nan at step 0; lower the learning rate, got ")
    lone = good.start()
    good.run(lone, until=4)
    pair = zip(weights([states[0]]), weights([lone]), strict=True)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in pair)


def test_a_pass_that_does_not_fit_goes_on_with_half_the_runs(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trainers = [tiny.trainer(one) for one in specs(spec)[:4]]
    plain = started(trainers, torch.float32)
    TrainGroup(tuple(trainers), most_tokens=math.inf).run(plain, until=6)
    passes: list[int] = []
    most = 14

    def small(lm: Any, prefix: torch.Tensor, *more: Any) -> torch.Tensor:
        if len(prefix) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        passes.append(len(prefix))
        return answer_logits(lm, prefix, *more)

    monkeypatch.setattr("xmodal.vlm.co_train.answer_logits", small)
    states = started(trainers, torch.float32)
    TrainGroup(tuple(trainers), most_tokens=math.inf).run(states, until=6)
    assert capsys.readouterr().err == (
        "4 runs in one pass do not fit in memory; going on with half as many\n"
    )
    # no longer one pass a step, and not yet one a run
    assert 6 * 2 <= len(passes) < 6 * 4
    for a, b in zip(weights(plain), weights(states), strict=True):
        assert torch.allclose(a, b, atol=1e-5)
    most = 1
    with pytest.raises(ConfigError, match=r"^one run does not fit in memory \(CUDA out of memory"):
        TrainGroup(tuple(trainers)).run(states, until=7)


def test_a_pass_holds_the_runs_that_fit_in_its_tokens(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainers = [tiny.trainer(one) for one in specs(spec)[:3]]
    n_images: list[int] = []

    def seen(lm: Any, prefix: torch.Tensor, *more: Any) -> torch.Tensor:
        n_images.append(len(prefix))
        return answer_logits(lm, prefix, *more)

    monkeypatch.setattr("xmodal.vlm.co_train.answer_logits", seen)
    for most_tokens, want in ((1, [6, 6, 6]), (math.inf, [18])):
        n_images.clear()
        states = started(trainers, torch.float32)
        TrainGroup(tuple(trainers), most_tokens).run(states, until=1)
        assert n_images == want


def test_other_errors_are_not_taken_for_want_of_memory(
    spec: RunSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr("xmodal.vlm.co_train.answer_logits", broken)
    trainer = tiny.trainer(spec)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        trainer.run(trainer.start(), until=1)


def test_questions_of_several_runs_keep_their_rows(spec: RunSpec) -> None:
    parts = [tiny.trainer(one).questions for one in specs(spec)]
    merged, offsets = merge_questions(parts)
    assert len(merged.tokens) == sum(len(part.tokens) for part in parts)
    for part, offset in zip(parts, offsets, strict=True):
        for row in range(len(part.tokens)):
            n = int(part.lengths[row])
            assert int(merged.lengths[offset + row]) == n
            assert torch.equal(merged.tokens[offset + row, :n], part.tokens[row, :n])


def test_runs_of_two_lms_are_no_group(spec: RunSpec) -> None:
    trainer = tiny.trainer(spec)
    other = replace(trainer, lm=replace(spec.lm, name="another"))
    with pytest.raises(ValueError, match="must share one LM"):
        TrainGroup((trainer, other))
