"""What `xmodal binding data` shows of a scene set."""

from __future__ import annotations

from pathlib import Path

from xmodal.binding.samples import contact_sheet, generator_rate, text_samples
from xmodal.binding.scene_config import SceneSetConfig
from xmodal.binding.scene_set import read_record
from xmodal.binding.shown import load_scene_set
from xmodal.binding.vocabulary import MOST_ITEMS, Vocabulary


def sampled(path: Path, count: int) -> list[str]:
    """Sequences of the text task in words, and a sheet of scenes two folders up.

    Args:
        path: Folder of a scene set, in the features beside a store.
        count: Sequences; 0 for nothing at all.

    Returns:
        Lines for the user.
    """
    if not count:
        return []
    scene_set = load_scene_set(path)
    config = scene_set.record.config
    objects = range(config.n_from, config.n_to + 1)
    sheet = path.parent.parent / f"scenes-{path.name}.png"
    contact_sheet(scene_set, sheet)
    return [*text_samples(count, objects, _words(config), config.seed), f"scenes: {sheet}"]


def timed(path: Path, device: str) -> str:
    """One line on how fast the text generator is, with as many objects as training has at most.

    Args:
        path: Folder of a scene set, whose vocabulary is taken.
        device: Where.
    """
    config = read_record(path).config
    n = min(8, config.n_to)
    found = generator_rate(device, n_objects=n, vocabulary=_words(config))
    return f"{found.sequences_per_s:.0f} text sequences a second with {n} objects on {device}"


def _words(config: SceneSetConfig) -> Vocabulary:
    base = Vocabulary()
    grown = max(config.n_colours, config.n_shapes) > base.n_colours
    return Vocabulary(
        n_colours=config.n_colours,
        n_shapes=config.n_shapes,
        n_items=MOST_ITEMS if grown or config.n_to > base.n_items else base.n_items,
    )
