"""Attention knockout: which edges are cut, and what that does to solvers that are understood."""

from __future__ import annotations

import pyarrow as pa
import pytest
import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from tests.xmodal.binding.solvers import POSITIONAL, SYMBOLIC, VOCABULARY, Solver
from xmodal.binding.decoder import POSITIONS, Decoder, DecoderConfig
from xmodal.binding.knockout import EDGE_SETS, cut, edge_sets, knockout
from xmodal.binding.own_subject import OwnSubject
from xmodal.binding.subject import Prompts
from xmodal.binding.task import Layout, Scenes, draw_scenes, generators
from xmodal.binding_tables import KNOCKOUT


def scenes_of(n_objects: int, n: int, seed: int = 0) -> Scenes:
    return draw_scenes(generators([seed], "test", n_objects), n, n_objects, VOCABULARY)


def tiny(position: str = "rope", image_width: int | None = None) -> Decoder:
    config = DecoderConfig(
        n_layers=2, width=16, n_heads=2, position=position, image_width=image_width
    )
    return Decoder(config, [5])


def pictures(scenes: Scenes) -> Tensor:
    return torch.zeros(scenes.colours.shape[1], 3, 8)


def prompts_of(n: int = 3, layout: Layout | None = None) -> Prompts:
    query = torch.zeros(4, dtype=torch.long)
    return OwnSubject(tiny(), layout or Layout(marker=True)).prompts(scenes_of(n, 4), query)


def edges_of(mask: Tensor) -> set[tuple[int, int]]:
    return {(int(row), int(column)) for row, column in torch.nonzero(~mask)}


def test_edges_by_hand() -> None:
    # colours at 0 2 4, shapes at 1 3 5, end at 6, associations at 7 to 12, question 13 14 15
    prompts = prompts_of()
    assert edges_of(cut(prompts, EDGE_SETS["shape->colour"])[0]) == {(1, 0), (3, 2), (5, 4)}
    assert edges_of(cut(prompts, EDGE_SETS["answer->query"])[0]) == {(15, 14)}
    assert edges_of(cut(prompts, EDGE_SETS["answer->context"])[0]) == {(15, i) for i in range(6)}
    assert edges_of(cut(prompts, EDGE_SETS["query->colour"])[0]) == {(14, 0), (14, 2), (14, 4)}
    items = cut(prompts, EDGE_SETS["answer->association-item"])[0]
    assert edges_of(items) == {(15, 8), (15, 10), (15, 12)}
    own = cut(prompts, EDGE_SETS["association-item->association-shape"])[0]
    assert edges_of(own) == {(8, 7), (10, 9), (12, 11)}


def test_own_edges_join_the_tokens_of_one_object() -> None:
    prompts = prompts_of(4)
    left = cut(prompts, EDGE_SETS["association-shape->shape"])
    for b, ids in enumerate(prompts.ids.tolist()):
        found = edges_of(left[b])
        assert len(found) == 4
        # both ends are the same shape word
        assert all(ids[row] == ids[column] and column < 8 < row for row, column in found)
    assert not torch.equal(left[0], left[1])


def test_edge_sets_are_those_that_the_prompts_have() -> None:
    assert edge_sets(prompts_of()) == list(EDGE_SETS)
    # query and answer in one token: nothing goes by the name of query
    left = edge_sets(prompts_of(layout=Layout(marker=False)))
    assert left == [name for name in EDGE_SETS if "query" not in name]
    subject = OwnSubject(tiny(image_width=8), Layout(context="image"), pictures)
    prompts = subject.prompts(scenes_of(3, 4), torch.zeros(4, dtype=torch.long))
    there = edge_sets(prompts)
    assert not any(name.split("->")[0] in ("shape", "colour") for name in there)
    assert "answer->context" in there
    assert "answer->shape" not in there
    at = prompts.places["answer"][0, 0].item()
    assert edges_of(cut(prompts, EDGE_SETS["answer->context"])[0]) == {(at, i) for i in range(3)}


