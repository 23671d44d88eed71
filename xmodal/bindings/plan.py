"""What `xmodal binding train` is asked for, as jobs: every setting and id checked."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import product
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError
from taxonomy.model import one_of
from xmodal.binding.arms import FACTORS, arm_name, factors_in
from xmodal.binding.decoder import DecoderConfig
from xmodal.binding.named import SIZES, arm_recipe, factorial, factors_of
from xmodal.binding.recipes import Recipe
from xmodal.binding.stages import Stage, read_stages
from xmodal.binding.vocabulary import Vocabulary
from xmodal.bindings.jobs import BindingJob
from xmodal.bindings.scene_sets import scene_set_meant
from xmodal.machine import device_meant
from xmodal.pipeline import check_seeds
from xmodal.settings import one_each, read_settings

log = logging.getLogger(__name__)

STARTS = ("scratch", "text-trained")
OWN = "own"
"""What an arm of a user's stages is called."""
SHOWN = ("image", "mixing", "grounding")
"""Factors with image tokens."""
STEP_COUNTS = ("lessons", "text", "second", "third", "expansion")
_NOT_SETTINGS = ("name", "stages", "decoder", "vocabulary", "image_width")


@dataclass(frozen=True)
class Plan:
    """Jobs in two parts: what is started from, then what is asked for."""

    starts: Sequence[BindingJob]
    jobs: Sequence[BindingJob]


def known_settings() -> dict[str, str]:
    """Every setting that can be changed by name, with the type of its values."""
    found = dict.fromkeys(STEP_COUNTS, "int")
    for config in (Recipe, DecoderConfig, Vocabulary):
        found |= {one.name: str(one.type) for one in fields(config)}
    return {name: kind for name, kind in found.items() if name not in _NOT_SETTINGS}


def plan_binding(
    store: Path,
    *,
    size: str = "small",
    arms: Sequence[str] = (),
    start: str = "scratch",
    seeds: Sequence[int] = (42,),
    scene_set: str | None = None,
    stages: Path | None = None,
    changes: Sequence[str] = (),
    grid: Sequence[str] = (),
    together: int | None = None,
    device: str = "auto",
) -> Plan:
    """One job for each recipe and group of seeds.

    Args:
        store: The DuckDB file.
        size: A name of SIZES.
        arms: Names of arms, or factors joined by +; none for text, or for those of the grid.
        start: scratch, or text-trained: every arm of a seed starts from the same decoder, which
            has seen the lessons and the first stage of text; trained first where it is not there.
        seeds: Of initialisation and of what is drawn.
        scene_set: Id of a scene set, or its beginning; None for the only one.
        stages: JSON file of stages, in place of arms; see read_stages.
        changes: NAME=VALUE, settings of the recipe.
        grid: NAME=VALUE,VALUE; factorial for every combination of the factors; factors=A,B for
            every combination of some.
        together: Seeds that train in one batched model; None for all on a GPU, one on a CPU.
        device: auto, cpu, cuda, ...

    Raises:
        ConfigError: A setting that does not exist or does not fit.
        StoreError: No such scene set.
    """
    one_of("start", start, STARTS)
    one_of("size", size, tuple(SIZES))
    check_seeds(seeds)
    seeds = list(dict.fromkeys(seeds))
    if together is not None and together < 1:
        raise ConfigError(f"together must be at least 1, got {together}")
    device = device_meant(device)
    fixed = one_each(read_settings(changes, known_settings()))
    varied, names = _grid(grid, list(arms))
    own = None if stages is None else read_stages(stages)
    if own is not None:
        if arms or len(names) > 1:
            raise ConfigError("--stages takes the place of --arm and of factors: give one of them")
        if counts := sorted(set(STEP_COUNTS) & (fixed.keys() | varied.keys())):
            raise ConfigError(f"{counts[0]} is a stage's length, which the file of --stages gives")
        names = [OWN]
    if twice := sorted(fixed.keys() & varied.keys()):
        raise ConfigError(f"{twice[0]} is set and varied: leave it out of one of the two")
    shows = _shows(names, own)
    found = scene_set_meant(store, scene_set) if shows or scene_set is not None else None
    pictures: Mapping[str, Any] = {} if found is None else {
        "scene_set": store.parent / found.path,
        "scene_facts": {
            "scene_set_id": found.scene_set_id,
            "scene_layout": found.scene_layout,
            "encoder": found.encoder,
            "sha256": found.sha256,
        },
    }  # fmt: skip
    n_tokens = None if found is None else int(found.n_image_tokens)
    width = None if found is None else int(found.width)
    each = together or (len(seeds) if device != "cpu" else 1)
    groups = [tuple(seeds[i : i + each]) for i in range(0, len(seeds), each)]
    before, jobs = dict[tuple[str, ...], BindingJob](), []
    for values in product(*varied.values()):
        settings = fixed | dict(zip(varied, values, strict=True))
        base = _recipe("text", size, settings, only_start=True)[0]
        for name in names:
            recipe, factors = _recipe(
                name, size, settings, start != "scratch", stages=own, n_image_tokens=n_tokens,
                image_width=width,
            )  # fmt: skip
            if recipe.n_most == recipe.n_to:
                log.info(
                    f"nothing is asked out of distribution: n_to and n_most are {recipe.n_to}; a "
                    "larger n_most wants as many n_colours, n_shapes and n_items"
                )
            for group in groups:
                ids = None
                if start != "scratch":
                    first = BindingJob(
                        store=store, arm="text", recipe=base, factors=factors_of("text"),
                        seeds=group, device=device,
                    )  # fmt: skip
                    ids = first.run_ids
                    before[ids] = first
                jobs.append(
                    BindingJob(
                        store=store,
                        arm=name,
                        recipe=recipe,
                        factors=factors,
                        seeds=group,
                        start_run_ids=ids,
                        device=device,
                        **pictures,
                    )
                )
    _check_apart(jobs)
    return Plan(list(before.values()), jobs)


