"""The retrieval task in words: what is said, and where each word stands."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import ConfigError, DataError
from tests.xmodal.binding import talkers
from xmodal.binding.task import draw_scenes, generators
from xmodal.binding.word_templates import (
    ALL_WORDS,
    PLAIN,
    SENTENCES,
    TEMPLATES,
    Words,
    say,
    word_template,
)
from xmodal.binding.words_task import WordTask, common_words, known_words
from xmodal.lms.causal import LanguageModel, load_lm


class Placed(torch.nn.Module):
    """What a task asks of a model: where its weights are."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(1, 1)

    def get_input_embeddings(self) -> torch.nn.Embedding:
        return self.embedding


def reader(tokenizer: Any, name: str = "tiny") -> LanguageModel:
    return LanguageModel(name, "random", None, Placed(), tokenizer, "")


WHOLE = reader(talkers.word_tokenizer())
MERGED = reader(talkers.piece_tokenizer(900))
PIECES = reader(talkers.piece_tokenizer(220))
LMS = {"whole": WHOLE, "merged": MERGED, "pieces": PIECES}
OBJECTS = [("red", "square", "apple"), ("blue", "circle", "key"), ("gray", "cup", "map")]


@functools.cache
def task_of(name: str, template: str) -> WordTask:
    lm, several = LMS[name], name == "pieces"
    words = known_words(lm, TEMPLATES[template], several=several)
    return WordTask(lm, words, TEMPLATES[template], several=several)


def test_the_templates_say_the_scene() -> None:
    assert say(PLAIN, OBJECTS, [2, 0, 1], 1).text == (
        "Objects: red square, blue circle, gray cup.\n"
        "Items: cup map, square apple, circle key.\n"
        "Item of blue:"
    )
    assert say(SENTENCES, OBJECTS[:2], [1, 0], 0).text == (
        "We see the red square. We see the blue circle.\n"
        "The circle holds the key. The square holds the apple.\n"
        "Question: What does the red one hold?\nAnswer: the"
    )
    with pytest.raises(ConfigError, match="unknown template 'plan'; valid: plain"):
        word_template("plan")


def test_no_word_is_of_two_kinds() -> None:
    every = [*ALL_WORDS.colours, *ALL_WORDS.shapes, *ALL_WORDS.items]
    assert len(set(every)) == len(every) == 180
    assert ALL_WORDS.most_objects == 60


