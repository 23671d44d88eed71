"""Linear probes: the regression against an oracle, and what is read off understood solvers."""

from __future__ import annotations

import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from taxonomy.errors import ConfigError
from tests.xmodal.binding.solvers import POSITIONAL, SYMBOLIC, VOCABULARY, Solver
from xmodal.binding.decoder import Decoder, DecoderConfig
from xmodal.binding.linear_probe import _probed, activations, linear_probes, signatures
from xmodal.binding.own_subject import OwnSubject
from xmodal.binding.softmax_regression import Design
from xmodal.binding.task import Layout, Scenes, draw_scenes, generators
from xmodal.binding_tables import LINEAR


def scenes_of(n_objects: int, n: int, seed: int = 0) -> Scenes:
    return draw_scenes(generators([seed], "test", n_objects), n, n_objects, VOCABULARY)


def objective(x: Tensor, weights: Tensor, labels: Tensor, ridge: float) -> Tensor:
    """Mean cross-entropy with the ridge, in float64; the last row of weights is the intercept."""
    loss = torch.nn.functional.cross_entropy(x @ weights, labels)
    return loss + ridge / 2 * weights[:-1].square().sum()


def lbfgs(x: Tensor, labels: Tensor, n_classes: int, ridge: float) -> Tensor:
    weights = torch.zeros(x.shape[1], n_classes, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS(
        [weights], max_iter=300, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = objective(x, weights, labels, ridge)
        loss.backward()
        return loss

    optimiser.step(closure)
    return weights.detach()


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.sampled_from([1e-3, 1e-1]))
def test_the_regression_reaches_the_minimum(seed: int, n_classes: int, ridge: float) -> None:
    of = torch.Generator().manual_seed(seed)
    features = torch.randn(2, 60, 4, generator=of) * torch.tensor([1.0, 5.0, 0.1, 1.0]) + 3
    labels = (features[0, :, 0] + torch.randn(60, generator=of)).argsort().argsort()
    labels = labels * n_classes // 60
    design = Design(features, ridge)
    fitted = design.fit(labels, n_classes)
    for k in range(2):
        x = design.x[k].double()
        torch.testing.assert_close(x[:, :-1].mean(0), torch.zeros(4).double(), atol=1e-5, rtol=0)
        least = objective(x, lbfgs(x, labels, n_classes, ridge), labels, ridge).item()
        assert objective(x, fitted[k].double(), labels, ridge).item() == pytest.approx(
            least, abs=1e-4
        )


def test_ordered_classes_on_a_line_are_told_apart() -> None:
    # least squares on one-hot labels would never answer the middle
    features = torch.arange(60.0)[None, :, None]
    labels = torch.arange(60) // 12
    design = Design(features, 1e-4)
    guessed = (design.x @ design.fit(labels, 5, n_steps=2000)).argmax(-1)[0]
    assert (guessed == labels).double().mean() > 0.95


def test_constant_features_say_nothing_and_break_nothing() -> None:
    features = torch.full((1, 20, 3), 7.3)
    design = Design(features, 1e-3)
    fitted = design.fit(torch.arange(20) % 4 // 3, 2)
    assert fitted[:, :-1].abs().max() == 0
    # the intercept gives the share: 1 in 4
    share = (design.x @ fitted).softmax(-1)[0, :, 1]
    torch.testing.assert_close(share, torch.full((20,), 0.25), atol=1e-3, rtol=0)


def shares(table: pa.Table) -> dict[tuple[str, str, int, bool], float]:
    return {
        (row["token"], row["attribute"], row["layer"], row["permuted"]): row["n_right"]
        / row["n_test"]
        for row in table.to_pylist()
    }


@pytest.fixture(scope="module")
def read_off() -> dict[str, pa.Table]:
    scenes = [scenes_of(4, 160)]
    return {
        "positional": linear_probes(
            Solver(POSITIONAL), scenes, seed=1, tokens=["answer"], attributes=["index"]
        ),
        "symbolic": linear_probes(
            Solver(SYMBOLIC), scenes, seed=1, tokens=["shape", "association-item", "answer"],
            attributes=["colour", "shape", "index"],
        ),
    }  # fmt: skip


def test_probes_find_what_the_solvers_hold(read_off: dict[str, pa.Table]) -> None:
    found = shares(read_off["symbolic"])
    # a token is its own word from the start, bound to the word before from layer 1 on;
    # chance is an eighth
    assert found["shape", "shape", 0, False] == 1
    assert found["shape", "colour", 0, False] < 0.3
    assert found["shape", "colour", 1, False] > 0.95
    assert found["association-item", "shape", 0, False] < 0.3
    assert found["association-item", "shape", 1, False] > 0.95
    # no layer brings the colour there
    assert found["association-item", "colour", 2, False] < 0.3
    # the shape asked for is there after the last layer
    assert found["answer", "shape", 1, False] < 0.4
    assert found["answer", "shape", 2, False] > 0.95
    # the index, of which a quarter is chance, is there with the solver that goes by it
    assert found["answer", "index", 1, False] < 0.6
    by_index = shares(read_off["positional"])
    assert by_index["answer", "index", 0, False] < 0.6
    assert by_index["answer", "index", 1, False] > 0.95


def test_permuted_labels_give_chance(read_off: dict[str, pa.Table]) -> None:
    table = read_off["symbolic"]
    assert table.schema == LINEAR
    assert table.num_rows == 3 * 3 * 3 * 2
    for row in table.to_pylist():
        assert row["n_classes"] == (4 if row["attribute"] == "index" else 8)
        per_example = 1 if row["token"] == "answer" else 4
        assert (row["n_train"], row["n_test"]) == (120 * per_example, 40 * per_example)
        if row["permuted"]:
            # standard error 0.07 for 40 tokens, 0.035 for 160
            chance = 1 / row["n_classes"]
            off = 0.25 if per_example == 1 else 0.13
            assert row["n_right"] / row["n_test"] == pytest.approx(chance, abs=off)


def test_the_binding_signature_is_where_the_entity_is_bound(
    read_off: dict[str, pa.Table],
) -> None:
    found = {(one.token, one.attribute): one for one in signatures(read_off["symbolic"])}
    assert set(found) == {
        ("shape", "colour"), ("association-item", "shape"), ("association-item", "colour"),
    }  # fmt: skip
    for key in (("shape", "colour"), ("association-item", "shape")):
        assert found[key].surge_to == 1
        assert found[key].surge > 0.7
    assert found["association-item", "colour"].surge < 0.25


def test_a_signature_by_hand() -> None:
    # of 10: true 1 4 9 9, permuted 1 2 1 2: excess 0 .2 .8 .7, the largest rise is to layer 4
    rows = [
        {"n_objects": 3, "layer": layer, "token": "shape", "attribute": "colour",
         "permuted": permuted, "n_train": 30, "n_test": 10, "n_right": n, "n_classes": 9}
        for permuted, counts in ((False, (1, 4, 9, 9)), (True, (1, 2, 1, 2)))
        for layer, n in zip((0, 2, 4, 6), counts, strict=True)
    ]  # fmt: skip
    [one] = signatures(pa.Table.from_pylist(rows, LINEAR))
    assert one.layers == (0, 2, 4, 6)
    assert one.excess == pytest.approx((0.0, 0.2, 0.8, 0.7), abs=1e-12)
    assert (one.surge_to, one.surge) == (4, pytest.approx(0.6, abs=1e-12))


def test_activations_are_those_at_the_tokens() -> None:
    subject = OwnSubject(Decoder(DecoderConfig(n_layers=2, width=16, n_heads=2), [3]))
    scenes, query = scenes_of(3, 5), torch.tensor([0, 1, 2, 1, 0])
    held = activations(subject, scenes, query, layers=[0, 2], batch=2)
    prompts = subject.prompts(scenes, query)
    embed = subject.decoder.embed[0]
    for role, kept in held.items():
        assert kept.shape == (2, 5, prompts.places[role].shape[1], 16)
        torch.testing.assert_close(kept[0], embed[prompts.ids.gather(1, prompts.places[role])])
    logits = subject.decoder.read(held["answer"][1][None, :, 0])[0]
    torch.testing.assert_close(logits, subject.logits(prompts))


def test_layers_that_are_chosen_are_read_as_among_all() -> None:
    subject = OwnSubject(
        Decoder(DecoderConfig(n_layers=2, width=16, n_heads=2), [3]), Layout(marker=False)
    )
    scenes = [scenes_of(3, 40)]
    every = linear_probes(subject, scenes, attributes=["index"])
    some = linear_probes(subject, scenes, attributes=["index"], layers=[2], batch=7)
    assert {key: n for key, n in shares(every).items() if key[2] == 2} == shares(some)
    # query and answer in one token go by the name of answer
    assert set(some["token"].to_pylist()) == {
        "colour", "shape", "association-shape", "association-item", "answer",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layers": [4]}, "layers must be from 0 to 2, got 4"),
        ({"attributes": ["size"]}, "unknown attribute 'size'; valid: "),
        ({"tokens": ["image"]}, "unknown kind of token 'image'; valid: "),
        ({"train_ratio": 1.0}, "train_ratio must leave examples for both parts, got 1.0 of 4"),
        ({"ridge": 0.0}, "ridge must be above 0, got 0.0"),
        ({"attributes": []}, "needs scenes, layers and attributes, got none of one"),
    ],
)
def test_what_cannot_be_probed_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        linear_probes(Solver(SYMBOLIC), [scenes_of(2, 4)], **change)
    assert message in str(error.value)


def test_no_scene_is_in_both_parts() -> None:
    # every token names its scene, and every scene has a label of its own draw: a probe that has
    # seen another token of the scene knows it, one that has not guesses
    of = torch.Generator().manual_seed(0)
    features = torch.eye(40)[None, :, None].expand(-1, -1, 5, -1)
    labels = torch.randint(2, (40, 1), generator=of).expand(-1, 5)
    found = [row for _, row in _probed(features, {"colour": labels}, 0.5, 1e-3, 0)]
    assert [row["permuted"] for row in found] == [False, True]
    assert found[0]["n_train"] == found[0]["n_test"] == 100
    assert 20 <= found[0]["n_right"] <= 80
