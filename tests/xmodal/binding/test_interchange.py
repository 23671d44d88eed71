"""Interchange interventions: the counterfactual, the counts, and two mechanisms told apart."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from taxonomy.errors import ConfigError
from tests.xmodal.binding import talkers
from tests.xmodal.binding.rates import rates
from tests.xmodal.binding.solvers import POSITIONAL, SYMBOLIC, VOCABULARY, Solver
from xmodal.binding.decoder import POSITIONS, Decoder, DecoderConfig
from xmodal.binding.examples import some
from xmodal.binding.hf_subject import HuggingFaceSubject
from xmodal.binding.interchange import (
    PATCHES,
    Roles,
    classified,
    counterfactual,
    draw_roles,
    interchange,
    last_activations,
    patch,
)
from xmodal.binding.own_subject import OwnSubject
from xmodal.binding.subject import Prompts
from xmodal.binding.task import Layout, Scenes, draw_scenes, generators
from xmodal.binding.word_templates import ALL_WORDS, TEMPLATES, Words
from xmodal.binding.words_task import WordTask
from xmodal.binding_tables import INTERCHANGE


def scenes_of(n_objects: int, n: int, seed: int = 0) -> Scenes:
    return draw_scenes(generators([seed], "test", n_objects), n, n_objects, VOCABULARY)


def row(*values: int) -> Tensor:
    return torch.tensor([[list(values)]])


def roles_of(q: int, c: int, s: int, t: int) -> Roles:
    return Roles(*(torch.tensor([one]) for one in (q, c, s, t)))


def test_a_counterfactual_by_hand() -> None:
    # objects 0 1 2 3 have keys 10 11 12 13, answers 20 21 22 23, items 30 31 32 33;
    # q, c, s, t = 0, 1, 2, 3; associations: 23-33, 20-30, 22-32, 21-31
    base = Scenes(
        row(10, 11, 12, 13), row(20, 21, 22, 23), row(30, 31, 32, 33), row(3, 0, 2, 1),
        torch.zeros(1, 1, 8),
    )  # fmt: skip
    made = counterfactual(base, roles_of(0, 1, 2, 3))
    # answers of 1 and 2, then keys of 1 and 3 change places: 1 holds (13, 22), 3 holds (11, 23),
    # 2 holds (12, 21)
    assert made.colours.tolist() == [[[10, 13, 12, 11]]]
    assert made.shapes.tolist() == [[[20, 22, 21, 23]]]
    assert made.items.tolist() == [[[30, 32, 31, 33]]]
    # the first association is still that of answer 23, now and before at 3; the third that of
    # 22, now at 1; the last that of 21, now at 2
    assert made.order.tolist() == [[[3, 0, 1, 2]]]
    # asked for key 13, at 1, it answers 32: the base's item at s
    items = base.items[0]
    for answer, name in ((31, "positional"), (33, "symbolic"), (32, "reflexive"),
                         (30, "no_effect"), (5, "other")):  # fmt: skip
        found = classified(torch.tensor([answer]), items, roles_of(0, 1, 2, 3))
        assert {key for key, n in found.items() if n} == {f"n_{name}"}


def plain_counterfactual(
    objects: list[list[int]], order: list[int], c: int, s: int, t: int
) -> tuple[list[list[int]], list[tuple[int, int]]]:
    """(key, answer) pairs, and associations by word: swap answers, swap keys, touch no more."""
    associations = [(objects[i][1], objects[i][2]) for i in order]
    pairs = [[key, answer] for key, answer, _ in objects]
    pairs[c][1], pairs[s][1] = pairs[s][1], pairs[c][1]
    pairs[c][0], pairs[t][0] = pairs[t][0], pairs[c][0]
    return pairs, associations


@settings(max_examples=40, deadline=None)
@given(st.integers(3, 8), st.integers(0, 10**6), st.booleans())
def test_counterfactuals_match_a_plain_oracle(n: int, seed: int, as_published: bool) -> None:
    n = n if as_published else max(n, 4)
    base = scenes_of(n, 3, seed)
    roles = draw_roles(base, seed, as_published=as_published)
    made = counterfactual(base, roles)
    for b in range(3):
        q, c, s, t = (int(one[b]) for one in (roles.q, roles.c, roles.s, roles.t))
        assert len({q, c, s}) == len({q, c, t}) == 3
        assert as_published or s != t
        objects = torch.stack([base.colours, base.shapes, base.items], -1)[0, b].tolist()
        pairs, associations = plain_counterfactual(objects, base.order[0, b].tolist(), c, s, t)
        got = torch.stack([made.colours, made.shapes, made.items], -1)[0, b].tolist()
        assert [one[:2] for one in got] == pairs
        assert [(got[i][1], got[i][2]) for i in made.order[0, b].tolist()] == associations
        # the key asked for is that of t, it occurs once, and its answer is the base's at s
        asked = pairs[c][0]
        assert asked == objects[t][0]
        [shape] = [answer for key, answer in pairs if key == asked]
        assert [item for one, item in associations if one == shape] == [objects[s][2]]
        assert len({objects[i][2] for i in (q, c, s, t)}) == (3 if s == t else 4)


def test_the_associations_of_a_counterfactual_are_read_the_same() -> None:
    layout = Layout(noise=5)
    subject = OwnSubject(tiny("rope"), layout)
    base = scenes_of(5, 20)
    roles = draw_roles(base, 0)
    one = subject.prompts(base, roles.q)
    other = subject.prompts(counterfactual(base, roles), roles.c)
    assert torch.equal(one.ids[:, 10:-2], other.ids[:, 10:-2])
    assert torch.equal(one.positions, other.positions)
    # the two swaps touch the key and answer of c, a key at t, an answer at s
    assert (one.ids[:, :10] != other.ids[:, :10]).sum(1).tolist() == [4] * 20


def test_too_few_objects_are_refused() -> None:
    with pytest.raises(ConfigError) as error:
        draw_roles(scenes_of(3, 2), 0)
    assert str(error.value) == (
        "an interchange needs at least 4 objects, q, c, s and t all different, got 3: take more, "
        "or draw s and t as published, from 3 objects on"
    )
    with pytest.raises(ConfigError, match=r"at least 3 objects, q, c and s all different, got 2"):
        draw_roles(scenes_of(2, 2), 0, as_published=True)
    with pytest.raises(ConfigError, match="at least 2 examples to permute, got 1"):
        interchange(Solver(SYMBOLIC), [scenes_of(4, 1)])


def test_the_published_draw_has_s_equal_to_t_once_in_n_minus_2() -> None:
    base = scenes_of(6, 4000)
    roles = draw_roles(base, 1, as_published=True)
    share = (roles.s == roles.t).double().mean().item()
    # standard error 0.007
    assert share == pytest.approx(1 / 4, abs=0.03)
    assert (draw_roles(scenes_of(3, 50), 1, as_published=True).s
            == draw_roles(scenes_of(3, 50), 1, as_published=True).t).all()  # fmt: skip


@pytest.fixture(scope="module")
def solved() -> dict[str, pa.Table]:
    found = {}
    for name, layers in (("positional", POSITIONAL), ("symbolic", SYMBOLIC)):
        result = interchange(Solver(layers), [scenes_of(5, 250)], seed=3)
        [how] = result.answered
        assert (how.n_base_right, how.n_counterfactual_right) == (250, 250)
        assert how.n_drawn_ambiguous == 0
        found[name] = result.table
    return found


@pytest.mark.parametrize("mechanism", ["positional", "symbolic"])
def test_the_solvers_are_told_apart(solved: dict[str, pa.Table], mechanism: str) -> None:
    table = solved[mechanism]
    assert table.schema == INTERCHANGE
    by = {(one.layer, one.patch): one for one in rates(table)}
    assert len(by) == table.num_rows == 3 * len(PATCHES)
    assert getattr(by[1, "counterfactual"], mechanism) > 0.95
    # before it has looked, the patch says nothing; after, it is the answer
    assert by[0, "counterfactual"].no_effect == 1
    assert by[2, "counterfactual"].reflexive == 1
    assert {one.n_objects for one in by.values()} == {5}
    other = {"symbolic": "positional", "positional": "symbolic"}[mechanism]
    assert getattr(by[1, "counterfactual"], other) == 0


def test_permutation_gives_chance(solved: dict[str, pa.Table]) -> None:
    by = {
        (name, one.patch): one
        for name, table in solved.items()
        for one in rates(table)
        if one.layer == 1
    }
    for name in solved:
        # another example's index is any of the 5, its colour that of any object or of none, after
        # which all items are alike; standard error 0.025
        moved = by[name, "permuted"]
        for rate in (moved.positional, moved.symbolic, moved.reflexive, moved.no_effect):
            assert rate == pytest.approx(1 / 5, abs=0.09)
        assert by[name, "random-direction"].effect < 0.5


def test_counts_add_up_and_do_not_hang_on_the_batch() -> None:
    scenes = [scenes_of(3, 30), scenes_of(4, 30)]
    solver = Solver(SYMBOLIC)
    one = interchange(solver, scenes, as_published=True, batch=7)
    assert one.table.equals(interchange(solver, scenes, as_published=True, batch=30).table)
    for found in one.table.to_pylist():
        parts = ("positional", "symbolic", "reflexive", "no_effect", "other", "ambiguous")
        assert sum(found[f"n_{part}"] for part in parts) == found["n_examples"] == 30
    three = next(
        found
        for found in one.table.to_pylist()
        if (found["n_objects"], found["layer"], found["patch"]) == (3, 1, "counterfactual")
    )
    # with three objects symbolic cannot be told from reflexive
    assert (three["n_symbolic"], three["n_reflexive"], three["n_ambiguous"]) == (0, 0, 30)
    assert one.answered[0].n_drawn_ambiguous == 30


def tiny(position: str, n_layers: int = 3) -> Decoder:
    return Decoder(DecoderConfig(n_layers=n_layers, width=16, n_heads=2, position=position), [5])


def by_hand(decoder: Decoder, prompts: Prompts, layer: int, value: Tensor) -> Tensor:
    """Logits from a residual stream that is edited after `layer`, block by block."""
    ids, positions = prompts.ids[None], prompts.positions[None]
    rows, n = prompts.ids.shape
    x = decoder._embedded(ids, None)
    if decoder.config.position == "learned":
        x = x + decoder._learned(positions)
    turn = decoder._turn(positions, x.dtype)
    causal = torch.ones(n, n, dtype=torch.bool).tril()
    for block in range(decoder.n_layers + 1):
        if block:
            x = decoder._block(x.reshape(1, rows * n, -1), block - 1, rows, turn, causal)
            x = x.view(1, rows, n, -1)
        if block == layer:
            x = torch.cat([x[:, :, :-1], value[None, :, None]], dim=2)
    return decoder.read(x[:, :, -1])[0]


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("marker", [True, False])
def test_patches_match_direct_recomputation(position: str, marker: bool) -> None:
    decoder = tiny(position)
    subject = OwnSubject(decoder, Layout(marker=marker, noise=3))
    base = scenes_of(4, 6)
    roles = draw_roles(base, 0)
    prompts = subject.prompts(base, roles.q)
    other = subject.prompts(counterfactual(base, roles), roles.c)
    own, logits = last_activations(subject, prompts)
    theirs, their_logits = last_activations(subject, other)
    layers = list(range(4))
    with torch.no_grad():
        for layer in layers:
            torch.testing.assert_close(
                subject.logits(prompts, edit=patch(prompts, layer, own[layer])), logits
            )
            torch.testing.assert_close(
                subject.logits(prompts, edit=patch(prompts, layer, theirs[layer])),
                by_hand(decoder, prompts, layer, theirs[layer]),
            )
    torch.testing.assert_close(
        subject.logits(prompts, edit=patch(prompts, 3, theirs[3])), their_logits
    )
    assert not torch.allclose(
        subject.logits(prompts, edit=patch(prompts, 2, theirs[2])), their_logits, atol=1e-4
    )
    # all patches in one run are the patches one by one
    together = subject.patched(prompts, layers, theirs)
    for layer in layers:
        alone = subject.logits(prompts, edit=patch(prompts, layer, theirs[layer]))
        torch.testing.assert_close(together[:, layer], alone)


def shown(scenes: Scenes) -> Tensor:
    """Three image tokens, of which two tell colours and shapes."""
    n = torch.zeros(scenes.colours.shape[1], 3, 5)
    n[:, 0], n[:, 1] = scenes.colours[0].float(), scenes.shapes[0].float()
    return n


@pytest.mark.parametrize(("context", "answers"), [("text", "open"), ("image", "scene")])
def test_one_run_for_all_patches_counts_as_one_run_each(context: str, answers: str) -> None:
    config = DecoderConfig(n_layers=2, width=16, n_heads=2, image_width=5)
    subject = OwnSubject(
        Decoder(config, [5]), Layout(context=context), shown if context == "image" else None
    )

    class OneByOne:
        n_layers = 2
        prompts, token_of, logits = subject.prompts, subject.token_of, subject.logits

    # a decoder that always answers an item, so that the counts have something in them
    with torch.no_grad():
        subject.decoder.embed[:, 464:] = 0
        subject.decoder.embed[:, 432:440] *= 8
    scenes = [scenes_of(5, 40)]
    together = interchange(subject, scenes, answers=answers)
    assert together == interchange(OneByOne(), scenes, answers=answers)
    assert sum(together.table["n_other"].to_pylist()) < 0.8 * 40 * 9


@pytest.mark.parametrize("batch", [3, 128])
def test_answers_of_the_scene_are_those_of_an_lm_that_can_say_no_other(batch: int) -> None:
    lm = talkers.talker()
    words = Words(
        colours=ALL_WORDS.colours[:8], shapes=ALL_WORDS.shapes[:8], items=ALL_WORDS.items[:8]
    )
    subject = HuggingFaceSubject(WordTask(lm, words, TEMPLATES["plain"]))

    class Bound:
        """The LM, with no logit but those of the scene's items."""

        n_layers, token_of = subject.n_layers, subject.token_of

        def __init__(self) -> None:
            self.asked: list[tuple[Prompts, Tensor]] = []

        def prompts(self, scenes: Scenes, query: Tensor) -> Prompts:
            made = subject.prompts(scenes, query)
            self.asked.append((made, subject.token_of(scenes.items[0])))
            return made

        def logits(self, prompts: Prompts, **given: Any) -> Tensor:
            found = subject.logits(prompts, **given)
            (items,) = [items for made, items in self.asked if made is prompts]
            none = torch.full_like(found, -torch.inf)
            return none.scatter(1, items, found.gather(1, items))

    scenes = [scenes_of(5, 8)]
    among = interchange(subject, scenes, answers="scene", batch=batch)
    assert among == interchange(Bound(), scenes, batch=batch)
    # this LM answers at random: rarely an item, where it may say anything
    openly = interchange(subject, scenes, batch=batch)
    n_other = [sum(one.table["n_other"].to_pylist()) for one in (openly, among)]
    assert n_other[0] == 8 * 9
    # one item of five has no role
    assert n_other[1] < 0.6 * 8 * 9
    with pytest.raises(ConfigError, match="answers must be one of open, scene, got 'all'"):
        interchange(subject, scenes, answers="all")