@settings(max_examples=15, deadline=None)
@given(
    name=st.sampled_from(list(LMS)),
    said=st.sampled_from(list(TEMPLATES)),
    n_objects=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_places_are_those_of_the_words(name: str, said: str, n_objects: int, seed: int) -> None:
    task = task_of(name, said)
    lm, template, words, several = task.lm, task.template, task.words, task.several
    n_objects = min(n_objects, words.most_objects)
    scenes = draw_scenes(generators([seed]), 3, n_objects, words)
    query = torch.arange(3) % n_objects
    prompts = task.prompts(scenes, query)
    assert several or prompts.seen is None
    items = task.token_of(scenes.items[0])
    for row in range(3):
        names = [
            [of[i] for i in part[0, row].tolist()]
            for of, part in (
                (words.colours, scenes.colours),
                (words.shapes, scenes.shapes),
                (words.items, scenes.items),
            )
        ]
        colours, shapes, held = names
        asked = int(query[row])
        want = {"colour": colours, "shape": shapes, "association-shape": shapes,
                "association-item": held, "query": [colours[asked]]}  # fmt: skip
        objects = list(zip(*names, strict=True))
        text = say(template, objects, scenes.order[0, row].tolist(), asked).text
        ids = prompts.ids[row]
        seen = ids if prompts.seen is None else ids[prompts.seen[row]]
        assert seen.tolist() == lm.start_ids + lm.token_ids(text)
        for role, expected in want.items():
            for place, word in zip(prompts.places[role][row].tolist(), expected, strict=True):
                # the word ends with this token, and a lone token is the whole word
                piece = lm.tokenizer.decode(ids[place : place + 1]).strip()
                assert word.endswith(piece)
                assert several or piece == word
        assert prompts.places["answer"][row].tolist() == [len(ids) - 1]
        # what follows the prompt, as the tokenizer has it
        for at, word in enumerate(held):
            whole = lm.token_ids(text + template.answer.format(item=word))
            assert whole[len(lm.token_ids(text))] == items[row, at]
        assert len(set(items[row].tolist())) == n_objects


def test_associations_stand_in_the_scenes_order() -> None:
    task = WordTask(WHOLE, ALL_WORDS, PLAIN)
    scenes = draw_scenes(generators([3]), 4, 6, ALL_WORDS)
    places = task.prompts(scenes, torch.zeros(4, dtype=torch.int64)).places
    for role in ("association-shape", "association-item"):
        assert torch.equal(places[role].argsort(), scenes.order[0])
    assert torch.equal(places["colour"].argsort(), torch.arange(6).expand(4, -1))
    assert (places["colour"] < places["shape"]).all()
    assert (places["shape"] < places["context-end"]).all()
    assert (places["context-end"] < places["association-shape"]).all()


def test_words_that_are_too_few_are_said() -> None:
    known = known_words(PIECES, PLAIN)
    assert 0 < known.most_objects < 40
    for word in (*known.colours, *known.shapes, *known.items):
        assert len(PIECES.token_ids(f" {word}")) == 1
    counts = f"{known.n_colours} colours, {known.n_shapes} shapes, {known.n_items} items"
    with pytest.raises(ConfigError) as caught:
        common_words([WHOLE, PIECES], PLAIN, 40)
    assert str(caught.value) == (
        f"objects must be at most {known.most_objects}, as the tokenizer of tiny has {counts} of "
        "the task's words as one token each, got 40: ask for fewer, or allow words of several "
        "tokens"
    )
    both = common_words([WHOLE, PIECES], PLAIN, 2)
    assert both == known
    several = known_words(PIECES, PLAIN, several=True)
    assert several.n_colours == several.n_shapes == 60
    assert known.n_items <= several.n_items


def test_tokenizers_that_will_not_do_are_refused() -> None:
    with pytest.raises(ConfigError, match="does not have 'zebra', one of the items, as one token"):
        WordTask(WHOLE, Words(colours=("red",), shapes=("cup",), items=("key", "zebra")), PLAIN)
    joined = talkers.word_tokenizer()
    joined.add_tokens(["crystal ball"])
    words = Words(colours=("red", "crystal"), shapes=("cup", "ball"), items=("key", "map"))
    task = WordTask(reader(joined), words, PLAIN)
    scenes = draw_scenes(generators([0]), 20, 2, words)
    with pytest.raises(DataError, match=r"'crystal' apart from its neighbours in .*crystal ball"):
        task.prompts(scenes, torch.zeros(20, dtype=torch.int64))
    strange = talkers.word_tokenizer(without="Objects")
    with pytest.raises(ConfigError, match="cannot be asked with template 'plain': its") as refused:
        WordTask(reader(strange), ALL_WORDS, PLAIN)
    n = len(strange)
    assert f"its vocabulary of {n} tokens lacks Objects; take another" in str(refused.value)


def test_the_embedded_lm_is_refused_by_what_its_vocabulary_lacks() -> None:
    lm = load_lm("embedded")
    reason = (
        r"^lm embedded cannot be asked with template 'plain': its vocabulary of \d+ tokens lacks"
    )
    with pytest.raises(ConfigError, match=reason + " Objects, Items, Item;"):
        WordTask(lm, common_words([lm], PLAIN, 4), PLAIN)


def test_a_tokenizer_without_offsets_is_refused() -> None:
    class Slow:
        is_fast = False

    with pytest.raises(ConfigError, match="take an LM with a fast tokenizer"):
        known_words(reader(Slow()), PLAIN)
