"""Loss, weights, schedule, batches and steps against plain references."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, ManifestError
from taxonomy.model import Manifest, Taxonomy
from tests.xmodal import tiny
from xmodal.vlm.experiment import RunSpec
from xmodal.vlm.recipes import Recipe
from xmodal.vlm.trainer import Trainer, steps_of, weighted_loss
from xmodal.vlm.trainset import full_size, group_by_image, read_examples


@given(st.integers(0, 1000), st.integers(1, 6))
@settings(max_examples=25, deadline=None)
def test_the_loss_is_weighted_cross_entropy_over_the_whole_vocabulary(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    logits, target = rng.normal(size=(n, 11)) * 3, rng.integers(11, size=n)
    weight = rng.uniform(0.1, 4, size=n)
    want = 0.0
    for row, answer, share in zip(logits, target, weight, strict=True):
        want -= share * (row[answer] - math.log(sum(math.exp(x) for x in row)))
    got = weighted_loss(
        torch.tensor(logits), torch.tensor(target), torch.tensor(weight, dtype=torch.float64)
    )
    assert float(got) == pytest.approx(want / sum(weight), rel=1e-9)


@pytest.mark.parametrize("unit", ["images", "questions"])
def test_the_first_step_is_the_plain_references(spec: RunSpec, unit: str) -> None:
    """Loss at the answer position only, and AdamW's first step from its clipped gradient."""
    recipe = replace(
        tiny.RECIPE,
        batch_unit=unit,
        feature_noise=0.0,
        projector=replace(tiny.RECIPE.projector, dropout=0.0),
    )
    features = tiny.features(
        spec.taxonomy, spec.features.path.parent, replace(tiny.FEATURES, n_views=1)
    )
    trainer = tiny.trainer(replace(spec, recipe=recipe, features=features))
    losses: list[float] = []
    state = trainer.run(trainer.start(), until=1, on_step=lambda _, loss: losses.append(loss))
    fresh = trainer.start()
    want = _reference_loss(trainer, spec, fresh.projector)
    assert losses == [pytest.approx(float(want.detach()), rel=1e-5)]
    torch.autograd.backward(want)
    gradients = [p.grad for p in fresh.projector.parameters() if p.grad is not None]
    norm = float(sum(g.pow(2).sum() for g in gradients)) ** 0.5
    rate = trainer.learning_rate(0)
    pairs = zip(fresh.projector.parameters(), state.projector.parameters(), gradients, strict=True)
    for before, after, gradient in pairs:
        clipped = gradient * min(1.0, recipe.clip / norm)
        # the first step of Adam: m / (1 - b1) = g, v / (1 - b2) = g * g
        step = before.detach() - rate * clipped / (clipped.abs() + 1e-8)
        big = clipped.abs() > 1e-5
        assert torch.allclose(step[big], after.detach()[big], atol=1e-6)


def _reference_loss(trainer: Trainer, spec: RunSpec, projector: Any) -> torch.Tensor:
    """One question at a time through the LM's own head; no padding, no batch."""
    chosen, lm = trainer.groups.examples, spec.lm
    order = np.random.default_rng([trainer.seed_order, 0])
    if trainer.recipe.batch_unit == "images":
        drawn = order.permutation(len(trainer.groups.images))[: trainer.recipe.batch_size]
        shown = set(trainer.groups.images[drawn].tolist())
        rows = [i for i in range(len(chosen)) if chosen.image[i] in shown]
    else:
        rows = sorted(order.permutation(len(chosen))[: trainer.recipe.batch_size].tolist())
    total, weights = torch.tensor(0.0), 0.0
    for row in rows:
        array = torch.from_numpy(np.array(trainer.features.open()[chosen.image[row]]))
        n = int(trainer.questions.lengths[chosen.asked[row]])
        text = trainer.questions.tokens[chosen.asked[row], :n]
        sequence = torch.cat([projector(array[None]), lm.embed(text)[None]], dim=1)
        logits = lm.model(inputs_embeds=sequence).logits[0, -1]
        said = trainer.questions.yes_id if chosen.answer[row] else trainer.questions.no_id
        weight = float(trainer.groups.weights[row])
        total = total - weight * logits.log_softmax(0)[said]
        weights += weight
    return total / weights