def test_random_directions_have_the_length_of_the_difference() -> None:
    put_in: list[Tensor] = []

    class Keeping(OwnSubject):
        def patched(self, prompts: Prompts, layers: list[int], values: Tensor) -> Tensor:
            put_in.append(values)
            return super().patched(prompts, layers, values)

    subject = Keeping(tiny("none"))
    base = scenes_of(4, 10)
    interchange(subject, [base], seed=2)
    roles = draw_roles(base, 2)
    own, _ = last_activations(subject, subject.prompts(base, roles.q))
    theirs, _ = last_activations(subject, subject.prompts(counterfactual(base, roles), roles.c))
    [values] = put_in
    same, random, permuted = values.unflatten(0, (3, 4))
    torch.testing.assert_close(same, theirs)
    torch.testing.assert_close((random - own).norm(dim=-1), (theirs - own).norm(dim=-1))
    # each example gets another's, all are used, and those of all layers are of one example
    near = (permuted[:, :, None] - theirs[:, None]).norm(dim=-1).sum(0)
    other = near.argmin(1).tolist()
    assert near.min(1).values.max() < 1e-5
    assert sorted(other) == list(range(10))
    assert all(i != j for i, j in enumerate(other))


def test_part_of_the_scenes_is_that_part() -> None:
    scenes = scenes_of(4, 5)
    part = some(scenes, slice(1, 3))
    for name in ("colours", "shapes", "items", "order", "gaps"):
        assert torch.equal(getattr(part, name), getattr(scenes, name)[:, 1:3])
