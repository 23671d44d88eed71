"""Recipes are data, and keep their ids."""

from __future__ import annotations

import math

import pytest

from taxonomy.errors import ConfigError
from taxonomy.hashing import content_id
from xmodal.align import recipes
from xmodal.align.recipes import RECIPES, Recipe, named_recipe


def test_s2_is_the_paper_s() -> None:
    s2 = RECIPES["s2"]
    assert s2.as_dict() == {
        "name": "s2",
        "aligner": {
            "text": {
                "kind": "mlp", "depth": 4, "width": 4096, "activation": "relu", "dropout": 0.2,
            },
            "image": {
                "kind": "identity", "depth": 4, "width": 4096, "activation": "relu",
                "dropout": 0.2,
            },
            "dim": None,
            "scale": math.exp(2.6592),
            "learned_scale": False,
            "bf16": False,
        },
        "duplicates": "keep",
        "batch_size": 16384,
        "n_steps": 5000,
        "learning_rate": 1e-3,
        "weight_decay": 1e-4,
        "warmup_steps": 150,
        "clip": 1.0,
        "look_every": 31,
        "patience": 50,
        "min_gain": 0.1,
        "stop_by": "loss",
    }  # fmt: skip
    assert content_id(s2.as_dict()) == "70b1363ce11e44cf"


def test_embedded_keeps_its_id_and_gives_a_small_mlp() -> None:
    embedded = RECIPES["embedded"]
    assert embedded.aligner.text.kind == "linear"
    assert content_id(embedded.as_dict()) == "3fbf98e3e08ac5d6"
    mlp = named_recipe("embedded", projection={"kind": "mlp"})
    assert (mlp.aligner.text.kind, mlp.aligner.text.depth, mlp.aligner.text.width) == (
        "mlp", 2, 256,
    )  # fmt: skip


def test_a_later_setting_counts_only_where_it_is_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipes, "_LATER", {"stop_by": "loss"})
    assert "stop_by" not in RECIPES["s2"].as_dict()
    changed = named_recipe("s2", stop_by="retrieval")
    assert changed.as_dict()["stop_by"] == "retrieval"


def test_named_with_changes() -> None:
    assert named_recipe("s2") is RECIPES["s2"]
    assert named_recipe("s2") is RECIPES["s2"]
    changed = named_recipe("s2", side="both", projection={"width": 8}, dim=3, batch_size=64)
    assert changed.name == "s2 (side=both, width=8, batch_size=64, dim=3)"
    assert changed.aligner.text == changed.aligner.image
    assert (changed.aligner.text.width, changed.aligner.text.depth) == (8, 4)
    assert (changed.aligner.dim, changed.batch_size) == (3, 64)
    image = named_recipe("embedded", side="image", projection={"kind": "linear"})
    assert (image.aligner.text.kind, image.aligner.image.kind) == ("identity", "linear")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "s3"}, "unknown recipe 's3'; valid: "),
        ({"sid": 3}, "unknown setting 'sid'"),
        ({"projection": {"widht": 3}}, "unknown setting 'widht'; valid: width"),
        (
            {"name": "embedded", "projection": {"width": 8}},
            "width is of projections of kind mlp, got kind linear: give kind mlp as well, or leave "
            "width out",
        ),
        (
            {"projection": {"kind": "linear", "depth": 3}},
            "depth is of projections of kind mlp, got kind linear: ",
        ),
        ({"side": "left"}, "side must be one of text, image, both, got 'left'"),
    ],
)
def test_other_names_are_refused(changes: dict[str, object], message: str) -> None:
    given = {"name": "s2"} | changes
    with pytest.raises(ConfigError) as error:
        named_recipe(given.pop("name"), **given)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("duplicates", "drop", "duplicates must be one of keep, mask, got 'drop'"),
        ("stop_by", "rank", "stop_by must be one of loss, retrieval, got 'rank'"),
        ("batch_size", 1, "batch_size must be at least 2, for a negative each, got 1"),
        ("n_steps", 0, "n_steps must be at least 1, got 0"),
        ("look_every", 0, "look_every must be at least 1, got 0"),
        ("patience", 0, "patience must be at least 1, got 0"),
        ("warmup_steps", -1, "warmup_steps must be at least 0, got -1"),
        ("clip", 0.0, "clip must be above 0, got 0.0"),
        ("learning_rate", math.inf, "learning_rate must be above 0 and finite, got inf"),
        ("weight_decay", math.nan, "weight_decay must be at least 0 and finite, got nan"),
        ("min_gain", -0.1, "min_gain must be at least 0 and finite, got -0.1"),
    ],
)
def test_values_out_of_range_are_refused(setting: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        Recipe(name="x", **{setting: value})
    assert str(error.value) == message
