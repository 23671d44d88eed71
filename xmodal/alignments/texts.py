"""Alignment of text and image features, between the store and what lies beside it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError, DataError, StoreError
from taxonomy.model import Taxonomy
from taxonomy.reading import read_text
from taxonomy.separation import (
    Separation,
    SeparationConfig,
    read_classes,
    separate,
)
from taxonomy.separation.audit import audit
from taxonomy.separation.model import ARMS
from xmodal.align.class_names import read_class_names
from xmodal.align.templates import class_texts
from xmodal.align.text_features import (
    Progress,
    TextFeatureSet,
    TextSource,
    load_text_features,
    make_text_features,
    same_rows,
)
from xmodal.alignments.captions import bundled_nouns, stored_captions
from xmodal.lms.reader import LONGEST, Pooling
from xmodal.lms.words import BAG_OF_WORDS, load_reader
from xmodal.machine import device_meant
from xmodal.parquet import column_names, read_whole
from xmodal.pipeline import check_seeds
from xmodal.store import Store
from xmodal.store.rows import TextFeatureSetRow
from xmodal.store.store import resolve_id

CAPTIONS = ("caption", "text")
"""Columns of a Parquet file that hold its texts, the first that is there."""


def text_features_dir(store: Path) -> Path:
    """Where the text features of a store lie."""
    return store.parent / "text-features"


def ensure_text_features(
    store: Path,
    *,
    lm: str = "embedded",
    lm_init: str = "pretrained",
    revision: str | None = None,
    seed: int = 0,
    dataset: str | None = None,
    templates: Sequence[str] = ("name",),
    role: str = "leaf",
    texts: Path | None = None,
    names: Path | None = None,
    language: str | None = None,
    captions: str | None = None,
    pooling: str | None = None,
    layer: str | None = None,
    longest: int = LONGEST,
    device: str = "auto",
    batch_tokens: int | None = None,
    progress: Progress | None = None,
) -> tuple[TextFeatureSet, bool]:
    """Read the classes of a dataset, or the texts of a file, unless that was done; note it.

    Args:
        store: The DuckDB file.
        lm: "embedded", "embedded-parts", a local folder, or a hub name; decoder or encoder. Or
            "bag-of-words", which is no LM and has neither pooling nor layer.
        lm_init: pretrained, random or scrambled.
        revision: Of a hub model.
        seed: For random weights.
        dataset: Id of a dataset or its beginning; None for the latest.
        templates: Names or texts; a class has the mean of its vectors.
        role: Which concepts are classes: leaf, inner or hypernym.
        texts: A .txt file, one text a line, or a .parquet file with a column caption or text,
            in place of classes. Each text is read once.
        names: A .csv or .parquet file of names of the classes, in place of the dataset's own; see
            class_names.read_class_names.
        language: Which of its languages.
        captions: Id of a caption set, or its beginning: its texts in place of classes, so that
            row i is text i of the set.
        pooling: last, mean, eos, cls or s2; None for the sound one of the LM's kind.
        layer: last, penultimate or a number; None for last.
        longest: Tokens of a text, at most.
        device: auto, cpu, cuda, cuda:1, mps.
        batch_tokens: Tokens of a batch; None for what suits the device.
        progress: Called after each batch.

    Returns:
        The set, and whether it had to be made.
    """
    if longest < 2:
        raise ConfigError(f"longest must be at least 2 tokens, got {longest}")
    if longest >= 2**31:
        raise ConfigError(f"longest must be below 2147483648 tokens, got {longest}")
    check_seeds([seed])
    if batch_tokens is not None and batch_tokens < 1:
        raise ConfigError(f"batch-tokens must be at least 1, got {batch_tokens}")
    if language is not None and names is None:
        raise ConfigError(f"language goes with a file of names, got {language!r}: give one or none")
    other = texts or captions
    if names is not None and other is not None:
        raise ConfigError(f"names go with classes, and {other} gives texts: leave one of both out")
    if lm != BAG_OF_WORDS:
        # refused before anything is read
        Pooling(pooling or "last", layer or "last")
    given = texts_meant(store, texts, captions)
    with Store.open(store, read_only=True) as opened:
        if given is None:
            of = opened.load_taxonomy(dataset)
            named = None if names is None else read_class_names(names, of, role, language)
            found = class_texts(of, templates, role, None if named is None else named.of)
            source = TextSource(
                texts=found.texts,
                concept_id=found.concept_id,
                dataset_id=of.dataset_id,
                templates=tuple(templates),
                names=None if named is None else named.language,
            )
        else:
            source = TextSource(texts=same_rows(given))
    reader = load_reader(
        lm, init=lm_init, revision=revision, seed=seed, device=device_meant(device)
    )
    made, new = make_text_features(
        source,
        reader,
        text_features_dir(store),
        pooling=reader.pooling(pooling, layer),
        longest=longest,
        batch_tokens=batch_tokens,
        progress=progress,
    )
    note_text_features(store, made, len(source.texts))
    return made, new


def note_text_features(store: Path, made: TextFeatureSet, n_rows: int) -> None:
    """Note in the store where text features lie and what made them."""
    given: dict[str, Any] = {
        name: getattr(made, name)
        for name in TextFeatureSetRow.model_fields
        if name not in ("templates_json", "n_rows", "path")
    }
    row = TextFeatureSetRow(
        **given,
        templates_json=json.dumps(made.templates),
        n_rows=n_rows,
        path=str(made.path.relative_to(store.parent)),
    )
    with Store.open(store) as opened:
        opened.add_text_feature_set(row)


def split_concepts(
    store: Path,
    config: SeparationConfig,
    dataset: str | None = None,
    text_features: str | None = None,
) -> Separation:
    """Draw unseen classes, remove what is near to them level by level, audit, and store it.

    Args:
        store: The DuckDB file.
        config: Settings of the separation.
        dataset: Id of a dataset or its beginning; None for the latest.
        text_features: Id of text features of its leaves, or its beginning, for level similar.

    Raises:
        ConfigError: A setting out of range, or max_cosine without text features.
        ManifestError: The dataset has no such branches, or a level leaves too few classes.
        StoreError: There is no such dataset, or text features of other rows.
    """
    with Store.open(store, read_only=True) as opened:
        of = opened.load_taxonomy(dataset)
        found = _leaf_features(opened, of, text_features) if text_features else None
    matrix = None if found is None else found.open()
    classes = read_classes(of, bundled_nouns())
    made = separate(of.dataset_id, classes, config, features=matrix)
    leaks = {}
    for level, removed in made.removed.items():
        for arm in ARMS:
            seen = sorted(set(classes.ids) - set(removed.of(arm)))
            leaks[level, arm] = audit(
                classes,
                made.unseen,
                seen,
                distance=config.distance,
                features=matrix,
                max_cosine=config.max_cosine,
            )
    with Store.open(store) as opened:
        opened.add_separation(made, leaks, None if found is None else found.text_feature_set_id)
    return made


def _leaf_features(store: Store, of: Taxonomy, given: str) -> TextFeatureSet:
    """Text features of every leaf of a dataset, row by row."""
    text = "SELECT text_feature_set_id, path FROM text_feature_set"
    paths = {r["text_feature_set_id"]: r["path"] for r in store.query(text).to_pylist()}
    chosen = resolve_id("text feature set", given, list(paths))
    found = load_text_features(Path(store.path).parent / paths[chosen])
    rows = found.table()["concept_id"].to_pylist()
    if found.dataset_id != of.dataset_id or rows != class_texts(of, ["name"]).concept_id:
        raise StoreError(
            f"text features {chosen} are not of the leaves of dataset {of.dataset_id}: "
            f"`xmodal align features --dataset {of.dataset_id}` makes such"
        )
    return found


def texts_meant(store: Path, texts: Path | None, captions: str | None) -> list[str] | None:
    """The texts of a file or of a stored caption set; None where neither is given.

    Raises:
        ConfigError: Both are given.
        DataError: The file or the set cannot be read.
        StoreError: There is no such set.
    """
    if texts is not None and captions is not None:
        raise ConfigError(f"give texts or captions, not both, got {texts} and {captions}")
    if captions is not None:
        with Store.open(store, read_only=True) as opened:
            return stored_captions(opened, captions).texts()
    return None if texts is None else read_texts(texts)


def read_texts(path: Path) -> list[str]:
    """The texts of a file, in its order.

    Raises:
        DataError: It is not there, of another kind, without texts, or one of them is empty.
    """
    if path.suffix not in (".txt", ".parquet"):
        raise DataError(f"{path} must be a .txt or .parquet file of texts")
    texts = read_text(path).splitlines() if path.suffix == ".txt" else _column(path)
    if not texts:
        raise DataError(f"{path} holds no text")
    empty = next((n for n, text in enumerate(texts, 1) if not (text or "").strip()), None)
    if empty is not None:
        raise DataError(f"{path} has an empty text in line {empty}: take it out")
    return texts


def _column(path: Path) -> list[str]:
    names = column_names(path)
    name = next((name for name in CAPTIONS if name in names), None)
    if name is None:
        raise DataError(f"{path} has no column caption or text, only {', '.join(names)}")
    texts: list[Any] = read_whole(path, [name])[name].to_pylist()
    odd = next((one for one in texts if one is not None and not isinstance(one, str)), None)
    if odd is not None:
        raise DataError(f"{path}: column {name} must hold texts, got {str(odd)[:40]!r}")
    return texts
