"""From prefix tokens and questions to the logits of the answer token.

Two layouts with equal results: one sequence a question (plain), or all questions of an image
behind one copy of its prefix (packed). Packed saves the prefix's recomputation; plain saves
the padding of images with fewer questions than others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from xmodal.vlm.lm import LanguageModel
from xmodal.vlm.prompts import PromptTemplate


@dataclass(frozen=True)
class Questions:
    """Tokenised questions, one row for each asked concept. T text tokens."""

    tokens: Tensor
    """int64 [N, T], right-padded with 0."""
    lengths: Tensor
    """int64 [N]."""
    yes_id: int
    no_id: int


def tokenise(
    lm: LanguageModel,
    prompt: PromptTemplate,
    phrases: list[str],
    targets: Sequence[bool] | None = None,
) -> Questions:
    """Tokenise one question for each phrase.

    Args:
        lm: The frozen LM.
        prompt: Its question, and that of its relation's targets.
        phrases: Asked forms.
        targets: Which phrases are targets; None for none, as under the relation hypernym.

    Raises:
        ConfigError: The LM's tokenizer does not know a word of the targets' question.
    """
    if prompt.target_question is not None:
        _check_known(lm, prompt.target_question)
    asked = zip(phrases, targets or [False] * len(phrases), strict=True)
    ids = [lm.token_ids(prompt.text(phrase, target=target)) for phrase, target in asked]
    tokens = torch.zeros(len(ids), max(map(len, ids)), dtype=torch.int64)
    for row, found in zip(tokens, ids, strict=True):
        row[: len(found)] = torch.tensor(found)
    lengths = torch.tensor([len(found) for found in ids])
    return Questions(tokens, lengths, lm.answer_id(prompt.yes), lm.answer_id(prompt.no))


def _check_known(lm: LanguageModel, question: str) -> None:
    """A word-level tokenizer would turn words that it never met into one unknown token."""
    unknown_id = lm.tokenizer.unk_token_id
    if unknown_id is not None and unknown_id in lm.token_ids(question.format(phrase="")):
        asked = question.strip().format(phrase="...")
        raise ConfigError(
            f"lm {lm.name!r} does not know the words of {asked!r}; take another LM "
            "(embedded-parts knows parts)"
        )


def answer_logits(
    lm: LanguageModel,
    prefix: Tensor,
    questions: Questions,
    image: Tensor,
    asked: Tensor,
    packed: bool | None = None,
) -> Tensor:
    """Logits at the answer position over the whole vocabulary.

    Args:
        lm: The frozen LM.
        prefix: [B, K, Dl] prefix tokens, one row an image.
        questions: Tokenised questions.
        image: int64 [Q], ascending, the row of prefix each question is about.
        asked: int64 [Q], the row of questions it asks.
        packed: One prefix for all questions of an image; None takes the cheaper layout.

    Returns:
        float32 [Q, vocabulary].
    """
    lengths = questions.lengths[asked]
    tokens = questions.tokens[asked][:, : int(lengths.max())].to(prefix.device)
    start = _start(lm, prefix.to(lm.dtype))
    if packed is None:
        packed = packing_pays(image, tokens.shape[1], *start.shape)
    layout = _packed if packed else _plain
    hidden = layout(lm, start, tokens, lengths.to(prefix.device), image.to(prefix.device))
    logits: Tensor = lm.model.get_output_embeddings()(hidden)
    return logits if logits.dtype == torch.float64 else logits.float()


def packing_pays(image: Tensor, n_text: int, n_images: int, n_prefix: int, width: int) -> bool:
    """Whether the packed layout costs less than the plain one.

    A token costs a decoder layer about 12 width squared multiplications in the weights and
    2 width a token that it attends to.

    Args:
        image: int64 [Q], the image each question is about.
        n_text: Tokens of the longest question.
        n_images: Images with a prefix.
        n_prefix: Prefix tokens of an image.
        width: Of the LM.
    """
    behind_one = n_prefix + int(torch.bincount(image).max()) * n_text
    alone = n_prefix + n_text
    packed = n_images * behind_one * (6 * width + behind_one)
    return packed < len(image) * alone * (6 * width + alone)


def _start(lm: LanguageModel, prefix: Tensor) -> Tensor:
    """The prefix, behind the beginning-of-text token where the tokenizer puts one."""
    if not lm.start_ids:
        return prefix
    first = lm.embed(torch.tensor([lm.start_ids], device=prefix.device)).to(prefix.dtype)
    return torch.cat([first.expand(len(prefix), -1, -1), prefix], dim=1)


def _plain(
    lm: LanguageModel, prefix: Tensor, tokens: Tensor, lengths: Tensor, image: Tensor
) -> Tensor:
    """One sequence a question; returns the hidden state [Q, Dl] before the answer."""
    sequence = torch.cat([prefix[image], lm.embed(tokens)], dim=1)
    hidden: Tensor = lm.model.base_model(inputs_embeds=sequence, use_cache=False).last_hidden_state
    last = prefix.shape[1] + lengths - 1
    return hidden[torch.arange(len(last), device=last.device), last]


def _packed(
    lm: LanguageModel, prefix: Tensor, tokens: Tensor, lengths: Tensor, image: Tensor
) -> Tensor:
    """All questions of an image behind one prefix; returns [Q, Dl].

    Each question attends to the prefix and to itself; its positions restart after the prefix.
    """
    n_images, n_prefix, _ = prefix.shape
    n_questions, n_text = tokens.shape
    device = prefix.device
    first = torch.searchsorted(image, torch.arange(n_images, device=device))
    slot = torch.arange(n_questions, device=device) - first[image]
    n_slots = int(slot.max()) + 1
    grid = torch.zeros(n_images, n_slots, n_text, dtype=tokens.dtype, device=device)
    grid[image, slot] = tokens
    sequence = torch.cat([prefix, lm.embed(grid.flatten(1))], dim=1)
    text = torch.arange(n_slots * n_text, device=device)
    positions = torch.cat([torch.arange(n_prefix, device=device), n_prefix + text % n_text])
    block = torch.cat([torch.full((n_prefix,), -1, device=device), text // n_text])
    order = torch.arange(len(block), device=device)
    seen = (block[None] == block[:, None]) | (block[None] == -1)
    allowed = seen & (order[None] <= order[:, None])
    mask = torch.zeros(allowed.shape, dtype=sequence.dtype, device=device)
    mask = mask.masked_fill(~allowed, torch.finfo(sequence.dtype).min)
    hidden: Tensor = lm.model.base_model(
        inputs_embeds=sequence,
        attention_mask=mask[None, None].expand(n_images, 1, -1, -1),
        position_ids=positions[None].expand(n_images, -1),
        use_cache=False,
    ).last_hidden_state
    last = n_prefix + slot * n_text + lengths - 1
    return hidden[image, last]
