"""The classical encoder on pictures whose descriptor can be told beforehand."""

from __future__ import annotations

import pytest
import torch

from xmodal.features.classical import GRID, SIDE, WIDTH, augment, encode

FINE, MIDDLE, COARSE = slice(0, 36), slice(36, 45), slice(45, 54)
COLOUR, COVERAGE = slice(54, 57), slice(57, 58)


def drawn(n: int = 3, seed: int = 0) -> torch.Tensor:
    """Smooth random pictures on white, well inside their frame."""
    noise = torch.rand(n, 3, 12, 12, generator=torch.Generator().manual_seed(seed))
    inner = torch.nn.functional.interpolate(noise, size=32, mode="bilinear")
    pixels = torch.ones(n, 3, SIDE, SIDE)
    pixels[:, :, 16:48, 16:48] = inner
    return pixels


def as_grid(tokens: torch.Tensor) -> torch.Tensor:
    return tokens.reshape(len(tokens), GRID, GRID, WIDTH)


@pytest.mark.parametrize("shape", [(1, 3, 32, 32), (1, 1, 64, 64), (3, 64, 64), (1, 3, 64, 63)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=rf"pixels must be \[B, 3, 64, 64\], got \[{shape[0]}, "):
        encode(torch.zeros(shape))


@pytest.mark.parametrize("grey", [0.0, 0.5, 1.0])
def test_a_blank_picture_has_no_gradient_and_no_nan(grey: float) -> None:
    tokens = encode(torch.full((2, 3, SIDE, SIDE), grey))
    assert tokens.shape == (2, GRID * GRID, WIDTH)
    assert torch.isfinite(tokens).all()
    assert not tokens[..., :54].any()
    assert (tokens[..., COVERAGE] == (0.0 if grey == 1 else 0.4)).all()
    # grey has no colour: a and b of Lab are zero
    assert tokens[..., 55:57].abs().max() < 1e-3


def test_white_has_lightness_one_and_black_zero() -> None:
    tokens = encode(torch.stack([torch.ones(3, SIDE, SIDE), torch.zeros(3, SIDE, SIDE)]))
    assert tokens[0, :, 54].mean() == pytest.approx(0.6, abs=1e-3)
    assert tokens[1, :, 54].mean() == pytest.approx(0, abs=1e-3)


def test_tokens_do_not_depend_on_the_batch() -> None:
    pixels = drawn(4)
    together = encode(pixels)
    assert torch.allclose(together[2:3], encode(pixels[2:3]), atol=1e-6)


def test_a_shift_by_one_patch_shifts_the_tokens() -> None:
    pixels = drawn()
    patch = SIDE // GRID
    moved = torch.roll(pixels, patch, dims=3)  # what wraps round is white
    before, after = as_grid(encode(pixels)), as_grid(encode(moved))
    for part in (FINE, MIDDLE, COLOUR, COVERAGE):
        inner = before[:, 1:-1, 1:-2, part]
        assert torch.allclose(inner, after[:, 1:-1, 2:-1, part], atol=1e-5)
        assert inner.abs().max() > 0.01


def test_a_flip_flips_the_grid_and_mirrors_orientations() -> None:
    pixels = drawn()
    before, after = as_grid(encode(pixels)), as_grid(encode(pixels.flip(3)))
    flipped = after.flip(2)
    for part in (COLOUR, COVERAGE):
        assert torch.allclose(before[..., part], flipped[..., part], atol=1e-5)
    # unsigned angle t becomes 180 - t: bin 0 stays, the others run backwards
    mirrored = [0, *range(8, 0, -1)]
    assert torch.allclose(before[..., MIDDLE], flipped[..., MIDDLE][..., mirrored], atol=1e-5)


def test_an_edge_falls_into_the_bin_of_its_direction() -> None:
    pixels = torch.ones(2, 3, SIDE, SIDE)
    pixels[0, :, :, 28:] = 0  # a vertical edge: gradient along x, angle 0
    pixels[1, :, 28:] = 0  # a horizontal edge: 90 degrees, between bins 4 and 5
    upright, flat = encode(pixels)[..., MIDDLE].sum(1)
    assert upright.argmax() == 0
    assert upright[1:].abs().max() < 1e-5
    assert flat[[4, 5]].sum() == pytest.approx(float(flat.sum()), rel=1e-4)
    assert flat[4] == pytest.approx(float(flat[5]), rel=1e-4)


def test_views_are_seeded_differ_and_stay_pictures() -> None:
    pixels = drawn(6)

    def view(seed: int) -> torch.Tensor:
        return augment(pixels, torch.Generator().manual_seed(seed))

    assert torch.equal(view(1), view(1))
    assert not torch.equal(view(1), view(2))
    assert view(1).shape == pixels.shape
    assert 0 <= view(1).min() <= view(1).max() <= 1
    # what moves in from outside is white
    blank = augment(torch.ones(4, 3, SIDE, SIDE), torch.Generator().manual_seed(0))
    assert torch.allclose(blank, torch.ones_like(blank), atol=1e-6)
    moved = (view(1) - pixels).flatten(1).abs().amax(1)
    assert (moved > 0.05).all()