@pytest.mark.parametrize("position", POSITIONS)
def test_a_knockout_is_a_run_with_the_mask_written_out(position: str) -> None:
    decoder = tiny(position)
    subject = OwnSubject(decoder, Layout(marker=True))
    prompts = subject.prompts(scenes_of(3, 5), torch.tensor([0, 1, 2, 0, 1]))
    n = prompts.ids.shape[1]
    causal = torch.ones(n, n, dtype=torch.bool).tril()
    gone = causal.clone()
    for row, column in ((1, 0), (3, 2), (5, 4)):
        gone[row, column] = False
    blind = causal.clone()
    blind[15, 14] = False
    rows = len(prompts.ids)
    with torch.no_grad():
        x = decoder._embedded(prompts.ids[None], None)
        if position == "learned":
            x = x + decoder._learned(prompts.positions[None])
        turn = decoder._turn(prompts.positions[None], x.dtype)
        for block, mask in enumerate((gone, blind)):
            x = decoder._block(x.reshape(1, rows * n, -1), block, rows, turn, mask)
            x = x.view(1, rows, n, -1)
        wanted = decoder.read(x[:, :, -1])[0]
    whole = torch.ones(n, n, dtype=torch.bool)
    first, second = (cut(prompts, EDGE_SETS[name]) for name in ("shape->colour", "answer->query"))
    torch.testing.assert_close(subject.logits(prompts, masks=[first, second]), wanted)
    # each of the two cuts counts, and in its own block
    for other in ([whole, second], [first, whole], [second, first]):
        assert not torch.allclose(subject.logits(prompts, masks=other), wanted, atol=1e-5)


def shares(table: pa.Table) -> dict[tuple[str, int], float]:
    return {
        (row["edges"], row["layer_from"]): row["n_right"] / row["n_examples"]
        for row in table.to_pylist()
    }


def test_solvers_lose_what_they_use() -> None:
    names = [
        "answer->query", "answer->colour", "answer->shape", "shape->colour",
        "answer->association-item", "association-item->association-shape",
        "answer->association-shape", "query->context",
    ]  # fmt: skip
    scenes = [scenes_of(5, 100)]
    tables = {
        name: knockout(Solver(layers), scenes, edges=names, seed=1, batch=40)
        for name, layers in (("positional", POSITIONAL), ("symbolic", SYMBOLIC))
    }
    both_need = {
        ("answer->query", 1), ("answer->shape", 2), ("answer->association-item", 2),
        ("association-item->association-shape", 1),
    }  # fmt: skip
    # the index comes from the context's colour, by looking; the symbol only from the question,
    # but has to be bound to its shape beforehand
    needs = {
        "positional": both_need | {("answer->colour", 1)},
        "symbolic": both_need | {("shape->colour", 1)},
    }
    for name, table in tables.items():
        assert table.schema == KNOCKOUT
        assert table.num_rows == 2 * len(names)
        assert {row["n_right_before"] for row in table.to_pylist()} == {100}
        for key, share in shares(table).items():
            # chance is 1 / 5, standard error 0.04
            assert share < 0.4 if key in needs[name] else share == 1, (name, key)


def test_windows_start_at_every_block_and_fit() -> None:
    subject = OwnSubject(
        Decoder(DecoderConfig(n_layers=3, width=16, n_heads=2), [1]), Layout(marker=False)
    )
    table = knockout(subject, [scenes_of(2, 4), scenes_of(3, 4)], width=2)
    for n in (2, 3):
        for name in EDGE_SETS:
            windows = [
                (row["layer_from"], row["layer_to"])
                for row in table.to_pylist()
                if (row["n_objects"], row["edges"]) == (n, name)
            ]
            assert windows == ([] if "query" in name else [(1, 2), (2, 3)])


def test_what_cannot_be_cut_is_refused() -> None:
    subject, scenes = OwnSubject(tiny(), Layout(marker=False)), [scenes_of(3, 2)]
    with pytest.raises(ConfigError, match=r"width of a window must be from 1 to 2 blocks, got 3"):
        knockout(subject, scenes, width=3)
    with pytest.raises(ConfigError, match=r"unknown edge set 'answer->shapes'; valid: .*answer->"):
        knockout(subject, scenes, edges=["answer->shapes"])
    with pytest.raises(ConfigError, match=r"these prompts have no edges answer->query: take of"):
        knockout(subject, scenes, edges=["answer->query"])
    with pytest.raises(ConfigError, match="needs scenes, got none"):
        knockout(subject, [])
