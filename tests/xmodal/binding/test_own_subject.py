"""A decoder of this package as a subject: what stands where, and what the hooks compute."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from taxonomy.errors import ConfigError
from tests.xmodal.binding.solvers import VOCABULARY
from xmodal.binding.decoder import POSITIONS, Decoder, DecoderConfig
from xmodal.binding.examples import as_ordered, batches, count
from xmodal.binding.own_subject import OwnSubject, own_prompts
from xmodal.binding.task import Layout, Scenes, draw_scenes, generators, lay_out
from xmodal.binding.vocabulary import word


def scenes_of(n_objects: int, n: int, seed: int = 0) -> Scenes:
    return draw_scenes(generators([seed], "test", n_objects), n, n_objects, VOCABULARY)


def tiny(position: str = "rope", image_width: int | None = None) -> Decoder:
    return Decoder(
        DecoderConfig(n_layers=2, width=16, n_heads=2, position=position, image_width=image_width),
        [5],
    )


def pictures(scenes: Scenes) -> Tensor:
    """Three image tokens, of which the first two tell colours and shapes."""
    made = torch.zeros(count(scenes), 3, 8)
    made[:, 0, : scenes.n_objects] = scenes.colours[0].float()
    made[:, 1, : scenes.n_objects] = scenes.shapes[0].float()
    return made


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 8), st.integers(0, 10**6), st.booleans(), st.integers(0, 4),
    st.sampled_from(["text", "image"]), st.sampled_from(["objects", "tokens"]),
)  # fmt: skip
def test_every_role_stands_where_its_word_is(
    n: int, seed: int, marker: bool, noise: int, context: str, between: str
) -> None:
    scenes = scenes_of(n, 3, seed)
    layout = Layout(
        context=context, marker=marker, noise=noise if context == "text" else 0,
        noise_between=between,
    )  # fmt: skip
    query = torch.tensor([seed % n, 0, n - 1])
    prompts = own_prompts(scenes, query, layout, pictures(scenes) if context == "image" else None)
    for b in range(3):
        said = [word(token) for token in prompts.ids[b].tolist()]
        at = {role: [said[i] for i in places[b]] for role, places in prompts.places.items()}
        colours = [f"colour-{one}" for one in scenes.colours[0, b]]
        shapes = [f"shape-{one}" for one in scenes.shapes[0, b]]
        assert at["association-shape"] == shapes
        assert at["association-item"] == [f"item-{one}" for one in scenes.items[0, b]]
        assert at["context-end"] == ["[CTX_END]"]
        assert at["query"] == [colours[query[b]]]
        assert at["answer"] == (["[ANS]"] if marker else at["query"])
        assert prompts.places["answer"][b].tolist() == [len(said) - 1]
        first = prompts.places["association-shape"][b, scenes.order[0, b, 0]]
        assert said[first - 1] == "[CTX_END]"
        if context == "text":
            assert (at["colour"], at["shape"]) == (colours, shapes)
            assert min(prompts.places["association-shape"][b]) > max(prompts.places["shape"][b])
        else:
            assert at["image"] == ["[IMAGE]"] * 3
            assert {"colour", "shape"}.isdisjoint(at)


@pytest.mark.parametrize("context", ["text", "image"])
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("marker", [True, False])
def test_logits_are_those_of_the_decoder_on_all_questions(
    context: str, position: str, marker: bool
) -> None:
    decoder = tiny(position, image_width=8 if context == "image" else None)
    layout = Layout(context=context, marker=marker, noise=4 if context == "text" else 0)
    shown = pictures if context == "image" else None
    subject = OwnSubject(decoder, layout, shown)
    scenes = scenes_of(4, 5)
    query = torch.tensor([0, 3, 1, 2, 2])
    n_image = 0 if shown is None else 3
    with torch.no_grad():
        wanted = decoder(
            lay_out(scenes, layout, n_image), None if shown is None else shown(scenes)[None]
        )[0, torch.arange(5), query]
    torch.testing.assert_close(subject.logits(subject.prompts(scenes, query)), wanted)
    right = lay_out(scenes, layout, n_image).targets[0].gather(1, query[:, None])[:, 0]
    items = scenes.items[0].gather(1, query[:, None])[:, 0]
    assert torch.equal(subject.token_of(items), right)


@pytest.mark.parametrize("position", POSITIONS)
def test_masks_are_those_written_out(position: str) -> None:
    decoder = tiny(position)
    subject = OwnSubject(decoder)
    scenes = scenes_of(3, 4)
    prompts = subject.prompts(scenes, torch.zeros(4, dtype=torch.long))
    n = prompts.ids.shape[1]
    of = torch.Generator().manual_seed(1)
    drawn = torch.rand(2, 4, n, n, generator=of) < 0.6
    drawn |= torch.eye(n, dtype=torch.bool)
    causal = torch.ones(n, n, dtype=torch.bool).tril()
    # each example and block alone, by the decoder's own mask of [T, T]
    sequences = lay_out(scenes, Layout()).only([0])
    for b in range(4):
        one = type(sequences)(
            sequences.ids[:, b : b + 1], sequences.positions[:, b : b + 1], sequences.segments,
            sequences.at, sequences.targets[:, b : b + 1],
        )  # fmt: skip
        with torch.no_grad():
            wanted = decoder(one, masks=[causal & drawn[0, b], causal & drawn[1, b]])[0, :, 0]
        got = subject.logits(prompts, masks=[drawn[0], drawn[1]])[b : b + 1]
        torch.testing.assert_close(got, wanted)
    whole = torch.ones(n, n, dtype=torch.bool)
    torch.testing.assert_close(
        subject.logits(prompts, masks=[whole, whole]), subject.logits(prompts)
    )


def test_edits_see_and_change_each_layer() -> None:
    subject = OwnSubject(tiny())
    prompts = subject.prompts(scenes_of(3, 4), torch.zeros(4, dtype=torch.long))
    seen: list[tuple[int, tuple[int, ...]]] = []

    def silenced(layer: int, x: Tensor) -> Tensor:
        seen.append((layer, tuple(x.shape)))
        return torch.zeros_like(x) if layer == 2 else x

    logits = subject.logits(prompts, edit=silenced)
    assert seen == [(layer, (4, prompts.ids.shape[1], 16)) for layer in range(3)]
    assert logits.abs().max() == 0
    assert all(value.grad is None for value in subject.decoder.parameters())
    assert not logits.requires_grad


def test_the_order_of_associations_is_the_scenes_own() -> None:
    scenes = scenes_of(5, 3)
    layout = Layout(order="same")
    query = torch.zeros(3, dtype=torch.long)
    same = own_prompts(as_ordered(scenes, layout), query, layout)
    assert torch.equal(same.ids[0], lay_out(scenes, layout).only([0]).ids[0, 0])
    # what an intervention has moved is not put back
    shuffled = own_prompts(scenes, query, layout)
    assert torch.equal(shuffled.ids[0], lay_out(scenes, Layout()).only([0]).ids[0, 0])
    assert as_ordered(scenes, Layout()) is scenes


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        OwnSubject(Decoder(DecoderConfig(n_layers=1, width=16), [0, 1]))
    assert str(error.value) == "a probe looks into one run, got a decoder of 2: take a slice"
    with pytest.raises(ConfigError, match="got context 'image' without pictures"):
        OwnSubject(tiny(), Layout(context="image"))
    with pytest.raises(ConfigError, match="got context 'text' with pictures"):
        OwnSubject(tiny(), Layout(), pictures)
    with pytest.raises(ConfigError, match="needs a context: text or image, got 'none'"):
        own_prompts(scenes_of(2, 1), torch.zeros(1).long(), Layout(context="none"))
    with pytest.raises(ConfigError, match="batch must be at least 1, got 0"):
        list(batches(3, 0))
    two = draw_scenes(generators([0, 1], "test"), 2, 3, VOCABULARY)
    with pytest.raises(ValueError, match="scenes of one run, got 2"):
        count(two)