def _check_apart(jobs: Sequence[BindingJob]) -> None:
    """Refuse arms that the settings leave nothing to differ in: one run would have two names."""
    arms = dict[tuple[str, ...], str]()
    for job in jobs:
        if job.run_ids in arms:
            raise ConfigError(
                f"arms {arms[job.run_ids]} and {job.arm} are one and the same with these "
                "settings: leave one out, or give their stages steps"
            )
        arms[job.run_ids] = job.arm


def _grid(grid: Sequence[str], arms: list[str]) -> tuple[dict[str, tuple[Any, ...]], list[str]]:
    """Settings with several values, and the arms."""
    varied, made = dict[str, tuple[Any, ...]](), list[str]()
    for one in grid:
        if one == "factorial":
            made += factorial(FACTORS)
        elif one.startswith("factors="):
            made += factorial(one.removeprefix("factors=").split(","))
        else:
            varied |= read_settings([one], known_settings())
    if made and arms:
        raise ConfigError("--arm and a grid of factors exclude one another: give one of the two")
    named = [arm_name(factors_of(one)) for one in arms or made or ["text"]]
    return varied, list(dict.fromkeys(named))


def _recipe(
    arm: str,
    size: str,
    settings: Mapping[str, Any],
    from_start: bool = False,
    *,
    only_start: bool = False,
    stages: Sequence[Stage] | None = None,
    n_image_tokens: int | None = None,
    image_width: int | None = None,
) -> tuple[Recipe, dict[str, bool]]:
    """A recipe with a user's settings sorted to where they belong."""
    shape = {one.name for one in fields(DecoderConfig)}
    words = {one.name for one in fields(Vocabulary)}
    decoder = {name: value for name, value in settings.items() if name in shape}
    vocabulary = {name: value for name, value in settings.items() if name in words}
    steps = {name: value for name, value in settings.items() if name in STEP_COUNTS}
    rest = {
        name: value
        for name, value in settings.items()
        if name not in shape | words and name not in STEP_COUNTS
    }
    if vocabulary:
        usual = SIZES[size].settings["vocabulary"]
        given = {one: getattr(usual, one) for one in words} | vocabulary
        rest["vocabulary"] = Vocabulary(**given)
    factors = factors_of(arm) if stages is None else factors_in(stages)
    if only_start:
        steps |= {"second": 0, "third": 0, "expansion": 0}
    elif any(factors[name] for name in SHOWN):
        decoder["image_width"] = image_width
    if n_image_tokens and "noise" not in rest:
        rest.setdefault("noise_to", n_image_tokens)
    return arm_recipe(
        arm, size, from_start=from_start, stages=stages, steps=steps, decoder=decoder, **rest
    )


def _shows(names: Sequence[str], own: Sequence[Stage] | None) -> bool:
    """Whether any arm shows images."""
    used = [factors_of(one) for one in names] if own is None else [factors_in(own)]
    return any(one[name] for one in used for name in SHOWN)