def test_balanced_weights_against_a_count(taxonomy: Taxonomy) -> None:
    for knobs in ({}, {"ratio": 0.0, "negatives": "image"}, {"ratio": 1.0}):
        examples = read_examples(taxonomy, tiny.manifest(taxonomy, **knobs))
        groups = group_by_image(examples, balance=True)
        rows = list(zip(groups.examples.kind, groups.examples.answer, strict=True))
        counts = Counter((str(kind), bool(answer)) for kind, answer in rows)
        for (kind, answer), weight in zip(rows, groups.weights, strict=True):
            both = counts[kind, True] + counts[kind, False]
            alone = both in (counts[kind, True], counts[kind, False])
            assert weight == pytest.approx(1 if alone else both / 2 / counts[kind, bool(answer)])
        assert groups.weights.mean() == pytest.approx(1)
        assert set(group_by_image(examples, balance=False).weights.tolist()) == {1.0}


def test_groups_hold_the_training_questions_of_each_image(
    taxonomy: Taxonomy, manifest: Manifest
) -> None:
    groups = group_by_image(read_examples(taxonomy, manifest), balance=False)
    want: dict[int, set[int]] = {}
    for row in manifest.examples.to_pylist():
        if row["in_training"]:
            want.setdefault(row["image_id"], set()).add(row["example_id"])
    got = {
        int(image): set(groups.examples.example_id[a:b].tolist())
        for image, a, b in zip(groups.images, groups.offsets, groups.offsets[1:], strict=False)
    }
    assert got == want


def test_examples_are_the_manifests_rows_in_order_of_image(
    taxonomy: Taxonomy, manifest: Manifest
) -> None:
    examples = read_examples(taxonomy, manifest)
    phrases = dict(
        zip(
            *(taxonomy.concepts[name].to_pylist() for name in ("concept_id", "phrase")), strict=True
        )
    )
    rows = sorted(manifest.examples.to_pylist(), key=lambda r: (r["image_id"], r["example_id"]))
    assert examples.example_id.tolist() == [row["example_id"] for row in rows]
    assert examples.image.tolist() == [row["image_id"] for row in rows]
    assert examples.answer.tolist() == [row["answer"] for row in rows]
    asked = [examples.phrases[i] for i in examples.asked]
    assert asked == [phrases[row["asked_id"]] for row in rows]


def test_a_manifest_of_another_dataset_is_refused(taxonomy: Taxonomy, manifest: Manifest) -> None:
    with pytest.raises(ManifestError, match=r"belongs to dataset other, got dataset "):
        read_examples(taxonomy, replace(manifest, dataset_id="other"))


def test_nothing_to_train_on_is_said(taxonomy: Taxonomy, manifest: Manifest) -> None:
    examples = read_examples(taxonomy, manifest)
    with pytest.raises(ManifestError, match="leaves no training question; lower its ratio"):
        group_by_image(examples.take(np.flatnonzero(~examples.in_training)), balance=True)


@given(
    match=st.sampled_from(["steps", "epochs"]),
    batch_size=st.integers(1, 9),
    own=st.integers(1, 30),
    more=st.integers(0, 30),
    epochs=st.sampled_from([0.01, 0.5, 1.0, 2.5, 7.0]),
)
def test_steps_are_passes_over_the_own_or_the_full_set(
    match: str, batch_size: int, own: int, more: int, epochs: float
) -> None:
    recipe = Recipe(name="x", match=match, batch_size=batch_size, epochs=epochs)
    counted = own + more if match == "steps" else own
    batches = len(range(0, counted, batch_size))
    assert steps_of(recipe, own, own + more) == max(1, round(epochs * batches))


