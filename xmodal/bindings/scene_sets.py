"""Scene sets between the store and the folders beside it."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path

from taxonomy.errors import ConfigError, StoreError
from xmodal.binding.scene_config import SceneSetConfig
from xmodal.binding.scene_set import Progress, SceneRecord, make_scene_set
from xmodal.binding.scenes import SceneLayout
from xmodal.binding.shown import SceneSet, load_scene_set
from xmodal.binding.vocabulary import EXPANDED, Vocabulary
from xmodal.features.encoders.load import config_for
from xmodal.store import Store
from xmodal.store.scene_sets import SceneSetRow, add_scene_set, load_scene_set_row

log = logging.getLogger(__name__)

VOCABULARIES = {"base": Vocabulary(), "expanded": EXPANDED}


def scene_sets_dir(store: Path) -> Path:
    """Where the scene sets of a store lie: with its image features."""
    return store.parent / "features"


def ensure_scene_set(
    store: Path,
    config: SceneSetConfig,
    *,
    device: str = "cpu",
    progress: Progress | None = None,
) -> tuple[SceneSetRow, bool]:
    """Make a scene set, unless that was done, and note it in the store.

    Args:
        store: The DuckDB file; made if it is not there.
        config: Scenes and encoder.
        device: Where pictures are drawn, and where a transformers model computes.
        progress: Called after each piece.

    Returns:
        The row, and whether the set had to be made.
    """
    if config.features.encoder == "embedded-ssl":
        log.info(
            "embedded-ssl gives a picture and its mirror image the same tokens: they do not say "
            "on which side an object stands, encoder classical does"
        )
    with Store.open(store):
        pass  # a store that cannot be written is said before the work
    made, new = make_scene_set(config, scene_sets_dir(store), device=device, progress=progress)
    row = _row(made, store)
    with Store.open(store) as opened:
        add_scene_set(opened, row)
    return row, new


def stored_scene_set(store: Path, given: str, device: str = "cpu") -> SceneSet:
    """A scene set by its id or the beginning of it, open to draw from.

    Args:
        store: The DuckDB file.
        given: The id.
        device: Where scenes and tokens come out.

    Raises:
        StoreError: An id that is unknown or ambiguous.
        DataError: Its folder is not whole.
    """
    with Store.open(store, read_only=True) as opened:
        row = load_scene_set_row(opened, given)
    return load_scene_set(store.parent / row.path, device)


def scene_set_meant(store: Path, given: str | None) -> SceneSetRow:
    """The scene set that is meant: by its id or the beginning of it, or the only one.

    Raises:
        StoreError: No such set, or none given and not exactly one there.
    """
    if not store.is_file():
        raise StoreError(
            f"no scene set in {store}: `xmodal binding data --store {store}` makes one"
        )
    with Store.open(store, read_only=True) as opened:
        if given is not None:
            return load_scene_set_row(opened, given)
        ids = opened.query("SELECT scene_set_id FROM scene_set ORDER BY 1")["scene_set_id"]
        if len(ids) != 1:
            what = "no scene set is" if not len(ids) else f"{len(ids)} scene sets are"
            makes = f"`xmodal binding data --store {store}` makes one"
            do = makes if not len(ids) else "give --scene-set"
            raise StoreError(f"{what} in {store}: {do}")
        return load_scene_set_row(opened, ids[0].as_py())


def config_meant(
    *,
    encoder: str,
    layout: str,
    n_scenes: int,
    objects: str,
    vocabulary: str,
    n_colours: int | None = None,
    n_shapes: int | None = None,
    size: float | None = None,
    seed: int = 0,
    side: int | None = None,
    layer: str | None = None,
    revision: str | None = None,
    device: str = "cpu",
) -> SceneSetConfig:
    """A config from what a user says; None for what is not said.

    Args:
        encoder: As for features extract.
        layout: fixed, jittered or random.
        n_scenes: In all.
        objects: Fewest and most, as 2-8.
        vocabulary: base or expanded.
        n_colours: In place of the vocabulary's.
        n_shapes: In place of the vocabulary's.
        size: Of the largest object, a share of the side.
        seed: Of the scenes.
        side: Pixels of the pictures, of a transformers model.
        layer: Of a transformers model.
        revision: Of a model of the hub.
        device: Where a transformers model computes.

    Raises:
        ConfigError: A value that does not exist.
    """
    n_from, n_to = objects_meant(objects)
    words = vocabulary_meant(vocabulary, n_colours, n_shapes)
    meant = SceneLayout(kind=layout)
    return SceneSetConfig(
        features=config_for(
            encoder, device, pooling="patches", n_views=1, side=side, layer=layer,
            revision=revision,
        ),
        layout=meant if size is None else replace(meant, size=size),
        n_colours=words.n_colours,
        n_shapes=words.n_shapes,
        n_from=n_from,
        n_to=n_to,
        n_scenes=n_scenes,
        seed=seed,
    )  # fmt: skip


def objects_meant(given: str) -> tuple[int, int]:
    """Fewest and most objects of 2-8, or of 5.

    Raises:
        ConfigError: It says something else, or the most first.
    """
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", given.strip(), re.ASCII)
    if match is None:
        raise ConfigError(f"objects must be a number or a range such as 2-8, got {given!r}")
    fewest = int(match[1])
    most = int(match[2] or fewest)
    if most < fewest:
        raise ConfigError(f"objects must say the fewest first, as {most}-{fewest}, got {given!r}")
    return fewest, most


def vocabulary_meant(name: str, n_colours: int | None, n_shapes: int | None) -> Vocabulary:
    """base or expanded, with other sizes where they are given.

    Raises:
        ConfigError: Another name, or a size out of range.
    """
    if name not in VOCABULARIES:
        raise ConfigError(f"vocabulary must be one of {', '.join(VOCABULARIES)}, got {name!r}")
    words = VOCABULARIES[name]
    return Vocabulary(
        n_colours=words.n_colours if n_colours is None else n_colours,
        n_shapes=words.n_shapes if n_shapes is None else n_shapes,
        n_items=words.n_items,
    )


def _row(made: SceneRecord, store: Path) -> SceneSetRow:
    config = made.config
    return SceneSetRow(
        scene_set_id=made.scene_set_id,
        encoder=config.features.encoder,
        revision=made.revision,
        weights_sha256=made.weights_sha256,
        layer=config.features.layer,
        scene_layout=config.layout.kind,  # type: ignore[arg-type]
        size_from=config.layout.smallest,
        size_to=config.layout.size,
        n_colours=config.n_colours,
        n_shapes=config.n_shapes,
        n_from=config.n_from,
        n_to=config.n_to,
        n_scenes=config.n_scenes,
        side=made.side,
        n_image_tokens=made.n_image_tokens,
        width=made.width,
        seed=config.seed,
        sha256=made.sha256,
        path=str(made.path.relative_to(store.parent)),
    )
