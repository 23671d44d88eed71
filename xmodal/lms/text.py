"""What a frozen LM makes of a text: one vector, of any decoder or encoder of transformers.

A text is read with the special tokens of its tokenizer. Texts of similar length share a batch,
padded on the right and masked; each has the vector that it would have alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taxonomy.errors import ConfigError, DataError
from taxonomy.hashing import content_id
from taxonomy.model import one_of
from xmodal.layers import layer_index
from xmodal.lms.causal import load_lm
from xmodal.lms.hub import loading, pinned
from xmodal.lms.names import BUNDLED
from xmodal.lms.reader import LONGEST, SOUND, Pooling, Tokenised
from xmodal.weights import weights_sha256

CPU_TOKENS, GPU_TOKENS = 384, 65536
"""Tokens of a batch: on a CPU what its caches hold, 4,096 take twice as long a token there."""
_UNUSED = ("pooler.", "lm_head.", "cls.")
"""Parts behind the hidden states; a checkpoint may lack them."""


@dataclass(frozen=True, eq=False)
class TextModel:
    """A frozen LM without its head, and its tokenizer."""

    name: str
    init: str
    revision: str | None
    """The commit that a hub model came from; None for a folder."""
    kind: str
    """decoder, if no token sees what comes after it; else encoder. Found by trying."""
    model: Any
    tokenizer: Any
    sha256: str
    """Hash of the weights."""

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = next(iter(self.model.parameters())).device
        return device

    @property
    def n_parameters(self) -> int:
        """Weights of the model without its head."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def tokens_id(self) -> str:
        """Hash of what decides the tokens; truncation and padding are set anew by each call."""
        core = getattr(self.tokenizer, "backend_tokenizer", None)
        if core is None:
            return content_id({"vocabulary": sorted(self.tokenizer.get_vocab().items())})
        said = json.loads(core.to_str())
        return content_id({k: v for k, v in said.items() if k not in ("truncation", "padding")})

    def pooling(self, name: str | None = None, layer: str | None = None) -> Pooling:
        """Which states are taken: the sound ones of the LM's kind, unless told otherwise."""
        return Pooling(name or SOUND[self.kind], layer or "last")

    def tokenise(self, texts: Sequence[str], pooling: Pooling, longest: int) -> list[Tokenised]:
        """Token ids of texts.

        Args:
            texts: What is read.
            pooling: eos puts a token behind each text.
            longest: Tokens of a text, at most, special ones included.

        Raises:
            ConfigError: The tokenizer has no such token.
            DataError: A text holds no token of its own.
        """
        end = self._special(pooling, "eos")
        room = longest - (end is not None)
        options = {"add_special_tokens": True, "return_special_tokens_mask": True}
        read = self.tokenizer(list(texts), truncation=False, **options)
        ids, masks = read["input_ids"], read["special_tokens_mask"]
        long = [at for at, one in enumerate(ids) if len(one) > room]
        if long:
            # only the tokenizer knows which of its special tokens stay
            cut = self.tokenizer(
                [texts[i] for i in long], truncation=True, max_length=room, **options
            )
            for at, short, mask in zip(
                long, cut["input_ids"], cut["special_tokens_mask"], strict=True
            ):
                ids[at], masks[at] = short, mask
        unknown, was_cut = self.tokenizer.unk_token_id, set(long)
        found = []
        for at, text in enumerate(texts):
            own = [not special for special in masks[at]]
            if not any(own):
                raise DataError(f"the LM {self.name} reads no token in the text {text!r}")
            behind = [] if end is None else [end]
            made = (*ids[at], *behind)
            found.append(
                Tokenised(
                    ids=made,
                    own=(*own, *(False for _ in behind)),
                    cut=at in was_cut,
                    unknown=unknown is not None and unknown in made,
                )
            )
        self._special(pooling, "cls")
        return found

    def _special(self, pooling: Pooling, name: str) -> int | None:
        """The id of the special token that a pooling asks for; None for other poolings."""
        if pooling.name != name:
            return None
        token: int | None = getattr(self.tokenizer, f"{name}_token_id")
        if token is None:
            raise ConfigError(
                f"pooling {name} needs a tokenizer with a {name} token, and that of {self.name} "
                "has none: take last or mean"
            )
        return token

    @torch.no_grad()
    def encode(
        self,
        texts: Sequence[str],
        pooling: Pooling | None = None,
        *,
        longest: int = LONGEST,
        batch_tokens: int | None = None,
        on_batch: Callable[[int], None] | None = None,
        read: Sequence[Tokenised] | None = None,
    ) -> Tensor:
        """Vectors of texts.

        Args:
            texts: N of them.
            pooling: None for the sound one of the LM's kind.
            longest: Tokens of a text, at most; what is longer is cut at its end.
            batch_tokens: Tokens of a batch, padding included; None for 384 on a CPU and 65,536
                elsewhere. One text at least is in a batch.
            on_batch: Called after each batch with the number of its texts.
            read: What tokenise makes of them, where that is known.

        Returns:
            float32 [N, D] on the CPU, in the order of the texts.

        Raises:
            ConfigError: A pooling that the tokenizer does not allow, or a layer that is not there.
            DataError: A text without tokens, or a state that is no finite number.
        """
        pooling = pooling or self.pooling()
        read = self.tokenise(texts, pooling, longest) if read is None else read
        budget = batch_tokens or (CPU_TOKENS if self.device.type == "cpu" else GPU_TOKENS)
        rows: list[Tensor | None] = [None] * len(read)
        for places in batches([len(one.ids) for one in read], budget):
            vectors = self._pool([read[i] for i in places], pooling).float().cpu()
            if not torch.isfinite(vectors).all():
                at = int((~torch.isfinite(vectors).all(1)).nonzero()[0])
                raise DataError(f"{self.name} makes no finite vector of {texts[places[at]]!r}")
            for place, vector in zip(places, vectors, strict=True):
                rows[place] = vector
            if on_batch is not None:
                on_batch(len(places))
        made = [row for row in rows if row is not None]
        return torch.stack(made) if made else torch.zeros(0, 0)

    def _pool(self, read: Sequence[Tokenised], pooling: Pooling) -> Tensor:
        """[B, D], of one batch."""
        lengths = torch.tensor([len(one.ids) for one in read])
        width = int(lengths.max())
        pad = self.tokenizer.pad_token_id or 0
        ids = torch.full((len(read), width), pad)
        own = torch.zeros(len(read), width, dtype=torch.bool)
        for row, one in enumerate(read):
            ids[row, : len(one.ids)] = torch.tensor(one.ids)
            own[row, : len(one.own)] = torch.tensor(one.own)
        mask = torch.arange(width) < lengths[:, None]
        states = self._states(ids.to(self.device), mask.to(self.device), pooling.layer)
        if pooling.name == "cls":
            return states[:, 0]
        if pooling.name == "mean":
            chosen = own.to(self.device)[:, :, None]
            return (states.float() * chosen).sum(1) / chosen.sum(1)
        return states[torch.arange(len(read)), lengths - 1]

    def _states(self, ids: Tensor, mask: Tensor, layer: str) -> Tensor:
        """Hidden states [B, T, D] of a layer."""
        at = layer_index(layer)
        options = {"use_cache": False} if self.kind == "decoder" else {}
        said = self.model(
            input_ids=ids,
            attention_mask=mask.long(),
            output_hidden_states=at is not None,
            **options,
        )
        if at is None:
            states: Tensor = said.last_hidden_state
            return states
        layers = said.hidden_states
        if not -len(layers) <= at < len(layers):
            raise ConfigError(
                f"{self.name} has {len(layers) - 1} blocks: layer must be between "
                f"{-len(layers)} and {len(layers) - 1}, got {layer}"
            )
        chosen: Tensor = layers[at]
        return chosen


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Places of texts of similar length, longest first.

    Args:
        lengths: Tokens of each text.
        budget: Tokens of a batch, padding included; one text at least.
    """
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable").tolist()
    start = 0
    while start < len(order):
        n = max(1, budget // lengths[order[start]])
        yield order[start : start + n]
        start += n


def load_text_model(
    name: str,
    *,
    init: str = "pretrained",
    revision: str | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> TextModel:
    """Load a frozen LM to read texts with.

    Args:
        name: "embedded", "embedded-parts", a local folder, or a name on the model hub; a decoder,
            an encoder, or the encoder half of an encoder-decoder.
        init: pretrained; random (same architecture, weights drawn from the seed); scrambled
            (embedded only).
        revision: Of a hub model.
        seed: For init random.
        device: Where the weights go; fp32 on cpu, bf16 elsewhere.

    Raises:
        ConfigError: An init that does not exist, or not for this LM.
        DataError: The model cannot be found or read.
    """
    with loading(f"lm {name!r}", name):
        if name in BUNDLED or _is_causal(name, commit := pinned(name, revision)):
            lm = load_lm(name, init=init, revision=revision, seed=seed, device=device)
            model, tokenizer, digest = lm.model.base_model, lm.tokenizer, lm.sha256
            commit = lm.revision
        else:
            one_of("lm_init", init, ("pretrained", "random"))
            dtype = torch.float32 if device == "cpu" else torch.bfloat16
            tokenizer, model, lacking = _read_encoder(name, init, commit, seed, dtype)
            digest = weights_sha256(model, lacking)
            model = model.to(device).eval()
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    found = "encoder" if _sees_ahead(model, tokenizer) else "decoder"
    return TextModel(name, init, commit, found, model, tokenizer, digest)


def _is_causal(name: str, commit: str | None) -> bool:
    """Whether transformers has the model as a causal LM and as nothing else."""
    from transformers import AutoConfig
    from transformers.models.auto import modeling_auto

    config = AutoConfig.from_pretrained(name, revision=commit)
    known: Any = modeling_auto
    masked = type(config) in known.MODEL_FOR_MASKED_LM_MAPPING
    causal = type(config) in known.MODEL_FOR_CAUSAL_LM_MAPPING
    return causal and (not masked or bool(getattr(config, "is_decoder", False)))


def _read_encoder(
    name: str, init: str, commit: str | None, seed: int, dtype: torch.dtype
) -> tuple[Any, Any, set[str]]:
    """Tokenizer, model, and the names of weights that the checkpoint lacks and nobody needs."""
    from transformers import AutoConfig, AutoModel, AutoModelForTextEncoding, AutoTokenizer
    from transformers.models.auto import modeling_auto

    tokenizer = AutoTokenizer.from_pretrained(name, revision=commit)
    config = AutoConfig.from_pretrained(name, revision=commit)
    known: Any = modeling_auto
    as_text = type(config) in known.MODEL_FOR_TEXT_ENCODING_MAPPING
    auto: Any = AutoModelForTextEncoding if as_text else AutoModel
    if init == "random":
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return tokenizer, auto.from_config(config, dtype=dtype), set()
    model, found = auto.from_pretrained(
        name, revision=commit, dtype=dtype, use_safetensors=True, output_loading_info=True
    )
    lacking = set(found["missing_keys"])
    if needed := sorted(key for key in lacking if not key.startswith(_UNUSED)):
        # transformers would draw them at random and go on
        raise ValueError(f"{len(needed)} of its weights are not there, such as {needed[0]}")
    return tokenizer, model, lacking


@torch.no_grad()
def _sees_ahead(model: Any, tokenizer: Any) -> bool:
    """Whether a token's state depends on a later token."""
    special = set(tokenizer.all_special_ids)
    size = model.get_input_embeddings().weight.shape[0]
    a, b, c, d = [i for i in range(size) if i not in special][:4]
    device = next(iter(model.parameters())).device
    states = model(
        input_ids=torch.tensor([[a, b, c], [a, b, d]], device=device),
        attention_mask=torch.ones(2, 3, dtype=torch.int64, device=device),
    ).last_hidden_state.float()
    apart = (states[0, :2] - states[1, :2]).abs().max()
    return bool(apart > 1e-3 * states.abs().max())
