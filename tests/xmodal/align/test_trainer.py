"""Steps against the definition; order, looks, early stop and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from taxonomy.errors import ConfigError, DataError
from taxonomy.hashing import hash63
from tests.xmodal.align import reference, small
from xmodal.align import trainer as trainer_module
from xmodal.align.grad_cache import gradients
from xmodal.align.pairs import Pairs
from xmodal.align.projection import PAPER_SCALE, Aligner, AlignerConfig, Masks, ProjectionConfig
from xmodal.align.validation import Looks, keep_best, look_at


@pytest.mark.parametrize("rows", [None, 7])
@pytest.mark.parametrize("clip", [1e-2, 1.0])
@pytest.mark.parametrize(
    ("dtype", "n_steps", "within"), [(torch.float32, 1, 1e-6), (torch.float64, 4, 1e-9)]
)
def test_steps_are_adam_s_on_the_definition(
    dtype: torch.dtype, n_steps: int, within: float, clip: float, rows: int | None
) -> None:
    # S2's decay is near what float32 makes of the gradients that are zero, before BatchNorm
    decay = 1e-4 if dtype == torch.float64 else 1e-2
    recipe = small.recipe(
        AlignerConfig(text=ProjectionConfig(width=8)),
        duplicates="keep",
        weight_decay=decay,
        clip=clip,
        warmup_steps=0 if n_steps == 1 else 2,
    )
    run = small.trainer(
        pairs=small.pairs(dtype=dtype), recipe=recipe, validation=None, rows=rows, log_every=1
    )
    state = run.start()
    want = reference.Reference.of(state.aligner.text)
    adam = reference.Adam(decay=decay, clip=clip)
    before = {k: v.detach().clone() for k, v in want.parameters.items()}
    losses = []
    for step in range(n_steps):
        chosen = run.chosen(step)
        masks = Masks(hash63(run.seed_order, "dropout", step)).of_side("text")
        keep = reference.kept(state.aligner.text, masks, len(chosen))
        text = want.embed(run.pairs.text[chosen], keep, 0.2)
        image = run.pairs.image[chosen].double()
        loss = reference.torch_loss(text, image / image.norm(dim=1, keepdim=True), PAPER_SCALE)
        torch.autograd.backward(loss)
        # warm-up over 2 steps to 1e-3, then a cosine over the other 10
        at = [1e-3] if n_steps == 1 else [0.0, 5e-4, 1e-3, 5e-4 * (1 + math.cos(math.pi / 10))]
        adam.step(want.parameters, at[step])
        losses.append(loss.item())
    run.run(state, until=n_steps)
    got = state.aligner.text.state_dict()
    assert [value for _, _, value in state.metrics] == pytest.approx(losses, rel=within)
    for name, value in (want.parameters | want.running).items():
        torch.testing.assert_close(got[name].double(), value.detach(), rtol=0, atol=within)
    assert all((want.parameters[k] - v).abs().max() > 1e-4 for k, v in before.items())


def test_order_is_passes_over_all_pairs_in_batches_of_one_size() -> None:
    run = small.trainer()
    # 45 pairs, 16 a step: 2 steps a pass
    steps = [run.chosen(step) for step in range(4)]
    assert [len(one) for one in steps] == [16] * 4
    assert len(set(torch.cat(steps[:2]).tolist())) == 32
    assert set(steps[0].tolist()) != set(steps[2].tolist())
    assert not torch.equal(steps[0], replace(run, seed_order=1).chosen(0))
    assert len(small.trainer(recipe=small.recipe(batch_size=999)).chosen(0)) == 45


def test_training_finds_the_pictures() -> None:
    run = small.trainer(
        pairs=small.pairs(300),
        validation=small.pairs(60, seed=5),
        recipe=small.recipe(
            AlignerConfig(text=ProjectionConfig(depth=2, width=64, dropout=0.0)),
            n_steps=120,
            batch_size=64,
            learning_rate=1e-2,
            look_every=40,
        ),
    )
    state = run.start()
    start = look_at(state.aligner, run.validation, 64, mask=True)
    run.run(state)
    end = look_at(run.best(state), run.validation, 64, mask=True)
    assert end.loss < start.loss - 1
    assert start.text_to_image < 0.2 < 0.5 < end.text_to_image
    names = [name for _, name, _ in state.metrics]
    assert names.count("validation_loss") == names.count("validation_image_to_text") == 3
    assert state.metrics[0][:2] == (4, "train_loss")
    assert end.loss == pytest.approx(
        min(value for _, name, value in state.metrics if name == "validation_loss"), abs=1e-6
    )


def test_a_learned_scale_moves_up_to_100_without_decay() -> None:
    aligner = AlignerConfig(text=small.MLP, learned_scale=True, scale=99.9)
    run = small.trainer(recipe=small.recipe(aligner, learning_rate=0.1, weight_decay=100.0))
    state = run.start()
    assert [group["weight_decay"] for group in state.optimiser.param_groups] == [100.0, 0.0]
    run.run(state)
    scales = [value for _, name, value in state.metrics if name == "scale"]
    assert all(value <= 100.001 for value in scales)
    assert scales[-1] != pytest.approx(99.9, abs=1e-3)


@pytest.mark.parametrize("mask", [False, True])
def test_a_look_compares_pairs_within_batches(mask: bool) -> None:
    aligner = small.trainer().start().aligner.train()
    groups = torch.arange(20) // 3
    data = small.pairs(20, group=groups)
    found = look_at(aligner, data, 10, mask=mask)
    assert aligner.training
    aligner.eval()
    text, image = aligner.embed("text", data.text), aligner.embed("image", data.image)
    want = [0.0, 0.0, 0.0]
    for part in (slice(0, 10), slice(10, 20)):
        a, b = text[part].detach().double().numpy(), image[part].double().numpy()
        same = (groups[part, None] == groups[part]).numpy()
        hidden = same & ~np.eye(10, dtype=bool) & mask
        want[0] += reference.loss(a, b, PAPER_SCALE, hidden) / 2
        for i, cosines in enumerate((a @ b.T, b @ a.T)):
            want[i + 1] += sum(same[j, cosines[j].argmax()] for j in range(10)) / 20
    assert [found.loss, found.text_to_image, found.image_to_text] == pytest.approx(want, abs=1e-6)
    assert found.value("retrieval") == -(found.text_to_image + found.image_to_text) / 2


def test_equal_rows_groups_and_indices_are_known() -> None:
    data = Pairs(
        text=torch.tensor([[1.0], [2.0], [1.0]]),
        image=torch.eye(2),
        text_row=torch.tensor([0, 1, 2, 2]),
        image_row=torch.tensor([0, 0, 1, 1]),
        group=torch.tensor([5, 6, 7, 8]),
    )
    texts, images, groups = data.same
    assert texts.tolist() == [0, 1, 0, 0]
    assert images.tolist() == [0, 0, 1, 1]
    assert groups.tolist() == [5, 6, 7, 8]
    batch = data.take(
        torch.tensor([3, 1]), device=torch.device("cpu"), dtype=torch.float64, mask=True
    )
    assert batch.text.tolist() == [[1.0], [2.0]]
    assert batch.image.tolist() == [[0.0, 1.0], [1.0, 0.0]]
    assert [ids.tolist() for ids in batch.same] == [[0, 1], [1, 0], [8, 6]]


def test_patience_counts_gains_and_the_best_look_is_kept() -> None:
    aligner = Aligner(AlignerConfig(text=small.MLP), small.DT, small.DV)
    looks: Looks | None = None
    counted = []
    for step, value in enumerate([3.0, 2.95, 2.95, 2.7, math.nan, 2.65]):
        torch.nn.init.constant_(aligner.text.linear(0).bias, float(step))
        looks = keep_best(looks, value, step, aligner, min_gain=0.1)
        counted.append(looks.n_since)
    assert looks is not None
    assert counted == [0, 1, 2, 0, 1, 2]
    assert (looks.best, looks.best_step, looks.bar) == (2.65, 5, 2.7)
    assert looks.weights["text.linears.0.bias"][0] == 5.0


def test_a_run_ends_when_looks_are_no_better() -> None:
    run = small.trainer(recipe=small.recipe(look_every=1, patience=2, min_gain=100.0))
    state = run.run(run.start())
    assert state.step == 3
    assert run.is_done(state)
    endless = replace(run, recipe=replace(run.recipe, patience=None))
    assert endless.run(endless.start()).step == 12


def test_when_memory_ends_the_batch_is_split(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = small.trainer(pairs=small.pairs(100), recipe=small.recipe(batch_size=80))
    want = run.run(run.start(), until=2)

    def too_much(*given: object, rows: int | None, **more: object) -> torch.Tensor:
        loss = gradients(*given, rows=rows, **more)
        if rows is None or rows > 20:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried.")
        return loss

    monkeypatch.setattr(trainer_module, "gradients", too_much)
    got = run.run(run.start(), until=2)
    assert got.rows == 20
    assert capsys.readouterr().err == (
        "80 rows at once do not fit in memory; going on with 40, with all negatives\n"
        "40 rows at once do not fit in memory; going on with 20, with all negatives\n"
    )
    for name, value in want.aligner.state_dict().items():
        torch.testing.assert_close(got.aligner.state_dict()[name], value, rtol=0, atol=1e-5)
    monkeypatch.setattr(trainer_module, "_FEWEST_ROWS", 50)
    with pytest.raises(ConfigError, match=r"80 pairs does not fit in memory .CUDA out of memory"):
        run.run(run.start())


def test_a_loss_that_is_no_number_ends_the_run() -> None:
    run = small.trainer()
    state = run.start()
    torch.nn.init.constant_(state.aligner.text.linear(0).weight, math.nan)
    with pytest.raises(ConfigError) as error:
        run.run(state)
    assert str(error.value) == "the loss of step 1 is nan: take a learning_rate below 0.001"


def test_bad_pairs_are_refused() -> None:
    text, image = torch.ones(3, 2), torch.ones(3, 4)
    for more, message in (
        ({"text": text.long()}, "text features must be float [N, width], got torch.int64 [3, 2]"),
        (
            {"image": torch.ones(3)},
            "image features must be float [N, width], got torch.float32 [3]",
        ),
        (
            {"text": torch.tensor([[1.0], [math.nan], [1.0]])},
            "text features must be finite, got NaN or infinity in row 1: extract them again or "
            "leave the row out",
        ),
        (
            {"image": torch.ones(2, 4)},
            "every text needs its picture, got 3 texts and 2 pictures: give image_row, the row of "
            "each text's picture",
        ),
        ({"image_row": torch.tensor([0, 1, 3])}, "image_row must be in [0, 3), got 0 to 3"),
        ({"image_row": torch.ones(3)}, "image_row must be int64 [N], got torch.float32 [3]"),
        ({"group": torch.ones(2)}, "group must be [3], one a pair, got [2]"),
        (
            {"text": text[:1], "image": image[:1]},
            "pairs must be at least 2, for a negative each, got 1",
        ),
    ):
        with pytest.raises(DataError) as error:
            Pairs(**({"text": text, "image": image} | more))
        assert str(error.value) == message


def test_bad_settings_of_a_run_are_refused() -> None:
    other = Pairs(text=torch.ones(3, 2), image=torch.ones(3, 4))
    with pytest.raises(DataError) as error:
        small.trainer(validation=other)
    assert str(error.value) == (
        "validation features must have the widths of training, (6, 5), got (2, 4)"
    )
    with pytest.raises(ConfigError, match="rows must be at least 1, got 0"):
        small.trainer(rows=0)
    with pytest.raises(ConfigError, match="log_every must be at least 1, got 0"):
        small.trainer(log_every=0)


def test_projections_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")

    monkeypatch.setattr(trainer_module, "Aligner", full)
    with pytest.raises(ConfigError, match=r"^the projections do not fit in memory: take a smaller"):
        small.trainer().start()
