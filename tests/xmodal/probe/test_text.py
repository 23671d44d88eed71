"""The three tasks against the LM asked one text at a time; the embedded LM on its pairs."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from taxonomy.errors import ConfigError
from taxonomy.manifest.world import read_world
from taxonomy.model import Taxonomy, TaxonomyConfig
from tests.xmodal import tiny
from xmodal.lms.causal import LanguageModel, load_lm
from xmodal.probe.pairs import ProbePairs, draw_pairs
from xmodal.probe.phrasings import Forms, fill, template_of
from xmodal.probe.summary import summarise
from xmodal.probe.text import TextProbe, answer_forms
from xmodal.taxonomies import build_taxonomy

CHAT = (
    "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}[answer]{% endif %}"
)


@pytest.fixture(scope="module", params=[False, True], ids=["bare", "bos"])
def probe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TextProbe:
    folder = tmp_path_factory.mktemp("tiny")
    taxonomy = three_hypernyms(folder)
    lm = load_lm(str(tiny.save_lm(folder / "lm", bos=request.param)))
    assert len(lm.start_ids) == request.param
    world = read_world(taxonomy)
    return TextProbe(lm, taxonomy, world, draw_pairs(world, 3), 4)


def three_hypernyms(folder: Path) -> Taxonomy:
    """Birds, tools and vehicles: each leaf has two false hypernyms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "LEAVES", {**tiny.LEAVES, "car": "vehicle", "bus": "vehicle"})
        return tiny.taxonomy(folder)


@torch.no_grad()
def log_chances(lm: LanguageModel, text: str, *, start: bool = True) -> torch.Tensor:
    """float64 [V]: of the token after a text, asked alone."""
    ids = [*(lm.start_ids if start else []), *lm.token_ids(text)]
    logits: torch.Tensor = lm.model(input_ids=torch.tensor([ids])).logits[0, -1]
    return logits.double().log_softmax(dim=-1)


def chain(lm: LanguageModel, before: str, after: str) -> float:
    """Log probability of a text behind another, a token at a time."""
    said, total = before, 0.0
    for token in lm.token_ids(after):
        total += float(log_chances(lm, said)[token])
        said += lm.tokenizer.decode([token])
    assert said == before + after
    return total


def names(probe: TextProbe, leaf_id: int, hypernym_id: int) -> tuple[Forms, Forms]:
    rows = {row["concept_id"]: row for row in probe.taxonomy.concepts.to_pylist()}
    leaf, hypernym = rows[leaf_id], rows[hypernym_id]
    return Forms(leaf["name"], leaf["phrase"]), Forms(hypernym["name"], hypernym["phrase"])


def test_the_forms_are_the_single_tokens(probe: TextProbe) -> None:
    forms = answer_forms(probe.lm)
    # the tiny tokenizer has no token for the lower-case ones
    assert set(forms.yes) == {"Yes", " Yes"}
    assert set(forms.no) == {"No", " No"}
    assert all(probe.lm.token_ids(form) == [i] for form, i in (forms.yes | forms.no).items())


def test_yes_no_adds_the_chances_of_all_forms(probe: TextProbe) -> None:
    template = template_of("hypernym", "yes_no", 1)
    rows = probe.yes_no(template, chat=False).answers.to_pylist()
    assert len(rows) == 2 * len(probe.pairs) == 14
    for row in rows:
        leaf, hypernym = names(probe, row["leaf_id"], row["hypernym_id"])
        said = log_chances(probe.lm, fill(template, leaf, hypernym, capital=True)).exp()
        ids = {form: probe.lm.token_ids(form)[0] for form in ("Yes", " Yes", "No", " No")}
        yes, no = (float(said[ids[form]] + said[ids[f" {form}"]]) for form in ("Yes", "No"))
        assert math.exp(row["score_yes"]) == pytest.approx(yes, rel=1e-4)
        assert math.exp(row["score_no"]) == pytest.approx(no, rel=1e-4)
        assert row["predicted"] == (yes > no)
        assert row["rank"] is None
    world, pairs = probe.world, probe.pairs
    asked = {(row["leaf_id"], row["hypernym_id"]): row["answer"] for row in rows}
    for leaf, hypernym, foil in zip(pairs.leaf, pairs.hypernym, pairs.foil, strict=True):
        of = int(world.leaves.ids[leaf])
        assert asked[of, int(world.hypernyms.ids[hypernym])] is True
        assert asked[of, int(world.hypernyms.ids[foil])] is False


