"""What makes a run another run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.xmodal import tiny
from xmodal.features.extract import FeatureSet
from xmodal.lms.causal import load_lm
from xmodal.vlm.experiment import RunSpec

RECIPES: list[dict[str, Any]] = [
    {"name": "other"},
    {"projector": replace(tiny.RECIPE.projector, kind="linear")},
    {"projector": replace(tiny.RECIPE.projector, hidden=17)},
    {"projector": replace(tiny.RECIPE.projector, n_tokens=3)},
    {"projector": replace(tiny.RECIPE.projector, dropout=0.2)},
    {"projector": replace(tiny.RECIPE.projector, scaled=True)},
    {"projector": replace(tiny.RECIPE.projector, n_tokens=1, prefix_tokens=2)},
    {"projector": replace(tiny.RECIPE.projector, kind="resampler", n_tokens=1, prefix_tokens=2)},
    {"batch_unit": "questions"},
    {"batch_size": 7},
    {"epochs": 4.0},
    {"match": "epochs"},
    {"learning_rate": 1e-3},
    {"weight_decay": 0.1},
    {"warmup_ratio": 0.1},
    {"clip": 2.0},
    {"feature_noise": 0.2},
    {"balance": False},
    {"leaf_no_per_visit": 1},
]


def test_every_setting_of_the_recipe_counts(spec: RunSpec) -> None:
    changed = [replace(spec, recipe=replace(tiny.RECIPE, **change)) for change in RECIPES]
    assert len({spec.run_id, *(other.run_id for other in changed)}) == len(RECIPES) + 1


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "s1"},
        {"seed_init": 1},
        {"seed_order": 1},
        {"splits": ("test", "validation")},
        {"image_modes": ("real",)},
    ],
)
def test_other_settings_of_a_run_count(spec: RunSpec, change: dict[str, Any]) -> None:
    assert replace(spec, **change).run_id != spec.run_id


def test_manifest_lm_and_features_count(spec: RunSpec, folder: Path, lm_folder: Path) -> None:
    random = load_lm(str(lm_folder), init="random", seed=1)
    others = [
        replace(spec, manifest=tiny.manifest(spec.taxonomy, ratio=1.0)),
        replace(spec, lm=random),
        replace(spec, lm=load_lm(str(lm_folder), init="random", seed=2)),
        replace(spec, features=_features(spec, folder, n_views=3)),
        replace(spec, features=_features(spec, folder, pooling="patches")),
    ]
    assert len({spec.run_id, *(other.run_id for other in others)}) == len(others) + 1


def _features(spec: RunSpec, folder: Path, **changes: Any) -> FeatureSet:
    return tiny.features(spec.taxonomy, folder / "features", replace(tiny.FEATURES, **changes))


def test_where_things_lie_does_not_count(spec: RunSpec, lm_folder: Path, tmp_path: Path) -> None:
    copied = tiny.save_lm(tmp_path / "elsewhere")
    moved = tiny.features(spec.taxonomy, tmp_path / "features")
    assert replace(spec, lm=load_lm(str(copied)), features=moved).run_id == spec.run_id
