"""Which subjects are blurred when the LM is pretrained, and with what."""

from __future__ import annotations

import re

import torch
from hypothesis import given
from hypothesis import strategies as st

from xmodal.bundle.lm.corpus import N_OTHERS, Corpus, Lexicon, Mixture
from xmodal.bundle.lm.pretrain import (
    PretrainConfig,
    _batch,
    _blur,
    _mix,
    _mixture,
    build_tokenizer,
)

CONFIG = PretrainConfig(n_steps=10, mixed_ratio=0.5, settled_ratio=0.3, settled_mixed_ratio=0.8)


@given(ratio=st.floats(0, 1), n=st.integers(1, 50), seed=st.integers(0, 2**32))
def test_weights_are_shares(ratio: float, n: int, seed: int) -> None:
    torch.manual_seed(seed)
    own, others = _mixture(torch.full((n,), ratio))
    assert others.shape == (n, N_OTHERS)
    assert bool((own > 0).all())
    assert bool((others >= 0).all())
    assert torch.allclose(own + others.sum(1), torch.ones(n), atol=1e-6)


def test_how_many_are_blurred_and_how_the_subject_is_drawn() -> None:
    torch.manual_seed(0)
    n = 40_000
    own, others = _mixture(torch.full((n,), 0.25))
    mixed = own < 1
    # five standard deviations
    assert abs(float(mixed.float().mean()) - 0.25) < 5 * (0.25 * 0.75 / n) ** 0.5
    # drawn by weight from flat Dirichlets of 2, 3 or 4: E[sum of squares] = 2 / (k + 1)
    expected = (2 / 3 + 2 / 4 + 2 / 5) / 3
    assert abs(float(own[mixed].mean()) - expected) < 0.02
    members = (others[mixed] > 0).sum(1) + 1
    assert set(members.tolist()) == {2, 3, 4}


def test_only_bare_names_are_blurred_at_the_end(small: Lexicon) -> None:
    tokenizer = build_tokenizer(small, min_count=1)
    lines = list(Corpus(small).lines(200, seed=0))
    batch = _batch(lines, lambda text: tokenizer(text)["input_ids"])
    assert batch.bare.tolist() == [line.bare for line in lines]
    assert 20 < sum(line.bare for line in lines) < 180
    is_name = re.compile("|".join(map(re.escape, sorted(small.leaves, key=len, reverse=True))))
    for line in lines:
        before = line.prompt.split(" is there ")[0]
        names_only = not is_name.sub("", before).strip()
        about_the_image = "?" in line.prompt or line.completion.startswith("there is")
        assert line.bare == (names_only and about_the_image), line
    assert _blur(6, batch, CONFIG).tolist() == [0.5] * 200
    at_the_end = _blur(7, batch, CONFIG)
    assert torch.equal(at_the_end > 0, batch.bare)
    assert bool((at_the_end[batch.bare] == torch.tensor(0.8)).all())


def test_a_mixture_stands_in_the_subjects_place_only() -> None:
    torch.manual_seed(1)
    embedded, others = torch.randn(6, 5, 4), torch.randn(6, N_OTHERS, 4)
    subject = torch.tensor([0, 1, 2, 3, 4, 0])
    mixed = _mix(embedded, subject, others, torch.ones(6))
    at = torch.zeros(6, 5, dtype=torch.bool)
    at[torch.arange(6), subject] = True
    assert torch.equal(mixed[~at], embedded[~at])
    assert not torch.isclose(mixed[at], embedded[at]).any()
    assert torch.equal(_mix(embedded, subject, others, torch.zeros(6)), embedded)


def test_a_near_no_is_about_a_leaf_that_has_something_else(small: Lexicon) -> None:
    at = {name: i for i, name in enumerate(small.leaves)}
    has = small.true.any(axis=1)
    shares = {}
    for near_no in (0.0, 1.0):
        mixture = Mixture(statements=0.0, glosses=0.0, leaf_questions=0.0, near_no=near_no)
        lines = list(Corpus(small, mixture).lines(400, seed=1))
        no = [line for line in lines if line.completion == "no"]
        assert 100 < len(no) < 300
        shares[near_no] = sum(bool(has[at[line.subject]]) for line in no) / len(no)
        for line in no:
            (asked,) = (h for h in small.hypernyms if f" {h} in the image ?" in line.prompt)
            cell = at[line.subject], small.hypernyms.index(asked)
            assert small.false[cell]
            assert not small.withheld[cell]
    assert shares[1.0] == 1.0
    assert shares[0.0] < 1.0
