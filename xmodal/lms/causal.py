"""Frozen language models, loaded through transformers."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from taxonomy.model import one_of
from xmodal.lms.hub import loading, pinned
from xmodal.lms.names import BUNDLED, EMBEDDED, EMBEDDED_PARTS
from xmodal.weights import weights_sha256

INITS = ("pretrained", "random", "scrambled")


@dataclass(frozen=True)
class LanguageModel:
    """A frozen decoder and its tokenizer."""

    name: str
    init: str
    revision: str | None
    """The commit that a hub model came from, whatever was asked for; None for a folder."""
    model: Any
    tokenizer: Any
    sha256: str
    """Hash of all weights by name, of the weights as they are used."""
    packings: dict[tuple[int, int], Any] = field(default_factory=dict, compare=False, repr=False)
    """What the self-check of packing found, by prefix tokens and length of question."""

    @property
    def width(self) -> int:
        """Dl, the width of the token embeddings."""
        return int(self.model.get_input_embeddings().weight.shape[1])

    @property
    def random_std(self) -> float | None:
        """Standard deviation that random weights were drawn with; None unless they were."""
        if self.init != "random":
            return None
        std = getattr(self.model.config.get_text_config(), "initializer_range", None)
        return None if std is None else float(std)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self.model.get_input_embeddings().weight.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights: fp32 on cpu, bf16 elsewhere."""
        dtype: torch.dtype = self.model.get_input_embeddings().weight.dtype
        return dtype

    @property
    def embedding_rms(self) -> float:
        """Root mean square of the token embeddings, any factor of their layer included."""
        weight = self.model.get_input_embeddings().weight
        embedded = self.embed(torch.arange(len(weight), device=weight.device))
        return float(embedded.float().pow(2).mean().sqrt())

    @functools.cached_property
    def start_ids(self) -> list[int]:
        """Special tokens that the tokenizer puts before a text, as a rule none or one.

        Asked of the tokenizer itself: its add_bos_token does not tell where a template of the
        tokenizer file adds the token, as with Llama 3.
        """
        bare = self.token_ids("a")
        whole = [int(i) for i in self.tokenizer("a")["input_ids"]]
        places = range(len(whole) - len(bare) + 1)
        at = next((i for i in places if whole[i : i + len(bare)] == bare), 0)
        return whole[:at]

    def embed(self, ids: Tensor) -> Tensor:
        """Token embeddings; int64 [...] to [..., Dl]."""
        embedded: Tensor = self.model.get_input_embeddings()(ids)
        return embedded

    def token_ids(self, text: str) -> list[int]:
        """Ids of a text, without special tokens."""
        return [int(i) for i in self.tokenizer(text, add_special_tokens=False)["input_ids"]]

    def answer_id(self, text: str) -> int:
        """The single token that stands for an answer.

        Raises:
            ConfigError: The tokenizer makes no or several tokens of it.
        """
        ids = self.token_ids(text)
        if len(ids) != 1:
            raise ConfigError(
                f"the answer {text!r} must be one token of {self.name}, got {len(ids)}; "
                "choose another prompt"
            )
        return ids[0]


def bundled_which(name: str, init: str) -> str:
    """The folder of the bundle's LMs for a bundled name: pretrained, scrambled or parts."""
    if name == EMBEDDED_PARTS:
        return "parts"
    return "scrambled" if init == "scrambled" else "pretrained"


@functools.cache
def bundled_hashes(name: str, init: str) -> frozenset[str]:
    """Hashes of an LM of the bundle, of its weights as a CPU and as a GPU use them."""
    lm = load_lm(name, init=init)
    return frozenset((lm.sha256, weights_sha256(lm.model.to(torch.bfloat16))))


def _folder(name: str, init: str) -> str:
    """Where the weights are: a folder of the bundle, or the name as it was given."""
    if name != EMBEDDED and init == "scrambled":
        raise ConfigError(f"lm_init scrambled goes with the lm {EMBEDDED!r} only, got {name!r}")
    if name not in BUNDLED:
        return name
    from xmodal.bundle.files import data_file

    return str(data_file(f"lm/{bundled_which(name, init)}/config.json").parent)


def load_lm(
    name: str,
    *,
    init: str = "pretrained",
    revision: str | None = None,
    seed: int = 0,
    device: str = "cpu",
    is_vlm: bool = False,
) -> LanguageModel:
    """Load a frozen LM.

    Args:
        name: "embedded", "embedded-parts", a local folder, or a name on the model hub.
        init: pretrained; random (same architecture, weights drawn from the seed); scrambled
            (embedded only: pretrained on a taxonomy with permuted hypernyms).
        revision: Of a hub model.
        seed: For init random.
        device: Where the weights go; fp32 on cpu, bf16 elsewhere.
        is_vlm: A vision-language model, which then reads text alone; its hash is of all its
            weights.

    Raises:
        ConfigError: An init that does not exist, or not for this LM.
        DataError: The model cannot be found or read.
    """
    one_of("lm_init", init, INITS)
    where = _folder(name, init)
    dtype = torch.float32 if device == "cpu" else torch.bfloat16
    with loading(f"lm {name!r}", where):
        commit = pinned(where, revision)
        tokenizer, model = _read(where, init, commit, seed, dtype, is_vlm)
    model = model.to(device).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    return LanguageModel(name, init, commit, model, tokenizer, weights_sha256(model))


def _read(
    where: str, init: str, revision: str | None, seed: int, dtype: torch.dtype, is_vlm: bool
) -> tuple[Any, Any]:
    """Tokenizer and model of a folder or hub model."""
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForImageTextToText,
        AutoTokenizer,
    )

    auto: Any = AutoModelForImageTextToText if is_vlm else AutoModelForCausalLM
    tokenizer = AutoTokenizer.from_pretrained(where, revision=revision)
    if init == "random":
        config = AutoConfig.from_pretrained(where, revision=revision)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = auto.from_config(config, dtype=dtype)
        return tokenizer, model
    loaded: Any = auto.from_pretrained(
        where, revision=revision, dtype=dtype, use_safetensors=True, output_loading_info=True
    )
    model, found = loaded
    if missing := sorted(found["missing_keys"]):
        # transformers would draw them at random and go on
        raise ValueError(f"{len(missing)} of its weights are not there, such as {missing[0]}")
    return tokenizer, model