@pytest.mark.parametrize("unit", ["images", "questions"])
def test_steps_match_across_ablations_but_not_with_epochs(taxonomy: Taxonomy, unit: str) -> None:
    sizes = []
    for ratio in (0.0, 1.0):
        examples = read_examples(taxonomy, tiny.manifest(taxonomy, ratio=ratio))
        groups = group_by_image(examples, balance=False)
        own = len(groups.images) if unit == "images" else len(groups.examples)
        sizes.append((own, full_size(examples, unit)))
    (own_full, full), (own_ablated, also_full) = sizes
    assert own_full == full == also_full
    assert own_ablated <= full
    steps = Recipe(name="x", batch_unit=unit, batch_size=3)
    assert steps_of(steps, own_ablated, full) == steps_of(steps, own_full, full)


@given(n_steps=st.integers(1, 400), warmup=st.sampled_from([0.0, 0.03, 0.5]))
def test_the_learning_rate_rises_then_falls_to_zero(n_steps: int, warmup: float) -> None:
    recipe = Recipe(name="x", learning_rate=0.5, warmup_ratio=warmup)
    trainer = Trainer(
        lm=None,  # type: ignore[arg-type]
        features=None,  # type: ignore[arg-type]
        questions=None,  # type: ignore[arg-type]
        groups=None,  # type: ignore[arg-type]
        recipe=recipe,
        n_steps=n_steps,
        seed_init=0,
        seed_order=0,
    )
    rates = [trainer.learning_rate(step) for step in range(n_steps)]
    rising = max(1, math.ceil(warmup * n_steps))
    assert rates[0] == pytest.approx(0.5 / rising)
    assert rates[rising - 1] == pytest.approx(0.5) == max(rates)
    assert rates[:rising] == sorted(rates[:rising])
    assert rates[rising:] == sorted(rates[rising:], reverse=True)
    assert all(rate > 0 for rate in rates)
    assert trainer.learning_rate(max(n_steps, rising + 1)) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("unit", ["images", "questions"])
@pytest.mark.parametrize("batch_size", [1, 6, 7, 10_000])
def test_each_epoch_visits_each_unit_once(spec: RunSpec, unit: str, batch_size: int) -> None:
    recipe = replace(tiny.RECIPE, batch_unit=unit, batch_size=batch_size)
    trainer = tiny.trainer(replace(spec, recipe=recipe))
    n = len(trainer.groups.examples)
    units = len(trainer.groups.images) if unit == "images" else n
    a_pass = math.ceil(units / min(batch_size, units))
    epochs = [[trainer.rows(e * a_pass + i) for i in range(a_pass)] for e in range(2)]
    for batches in epochs:
        assert sorted(np.concatenate(batches).tolist()) == list(range(n))
        for rows in batches:
            assert (np.diff(trainer.groups.examples.image[rows]) >= 0).all()
    if a_pass > 1:
        first = [batches[0].tolist() for batches in epochs]
        other = tiny.trainer(replace(spec, recipe=recipe, seed_order=43))
        assert first[0] != first[1]
        assert first[0] != other.rows(0).tolist()
    again = tiny.trainer(replace(spec, recipe=recipe, seed_init=1))
    assert [again.rows(i).tolist() for i in range(a_pass)] == [b.tolist() for b in epochs[0]]


def test_training_until_zero_steps_trains_nothing(spec: RunSpec) -> None:
    trainer = tiny.trainer(spec)
    assert tiny.same_state(trainer.run(trainer.start(), until=0), trainer.start())


def test_the_projector_depends_on_the_seed_of_initialisation_only(spec: RunSpec) -> None:
    def start(**seeds: int) -> Any:
        return tiny.trainer(replace(spec, **seeds)).start()

    assert tiny.same_state(start(), start(seed_order=1))
    assert not tiny.same_state(start(), start(seed_init=1))


def test_a_loss_that_is_no_number_ends_the_run(spec: RunSpec) -> None:
    trainer = tiny.trainer(replace(spec, recipe=replace(tiny.RECIPE, learning_rate=1e30)))
    with pytest.raises(ConfigError, match=r"the loss is nan at step \d+; lower the learning rate"):
        trainer.run(trainer.start())


