"""Pretrain the embedded LM on the corpus: a Qwen3 decoder from scratch, text only."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from taxonomy.phrases import phrase
from xmodal.bundle.lm.corpus import N_OTHERS, Corpus, Lexicon, Line, Mixture, gloss_line

PAD, UNKNOWN = "<pad>", "<unk>"


@dataclass(frozen=True, kw_only=True)
class PretrainConfig:
    """Shape and optimisation of the embedded LM."""

    seed: int = 0
    width: int = 64
    n_layers: int = 2
    n_heads: int = 2
    mlp_width: int = 192
    init_std: float = 0.08
    """Standard deviation of the weights that the pretraining starts from: Qwen3's 0.02 at width
    1024, scaled to width 64 by the square root of the ratio."""
    random_std: float = 0.32
    """Standard deviation of the random weights of the control (`--lm-init random`): 0.02 at
    width 1024, scaled to width 64 by the ratio itself. So the largest logit that the tied head
    can give an answer is Qwen3's, about 20, against 5 at 0.08, below the log of the vocabulary."""
    n_steps: int = 5000
    batch_size: int = 192
    """Lines a step."""
    learning_rate: float = 8e-3
    weight_decay: float = 0.1
    embedding_dropout: float = 0.05
    """Share of the embedding's dimensions set to zero in training, each step anew."""
    mixed_ratio: float = 0.5
    """Share of the lines, until the settled last part, whose subject is blurred: in its place
    stands a mixture of the embeddings of two to four leaves, weights drawn from a flat Dirichlet,
    and the line speaks of one of them drawn by these weights. So the LM learns to answer from a
    belief."""
    settled_ratio: float = 0.3
    """Last share of the steps, in which only bare names are blurred, so that text about one
    thing is learnt exactly."""
    settled_mixed_ratio: float = 0.8
    """Share of the bare names that are blurred then."""
    answer_weight: float = 3.0
    """Weight of an answer token's loss relative to any other token's."""
    min_count: int = 3
    """Gloss words rarer than this over all glosses become unknown."""


def concept_names(lexicon: Lexicon) -> list[str]:
    """Every name that is one token, in a fixed order."""
    return list(dict.fromkeys([*lexicon.leaves, *lexicon.hypernyms]))


def build_tokenizer(lexicon: Lexicon, min_count: int) -> Any:
    """A fast word-level tokenizer: lower case, each concept name one token.

    Args:
        lexicon: What the corpus speaks of.
        min_count: Gloss words rarer than this become the unknown token.

    Returns:
        A transformers PreTrainedTokenizerFast.
    """
    from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    counts: Counter[str] = Counter()
    for name, gloss in zip(lexicon.leaves, lexicon.glosses, strict=True):
        counts.update(gloss_line(name, gloss).completion.split())
    frame = (
        "yes no is are not there in the image this shows picture of a an kind pair piece serving"
    )
    words = [PAD, UNKNOWN, ".", "?", ":", *frame.split(), *lexicon.wording.words]
    names = concept_names(lexicon)
    words += [word for name in names for word in name.split() if " " not in name]
    words += [word for text in map(phrase, names) for word in text.split() if len(text.split()) > 1]
    words += sorted(word for word, n in counts.items() if n >= min_count)
    words = [word for word in dict.fromkeys(words) if " " not in word]
    split = re.compile(r"^[a-z]+$")
    vocabulary = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    whole = [name for name in names if not split.match(name)]
    tokenizer.add_tokens([AddedToken(name, single_word=True, normalized=True) for name in whole])
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer, pad_token=PAD, unk_token=UNKNOWN
    )


def build_model(config: PretrainConfig, vocabulary_size: int) -> Any:
    """A Qwen3ForCausalLM with random weights drawn from the config's seed."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(config.seed)
    shape = Qwen3Config(
        vocab_size=vocabulary_size,
        hidden_size=config.width,
        intermediate_size=config.mlp_width,
        num_hidden_layers=config.n_layers,
        num_attention_heads=config.n_heads,
        num_key_value_heads=config.n_heads,
        head_dim=config.width // config.n_heads,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=config.init_std,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
    )
    return Qwen3ForCausalLM(shape)


class _Batch(NamedTuple):
    """Lines as tensors. B lines, T tokens, right-padded with 0."""

    ids: Tensor
    """int64 [B, T]."""
    counts: Tensor
    """bool [B, T], where the loss counts: the tokens of the completions."""
    subject: Tensor
    """int64 [B], the place of the subject's name."""
    others: Tensor
    """int64 [B, N_OTHERS], tokens of the lines' other leaves."""
    bare: Tensor
    """bool [B], the subject is a bare name."""


