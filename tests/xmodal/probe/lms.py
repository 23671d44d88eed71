"""Tiny LMs with random weights of more architectures than the trainer's tests need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    MistralConfig,
    MistralForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)

from tests.xmodal import tiny

ARCHITECTURES = (*tiny.ARCHITECTURES, "gpt2", "opt", "mistral", "gemma2")
"""gpt2 and opt learn a vector a position, and opt counts positions in the attention mask;
mistral sees 5 tokens back; gemma2 squashes its logits behind the head."""


def save_lm(folder: Path, architecture: str, *, bos: bool = False) -> Path:
    """Save one of ARCHITECTURES and its tokenizer."""
    if architecture in tiny.ARCHITECTURES:
        return tiny.save_lm(folder, architecture, bos=bos)
    saved = tiny.tokenizer(bos=bos)
    shape: dict[str, Any] = {"vocab_size": len(saved), "bos_token_id": 0, "eos_token_id": None}
    decoder = shape | {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
        "initializer_range": 0.4,
        "max_position_embeddings": 256,
    }
    torch.manual_seed(5)
    model: Any
    if architecture == "gpt2":
        model = GPT2LMHeadModel(
            GPT2Config(
                **shape, n_embd=16, n_layer=2, n_head=2, n_positions=256, initializer_range=0.4
            )
        )
    elif architecture == "opt":
        model = OPTForCausalLM(
            OPTConfig(
                **shape,
                hidden_size=16,
                word_embed_proj_dim=16,
                ffn_dim=24,
                num_hidden_layers=2,
                num_attention_heads=2,
                init_std=0.4,
                max_position_embeddings=256,
                pad_token_id=1,
            )
        )
    elif architecture == "mistral":
        model = MistralForCausalLM(MistralConfig(**decoder, sliding_window=5))
    else:
        model = Gemma2ForCausalLM(
            Gemma2Config(**decoder, final_logit_softcapping=2.0, sliding_window=5)
        )
    model.save_pretrained(folder)
    saved.save_pretrained(folder)
    return folder
