"""Kinds of projector, and how many prefix tokens they make."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from taxonomy.errors import ConfigError
from taxonomy.hashing import content_id
from tests.xmodal import tiny
from xmodal.features.extract import FeatureSet
from xmodal.lms.causal import LanguageModel
from xmodal.vlm.experiment import RunSpec
from xmodal.vlm.group_run import run
from xmodal.vlm.projector import Projector, ProjectorConfig
from xmodal.vlm.recipes import named_recipe
from xmodal.vlm.run_folder import RunFolder

FEATURES = torch.linspace(-1, 2, 5 * 4 * 6).reshape(5, 4, 6).sin()


def made(**settings: Any) -> Projector:
    torch.manual_seed(2)
    return Projector(ProjectorConfig(**settings).for_patches(4), 6, 16, 0.5).eval()


@pytest.mark.parametrize(
    ("settings", "n_prefix"),
    [
        ({"kind": "linear"}, 4),
        ({"kind": "mlp", "n_tokens": 3}, 12),
        ({"kind": "linear", "prefix_tokens": 8}, 8),
        ({"kind": "mlp", "prefix_tokens": 4}, 4),
        ({"kind": "resampler", "prefix_tokens": 3}, 3),
        ({"kind": "resampler", "prefix_tokens": 1, "hidden": 10, "scaled": True}, 1),
    ],
)
def test_features_become_so_many_tokens(settings: dict[str, Any], n_prefix: int) -> None:
    projector = made(**settings)
    assert projector(FEATURES).shape == (5, n_prefix, 16)
    assert ProjectorConfig(**settings).n_prefix(4) == n_prefix
    with pytest.raises(ValueError, match=r"features must be \[B, P, 6\], got \[5, 4, 7\]"):
        projector(torch.zeros(5, 4, 7))


def test_prefix_tokens_is_another_way_to_say_tokens_of_a_patch() -> None:
    assert ProjectorConfig(prefix_tokens=8).for_patches(4) == ProjectorConfig(n_tokens=2)
    assert torch.equal(made(prefix_tokens=8)(FEATURES), made(n_tokens=2)(FEATURES))


def test_the_resampler_is_attention_of_learned_queries_over_patches() -> None:
    projector = made(kind="resampler", prefix_tokens=3)
    layers: Any = projector.layers
    assert layers.n_heads == 8
    patches = layers.norm(FEATURES)
    want = torch.zeros(5, 3, 16)
    for query in range(3):
        for head in range(8):
            part = slice(2 * head, 2 * head + 2)
            keys = patches @ layers.keys.weight[part].T
            values = patches @ layers.values.weight[part].T + layers.values.bias[part]
            share = (keys @ layers.queries[query, part] / 2**0.5).softmax(1)
            want[:, query, part] = torch.einsum("bp,bpd->bd", share, values)
    want = layers.mlp(want + layers.queries)
    assert torch.allclose(projector(FEATURES), want, atol=1e-6)
    # patches are a set; queries are not
    order = torch.tensor([2, 0, 3, 1])
    assert torch.allclose(projector(FEATURES[:, order]), projector(FEATURES), atol=1e-6)
    assert not torch.allclose(want[:, 0], want[:, 1], atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "mpl"}, "projector kind must be one of linear, mlp, resampler, got 'mpl'"),
        ({"n_tokens": 0}, "n_tokens must be at least 1, got 0"),
        ({"prefix_tokens": 0}, "prefix_tokens must be at least 1, got 0"),
        ({"dropout": 1.0}, r"dropout must be in \[0, 1\), got 1.0"),
        ({"kind": "resampler"}, "projector resampler needs prefix_tokens, the number of its"),
        ({"prefix_tokens": 8, "n_tokens": 2}, "prefix_tokens 8 and n_tokens 2 both say how many"),
        (
            {"prefix_tokens": 6},
            "prefix_tokens of projector mlp must be a multiple of the 4 patch tokens of an image, "
            "got 6; projector resampler takes any number",
        ),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        made(**settings)


def test_settings_that_came_later_leave_the_ids_of_older_runs_alone() -> None:
    ids = {name: content_id(named_recipe(name).as_dict()) for name in ("embedded", "s1")}
    assert ids == {"embedded": "a1e1c2991d5e9982", "s1": "92c5152734c20ef2"}
    assert "prefix_tokens" in named_recipe("s1", prefix_tokens=4).as_dict()["projector"]


def test_a_recipes_projector_is_changed_by_name() -> None:
    recipe = named_recipe("embedded", projector="resampler", prefix_tokens=16)
    assert recipe.name == "embedded (prefix_tokens=16, projector=resampler)"
    assert recipe.projector == replace(
        named_recipe("embedded").projector, kind="resampler", n_tokens=1, prefix_tokens=16
    )
    linear = named_recipe("embedded", projector="linear").projector
    assert linear == replace(named_recipe("embedded").projector, kind="linear")
    with pytest.raises(ConfigError, match="projector must be one of linear, mlp, resampler, got"):
        named_recipe("s1", projector="qformer")
    with pytest.raises(ConfigError, match="projector resampler needs prefix_tokens"):
        named_recipe("s1", projector="resampler")


def test_batches_of_questions_ask_every_leaf_question() -> None:
    recipe = named_recipe("embedded", batch_unit="questions")
    assert (recipe.leaf_no_per_visit, recipe.name) == (None, "embedded (batch_unit=questions)")
    with pytest.raises(ConfigError, match="leaf_no_per_visit is for batches of images, got"):
        replace(named_recipe("embedded"), batch_unit="questions")


@pytest.fixture(scope="module")
def patches(spec: RunSpec, folder: Path) -> FeatureSet:
    config = replace(tiny.FEATURES, pooling="patches")
    return tiny.features(spec.taxonomy, folder / "features", config)


@pytest.mark.parametrize("kind", ["linear", "mlp", "resampler"])
def test_every_kind_trains_and_comes_back_from_its_folder(
    kind: str, spec: RunSpec, patches: FeatureSet, lm: LanguageModel, tmp_path: Path
) -> None:
    n_patches = patches.open().shape[1]
    projector = ProjectorConfig(kind=kind, prefix_tokens=2 * n_patches, dropout=0.1, scaled=True)
    recipe = replace(tiny.RECIPE, projector=projector, epochs=1.0)
    of = replace(spec, recipe=recipe, features=patches)
    trainer = tiny.trainer(of)
    state = trainer.run(trainer.start(), until=1)
    slopes = [p.grad for p in state.projector.parameters()]
    assert all(slope is not None and slope.abs().sum() > 0 for slope in slopes)
    result = run(of, tmp_path)
    folder = RunFolder(result.path)
    record = folder.record()
    assert record is not None
    assert (record["projector"], record["n_prefix_tokens"]) == (kind, 2 * n_patches)
    assert '"packed": true' in record["recipe_json"]
    loaded = folder.load_projector()
    fresh = trainer.start().projector
    assert n_weights(loaded) == record["n_params"] == n_weights(fresh)
    shown = torch.from_numpy(patches.open()[:3].copy())
    assert loaded(shown).shape == (3, 2 * n_patches, lm.width)


def n_weights(projector: Projector) -> int:
    weights: list[Tensor] = list(projector.parameters())
    return sum(p.numel() for p in weights)


def test_a_number_of_tokens_that_does_not_fit_the_patches_leaves_no_run(
    spec: RunSpec, patches: FeatureSet, tmp_path: Path
) -> None:
    recipe = replace(tiny.RECIPE, projector=ProjectorConfig(prefix_tokens=3))
    with pytest.raises(ConfigError, match="prefix_tokens of projector mlp must be a multiple of"):
        run(replace(spec, recipe=recipe, features=patches), tmp_path)
    assert list(tmp_path.iterdir()) == []
