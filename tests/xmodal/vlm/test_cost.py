"""Operations counted against torch's own counter and against a sum on paper."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.xmodal import tiny
from xmodal.lms.causal import load_lm
from xmodal.vlm.cost import layer_parameters, lm_flops, step_cost
from xmodal.vlm.experiment import RunSpec


def test_layers_are_the_matrices_without_embeddings_and_head(spec: RunSpec) -> None:
    # 2 layers of width 16, 2 heads of 8, 1 key-value head, feed-forward 24
    attention = 16 * 16 + 2 * 16 * 8 + 16 * 16
    assert layer_parameters(spec.lm.model) == 2 * (attention + 3 * 16 * 24)


@pytest.mark.parametrize("architecture", ["qwen3", "llama", "neox"])
def test_one_question_costs_what_torch_counts(tmp_path: Path, architecture: str) -> None:
    """One sequence, no padding; torch counts the whole square of attention, we what is seen."""
    lm = load_lm(str(tiny.save_lm(tmp_path, architecture)))
    n_prefix, n_text = 5, 7
    length = n_prefix + n_text
    inputs = torch.randn(1, length, lm.width, requires_grad=True)
    counter = FlopCounterMode(display=False)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH), counter:
        hidden = lm.model.base_model(inputs_embeds=inputs, use_cache=False).last_hidden_state
        logits = lm.model.get_output_embeddings()(hidden[:, -1:])
        torch.autograd.backward(logits.sum())
    config = lm.model.config
    width = config.num_attention_heads * (config.hidden_size // config.num_attention_heads)
    square = 3 * 4 * config.num_hidden_layers * width * length * length
    seen = square * (length + 1) / 2 / length
    got = lm_flops(lm, 1, n_prefix, np.array([n_text]))
    assert got == pytest.approx(counter.get_total_flops() - square + seen, rel=1e-9)


def test_a_prefix_is_counted_once_a_picture(spec: RunSpec) -> None:
    lengths = np.array([4, 4, 4])
    shared = lm_flops(spec.lm, 1, 9, lengths)
    alone = lm_flops(spec.lm, 3, 9, lengths)
    prefix = lm_flops(spec.lm, 1, 9, np.array([], dtype=np.int64))
    assert alone - shared == pytest.approx(2 * prefix)


def test_a_step_is_the_mean_of_its_batches(spec: RunSpec) -> None:
    trainer = tiny.trainer(spec)
    cost = step_cost(trainer)
    chosen = trainer.groups.examples
    rows = [trainer.rows(step) for step in range(min(16, trainer.n_steps))]
    assert cost.n_questions == pytest.approx(np.mean([len(r) for r in rows]))
    n_prefix = trainer.features.open().shape[1] * spec.recipe.projector.n_tokens
    tokens = [
        n_prefix * len(set(chosen.image[r]))
        + sum(int(trainer.questions.lengths[q]) for q in chosen.asked[r])
        for r in rows
    ]
    assert cost.n_tokens == pytest.approx(np.mean(tokens))