def test_the_loss_falls(spec: RunSpec) -> None:
    projector = replace(tiny.RECIPE.projector, dropout=0.0)
    recipe = replace(tiny.RECIPE, epochs=20.0, feature_noise=0.0, projector=projector)
    trainer = tiny.trainer(replace(spec, recipe=recipe))
    losses: list[float] = []
    state = trainer.run(trainer.start(), on_step=lambda _, loss: losses.append(loss))
    assert np.mean(losses[-5:]) < 0.9 * np.mean(losses[:5])
    assert state.metrics[-1] == (trainer.n_steps, "train_loss", losses[-1])


class TestLeafNoPerVisit:
    """Some of an image's leaf No questions a step, everything else always."""

    @pytest.fixture
    def many(self, spec: RunSpec) -> RunSpec:
        return replace(spec, manifest=tiny.manifest(spec.taxonomy, train_leaf_negatives=4))

    def trainer(self, of: RunSpec, most: int | None, **changes: Any) -> Trainer:
        recipe = replace(tiny.RECIPE, leaf_no_per_visit=most)
        return tiny.trainer(replace(of, recipe=recipe, **changes))

    @pytest.mark.parametrize("most", [1, 3, 4, 9])
    def test_each_image_keeps_so_many(self, many: RunSpec, most: int) -> None:
        trainer, whole = self.trainer(many, most), self.trainer(many, None)
        chosen = trainer.groups.examples
        for step in range(8):
            rows, every = trainer.rows(step), whole.rows(step).tolist()
            assert sorted(set(rows.tolist())) == rows.tolist()
            spare = {r for r in every if chosen.kind[r] == "leaf" and not chosen.answer[r]}
            assert set(every) - spare == set(rows.tolist()) - spare
            for image in set(chosen.image[every].tolist()):
                there = {r for r in spare if chosen.image[r] == image}
                assert len(there & set(rows.tolist())) == min(most, len(there))

    def test_they_are_drawn_anew_evenly_and_by_the_seed_of_the_order(self, many: RunSpec) -> None:
        trainer = self.trainer(many, 1)
        chosen = trainer.groups.examples
        image = trainer.groups.images[0]
        counts: Counter[int] = Counter()
        for step in range(2000):
            rows = trainer.rows(step)
            at = rows[(chosen.image[rows] == image) & (chosen.kind[rows] == "leaf")]
            counts.update(at[~chosen.answer[at]].tolist())
        assert len(counts) == 4
        n = sum(counts.values())
        assert all(abs(count - n / 4) < 5 * (n * 3 / 16) ** 0.5 for count in counts.values())
        again, other = self.trainer(many, 1, seed_init=1), self.trainer(many, 1, seed_order=1)
        same = [trainer.rows(s).tolist() == again.rows(s).tolist() for s in range(9)]
        assert all(same)
        assert any(trainer.rows(s).tolist() != other.rows(s).tolist() for s in range(9))

    def test_weights_balance_what_a_pass_uses(self, many: RunSpec) -> None:
        groups = self.trainer(many, 1).groups
        leaf = groups.examples.kind == "leaf"
        yes = groups.weights[leaf & groups.examples.answer]
        no = groups.weights[leaf & ~groups.examples.answer]
        n_images = len(set(groups.examples.image[leaf & ~groups.examples.answer].tolist()))
        # a pass sees every leaf Yes and one leaf No an image: equal sums, mean 1
        assert yes.sum() == pytest.approx(n_images * no.mean())
        assert (yes.sum() + n_images * no.mean()) / (len(yes) + n_images) == pytest.approx(1)

    def test_a_resumed_run_draws_the_same(self, many: RunSpec) -> None:
        trainer = self.trainer(many, 2)
        straight = trainer.run(trainer.start(), until=6)
        halves = trainer.run(trainer.run(trainer.start(), until=2), until=6)
        assert tiny.same_state(straight, halves)
