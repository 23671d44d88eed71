"""The retrieval task: what its sequences say, and what they do not."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from taxonomy.errors import ConfigError
from xmodal.binding.task import (
    SHARED,
    Layout,
    Scenes,
    Sequences,
    draw_scenes,
    generators,
    lay_out,
)
from xmodal.binding.vocabulary import EXPANDED, IMAGE, N_TOKENS, Vocabulary, word

vocabularies = st.builds(
    Vocabulary,
    n_colours=st.integers(8, 216),
    n_shapes=st.integers(8, 216),
    n_items=st.integers(8, 32),
)


def drawn(seed: int, n: int, words: Vocabulary | None = None, count: int = 2) -> Scenes:
    return draw_scenes(generators([seed, seed + 1], "test"), count, n, words or Vocabulary())


def answers_of(text: list[str], question: list[str]) -> list[str]:
    """Every answer that the words allow, read as a reader would."""
    end = text.index("[CTX_END]") if "[CTX_END]" in text else len(text)
    pairs = list(itertools.pairwise(text[:end]))[::2]
    said = list(itertools.pairwise(text[end + 1 :]))[::2]
    ask, about = question[:2]
    if ask == "[QUE]":
        shapes = [shape for colour, shape in pairs if colour == about]
        return [item for one in shapes for shape, item in said if shape == one]
    if ask == "[QUE_SHAPE]":
        return [shape for colour, shape in pairs if colour == about]
    assert ask == "[QUE_ITEM]"
    return [item for shape, item in (said or pairs) if shape == about]


def decoded(sequences: Sequences, run: int, one: int) -> tuple[list[str], list[list[str]]]:
    """What is shared, and each question, in words."""
    ids, of = sequences.ids[run, one].tolist(), sequences.segments.tolist()
    blocks: dict[int, list[str]] = {}
    for token, segment in zip(ids, of, strict=True):
        blocks.setdefault(segment, []).append(word(token))
    return blocks[SHARED], [blocks[q] for q in range(len(blocks) - 1)]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    n=st.integers(1, 8),
    words=vocabularies,
    hops=st.sampled_from(["two", "all", "colour-shape", "shape-item"]),
    order=st.sampled_from(["shuffled", "same"]),
    marker=st.booleans(),
    noise=st.integers(0, 20),
)
def test_every_question_has_one_answer(
    seed: int, n: int, words: Vocabulary, hops: str, order: str, marker: bool, noise: int
) -> None:
    sequences = lay_out(
        drawn(seed, n, words), Layout(hops=hops, order=order, marker=marker, noise=noise)
    )
    assert len(sequences.at) == len(sequences.kinds) == n * (3 if hops == "all" else 1)
    for run, one in itertools.product(range(2), range(2)):
        text, questions = decoded(sequences, run, one)
        targets = [word(token) for token in sequences.targets[run, one].tolist()]
        assert [answers_of(text, question) for question in questions] == [[t] for t in targets]
        # of one kind no question is asked twice
        assert len({tuple(question) for question in questions}) == len(questions)
        assert all((question[-1] == "[ANS]") == marker for question in questions)
        shown = {"colour": words.n_colours, "shape": words.n_shapes, "item": words.n_items}
        for name in (name for name in text if not name.startswith("[")):
            kind, number = name.split("-")
            assert int(number) < shown[kind]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**40), n=st.integers(1, 6),
       hops=st.sampled_from(["shape-item", "colour-shape"]))  # fmt: skip
def test_first_lessons_have_one_answer_without_a_context(seed: int, n: int, hops: str) -> None:
    sequences = lay_out(drawn(seed, n), Layout(context="none", hops=hops))
    assert sequences.ids.shape[-1] == 2 * n + 2 * n
    for run, one in itertools.product(range(2), range(2)):
        text, questions = decoded(sequences, run, one)
        targets = [word(token) for token in sequences.targets[run, one].tolist()]
        assert [answers_of(text, question) for question in questions] == [[t] for t in targets]


def place_counts(order: str, n: int, count: int) -> torch.Tensor:
    """[N, N]: how often the asked colour stands at place i and its answer at place j."""
    scenes = drawn(7, n, count=count)
    sequences = lay_out(scenes, Layout(order=order))
    shared = sequences.ids[..., sequences.segments == SHARED]
    answers = shared[..., 2 * n + 2 :: 2]
    # questions are in the order of the context: question i is of the colour at place i
    at = (answers[..., None, :] == sequences.targets[..., None]).int().argmax(-1).flatten(0, 1)
    return torch.stack([(at == j).sum(0) for j in range(n)], dim=1)


def test_a_place_says_nothing_of_the_answer_s_place_where_they_are_shuffled() -> None:
    n, count = 4, 4000
    counts = place_counts("shuffled", n, count)
    # 2 x 4000 / 4 each, with a deviation of 39
    assert (counts - 2 * count / n).abs().max() < 5 * 39
    assert torch.equal(place_counts("same", n, 50), 100 * torch.eye(n).long())


def test_no_word_says_the_answer_where_they_are_shuffled() -> None:
    # the most frequent item of a colour, of a shape, or at any place is right by chance alone
    n, words = 4, Vocabulary(n_colours=4, n_shapes=4, n_items=4)
    scenes = draw_scenes(generators([1], "w"), 20_000, n, words)
    for known in (scenes.colours, scenes.shapes, scenes.order):
        joint = torch.stack([
            torch.stack([((known == a) & (scenes.items == b)).sum() for b in range(4)])
            for a in range(4)
        ])  # fmt: skip
        # 80 000 objects in 16 cells of 5000, with a deviation of 68
        assert (joint - 5000).abs().max() < 5 * 68


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    n=st.integers(1, 8),
    noise=st.integers(1, 60),
    between=st.sampled_from(["objects", "tokens"]),
    by_length=st.booleans(),
)
def test_noise_takes_positions_and_changes_nothing_else(
    seed: int, n: int, noise: int, between: str, by_length: bool
) -> None:
    scenes = drawn(seed, n)
    given: dict[str, Any] = {"noise_to": 2 * n + noise} if by_length else {"noise": noise}
    plain = lay_out(scenes, Layout())
    noisy = lay_out(scenes, Layout(noise_between=between, **given))
    for name in ("ids", "segments", "at", "targets"):
        assert torch.equal(getattr(noisy, name), getattr(plain, name))
    assert torch.equal(noisy.mask(), plain.mask())
    assert (noisy.kinds, noisy.n_noise, plain.n_noise) == (plain.kinds, noise, 0)
    shared = noisy.segments == SHARED
    places, before = noisy.positions[..., shared], plain.positions[..., shared]
    assert (places.diff(dim=-1) > 0).all()
    pushed = places - before
    assert pushed.min() >= 0
    assert pushed.max() <= noise
    # behind the context it has all been
    assert (pushed[..., 2 * n :] == noise).all()
    if between == "objects":
        assert torch.equal(pushed[..., 0 : 2 * n : 2], pushed[..., 1 : 2 * n : 2])
    asked, asked_before = (one.positions[..., ~shared] for one in (noisy, plain))
    assert torch.equal(asked, asked_before + noise)


def test_noise_goes_everywhere_alike() -> None:
    sequences = lay_out(drawn(1, 4, count=4000), Layout(noise=9))
    pushed = sequences.positions[..., 0:8:2] - torch.arange(0, 8, 2)
    # 4 cuts among 10 places, sorted: the k-th of 4 uniform numbers has mean k / 5
    mean = pushed.double().mean((0, 1)) + 0.5
    want = torch.tensor([10 * k / 5 for k in range(1, 5)], dtype=torch.float64)
    assert (mean - want).abs().max() < 0.12


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    n=st.integers(1, 5),
    picks=st.lists(st.integers(0, 14), min_size=1, max_size=5, unique=True),
    context=st.sampled_from(["text", "image"]),
    noise=st.sampled_from([0, 7]),
)
def test_some_questions_are_those_of_all(
    seed: int, n: int, picks: list[int], context: str, noise: int
) -> None:
    layout = Layout(hops="all", context=context, noise=noise if context == "text" else 0)
    whole = lay_out(drawn(seed, n), layout, n_image_tokens=6)
    chosen = list(dict.fromkeys(one % (3 * n) for one in picks))
    part = whole.only(chosen)
    kept = whole.segments == SHARED
    assert torch.equal(part.ids[..., part.segments == SHARED], whole.ids[..., kept])
    for new, old in enumerate(chosen):
        there, was = part.segments == new, whole.segments == old
        assert torch.equal(part.ids[..., there], whole.ids[..., was])
        assert torch.equal(part.positions[..., there], whole.positions[..., was])
        assert int(part.at[new]) == int(torch.nonzero(there)[-1])
        assert part.kinds[new] == whole.kinds[old]
    assert torch.equal(part.targets, whole.targets[..., chosen])
    assert part.n_noise == whole.n_noise
    # each sees what it saw: the shared part before it and its own
    mask = part.mask()
    for new in range(len(chosen)):
        row = mask[part.at[new]]
        assert torch.equal(row, (part.segments == SHARED) | (part.segments == new))


def test_scenes_are_drawn_by_run_and_without_replacement() -> None:
    scenes = draw_scenes(generators([5, 6], "x", 1), 50, 8, EXPANDED)
    alone = draw_scenes(generators([6], "x", 1), 50, 8, EXPANDED)
    for name in ("colours", "shapes", "items", "order", "gaps"):
        assert torch.equal(getattr(scenes, name)[1], getattr(alone, name)[0])
        if name != "gaps":
            drawn_once = getattr(scenes, name).sort(-1).values.diff(dim=-1)
            assert (drawn_once > 0).all()
    other = draw_scenes(generators([6], "x", 2), 50, 8, EXPANDED)
    assert not torch.equal(other.colours, alone.colours)
    # every word of every kind comes
    many = draw_scenes(generators([0], "y"), 2000, 8, EXPANDED)
    n_words = [len(one.unique()) for one in (many.colours, many.shapes, many.items)]
    assert n_words == [216, 216, 32]


def test_a_smaller_vocabulary_is_nested_in_a_larger() -> None:
    small, large = Vocabulary(n_colours=8), EXPANDED
    assert small.most_objects == 8
    names = [word(token) for token in range(N_TOKENS)]
    assert len(set(names)) == N_TOKENS
    # a token has one name, whatever the vocabulary; the small one's are the first of each kind
    shown = lay_out(drawn(3, 8, small), Layout())
    assert (
        {name for name in names if name.startswith("colour-")}
        >= {word(token) for token in shown.ids[..., 0:16:2].flatten().tolist()}
        <= {f"colour-{i}" for i in range(8)}
    )
    assert large.most_objects == 32


def test_an_image_stands_in_the_context_s_place() -> None:
    scenes = drawn(2, 3)
    shown = lay_out(scenes, Layout(context="image"), n_image_tokens=5)
    text = lay_out(scenes, Layout())
    assert (shown.ids[..., :5] == IMAGE).all()
    assert torch.equal(shown.ids[..., 5:], text.ids[..., 6:])
    assert torch.equal(shown.targets, text.targets)
    with pytest.raises(ConfigError, match="an image context needs image tokens, got 0"):
        lay_out(scenes, Layout(context="image"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Vocabulary(n_items=33), "n_items must be from 2 to 32, got 33"),
        (lambda: drawn(0, 17), "n_objects must be from 1 to 16, the smallest of the vocabulary's "
         "sizes, got 17"),
        (lambda: Layout(context="pictures"), "context must be one of text, image, none, got "
         "'pictures'"),
        (lambda: Layout(noise=-1), "noise must be at least 0, got -1"),
        (lambda: Layout(noise=1, noise_to=9), "noise and noise_to exclude one another: give one "
         "of the two"),
        (lambda: Layout(context="image", noise=1), "noise goes with a text context, got context "
         "'image'"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be(call: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        call()
    assert str(caught.value) == message