def _batch(lines: Sequence[Line], encode: Callable[[str], list[int]]) -> _Batch:
    """Lines as tensors; encode gives the tokens of a text."""
    encoded = [(encode(line.prompt), encode(line.completion)) for line in lines]
    longest = max(len(prompt) + len(completion) for prompt, completion in encoded)
    ids = np.zeros((len(encoded), longest), dtype=np.int64)
    counts = np.zeros((len(encoded), longest), dtype=bool)
    for row, counted, (prompt, completion) in zip(ids, counts, encoded, strict=True):
        end = len(prompt) + len(completion)
        row[:end] = prompt + completion
        counted[len(prompt) : end] = True
    subject = [
        prompt.index(encode(line.subject)[0])
        for line, (prompt, _) in zip(lines, encoded, strict=True)
    ]
    return _Batch(
        ids=torch.from_numpy(ids),
        counts=torch.from_numpy(counts),
        subject=torch.tensor(subject),
        others=torch.tensor([[encode(name)[0] for name in line.others] for line in lines]),
        bare=torch.tensor([line.bare for line in lines]),
    )


def _mixture(mixed_ratio: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of subject and other leaves in the subject's place.

    Args:
        mixed_ratio: float32 [n], how likely each line's subject is blurred.

    Returns:
        float32 [n] and [n, N_OTHERS]; rows sum to one.
    """
    n = len(mixed_ratio)
    members = torch.randint(2, N_OTHERS + 2, (n, 1))
    drawn = torch.empty(n, N_OTHERS + 1).exponential_()
    drawn = drawn * (torch.arange(N_OTHERS + 1) < members)
    weights = drawn / drawn.sum(1, keepdim=True)
    chosen = torch.multinomial(weights, 1)
    own = weights.gather(1, chosen)[:, 0]
    others = weights.scatter(1, chosen, weights[:, :1])[:, 1:]
    mixed = torch.rand(n) < mixed_ratio
    return torch.where(mixed, own, 1.0), others * mixed[:, None]


def _mix(embedded: Tensor, subject: Tensor, others: Tensor, mixed_ratio: Tensor) -> Tensor:
    """Put mixtures in the place of some subjects.

    Args:
        embedded: float32 [B, T, Dl].
        subject: int64 [B], the places of the subjects.
        others: float32 [B, N_OTHERS, Dl], embeddings of the lines' other leaves.
        mixed_ratio: float32 [B], how likely each subject is blurred.
    """
    rows = torch.arange(len(embedded))
    own, rest = _mixture(mixed_ratio)
    mixture = own[:, None] * embedded[rows, subject] + (rest[..., None] * others).sum(1)
    return embedded.index_put((rows, subject), mixture)


def _blur(step: int, batch: _Batch, config: PretrainConfig) -> Tensor:
    """How likely the subject of each line is blurred at a step; float32 [B]."""
    if step < (1 - config.settled_ratio) * config.n_steps:
        return torch.full((len(batch.bare),), config.mixed_ratio)
    return batch.bare * config.settled_mixed_ratio


def _loss(
    model: Any, batch: _Batch, mixed_ratio: Tensor, config: PretrainConfig, answers: Tensor
) -> Tensor:
    """Next-token loss over the completions; the head is evaluated nowhere else.

    Args:
        model: The LM.
        batch: B lines.
        mixed_ratio: float32 [B], how likely the subject of each line is blurred.
        config: Dropout and weights.
        answers: int64, ids of yes and no.
    """
    embed = model.get_input_embeddings()
    embedded = _mix(embed(batch.ids), batch.subject, embed(batch.others), mixed_ratio)
    embedded = nn.functional.dropout(embedded, config.embedding_dropout, training=True)
    hidden = model.model(inputs_embeds=embedded, use_cache=False).last_hidden_state
    at = batch.counts[:, 1:]
    target = batch.ids[:, 1:][at]
    each = nn.functional.cross_entropy(model.lm_head(hidden[:, :-1][at]), target, reduction="none")
    weight = torch.where(torch.isin(target, answers), config.answer_weight, 1.0)
    return (each * weight).sum() / weight.sum()


def pretrain(
    lexicon: Lexicon,
    config: PretrainConfig,
    mixture: Mixture | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> tuple[Any, Any]:
    """Train the LM from scratch.

    Args:
        lexicon: What the corpus speaks of.
        config: Shape and optimisation.
        mixture: Shares of the kinds of line.
        progress: Called with (step, loss) after each step.

    Returns:
        The model in eval mode and its tokenizer.
    """
    tokenizer = build_tokenizer(lexicon, config.min_count)
    model = build_model(config, len(tokenizer))
    corpus = Corpus(lexicon, mixture)
    rng = np.random.default_rng(config.seed)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": config.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(0.9, 0.98),
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.n_steps, pct_start=0.05
    )
    answers = torch.tensor(tokenizer.convert_tokens_to_ids(["yes", "no"]))
    encode = functools.cache(lambda text: tokenizer(text)["input_ids"])
    model.train()
    for step in range(config.n_steps):
        lines = [corpus.line(rng) for _ in range(config.batch_size)]
        batch = _batch(lines, encode)
        loss = _loss(model, batch, _blur(step, batch, config), config, answers)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if progress is not None:
            progress(step, float(loss.detach()))
    model.config.initializer_range = config.random_std
    return model.eval(), tokenizer
