"""What the corpus may say, and what it must never say."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest

from taxonomy.model import Taxonomy
from taxonomy.phrases import phrase
from taxonomy.wordnet import WordNet
from tests.xmodal import tiny
from tests.xmodal.bundle.lm import toy
from xmodal.bundle.lm.corpus import CONTEXTS, QUESTION, Corpus, Lexicon, Line, Mixture
from xmodal.bundle.lm.lexicon import LexiconConfig, build_lexicon
from xmodal.bundle.lm.pretrain import build_tokenizer

N_LINES = 20_000
ASKS = re.compile(re.escape(QUESTION).replace(r"\{\}", "(.+)") + "$")


@pytest.fixture(scope="module")
def stream(lexicon: Lexicon) -> list[Line]:
    return list(Corpus(lexicon).lines(N_LINES, seed=1))


@pytest.fixture(scope="module")
def questions(lexicon: Lexicon, stream: list[Line]) -> list[tuple[set[int], str, bool]]:
    """(leaves that the context names or the line may mix in, asked phrase, answer).

    Read from the text alone; what a context names is found by its words, longest names first.
    """
    at = {leaf: i for i, leaf in enumerate(lexicon.leaves)}
    names = re.compile(
        r"\b(" + "|".join(map(re.escape, sorted(at, key=len, reverse=True))) + r")\b"
    )
    found = []
    for line in stream:
        asked = ASKS.search(line.prompt)
        if asked:
            shown = names.findall(line.prompt[: asked.start()])
            assert line.subject in shown
            assert line.completion in ("yes", "no")
            about = {at[name] for name in (*shown, *line.others)}
            found.append((about, asked[1], line.completion == "yes"))
    return found


def test_no_question_about_a_withheld_stated_or_disputed_pair(
    lexicon: Lexicon, questions: list[tuple[set[int], str, bool]]
) -> None:
    hypernyms = {phrase(name): i for i, name in enumerate(lexicon.hypernyms)}
    allowed = (lexicon.true | lexicon.false) & ~lexicon.withheld
    n_asked = 0
    for about, asked, _ in questions:
        if asked in hypernyms:
            n_asked += 1
            assert all(allowed[leaf, hypernyms[asked]] for leaf in about)
    assert n_asked > N_LINES / 10


def test_a_withheld_pair_in_question_form_would_be_seen(lexicon: Lexicon) -> None:
    """The check above fails on a corpus that withholds nothing."""
    loose = Corpus(replace(lexicon, withheld=np.zeros_like(lexicon.withheld)))
    hypernyms = {phrase(name): i for i, name in enumerate(lexicon.hypernyms)}
    at = {leaf: i for i, leaf in enumerate(lexicon.leaves)}
    bad = 0
    for line in loose.lines(2000, seed=1):
        asked = ASKS.search(line.prompt)
        if asked and asked[1] in hypernyms:
            bad += bool(lexicon.withheld[at[line.subject], hypernyms[asked[1]]])
    assert bad > 50


def test_answers_are_true_of_the_subject(lexicon: Lexicon, stream: list[Line]) -> None:
    at = {leaf: i for i, leaf in enumerate(lexicon.leaves)}
    hypernyms = {phrase(name): i for i, name in enumerate(lexicon.hypernyms)}
    leaves = {phrase(name): i for i, name in enumerate(lexicon.leaves)}
    counts: Counter[tuple[str, bool]] = Counter()
    for line in stream:
        asked = ASKS.search(line.prompt)
        if asked is None:
            continue
        subject, answer = at[line.subject], line.completion == "yes"
        if asked[1] in hypernyms:
            table = lexicon.true if answer else lexicon.false
            assert table[subject, hypernyms[asked[1]]]
            counts["hypernym", answer] += 1
        else:
            other = leaves[asked[1]]
            assert other == subject if answer else not lexicon.related[subject, other]
            counts["leaf", answer] += 1
    # Yes and No in equal parts, five standard deviations
    for kind in ("hypernym", "leaf"):
        yes, no = counts[kind, True], counts[kind, False]
        assert abs(yes - no) < 5 * (yes + no) ** 0.5


def test_statements_are_true_and_speak_of_withheld_pairs_too(
    lexicon: Lexicon, stream: list[Line]
) -> None:
    at = {leaf: i for i, leaf in enumerate(lexicon.leaves)}
    # "a kind of bird" has the name, "is a bird" the phrase
    hypernyms = {
        text: i for i, name in enumerate(lexicon.hypernyms) for text in (name, phrase(name))
    }
    forms = re.compile(r"(?:there is|is) (not )?(?:a kind of )?(.+?)(?: in the image)? \.$")
    n_withheld = n_read = 0
    for line in stream:
        if ASKS.search(line.prompt) or line.prompt.endswith(" :"):
            continue
        said = forms.fullmatch(line.completion)
        assert said is not None, line
        leaf, hypernym = at[line.subject], hypernyms[said[2]]
        assert (lexicon.false if said[1] else lexicon.true)[leaf, hypernym]
        n_withheld += bool(lexicon.withheld[leaf, hypernym])
        n_read += 1
    assert n_read > 1000
    assert n_withheld > 100


def test_lines_are_lower_case_words_and_start_with_a_known_context(stream: list[Line]) -> None:
    assert len(CONTEXTS) > 1
    for line in stream:
        text = str(line)
        assert text == text.lower()
        assert re.fullmatch(r"[a-z0-9 .?:'’()-]+", text), text
        assert line.subject in line.prompt


def test_the_same_seed_gives_the_same_stream(small: Lexicon) -> None:
    first = list(Corpus(small).lines(500, seed=4))
    assert first == list(Corpus(small).lines(500, seed=4))
    assert first != list(Corpus(small).lines(500, seed=5))
    assert first[:100] == list(Corpus(small).lines(100, seed=4))


def test_another_process_writes_the_same_corpus(small: Lexicon) -> None:
    code = "from tests.xmodal.bundle.lm import toy; print(toy.digest(toy.lexicon()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=tiny.environment(PYTHONHASHSEED="77"),
        check=True,
    )
    assert done.stdout.strip() == toy.digest(small)


class TestLexicon:
    def test_its_sizes(self, lexicon: Lexicon, embedded: Taxonomy) -> None:
        roles = Counter(embedded.concepts["role"].to_pylist())
        assert (lexicon.n_pictured, len(lexicon.hypernyms)) == (roles["leaf"], roles["hypernym"])
        assert len(lexicon.leaves) == lexicon.n_pictured + LexiconConfig().n_extra
        assert len(set(lexicon.leaves)) == len(lexicon.leaves)
        assert not set(lexicon.leaves) & set(lexicon.hypernyms)
        assert not (lexicon.true & lexicon.false).any()

    def test_a_fifth_is_withheld_true_and_false_alike(self, lexicon: Lexicon) -> None:
        pictured = slice(0, lexicon.n_pictured)
        for table in (lexicon.true, lexicon.false):
            share = lexicon.withheld[pictured][table[pictured]].mean()
            assert share == pytest.approx(LexiconConfig().withheld_ratio, abs=0.05)

    def test_stated_leaves_have_no_picture_and_no_question(self, lexicon: Lexicon) -> None:
        stated = lexicon.withheld.all(axis=1)
        assert stated[lexicon.n_pictured :].sum() == LexiconConfig().n_stated >= 200
        assert not stated[: lexicon.n_pictured].any()
        # the rest have hypernyms only about which the two sources do not agree
        assert lexicon.true[stated].any(axis=1).sum() >= 200

    def test_pairs_are_the_taxonomys(self, lexicon: Lexicon, embedded: Taxonomy) -> None:
        names = embedded.concepts["name"].to_pylist()
        said = {
            (names[p["leaf_id"]], names[p["hypernym_id"]]): [
                p[s] for s in ("strict", "everyday") if p[s] is not None
            ]
            for p in embedded.leaf_hypernym.to_pylist()
        }
        for i, leaf in enumerate(lexicon.leaves[: lexicon.n_pictured]):
            for j, hypernym in enumerate(lexicon.hypernyms):
                votes = said.get((leaf, hypernym), [])
                assert lexicon.true[i, j] == (bool(votes) and all(votes))
                assert lexicon.false[i, j] == (not any(votes))

    def test_extra_nouns_are_wordnet_leaves_that_no_picture_shows(
        self, lexicon: Lexicon, wordnet: WordNet, embedded: Taxonomy
    ) -> None:
        synsets = {s for s in embedded.concepts["synset"].to_pylist() if s}
        hypernym_of = {
            row["name"]: row["synset"]
            for row in embedded.concepts.to_pylist()
            if row["role"] == "hypernym"
        }
        for i in range(lexicon.n_pictured, len(lexicon.leaves)):
            synset = f"{lexicon.leaves[i]}.n.01"
            assert synset not in synsets
            assert not wordnet.synset(synset).hyponyms()
            above = wordnet.ancestors(synset)
            for j, hypernym in enumerate(lexicon.hypernyms):
                if lexicon.true[i, j]:
                    assert hypernym_of[hypernym] in above
                if lexicon.false[i, j]:
                    assert hypernym_of[hypernym] not in above

    def test_scrambling_permutes_the_hypernym_sets_among_pictured_leaves(
        self, small: Lexicon, embedded: Taxonomy, wordnet: WordNet
    ) -> None:
        other = build_lexicon(toy.cut(embedded), wordnet, replace(toy.LEXICON, scrambled=True))
        n = small.n_pictured
        for name in ("true", "false"):
            before, after = getattr(small, name), getattr(other, name)
            rows = [Counter(map(tuple, table[:n].tolist())) for table in (before, after)]
            assert rows[0] == rows[1]
            assert np.array_equal(before[n:], after[n:])
        changed = (small.true[:n] != other.true[:n]).any(axis=1)
        assert changed.mean() > 0.3
        same = {f.name for f in fields(Lexicon)} - {"true", "false"}
        assert all(np.array_equal(getattr(small, f), getattr(other, f)) for f in same)


def test_names_side_by_side_are_read_as_themselves() -> None:
    """ "cesspool ballet" holds "pool ball", "bell" before "pepper" reads as a third name."""
    names = ("cesspool", "ballet shoe", "pool ball", "bell", "pepper", "bell pepper", "eye")
    n = len(names)
    lexicon = Lexicon(
        leaves=names,
        n_pictured=n,
        hypernyms=("thing",),
        glosses=("",) * n,
        true=np.arange(n)[:, None] < 4,
        false=np.arange(n)[:, None] >= 4,
        withheld=np.zeros((n, 1), dtype=bool),
        related=np.eye(n, dtype=bool),
    )
    tokenizer = build_tokenizer(lexicon, min_count=1)
    name_ids = {tokenizer(name)["input_ids"][0]: name for name in names}
    lists = set()
    for line in Corpus(lexicon, Mixture(statements=0, glosses=0, leaf_questions=0)).lines(4000, 0):
        before = line.prompt.split(" is there ")[0]
        read = [name_ids[i] for i in tokenizer(before)["input_ids"] if i in name_ids]
        assert line.subject in read
        if not before.endswith("."):
            assert " ".join(read) == before
            lists.add(before)
    assert "ballet shoe cesspool" in lists
    assert "cesspool ballet shoe" not in lists
    assert "pepper bell" in lists
