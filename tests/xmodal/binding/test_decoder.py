"""The batched decoder against an independent implementation and against itself, run by run."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

from taxonomy.errors import ConfigError
from xmodal.binding.decoder import POSITIONS, Decoder, DecoderConfig
from xmodal.binding.task import Layout, Sequences, draw_scenes, generators, lay_out
from xmodal.binding.vocabulary import N_TOKENS, Vocabulary

SMALL = DecoderConfig(n_layers=2, width=16, n_heads=2)


def sequences_of(
    *seeds: int, layout: Layout | None = None, n: int = 3, count: int = 2
) -> Sequences:
    scenes = draw_scenes(generators(seeds, "test"), count, n, Vocabulary())
    return lay_out(scenes, layout or Layout(hops="all"))


def neox_of(decoder: Decoder) -> GPTNeoXForCausalLM:
    """The same weights in transformers' GPT-NeoX: rotary, LayerNorm, biases on query and key."""
    shape = decoder.config
    config = GPTNeoXConfig(
        vocab_size=N_TOKENS, hidden_size=shape.width, num_hidden_layers=shape.n_layers,
        num_attention_heads=shape.n_heads, intermediate_size=4 * shape.width, hidden_act="relu",
        use_parallel_residual=False, layer_norm_eps=1e-5, tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": shape.rope_base,
                         "partial_rotary_factor": 1.0},
        max_position_embeddings=128,
    )  # fmt: skip
    model = GPTNeoXForCausalLM(config).double().eval()
    heads, width = shape.n_heads, shape.width
    with torch.no_grad():
        for value in model.parameters():
            value.zero_()
        model.gpt_neox.embed_in.weight.copy_(decoder.embed[0])
        model.gpt_neox.final_layer_norm.weight.copy_(decoder.norm[0])
        for layer, block in enumerate(model.gpt_neox.layers):
            # ours: all queries, all keys, all values; theirs: query, key, value head by head
            def heads_first(x: Tensor) -> Tensor:
                return x.view(3, heads, width // heads, -1).transpose(0, 1).reshape(3 * width, -1)

            block.attention.query_key_value.weight.copy_(heads_first(decoder.qkv[0, layer].T))
            bias = heads_first(decoder.qkv_bias[0, layer][:, None])
            block.attention.query_key_value.bias.copy_(bias[:, 0])
            block.attention.dense.weight.copy_(decoder.out[0, layer].T)
            block.mlp.dense_h_to_4h.weight.copy_(decoder.up[0, layer].T)
            block.mlp.dense_h_to_4h.bias.copy_(decoder.up_bias[0, layer])
            block.mlp.dense_4h_to_h.weight.copy_(decoder.down[0, layer].T)
            block.input_layernorm.weight.copy_(decoder.norm_in[0, layer])
            block.post_attention_layernorm.weight.copy_(decoder.norm_mid[0, layer])
    return model


def test_it_is_a_gpt_neox() -> None:
    decoder = Decoder(SMALL, [3]).double()
    with torch.no_grad():
        for name in ("up_bias", "norm_in", "norm_mid", "norm"):
            getattr(decoder, name).add_(torch.rand_like(getattr(decoder, name)))
    sequences = sequences_of(5, layout=Layout(noise=4)).only([1])
    with torch.no_grad():
        ours = decoder(sequences)[0, :, 0]
        theirs = neox_of(decoder)(
            input_ids=sequences.ids[0], position_ids=sequences.positions[0]
        ).logits[:, -1]
    # theirs turns by cosines in float32
    assert (ours - theirs).abs().max() < 1e-6
    assert ours.std() > 1e-3


@pytest.mark.parametrize("position", POSITIONS)
def test_runs_compute_as_if_alone(position: str) -> None:
    config = replace(SMALL, position=position, image_width=5)
    layout = Layout(context="image")
    scenes = draw_scenes(generators([1, 2], "test"), 2, 3, Vocabulary())
    sequences, image = lay_out(scenes, layout, 4), torch.randn(2, 2, 4, 5).double()
    together = Decoder(config, [1, 2]).double()
    both = together(sequences, image)
    for run, seed in enumerate((1, 2)):
        alone = Decoder(config, [seed]).double()
        own = replace(
            sequences,
            ids=sequences.ids[run : run + 1],
            positions=sequences.positions[run : run + 1],
            targets=sequences.targets[run : run + 1],
        )
        assert torch.allclose(alone(own, image[run : run + 1])[0], both[run], atol=1e-12)
        assert torch.allclose(together.slice(run)(own, image[run : run + 1])[0], both[run])
    assert not torch.allclose(both[0], both[1])


@pytest.mark.parametrize("position", POSITIONS)
def test_a_question_sees_the_context_and_itself(position: str) -> None:
    decoder = Decoder(replace(SMALL, position=position), [0]).double()
    sequences = sequences_of(4)
    packed = decoder(sequences)
    for number in range(len(sequences.kinds)):
        alone = decoder(sequences.only([number]))
        assert torch.allclose(alone[..., 0, :], packed[..., number, :], atol=1e-12)


def test_noise_that_is_not_computed_is_noise_that_nothing_attends_to() -> None:
    """Noise tokens written out, with a mask that hides them, give the same answers."""
    decoder = Decoder(SMALL, [0]).double()
    bare = sequences_of(6, layout=Layout(noise=5), count=1).only([0])
    positions, ids = bare.positions[0, 0], bare.ids[0, 0]
    length = int(positions.max()) + 1
    assert length == len(ids) + 5
    whole = torch.full((length,), 7)
    whole[positions] = ids
    there = torch.zeros(length, dtype=torch.bool)
    there[positions] = True
    mask = torch.ones(length, length, dtype=torch.bool).tril() & (there | torch.eye(length).bool())
    written = replace(
        bare,
        ids=whole[None, None],
        positions=torch.arange(length)[None, None],
        segments=torch.full((length,), -1),
        at=torch.tensor([length - 1]),
    )
    given = decoder(written, masks=[mask] * SMALL.n_layers)
    assert torch.allclose(given, decoder(bare), atol=1e-12)


def test_wrong_shapes_and_settings_are_refused() -> None:
    with pytest.raises(ConfigError, match="width must be a multiple of twice the heads, 4, got 18"):
        replace(SMALL, width=18)
    with pytest.raises(ConfigError, match="learned positions end at 3: take a larger n_positions"):
        Decoder(replace(SMALL, position="learned", n_positions=4), [0])(sequences_of(0))
    image = lay_out(draw_scenes(generators([0]), 1, 3, Vocabulary()), Layout(context="image"), 2)
    with pytest.raises(ConfigError, match="give it an image_width"):
        Decoder(SMALL, [0])(image, torch.randn(1, 1, 2, 5))
    with pytest.raises(ConfigError, match=r"must have embed of shape \[473, 16\]"):
        Decoder(SMALL, [0]).take([Decoder(replace(SMALL, width=32), [0])])
