"""A card's projector asked a manifest's questions: what `xmodal eval --projector` does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from taxonomy.errors import ConfigError, DataError, ManifestError, StoreError
from taxonomy.hashing import content_id
from taxonomy.model import Manifest, Taxonomy
from taxonomy.relations.relation import question_text
from xmodal.evaluations import check_asked, evaluated_lines, lm_of
from xmodal.features.feature_set import FeatureSet, load_features
from xmodal.features.skipped import with_features
from xmodal.features.unseen import check_unseen, pictures_asked
from xmodal.files import whole_folder, write_whole
from xmodal.jobs import runs_dir, sync_lines
from xmodal.provenance import command, now, versions
from xmodal.seals import sealed
from xmodal.sharing.config import (
    PROJECTOR,
    CardConfig,
    check_features,
    checked_pictures,
    checked_projector,
    read_config,
)
from xmodal.store import Store
from xmodal.vlm.prompts import prompt_template
from xmodal.vlm.run_folder import RunFolder
from xmodal.vlm.transfer import Evaluator

_FEATURES = "SELECT path FROM feature_set WHERE dataset_id = $id ORDER BY feature_set_id"
_LMS = "SELECT lm FROM run WHERE lm_hash = $hash ORDER BY started_at DESC LIMIT 1"
_OWN = "SELECT rows_sha256 FROM manifest WHERE manifest_id = $id"


def evaluate_card(
    store: Path,
    folder: Path,
    *,
    manifest_id: str,
    images: Sequence[str] = ("real",),
    split: str = "test",
    verified: int | None = 0,
    allow_seen: bool = False,
    lm: str | None = None,
) -> Iterator[str]:
    """Score a shared projector on a manifest's questions, once for each way to show the pictures.

    Args:
        store: The DuckDB file; features lie beside it, and the answers will.
        folder: Of `xmodal card`.
        manifest_id: Of a manifest, or its beginning. Its dataset must have features that were made
            as the card's.
        images: Image modes.
        split: Whose questions are asked.
        verified: Questions a mode that are also asked one by one: 0 for none, None for all.
        allow_seen: Ask about pictures that the encoder or the projector was trained on; questions
            of split train may always be asked.
        lm: Where the LM is here: a folder or a hub name. None: where the card says, or, of a
            folder, where a run of this store had the same.

    Yields:
        One line for each image mode, then the sync's counts and problems.

    Raises:
        ConfigError: No such split or image mode; the card's device or the place of its LM is not
            here; or the pictures asked about were seen in training.
        DataError: The folder is no whole card; or features, LM or prompt are not the card's.
        ManifestError: Nothing is asked about the split.
        StoreError: No such manifest, or no features of its dataset.
    """
    check_asked(split, images)
    config = read_config(folder)
    checked_projector(folder, config)
    found = _Found.of(store, config, manifest_id)
    _check(store, folder, config, found, images, split, allow_seen)
    where = lm or found.lm
    if where is None:
        raise ConfigError(
            f"lm {config.lm.name!r} of the card was a folder where it was trained: give its place "
            "here with --lm"
        )
    record = _record(config, where)
    run = {"run_id": content_id({"card": config.card_id, "on": found.features.feature_set_id})}
    evaluator = Evaluator.load(
        record | run,
        RunFolder(folder),
        lm_of(record),
        found.features,
        found.taxonomy,
        found.own,
        found.manifest,
    )
    got = (evaluator.questions.yes_id, evaluator.questions.no_id)
    if got != (config.prompt.yes_id, config.prompt.no_id):
        raise DataError(
            f"the tokenizer of lm {record['lm']!r} gives Yes and No the ids {got[0]} and {got[1]}, "
            f"the card has {config.prompt.yes_id} and {config.prompt.no_id}: bring the one that it "
            "was trained with"
        )
    home = runs_dir(store) / run["run_id"]
    if not (home / "run.json").is_file():
        _put(home, folder, config, found, run["run_id"])
    yield from evaluated_lines(replace(evaluator, folder=RunFolder(home)), images, split, verified)
    yield from sync_lines(store)


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a store has of what a card asks for."""

    manifest: Manifest
    taxonomy: Taxonomy
    features: FeatureSet
    own: Manifest | None
    """That the projector was trained from; None if it is not here."""
    lm: str | None
    """Name of the LM, or the folder where it lies here; None for a folder that is not known."""

    @classmethod
    def of(cls, store: Path, config: CardConfig, manifest_id: str) -> _Found:
        """Read it, with one short look into the store.

        Raises:
            DataError: The dataset's features were made otherwise.
            StoreError: No such manifest, or no features of its dataset.
        """
        with Store.open(store, read_only=True) as opened:
            manifest = opened.load_manifest(manifest_id)
            of = manifest.dataset_id
            taxonomy = opened.load_taxonomy(of)
            paths = opened.query(_FEATURES, {"id": of})["path"].to_pylist()
            trained = config.manifest
            rows = opened.query(_OWN, {"id": trained.manifest_id})["rows_sha256"].to_pylist()
            # pictures have the numbers that its questions name in its own dataset alone
            is_here = rows == [trained.rows_sha256] and config.dataset_id == of
            own = opened.load_manifest(trained.manifest_id) if is_here else None
            lms = opened.query(_LMS, {"hash": config.lm.weights_sha256})["lm"].to_pylist()
        if not paths:
            raise StoreError(
                f"{store} holds no features of dataset {of}: `xmodal features extract --store "
                f"{store} --dataset {of}` makes them"
            )
        features = _matching(config, [store.parent / path for path in paths])
        return cls(
            manifest=with_features(manifest, features),
            taxonomy=taxonomy,
            features=features,
            own=with_features(own, features) if own is not None else None,
            lm=next(iter(lms), None) if config.lm.is_folder else config.lm.name,
        )


