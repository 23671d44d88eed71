"""A sweep's TOML: what it may say, and one line for what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxonomy.errors import ConfigError
from xmodal.sweep.declared import Block, Declared, read_sweep

GOOD = """
name = "both"

[[runs]]
manifests = ["3f2a", "77"]
lms = ["embedded", "Qwen/Qwen3-0.6B"]
lm_inits = ["pretrained", "random"]
recipes = ["s1"]
seeds = [42, 7]
changes = {epochs = 2, batch_unit = "images"}

[[runs]]
where = {design = "random", ratio = 0.5}
seed_of_manifest = true
seeds = []
"""


def test_a_sweep_is_products_of_settings(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(GOOD)
    declared = read_sweep(file)
    first, second = declared.runs
    assert declared.name == "both"
    assert first.manifests == ("3f2a", "77")
    assert (second.where, second.seed_of_manifest) == ({"design": "random", "ratio": "0.5"}, True)
    # 2 LMs x 2 initialisations x the dataset's usual features x 1 recipe
    settings = list(first.settings())
    assert [(one["lm"], one["lm_init"]) for one in settings] == [
        ("embedded", "pretrained"),
        ("embedded", "random"),
        ("Qwen/Qwen3-0.6B", "pretrained"),
        ("Qwen/Qwen3-0.6B", "random"),
    ]
    assert {one["recipe"] for one in settings} == {"s1"}
    assert all(one["changes"] == {"epochs": 2, "batch_unit": "images"} for one in settings)
    # as the command line would have it: 2 and 2.0 are other recipes to a hash
    assert {type(one["changes"]["epochs"]) for one in settings} == {float}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = ", "is not TOML"),
        ('name = "x"', "runs is missing"),
        ('name = " "\nruns = [{manifests = ["1"]}]', 'give the sweep a name, name = "..."'),
        ('name = "x"\nruns = []', "add a table [[runs]]"),
        ('name = "x"\n[[runs]]\n', "name manifests, or columns of them under where, got neither"),
        ('name = "x"\n[[runs]]\nmanifest = ["1"]', "which Block has not"),
        ('name = "x"\n[[runs]]\nmanifests = ["1"]\nseeds = []', "seeds must list at least one"),
        ('name = "x"\n[[runs]]\nmanifests = ["1"]\nseeds = [1.5]', "a whole number of 64 bits"),
        (
            'name = "x"\n[[runs]]\nmanifests = ["1"]\nchanges = {epoch = 1}',
            "changes must be of epochs, batch_size",
        ),
        (
            'name = "x"\n[[runs]]\nmanifests = ["1"]\nchanges = {batch_size = 1.5}',
            "changes: batch_size must be a whole number, got 1.5",
        ),
        ('name = "x"\n[[runs]]\nmanifests = "1"', "manifests: must be a list"),
        ("a = " + "[" * 3000, "is not TOML"),
    ],
)
def test_what_cannot_be_meant_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_sweep(file)
    assert said in str(caught.value)
    assert str(file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_sweep_needs_a_product() -> None:
    with pytest.raises(ConfigError, match="add a table"):
        Declared("x", ())
    assert Block(where={"design": "none"}).manifests == ()
