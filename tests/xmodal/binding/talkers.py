"""Tiny LMs whose tokenizers know the words of the retrieval task, whole or in pieces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from tests.xmodal import architectures
from xmodal.binding.word_templates import ALL_WORDS, TEMPLATES
from xmodal.lms.causal import LanguageModel

WORDS = (*ALL_WORDS.colours, *ALL_WORDS.shapes, *ALL_WORDS.items)
_TEXT = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "initializer_range": 0.4,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": None,
    "pad_token_id": None,
}
_QWEN_VISION = {"depth": 1, "num_heads": 2, "hidden_size": 16, "out_hidden_size": 16,
                "embed_dim": 16, "intermediate_size": 24, "patch_size": 4}  # fmt: skip
_ROPE = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
_TOKENS = {"image_token_id": 1, "video_token_id": 1, "vision_start_token_id": 1,
           "vision_end_token_id": 1}  # fmt: skip

# name: (class of config and model, text, vision, rest)
VLMS: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "qwen2-vl": ("Qwen2VL", {**_TEXT, "rope_parameters": _ROPE}, _QWEN_VISION, _TOKENS),
    "qwen2.5-vl": ("Qwen2_5_VL", {**_TEXT, "rope_parameters": _ROPE}, _QWEN_VISION, _TOKENS),
    "qwen3-vl": ("Qwen3VL", {**_TEXT, "head_dim": 8, "rope_parameters": _ROPE},
                 {**_QWEN_VISION, "deepstack_visual_indexes": [0]}, _TOKENS),
    "llava": ("Llava", {**_TEXT, "model_type": "llama"},
              {"model_type": "clip_vision_model", "hidden_size": 16, "intermediate_size": 24,
               "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 8,
               "patch_size": 4},
              {"image_token_id": 1, "image_token_index": 1}),
}  # fmt: skip


def word_tokenizer(without: str = "") -> Any:
    """Every word and mark of the task one token, but for one; white space is dropped."""
    texts = [
        part for one in TEMPLATES.values() for part in vars(one).values() if isinstance(part, str)
    ]
    split = pre_tokenizers.Whitespace()
    known = dict.fromkeys(word for text in texts for word, _ in split.pre_tokenize_str(text))
    names = ["<s>", "<image>", "<unk>", *dict.fromkeys([*known, *WORDS])]
    names = [name for name in names if name != without]
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(names)}, unk_token="<unk>"))
    made.pre_tokenizer = split
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", additional_special_tokens=["<s>", "<image>"]
    )


def piece_tokenizer(n_merges: int = 150, *, bos: bool = True) -> Any:
    """A byte-level BPE that has some words of the task whole and others in pieces."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=257 + n_merges,
        special_tokens=["<s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    often = [f" {word}" for word in WORDS for _ in range(9 if len(word) < 4 else 2)]
    made.train_from_iterator(often, trainer)
    if bos:
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", 0)]
        )
    return PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>")


def talker(architecture: str = "qwen2", tokenizer: Any = None, attention: str = "sdpa") -> Any:
    """A tiny LM with random weights."""
    tokenizer = tokenizer or word_tokenizer()
    torch.manual_seed(3)
    if architecture in VLMS:
        model = vlm(architecture, len(tokenizer))
    else:
        model = architectures.model(architecture, len(tokenizer))
    if attention == "eager":
        model.set_attn_implementation("eager")
    return LanguageModel(architecture, "random", None, model.eval(), tokenizer, architecture)


def vlm(name: str, vocab_size: int) -> Any:
    """A tiny vision-language model with weights from torch's global generator."""
    kind, text, vision, rest = VLMS[name]
    config: Callable[..., Any] = getattr(transformers, f"{kind}Config")
    made = config(
        text_config={**text, "vocab_size": vocab_size},
        vision_config=dict(vision),
        tie_word_embeddings=False,
        **rest,
    )
    model: Callable[..., Any] = getattr(transformers, f"{kind}ForConditionalGeneration")
    return model(made)


def save(folder: Path, architecture: str = "qwen2", tokenizer: Any = None) -> Path:
    """Save a tiny LM or VLM with its tokenizer."""
    made = talker(architecture, tokenizer)
    made.model.save_pretrained(folder)
    made.tokenizer.save_pretrained(folder)
    return folder
