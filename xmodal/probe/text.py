"""The three text-only tasks: from pairs and a phrasing to one answer a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa

from taxonomy.errors import ConfigError
from taxonomy.manifest.world import World
from taxonomy.model import Taxonomy
from xmodal.lms.causal import LanguageModel
from xmodal.probe.pairs import ProbePairs
from xmodal.probe.phrasings import Forms, fill, split_choice
from xmodal.probe.scoring import OnBatch, Span, span_log_probs
from xmodal.store.findings import TEXT_PROBE_ANSWER

YES_FORMS = ("Yes", " Yes", "yes", " yes")
NO_FORMS = ("No", " No", "no", " no")


@dataclass(frozen=True)
class AnswerForms:
    """The forms of Yes and of No that are one token of an LM, with the token's id."""

    yes: dict[str, int]
    no: dict[str, int]

    @property
    def yes_ids(self) -> list[int]:
        """Each token once: to some tokenizers all forms are one."""
        return sorted(set(self.yes.values()))

    @property
    def no_ids(self) -> list[int]:
        """Each token once."""
        return sorted(set(self.no.values()))


def answer_forms(lm: LanguageModel) -> AnswerForms:
    """The forms that can be scored with an LM.

    Raises:
        ConfigError: No form of Yes, or none of No, is a token of its own.
    """
    found = AnswerForms(_single(lm, YES_FORMS), _single(lm, NO_FORMS))
    both = set(found.yes_ids) & set(found.no_ids)
    if not found.yes or not found.no or both:
        named = {"Yes": found.yes, "No": found.no}
        missing = " and ".join(name for name, forms in named.items() if not forms)
        reason = f"none of {missing}" if missing else "one token for both"
        raise ConfigError(
            f"task yes-no needs forms of Yes and of No that are single tokens, and lm {lm.name!r} "
            f"has {reason}; ask it with task sentence or choice"
        )
    return found


def _single(lm: LanguageModel, forms: Sequence[str]) -> dict[str, int]:
    ids = {form: lm.token_ids(form) for form in forms}
    unknown_id = lm.tokenizer.unk_token_id
    return {form: own[0] for form, own in ids.items() if len(own) == 1 and own[0] != unknown_id}


@dataclass(frozen=True)
class Answered:
    """One task in one phrasing, asked of one LM."""

    answers: pa.Table
    """TEXT_PROBE_ANSWER."""
    texts: int
    """Texts that were put together: questions, sentences or completions."""
    unknown: int
    """Those of them that hold a word which the LM does not know."""


