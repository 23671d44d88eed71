"""Arms: combinations of factors, and the stages that make them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from taxonomy.errors import ConfigError, unknown
from xmodal.binding.stages import Stage

ARMS: Mapping[str, Mapping[str, bool]] = {
    "text": {},
    "noise-text": {"noise": True},
    "image-text": {"image": True, "mixing": True},
    "noise-image-text": {"noise": True, "image": True, "mixing": True},
    "grounding-text": {"grounding": True},
    "grounding-image-text": {"grounding": True, "image": True, "mixing": True},
}
"""Arms by name; the first four are the paper's."""
FACTORS = ("noise", "grounding", "image", "mixing")


def arm_name(factors: Mapping[str, bool]) -> str:
    """The name of a combination of factors; of one without a name of its own, the factors."""
    said = {name: True for name in FACTORS if factors.get(name)}
    for name, of in ARMS.items():
        if dict(of) == said:
            return name
    return "+".join(said)


def arm_stages(
    factors: Mapping[str, bool],
    *,
    lessons: int,
    text: int,
    second: int,
    third: int,
    expansion: int = 0,
    image_share: float = 0.2,
    grounding_share: float = 0.25,
) -> tuple[Stage, ...]:
    """The stages of an arm; as many steps, and as many questions, whatever the factors.

    All but the first are guided, in every arm alike: a decoder that knows the task in text goes
    on guessing about images without it.

    Args:
        factors: By name whether it is used. noise: text batches have noise tokens, but for
            those that the third stage mixes in; image: the second stage shows images only;
            mixing: the third mixes images in, in place of text as it is; grounding: a share of the
            second stage's steps is grounding.
        lessons: Steps of one-hop and two-hop lessons at the beginning, a third of them pairs; 0
            for a decoder that knows the task.
        text: Steps of the first stage.
        second: Of the second stage.
        third: Of the third.
        expansion: Steps with the expanded vocabulary at the end.
        image_share: Of the third stage's steps.
        grounding_share: Of the second stage's steps.
    """
    for name in factors:
        if name not in FACTORS:
            raise ConfigError(unknown("factor", name, FACTORS))
    word = "noise" if factors.get("noise") else "text"
    shown = "image" if factors.get("image") else word
    seen = {shown: 1.0}
    if factors.get("grounding"):
        seen = {shown: 1 - grounding_share, "grounding": grounding_share}
    mixed = {word: 1.0}
    if factors.get("mixing"):
        mixed = {word: 1 - image_share, "image": image_share}
    elif factors.get("noise"):
        mixed = {word: 1 - image_share, "text": image_share}
    pairs = lessons // 3
    made = [
        ("pairs", pairs, {"pairs": 1.0}, False),
        ("hops", lessons - pairs, {"hops": 1.0}, False),
        ("first", text, {word: 1.0}, False),
        ("second", second, seen, False),
        ("third", third, mixed, False),
        ("expansion", expansion, mixed, True),
    ]
    return tuple(
        Stage(
            name=name,
            n_steps=n,
            lessons=shares,
            expanded=expanded,
            guided=name in ("second", "third", "expansion"),
        )
        for name, n, shares, expanded in made
        if n
    )


def factors_in(stages: Sequence[Stage]) -> dict[str, bool]:
    """Which factors stages use, whatever they are called."""
    shown = [set(stage.lessons) for stage in stages]
    return {
        "noise": any("noise" in one for one in shown),
        "grounding": any("grounding" in one for one in shown),
        "image": any("image" in one and not one & {"text", "noise"} for one in shown),
        "mixing": any("image" in one and bool(one & {"text", "noise"}) for one in shown),
        "expansion": any(stage.expanded for stage in stages),
    }
