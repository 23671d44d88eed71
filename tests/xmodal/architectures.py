"""Tiny decoders with random weights, one for each architecture that the engine is tested on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import transformers

WINDOW = 9
"""Shorter than a long prefix and a question together, longer than most questions."""
_LLAMA = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
_GEMMA = {**_LLAMA, "head_dim": 8}
_MIXED = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention"]}
_SHARED = {
    "initializer_range": 0.4,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": None,
    "pad_token_id": None,
}
_GPT2 = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 256}

# name: (class of config and model, settings)
PACKABLE: dict[str, tuple[str, Mapping[str, Any]]] = {
    "qwen3": ("Qwen3", {**_LLAMA, "head_dim": 8, "tie_word_embeddings": True}),
    "qwen3-window": ("Qwen3", {**_LLAMA, **_MIXED, "head_dim": 8, "use_sliding_window": True}),
    "qwen2": ("Qwen2", _LLAMA),
    "llama": ("Llama", _LLAMA),
    "mistral": ("Mistral", {**_LLAMA, "sliding_window": None}),
    "mistral-window": ("Mistral", {**_LLAMA, "sliding_window": WINDOW}),
    "gemma": ("Gemma", _GEMMA),
    "gemma2": ("Gemma2", {**_GEMMA, **_MIXED, "final_logit_softcapping": 3.0}),
    "gemma3": ("Gemma3Text", {**_GEMMA, **_MIXED}),
    "olmo": ("Olmo", _LLAMA),
    "olmo2": ("Olmo2", _LLAMA),
    "olmo3": ("Olmo3", {**_LLAMA, **_MIXED}),
    "neox": ("GPTNeoX", {k: v for k, v in _LLAMA.items() if k != "num_key_value_heads"}),
    "phi3": ("Phi3", {**_LLAMA, "sliding_window": WINDOW}),
    "gpt2": ("GPT2", _GPT2),
    "opt": ("OPT", {"hidden_size": 16, "ffn_dim": 24, "word_embed_proj_dim": 16,
                    "num_hidden_layers": 2, "num_attention_heads": 2}),
    "granite": ("Granite", {**_LLAMA, "logits_scaling": 2.5, "embedding_multiplier": 3.0}),
    "cohere2": ("Cohere2", {**_LLAMA, **_MIXED, "logit_scale": 0.5}),
}  # fmt: skip
UNPACKABLE: dict[str, tuple[str, Mapping[str, Any]]] = {
    # ALiBi: distances are counted along the row, whatever the position ids say
    "bloom": ("Bloom", {"hidden_size": 16, "n_layer": 2, "n_head": 2}),
    "falcon-alibi": ("Falcon", {"hidden_size": 16, "num_hidden_layers": 2, "alibi": True,
                                "num_attention_heads": 2, "bias": True, "multi_query": False}),
    "mpt": ("Mpt", {"d_model": 16, "n_layers": 2, "n_heads": 2, "expansion_ratio": 2}),
    # the mask of its local layers is its own, along the row
    "gpt-neo": ("GPTNeo", {"hidden_size": 16, "intermediate_size": 24, "num_layers": 2,
                           "num_heads": 2, "window_size": WINDOW,
                           "attention_types": [[["global", "local"], 1]]}),
    # a state is handed from token to token, through the questions before
    "mamba": ("Mamba", {"hidden_size": 16, "num_hidden_layers": 2, "state_size": 4}),
}  # fmt: skip


def model(name: str, vocab_size: int) -> Any:
    """A decoder with weights from torch's global generator."""
    kind, settings = (PACKABLE | UNPACKABLE)[name]
    config: Callable[..., Any] = getattr(transformers, f"{kind}Config")
    head = "LMHeadModel" if kind == "GPT2" else "ForCausalLM"
    return getattr(transformers, f"{kind.removesuffix('Text')}{head}")(
        config(**{**_SHARED, "vocab_size": vocab_size, **settings})
    )
