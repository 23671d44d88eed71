"""Projections against the paper's definition, and what is refused."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, DataError
from tests.xmodal.align import reference, small
from xmodal.align.projection import Aligner, AlignerConfig, Masks, ProjectionConfig


def aligner(config: AlignerConfig | None = None, seed: int = 0) -> Aligner:
    torch.manual_seed(seed)
    return Aligner(config or AlignerConfig(text=small.MLP), small.DT, small.DV)


@pytest.mark.parametrize("activation", ["relu", "gelu", "swish"])
@pytest.mark.parametrize("training", [True, False])
def test_forward_is_the_definition(activation: str, training: bool) -> None:
    config = ProjectionConfig(width=16, activation=activation)
    made = aligner(AlignerConfig(text=config)).train(training)
    x = small.pairs(40).text
    for norm in made.text.norms:
        # as after some steps
        torch.nn.init.normal_(norm.weight)
        torch.nn.init.normal_(norm.bias)
        torch.nn.init.uniform_(norm.running_mean)
        torch.nn.init.uniform_(norm.running_var, 0.5, 2.0)
    want = reference.Reference.of(made.text)
    masks = Masks(3)
    keep = reference.kept(made.text, masks.of_side("text"), len(x)) if training else None
    expected = want.embed(x, keep, 0.2)
    got = made.embed("text", x, masks if training else None)
    assert len(made.text.linears) == 4
    torch.testing.assert_close(got.double(), expected, rtol=0, atol=1e-6)
    state = made.text.state_dict()
    for name, value in want.running.items():
        torch.testing.assert_close(state[name].double(), value, rtol=0, atol=1e-6)


def test_the_image_side_is_the_identity_but_for_its_length() -> None:
    x = small.pairs().image
    torch.testing.assert_close(aligner().embed("image", x), x / x.norm(dim=1, keepdim=True))


@settings(deadline=None, max_examples=20)
@given(st.floats(1e-2, 1e2))
def test_the_length_of_unprojected_features_does_not_count(factor: float) -> None:
    x, made = small.pairs().image, aligner().eval()
    torch.testing.assert_close(
        made.embed("image", x * factor), made.embed("image", x), rtol=1e-5, atol=1e-6
    )


def test_dropout_keeps_about_its_share_and_differs_by_all_that_it_depends_on() -> None:
    ones = torch.ones(600, 50)
    base = Masks(1).dropped(ones, 0, 0, 0.2)
    assert (base > 0).float().mean() == pytest.approx(0.8, abs=0.01)
    assert base.max() == pytest.approx(1.25)
    others = [
        Masks(2).dropped(ones, 0, 0, 0.2),
        Masks(1).dropped(ones, 1, 0, 0.2),
        Masks(1).of_side("text").dropped(ones, 0, 0, 0.2),
        Masks(1).of_side("image").dropped(ones, 0, 0, 0.2),
    ]
    for i, one in enumerate([base, *others]):
        assert all(not torch.equal(one, other) for other in others[i:])
    # blocks of rows are drawn anew
    assert not torch.equal(base[:256], base[256:512])


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 600), st.integers(1, 600))
def test_dropout_is_the_same_in_parts(n: int, rows: int) -> None:
    ones = torch.ones(n, 3)
    parts = [
        Masks(5).dropped(ones[start : start + rows], 1, start, 0.5) for start in range(0, n, rows)
    ]
    assert torch.equal(torch.cat(parts), Masks(5).dropped(ones, 1, 0, 0.5))


@pytest.mark.parametrize(
    ("text", "image", "dim", "width"),
    [
        (small.MLP, small.IDENTITY, None, small.DV),
        (small.IDENTITY, small.MLP, None, small.DT),
        (small.LINEAR, small.LINEAR, None, small.DV),
        (small.MLP, small.LINEAR, 3, 3),
    ],
)
def test_sides_share_a_width(
    text: ProjectionConfig, image: ProjectionConfig, dim: int | None, width: int
) -> None:
    made = aligner(AlignerConfig(text=text, image=image, dim=dim)).eval()
    data = small.pairs()
    for side, x in (("text", data.text), ("image", data.image)):
        rows = made.embed(side, x)
        assert rows.shape == (45, width)
        torch.testing.assert_close(rows.norm(dim=1), torch.ones(45))


def test_bf16_is_near() -> None:
    near = aligner(AlignerConfig(text=small.MLP, bf16=True)).eval()
    x = small.pairs().text
    got, want = near.embed("text", x), aligner().eval().embed("text", x)
    assert got.dtype == torch.float32
    assert 0 < (got - want).abs().max() < 0.03


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (ProjectionConfig, {"kind": "cnn"}, "projection kind must be one of mlp, linear, identity"),
        (ProjectionConfig, {"activation": "tanh"}, "activation must be one of relu, gelu, swish"),
        (ProjectionConfig, {"depth": 1}, "depth of an mlp must be at least 2, got 1"),
        (ProjectionConfig, {"width": 0}, "width must be at least 1, got 0"),
        (ProjectionConfig, {"width": 10**11}, "width must be at most 1000000, got 100000000000"),
        (ProjectionConfig, {"depth": 1001}, "depth must be at most 1000, got 1001"),
        (ProjectionConfig, {"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        (AlignerConfig, {"scale": 0.0}, "scale must be above 0 and at most 100, got 0.0"),
        (AlignerConfig, {"text": small.IDENTITY}, "text and image are both kind identity"),
        (AlignerConfig, {"dim": 4}, "dim is for two projected sides, got 4"),
    ],
)
def test_other_settings_are_refused(
    config: type, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config(**settings)


def test_other_widths_are_refused() -> None:
    with pytest.raises(DataError) as error:
        aligner().embed("text", torch.ones(4, 9))
    assert str(error.value) == (
        "text features must be [B, 6] as the text projection was made for, got [4, 9]: take the "
        "features that it was trained on"
    )