@dataclass(frozen=True)
class TextProbe:
    """An LM and what it is asked about."""

    lm: LanguageModel
    taxonomy: Taxonomy
    world: World
    pairs: ProbePairs
    batch_size: int
    progress: OnBatch | None = None

    @cached_property
    def _forms(self) -> dict[int, Forms]:
        columns = self.taxonomy.concepts.select(["concept_id", "name", "phrase"]).to_pydict()
        return {i: Forms(name, asked) for i, name, asked in zip(*columns.values(), strict=True)}

    def _fill(self, template: str, leaf: int, hypernym: int, *, capital: bool) -> str:
        """A template about rows of the world."""
        of = self._forms[int(self.world.leaves.ids[leaf])]
        asked = self._forms[int(self.world.hypernyms.ids[hypernym])]
        return fill(template, of, asked, capital=capital)

    def _unknown(self, texts: Sequence[str]) -> int:
        """How many texts hold a token that stands for any unknown word."""
        known = self.lm.tokenizer.unk_token_id
        return sum(known is not None and known in self.lm.token_ids(text) for text in texts)

    def _ids(self, text: str) -> tuple[int, ...]:
        return (*self.lm.start_ids, *self.lm.token_ids(text))

    def yes_no(self, template: str, *, chat: bool) -> Answered:
        """Ask each true pair and each false one; log probability of all forms of Yes and of No.

        What is asked beside the pairs goes in batches of its own, so that no score of theirs
        moves by a last digit when manifests are added; it is in neither count of texts.

        Args:
            template: A question.
            chat: Put it into the LM's chat template.

        Raises:
            ConfigError: The LM has no single token for Yes or No, or no chat template.
        """
        texts, answers = self._asked(template, self.pairs.questions, chat=chat)
        if self.pairs.beside:
            _, beside = self._asked(template, self.pairs.beside, chat=chat)
            undrawn = pa.array([False] * beside.num_rows)
            at = beside.column_names.index("drawn")
            answers = pa.concat_tables([answers, beside.set_column(at, answers.field(at), undrawn)])
        return Answered(answers, len(texts), self._unknown(texts))

    def _asked(
        self, template: str, asked: Sequence[tuple[int, int, bool]], *, chat: bool
    ) -> tuple[list[str], pa.Table]:
        """The questions, and TEXT_PROBE_ANSWER."""
        forms = answer_forms(self.lm)
        texts = [self._fill(template, leaf, of, capital=True) for leaf, of, _ in asked]
        prompts = [self._chat(text) if chat else self._ids(text) for text in texts]
        either = [*forms.yes_ids, *forms.no_ids]
        spans = [Span((*prompt, form), len(prompt)) for prompt in prompts for form in either]
        scores, _ = span_log_probs(self.lm, spans, self.batch_size, self.progress)
        grid = scores.reshape(len(asked), len(either))
        yes = np.logaddexp.reduce(grid[:, : len(forms.yes_ids)], axis=1)
        no = np.logaddexp.reduce(grid[:, len(forms.yes_ids) :], axis=1)
        return texts, self._table(asked, yes, no, yes > no)

    def _chat(self, question: str) -> tuple[int, ...]:
        """The question as a user's turn, and the beginning of the answer."""
        if self.lm.tokenizer.chat_template is None:
            raise ConfigError(
                f"lm {self.lm.name!r} has no chat template; ask it with --no-chat-template"
            )
        turn = [{"role": "user", "content": question}]
        # templates that know no such switch pass over it
        text = self.lm.tokenizer.apply_chat_template(
            turn, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return tuple(self.lm.token_ids(text))

    def sentence(self, template: str | None, phrasing: int) -> Answered:
        """Which of two sentences is likelier: of the true hypernym or of the foil.

        The score is the mean log probability a token. The first token of a text counts where
        the LM has a token to stand before it; it is the same in both sentences.

        Args:
            template: A statement; None takes the sentences that came with the pairs.
            phrasing: Which of them.
        """
        if template is None:
            told = list(self.pairs.sentences[phrasing])
        else:
            rows = zip(self.pairs.leaf, self.pairs.hypernym, self.pairs.foil, strict=True)
            say = partial(self._fill, template, capital=False)
            told = [(say(a, b), say(a, c)) for a, b, c in rows]
        texts = [text for both in told for text in both]
        spans = [Span(self._ids(text), max(1, len(self.lm.start_ids))) for text in texts]
        if short := [text for text, span in zip(texts, spans, strict=True) if len(span.ids) < 2]:
            raise ConfigError(f"a sentence must be two tokens or more, got {short[0]!r}")
        total, n_tokens = span_log_probs(self.lm, spans, self.batch_size, self.progress)
        yes, no = (total / n_tokens).reshape(-1, 2).T
        asked = [(a, b, True) for a, b in zip(self.pairs.leaf, self.pairs.hypernym, strict=True)]
        return Answered(self._table(asked, yes, no, yes > no), len(texts), self._unknown(texts))

    def choice(self, template: str, *, mean: bool) -> Answered:
        """The rank of each true hypernym among itself and the hypernyms false of the leaf.

        Other true ones, and those that some source holds true, do not compete. Ties count
        against the true one.

        Args:
            template: A statement that ends with the hypernym.
            mean: Score a completion by the mean log probability a token, not by the total.
        """
        prompt, completion = split_choice(template)
        asked = sorted(set(zip(self.pairs.leaf, self.pairs.hypernym, strict=True)))
        rivals = {leaf: self._rivals(leaf) for leaf, _ in asked}
        cells = sorted(set(asked) | {(leaf, h) for leaf, row in rivals.items() for h in row})
        texts = [self._fill(f"{prompt} {completion}", a, b, capital=True) for a, b in cells]
        ids = [self._ids(text) for text in texts]
        given: dict[int, int] = {}
        for (leaf, hypernym), own in zip(cells, ids, strict=True):
            before = self._ids(self._fill(prompt, leaf, hypernym, capital=True))
            same = max(1, min(_n_shared(before, own), len(own) - 1))
            given[leaf] = min(same, given.get(leaf, same))
        spans = [Span(own, given[leaf]) for (leaf, _), own in zip(cells, ids, strict=True)]
        total, n_tokens = span_log_probs(self.lm, spans, self.batch_size, self.progress)
        score = dict(zip(cells, (total / n_tokens if mean else total).tolist(), strict=True))
        yes = np.array([score[cell] for cell in asked])
        others = [np.array([score[leaf, h] for h in rivals[leaf]]) for leaf, _ in asked]
        no = np.array([other.max() for other in others])
        rank = [1 + int((other >= own).sum()) for own, other in zip(yes, others, strict=True)]
        rows = [(leaf, hypernym, True) for leaf, hypernym in asked]
        return Answered(
            self._table(rows, yes, no, yes > no, rank), len(texts), self._unknown(texts)
        )

    def _rivals(self, leaf: int) -> list[int]:
        """Hypernyms that are false of a leaf: in every source, and the pairs' own foils."""
        true = {b for a, b in zip(self.pairs.leaf, self.pairs.hypernym, strict=True) if a == leaf}
        foils = {b for a, b in zip(self.pairs.leaf, self.pairs.foil, strict=True) if a == leaf}
        return sorted((set(np.flatnonzero(self.world.false[leaf]).tolist()) | foils) - true)

    def _table(
        self,
        asked: Sequence[tuple[int, int, bool]],
        yes: np.ndarray[Any, Any],
        no: np.ndarray[Any, Any],
        predicted: np.ndarray[Any, Any],
        rank: Sequence[int] | None = None,
    ) -> pa.Table:
        leaf, hypernym, answer = map(np.array, zip(*asked, strict=True))
        return pa.table(
            {
                "leaf_id": self.world.leaves.ids[leaf].astype(np.int32),
                "hypernym_id": self.world.hypernyms.ids[hypernym].astype(np.int32),
                "answer": answer,
                "score_yes": yes,
                "score_no": no,
                "predicted": predicted,
                "rank": pa.nulls(len(asked), pa.int64()) if rank is None else rank,
                "drawn": np.ones(len(asked), dtype=np.bool_),
            }
        ).cast(TEXT_PROBE_ANSWER)


def _n_shared(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the common beginning.

    A tokenizer may merge across a boundary; what follows the common part is scored whole.
    """
    different = (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y)
    return next(different, min(len(a), len(b)))