def test_what_is_asked_beside_moves_no_answer_of_the_pairs(probe: TextProbe) -> None:
    world, template = probe.world, template_of("hypernym", "yes_no", 1)
    rest = {(a, b) for a, b in zip(*world.false.nonzero(), strict=True)}
    rest -= {(a, b) for a, b, _ in probe.pairs.questions}
    beside = tuple((int(a), int(b), False) for a, b in sorted(rest))
    alone = probe.yes_no(template, chat=False)
    more = replace(probe, pairs=replace(probe.pairs, beside=beside)).yes_no(template, chat=False)
    n = alone.answers.num_rows
    # seven leaves of one hypernym each, of three: one false one is drawn and one is left
    assert len(beside) == 7 == more.answers.num_rows - n
    assert more.answers.slice(0, n).equals(alone.answers)
    assert more.answers["drawn"].to_pylist() == [True] * n + [False] * 7
    assert (more.texts, more.unknown) == (alone.texts, alone.unknown)
    for row in more.answers.slice(n).to_pylist():
        leaf, hypernym = names(probe, row["leaf_id"], row["hypernym_id"])
        said = log_chances(probe.lm, fill(template, leaf, hypernym, capital=True)).exp()
        want = sum(float(said[probe.lm.token_ids(form)[0]]) for form in ("No", " No"))
        assert math.exp(row["score_no"]) == pytest.approx(want, rel=1e-4)
        assert row["answer"] is False


