"""Tiny LMs of both kinds with random weights, saved with tokenizers like those of the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import processors
from transformers import PreTrainedTokenizerFast

from tests.xmodal import tiny

DECODERS = ("qwen3", "llama", "gpt2", "neox", "opt", "mistral-window")
_WIDE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
_BERT = {**_WIDE, "intermediate_size": 24, "max_position_embeddings": 64}
ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertForMaskedLM", _BERT),
    "roberta": ("RobertaForMaskedLM", _BERT),
    "modernbert": ("ModernBertForMaskedLM", {**_BERT, "global_attn_every_n_layers": 2}),
    "distilbert": ("DistilBertModel", {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 24}),
    "t5": ("T5ForConditionalGeneration", {"d_model": 16, "num_layers": 2, "num_decoder_layers": 1,
                                          "num_heads": 2, "d_kv": 8, "d_ff": 24}),
}  # fmt: skip
TEXTS = [
    "a parrot",
    "an owl is a bird that sees at night and turns its head, as no other bird can",
    "saw",
    "Is there a bird in the image?",
    "a parrot on a branch; an owl, a hen and an axe",
]


def tokenizer(architecture: str) -> Any:
    """As saved with the architecture: a class token before, a separator behind; T5 only behind."""
    core = tiny.byte_pairs(["<c>", "<p>", "<e>"])
    core.post_processor = processors.TemplateProcessing(
        single="$A <e>" if architecture == "t5" else "<c> $A <e>",
        special_tokens=[("<c>", 0), ("<e>", 2)],
    )
    if architecture == "t5":
        return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<e>", pad_token="<p>")
    return PreTrainedTokenizerFast(
        tokenizer_object=core, cls_token="<c>", sep_token="<e>", pad_token="<p>"
    )


def save(folder: Path, architecture: str) -> Path:
    """Save a tiny LM and its tokenizer."""
    if architecture not in ENCODERS:
        return tiny.save_lm(folder, architecture, bos=architecture == "llama")
    saved = tokenizer(architecture)
    name, settings = ENCODERS[architecture]
    torch.manual_seed(4)
    cls: Any = getattr(transformers, name)
    own = {"vocab_size": len(saved), "pad_token_id": saved.pad_token_id}
    config = cls.config_class(**(settings | own))
    cls(config).save_pretrained(folder)
    saved.save_pretrained(folder)
    return folder
