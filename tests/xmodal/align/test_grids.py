"""Settings by name, and many recipes from one."""

from __future__ import annotations

import pytest

from taxonomy.errors import ConfigError
from xmodal.align.grids import GRIDS, recipes, settings
from xmodal.align.recipes import RECIPES, named_recipe
from xmodal.settings import read_settings


def test_the_recipe_itself() -> None:
    assert recipes("s2") == [RECIPES["s2"]]


def test_each_combination_is_a_recipe() -> None:
    found = recipes("s2", ["dropout=0.1", "learned-scale=true"], ["depth=2,6", "side=both,image"])
    assert [one.name for one in found] == [
        f"s2 (side={side}, depth={depth}, dropout=0.1, learned_scale=True)"
        for depth in (2, 6)
        for side in ("both", "image")
    ]
    assert found[0] == named_recipe(
        "s2", side="both", projection={"depth": 2, "dropout": 0.1}, learned_scale=True
    )
    assert [(one.aligner.text.kind, one.aligner.image.kind) for one in found[:2]] == [
        ("mlp", "mlp"),
        ("identity", "mlp"),
    ]


def test_what_is_as_it_was_is_no_change() -> None:
    same = recipes("s2", ["min_gain=0.1", "kind=mlp"], ["side=text,image", "depth=4"])
    assert [one.name for one in same] == ["s2", "s2 (side=image)"]
    assert same[0] is RECIPES["s2"]


def test_the_grid_of_the_paper() -> None:
    found = recipes("s2", grid=["s2"])
    shapes = {
        (r.aligner.text.width, r.aligner.text.depth, r.aligner.text.activation) for r in found
    }
    assert len(found) == len(shapes) == 3 * 4 * 3
    assert {shape[0] for shape in shapes} == {2048, 4096, 8192}
    assert len({r.name for r in found}) == 36
    usual = RECIPES["s2"]
    assert [r for r in found if r.aligner == usual.aligner] == [usual]
    assert GRIDS["s2"].keys() <= settings().keys()


def test_no_patience_is_a_value() -> None:
    (found,) = recipes("s2", ["patience=none"])
    assert (found.patience, found.name) == (None, "s2 (patience=None)")


def test_values_have_the_type_of_their_setting() -> None:
    assert read_settings(
        ["patience=none", "n_steps=10,20,10", "scale=14", "n_steps=5"], settings()
    ) == {
        "patience": (None,),
        "n_steps": (10, 20, 5),
        "scale": (14.0,),
    }
    assert type(read_settings(["scale=14"], settings())["scale"][0]) is float


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((["depth"], []), "settings are given as NAME=VALUE, got 'depth'"),
        ((["depht=2"], []), "unknown setting 'depht'; valid: depth"),
        ((["depth=two"], []), "depth must be a whole number, got 'two'"),
        ((["scale=big"], []), "scale must be a number, got 'big'"),
        ((["bf16=yes"], []), "bf16 must be true or false, got 'yes'"),
        ((["depth=2,3"], []), "depth has several values: --grid takes such, --set takes one"),
        ((["depth=2"], ["depth=3,4"]), "depth is set and varied: leave it out of one of the two"),
        (([], ["s3"]), "unknown grid 's3'"),
        ((["depth=1"], []), "depth of an mlp must be at least 2, got 1"),
        (([], ["side=left"]), "side must be one of text, image, both, got 'left'"),
    ],
)
def test_what_cannot_be(given: tuple[list[str], list[str]], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        recipes("s2", *given)
    assert str(error.value).startswith(message)