def test_a_chat_template_stands_around_the_question(
    probe: TextProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = template_of("hypernym", "yes_no", 2)
    with pytest.raises(ConfigError, match="has no chat template; ask it with --no-chat-template"):
        probe.yes_no(template, chat=True)
    monkeypatch.setattr(probe.lm.tokenizer, "chat_template", CHAT)
    row = probe.yes_no(template, chat=True).answers.to_pylist()[0]
    leaf, hypernym = names(probe, row["leaf_id"], row["hypernym_id"])
    question = fill(template, leaf, hypernym, capital=True)
    # the template says itself how a text begins: no start token is added
    said = log_chances(probe.lm, f"[user] {question}\n[answer]", start=False).exp()
    want = sum(float(said[probe.lm.token_ids(form)[0]]) for form in ("Yes", " Yes"))
    assert math.exp(row["score_yes"]) == pytest.approx(want, rel=1e-4)


def test_a_sentence_is_scored_by_the_mean_of_its_tokens(probe: TextProbe) -> None:
    template = template_of("hypernym", "sentence", 2)
    rows = probe.sentence(template, 2).answers.to_pylist()
    assert len(rows) == len(probe.pairs) == 7
    pairs = probe.pairs
    for row, foil in zip(rows, pairs.foil, strict=True):
        leaf, hypernym = names(probe, row["leaf_id"], row["hypernym_id"])
        other = names(probe, row["leaf_id"], int(probe.world.hypernyms.ids[foil]))[1]
        for of, got in ((hypernym, row["score_yes"]), (other, row["score_no"])):
            text = fill(template, leaf, of, capital=False)
            ids = probe.lm.token_ids(text)
            # without a start token nothing stands before the first token
            first = 0 if probe.lm.start_ids else 1
            before = probe.lm.tokenizer.decode(ids[:first])
            want = chain(probe.lm, before, text[len(before) :]) / (len(ids) - first)
            assert got == pytest.approx(want, rel=1e-4)
        assert row["predicted"] == (row["score_yes"] > row["score_no"])
        assert row["answer"] is True


@pytest.mark.parametrize("mean", [False, True])
def test_a_choice_ranks_the_completions_among_false_ones(probe: TextProbe, mean: bool) -> None:
    template = template_of("hypernym", "choice", 1)
    rows = probe.choice(template, mean=mean).answers.to_pylist()
    assert len(rows) == len(probe.pairs)
    for row in rows:
        at = int((probe.world.leaves.ids == row["leaf_id"]).nonzero()[0][0])
        scores = {}
        for column, hypernym_id in enumerate(probe.world.hypernyms.ids):
            leaf, hypernym = names(probe, row["leaf_id"], int(hypernym_id))
            before = f"{leaf.asked[0].upper()}{leaf.asked[1:]} is a kind of"
            after = f" {hypernym.name}"
            score = chain(probe.lm, before, after)
            n_tokens = len(probe.lm.token_ids(after))
            scores[int(hypernym_id)] = score / n_tokens if mean else score
            assert bool(probe.world.false[at, column]) != bool(probe.world.used[at, column])
        own = scores.pop(row["hypernym_id"])
        assert row["score_yes"] == pytest.approx(own, rel=1e-4)
        assert row["score_no"] == pytest.approx(max(scores.values()), rel=1e-4)
        assert row["rank"] == 1 + sum(other >= own for other in scores.values())
        assert row["predicted"] == (row["rank"] == 1)


def test_other_true_hypernyms_do_not_compete(probe: TextProbe) -> None:
    """A file says that an axe is a tool and a vehicle: each is ranked among bird and itself."""
    axe = probe.world.leaves.words.index("axe")
    bird, tool, vehicle = (
        probe.world.hypernyms.words.index(word) for word in ("bird", "tool", "vehicle")
    )
    pairs = ProbePairs(leaf=(axe, axe), hypernym=(tool, vehicle), foil=(bird, bird))
    asked = TextProbe(probe.lm, probe.taxonomy, probe.world, pairs, 4)
    rows = asked.choice(template_of("hypernym", "choice", 1), mean=False).answers.to_pylist()
    assert [row["hypernym_id"] for row in rows] == sorted(row["hypernym_id"] for row in rows)
    ids = int(probe.world.leaves.ids[axe]), int(probe.world.hypernyms.ids[bird])
    other = names(probe, *ids)[1]
    best = chain(probe.lm, "An axe is a kind of", f" {other.name}")
    assert [row["score_no"] for row in rows] == pytest.approx([best, best], rel=1e-4)
    assert all(row["rank"] in (1, 2) for row in rows)
    # the foil is asked once though two pairs share it
    questions = asked.yes_no(template_of("hypernym", "yes_no", 1), chat=False).answers
    assert questions["answer"].to_pylist() == [True, True, False]


def test_an_lm_without_single_token_answers_is_refused(
    probe: TextProbe, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = type(probe.lm).token_ids
    monkeypatch.setattr(
        type(probe.lm),
        "token_ids",
        lambda self, text: [1, 2] if "es" in text else whole(self, text),
    )
    with pytest.raises(ConfigError, match="has none of Yes; ask it with task sentence or choice"):
        answer_forms(probe.lm)


@pytest.fixture(scope="module")
def embedded() -> TextProbe:
    taxonomy = build_taxonomy(TaxonomyConfig())
    world = read_world(taxonomy)
    return TextProbe(load_lm("embedded"), taxonomy, world, draw_pairs(world, 42), 256)


def test_the_embedded_lm_knows_its_pairs_in_the_words_it_practised(embedded: TextProbe) -> None:
    # all eight forms are two tokens to it, which counts each once
    forms = answer_forms(embedded.lm)
    assert (len(forms.yes), len(forms.yes_ids), len(forms.no_ids)) == (4, 1, 1)
    asked = embedded.yes_no(template_of("hypernym", "yes_no", 4), chat=False)
    scores = summarise(asked.answers)
    assert (asked.unknown, scores["n_questions"]) == (0, 1050)
    assert scores["macro_f1"] > 0.95
    chances = asked.answers["score_yes"].to_numpy()
    assert (chances < 0).all()
    kinds = summarise(embedded.choice(template_of("hypernym", "choice", 1), mean=False).answers)
    assert kinds["mrr"] > 0.95


def test_plurals_are_counted_as_words_that_the_embedded_lm_does_not_know(
    embedded: TextProbe,
) -> None:
    asked = embedded.yes_no(template_of("hypernym", "yes_no", 3), chat=False)
    unknown = embedded.lm.tokenizer.unk_token_id
    words = set(embedded.lm.tokenizer.get_vocab())
    assert unknown is not None
    assert "parrots" not in words
    assert 900 < asked.unknown <= asked.texts == 1050


def test_completions_that_look_the_same_to_the_lm_do_not_rank_first(embedded: TextProbe) -> None:
    asked = embedded.choice(template_of("hypernym", "choice", 3), mean=False)
    tied = [row for row in asked.answers.to_pylist() if row["score_yes"] == row["score_no"]]
    # "birds" and "tools" are one and the same unknown word
    assert len(tied) > 100
    assert all(row["rank"] > 1 and not row["predicted"] for row in tied)


def test_the_scrambled_lm_does_not_know_the_pairs(embedded: TextProbe) -> None:
    lm = load_lm("embedded", init="scrambled")
    asked = TextProbe(lm, embedded.taxonomy, embedded.world, embedded.pairs, 256)
    answers = asked.choice(template_of("hypernym", "choice", 1), mean=False).answers
    assert summarise(answers)["mrr"] < 0.5
