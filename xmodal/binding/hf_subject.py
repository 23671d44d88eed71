"""A decoder of transformers as the probes see it: a causal LM, or that of a VLM."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from xmodal.binding.hf_check import check_edits, check_masks, check_padding
from xmodal.binding.hooks import blocks_of, editing, masking
from xmodal.binding.subject import Edit, Prompts
from xmodal.binding.task import Scenes
from xmodal.binding.words_task import WordTask
from xmodal.lms.causal import LanguageModel
from xmodal.lms.head import logits_at


class HuggingFaceSubject:
    """A frozen LM that is asked in words.

    What is done to it for the first time, an edit, a mask or padding, is first tried on it with
    results known beforehand, as its own code may do anything.
    """

    def __init__(self, task: WordTask) -> None:
        """Find its blocks.

        Args:
            task: How it is asked, and with it the LM.

        Raises:
            ConfigError: Its blocks are not found.
        """
        self.task = task
        self.lm: LanguageModel = task.lm
        self.blocks = blocks_of(self.lm.model, self.lm.name)
        self._tried: set[str] = set()

    @property
    def n_layers(self) -> int:
        """Blocks, L."""
        return len(self.blocks)

    @property
    def attention(self) -> str:
        """The attention that its decoder runs with, such as sdpa."""
        return str(self.lm.model.get_decoder().config._attn_implementation)

    def prompts(self, scenes: Scenes, query: Tensor) -> Prompts:
        """Scenes in words, with one two-hop question each.

        Args:
            scenes: R = 1.
            query: int64 [B]: the object whose colour is asked for.
        """
        return self.task.prompts(scenes, query)

    def token_of(self, items: Tensor) -> Tensor:
        """The vocabulary's ids of items, in the shape given; of several tokens the first."""
        return self.task.token_of(items)

    def logits(
        self, prompts: Prompts, *, edit: Edit | None = None, masks: Sequence[Tensor] | None = None
    ) -> Tensor:
        """float32 [B, V] at the last token; see Subject.

        Args:
            prompts: What is read.
            edit: Changes the residual stream.
            masks: bool [T, T] or [B, T, T], one a block.

        Raises:
            ConfigError: The LM does not do what is asked, or not rightly.
        """
        if prompts.seen is not None and not bool(prompts.seen.all()):
            self._try("padding", check_padding)
        if edit is not None:
            self._try("edit", check_edits)
        if masks is not None:
            self._try("masks", check_masks)
        return self.run(prompts, edit=edit, masks=masks)

    @torch.no_grad()
    def run(
        self, prompts: Prompts, *, edit: Edit | None = None, masks: Sequence[Tensor] | None = None
    ) -> Tensor:
        """The same without trying first whether the LM does it rightly."""
        if prompts.image is not None:
            raise ConfigError("an LM is asked in words alone, got a prompt with image tokens")
        ids = prompts.ids.to(self.lm.device)
        seen = torch.ones_like(ids, dtype=torch.bool)
        if prompts.seen is not None:
            seen = prompts.seen.to(ids.device)
        if not bool(seen[:, -1].all()):
            raise ValueError("prompts must be padded on the left: the last token is read off")
        given = {"input_ids": ids, "attention_mask": seen.long(), **self._positions(prompts)}
        self._check_length(ids.shape[1])
        row = torch.arange(len(ids), device=ids.device)
        with ExitStack() as hooks:
            if edit is not None:
                hooks.enter_context(editing(self.blocks, edit))
            if masks is not None:
                hooks.enter_context(masking(self.blocks, masks, seen, self.attention))
            return logits_at(self.lm.model, row, torch.full_like(row, ids.shape[1] - 1), **given)

    def _check_length(self, n_tokens: int) -> None:
        most = getattr(self.lm.model.get_decoder().config, "max_position_embeddings", None)
        if most is not None and n_tokens > most:
            raise ConfigError(
                f"a prompt of {n_tokens} tokens is longer than the {most} that lm {self.lm.name} "
                "was made for: ask for fewer objects"
            )

    def _positions(self, prompts: Prompts) -> dict[str, Any]:
        """Position ids, where they are not what the LM counts itself."""
        if prompts.positions is None:
            return {}
        takes = "position_ids" in inspect.signature(self.lm.model.forward).parameters
        if takes:
            return {"position_ids": prompts.positions.to(self.lm.device)}
        if prompts.seen is None:
            raise ConfigError(f"lm {self.lm.name} counts positions itself and takes none")
        return {}  # counted from the mask; tried before

    def _try(self, what: str, check: Any) -> None:
        if what not in self._tried:
            check(self)
            self._tried.add(what)