def _check(
    store: Path,
    folder: Path,
    config: CardConfig,
    found: _Found,
    images: Sequence[str],
    split: str,
    allow_seen: bool,
) -> None:
    """Refuse what cannot or should not be asked, before the LM is loaded; see evaluate_card."""
    if found.own is None and (blind := {"mean", "noise"} & set(images)):
        raise ConfigError(
            f"image {min(blind)} is made of the pictures that the projector was trained on, those "
            f"of manifest {config.manifest.manifest_id}, which {store} lacks: take zero or "
            "other-leaf"
        )
    if split != "train":
        asked = pictures_asked(found.taxonomy, found.manifest, (split,))
        check_unseen(found.features, asked, allow_seen)
        _check_untrained(checked_pictures(folder, config), asked, allow_seen)
    if not pc.any(pc.equal(found.manifest.examples["split"], split)).as_py():
        raise ManifestError(
            f"manifest {found.manifest.manifest_id} asks nothing about the {split} split"
        )
    _check_prompt(config, found.taxonomy, found.manifest)


def _matching(config: CardConfig, folders: Sequence[Path]) -> FeatureSet:
    """The first feature set that was made as the card's.

    Raises:
        DataError: None was; says it of the first that the card's encoder made, or of the first.
    """
    refused: list[tuple[bool, DataError]] = []
    for folder in folders:
        is_like = False
        try:
            features = load_features(folder)
            is_like = features.config.encoder == config.features.config.encoder
            check_features(config, features)
        except DataError as error:
            refused.append((is_like, error))
        else:
            return features
    raise max(refused, key=lambda one: one[0])[1]


def _check_untrained(trained: frozenset[str], asked: frozenset[str], allow_seen: bool) -> None:
    """Refuse to test on pictures that the projector was trained on.

    Raises:
        ConfigError: Some were.
    """
    seen = sorted(asked & trained)
    if seen and not allow_seen:
        raise ConfigError(
            f"the projector was trained on {len(seen)} of the {len(asked)} pictures asked about, "
            f"such as sha256 {seen[0][:12]}: choose another manifest, or --allow-seen"
        )


def _check_prompt(config: CardConfig, taxonomy: Taxonomy, manifest: Manifest) -> None:
    """Refuse to ask in other words than those that the projector was trained with.

    Raises:
        DataError: The template is another one here.
    """
    want, relation = config.prompt, manifest.config.relation
    here = prompt_template(want.name, relation, question_text(taxonomy, relation))
    names = ["question", "yes", "no"] + ["target_question"] * (relation == want.relation)
    for name in names:
        if getattr(here, name) != getattr(want, name):
            raise DataError(
                f"{name} of prompt {want.name!r} is {getattr(here, name)!r} here, the card's "
                f"projector was trained with {getattr(want, name)!r}"
            )


def _record(config: CardConfig, lm: str) -> dict[str, Any]:
    """What an evaluation asks of a run's row."""
    return {
        "run_id": config.run_id,
        "dataset_id": config.dataset_id,
        "manifest_id": config.manifest.manifest_id,
        "prompt": config.prompt.name,
        "n_prefix_tokens": config.projector.n_prefix_tokens,
        "lm": lm,
        "lm_init": config.lm.init,
        # another place has revisions of its own, or none; its weights are held against the hash
        "lm_revision": config.lm.revision if lm == config.lm.name else None,
        "lm_hash": config.lm.weights_sha256,
        "device": config.training.device,
        "seed_init": config.training.seed_init,
        "seed_order": config.training.seed_order,
    }


def _put(home: Path, folder: Path, config: CardConfig, found: _Found, run_id: str) -> None:
    """Give the card a folder among the runs: its weights and its record."""
    record = {
        "run_id": run_id,
        "experiment": "card",
        "dataset_id": found.manifest.dataset_id,
        "feature_set_id": found.features.feature_set_id,
        "card_id": config.card_id,
        "trained_run_id": config.run_id,
        "trained_dataset_id": config.dataset_id,
        "trained_manifest_id": config.manifest.manifest_id,
        "trained_design": config.manifest.design,
        "trained_ratio": config.manifest.ratio,
        "trained_shuffle": config.manifest.shuffle,
        "lm": config.lm.name,
        "lm_hash": config.lm.weights_sha256,
        "lm_init": config.lm.init,
        "encoder": config.features.config.encoder,
        "seed_init": config.training.seed_init,
        "seed_order": config.training.seed_order,
        "config_json": json.dumps(asdict(config), sort_keys=True),
        "status": "finished",
        "versions_json": json.dumps(versions(), sort_keys=True),
        "command": command(),
        "started_at": now(),
    }
    with whole_folder(home) as made:
        write_whole(made / PROJECTOR, lambda path: shutil.copyfile(folder / PROJECTOR, path))
        text = json.dumps(sealed(record, made, [PROJECTOR]), indent=1)
        write_whole(made / "run.json", lambda path: path.write_text(text))
