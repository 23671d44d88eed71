"""A trained projector as a folder to share: what `xmodal card` does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from taxonomy.errors import DataError, StoreError
from taxonomy.model import Manifest, Taxonomy
from taxonomy.relations.relation import question_text
from xmodal.evaluations import features_of
from xmodal.features.pca import PCA
from xmodal.features.skipped import with_features
from xmodal.features.unseen import training_sha256
from xmodal.files import file_sha256, whole_folder, write_whole
from xmodal.jobs import runs_dir
from xmodal.lms.names import BUNDLED
from xmodal.provenance import versions
from xmodal.sharing.config import (
    CONFIG,
    FORMAT,
    PICTURES,
    PROJECTOR,
    CardConfig,
    LmPart,
    ManifestPart,
    ProjectorPart,
    PromptPart,
    TrainingPart,
    features_part,
    kept_pca,
)
from xmodal.sharing.text import README, Facts, card_text
from xmodal.store import Store
from xmodal.store.folders import FolderError, check_seal
from xmodal.store.traced import find_run
from xmodal.vlm.projector import Projector
from xmodal.vlm.prompts import prompt_template
from xmodal.vlm.run_folder import RunFolder

_ELSEWHERE = ("answer_ids", "features", "image_modes", "splits")
"""What recipe_json has beside the recipe and the card says in other places."""
_DATASET = "SELECT * FROM dataset WHERE dataset_id = $id"
_MANIFEST = "SELECT * FROM manifest WHERE manifest_id = $id"
_MODES = """
SELECT question_set, image_mode, macro_f1
FROM run_score
WHERE run_id = $id AND image_mode <> 'real'
ORDER BY ALL
"""


def make_card(store: Path, run_id: str, output: Path | None = None) -> Path:
    """Write a run's projector, what it depends on and a model card into a folder.

    Args:
        store: The DuckDB file; run folders and features lie beside it.
        run_id: Of a run of a projector, or its beginning.
        output: The folder, missing or empty; cards/<run id> beside the store if None.

    Returns:
        The folder.

    Raises:
        DataError: The run's folder or its features are gone or damaged, or the folder to write is
            not empty.
        StoreError: No such run, or one without a projector.
    """
    with Store.open(store, read_only=True) as opened:
        kind, row = find_run(opened, run_id)
        if kind != "projector":
            what = "a released one" if kind == "released" else f"a {kind} run"
            raise StoreError(
                f"run {row['run_id']} is {what} and has no projector: a card is of a run of "
                "`xmodal train`"
            )
        taxonomy = opened.load_taxonomy(row["dataset_id"])
        features = features_of(opened, row)
        own = with_features(opened.load_manifest(row["manifest_id"]), features)
        facts = _facts(opened, row, own)
    folder = RunFolder(runs_dir(store) / row["run_id"])
    projector = _checked(folder)
    pca, pictures = kept_pca(features), _pictures(taxonomy, own)
    config = CardConfig(
        format=FORMAT,
        library_name="xmodal",
        xmodal_version=versions()["xmodal"],
        run_id=row["run_id"],
        dataset_id=row["dataset_id"],
        projector=_projector(row, folder, projector),
        lm=_lm(row),
        features=features_part(features, pca.sha256 if pca else None),
        prompt=_prompt(row, taxonomy, own.config.relation),
        manifest=_manifest(facts.manifest),
        training=_training(row, pictures),
    )
    path = output or store.parent / "cards" / str(row["run_id"])
    with whole_folder(path) as made:
        if pca is not None:
            pca.save(made / PCA)
        write_whole(made / PROJECTOR, lambda at: shutil.copyfile(folder.path / PROJECTOR, at))
        for name, text in {
            PICTURES: "".join(f"{one}\n" for one in pictures),
            CONFIG: json.dumps(asdict(config), indent=2) + "\n",
            README: card_text(config, facts),
        }.items():
            write_whole(made / name, partial(Path.write_text, data=text, encoding="utf-8"))
    return path


def _checked(folder: RunFolder) -> Projector:
    """The run's projector, once its file is held against the seal of the run."""
    try:
        if (folder.path / "run.json").is_file():
            check_seal(folder.path / "run.json")
    except FolderError as error:
        raise DataError(f"{folder.path}: {error}") from error
    return folder.load_projector()


def _pictures(taxonomy: Taxonomy, own: Manifest) -> list[str]:
    """sha256 of each picture that a manifest trains on, sorted."""
    asked = own.examples.filter(pc.field("in_training"))["image_id"].unique()
    images = taxonomy.images
    shown = images.filter(pc.is_in(images["image_id"], value_set=asked))
    return sorted(set(shown["sha256"].to_pylist()))


def _facts(store: Store, row: Mapping[str, Any], own: Manifest) -> Facts:
    """What only the card's text says."""
    (manifest,) = store.query(_MANIFEST, {"id": row["manifest_id"]}).to_pylist()
    (dataset,) = store.query(_DATASET, {"id": row["dataset_id"]}).to_pylist()
    asked = own.examples.group_by("split").aggregate([([], "count_all")]).to_pylist()
    return Facts(
        row=row,
        manifest=manifest,
        dataset=dataset,
        n_questions={one["split"]: one["count_all"] for one in asked},
        scores=store.analysis("score-points", runs=row["run_id"]).to_pylist(),
        blind=store.query(_MODES, {"id": row["run_id"]}).to_pylist(),
    )


def _projector(row: Mapping[str, Any], folder: RunFolder, projector: Projector) -> ProjectorPart:
    return ProjectorPart(
        kind=projector.config.kind,
        width_in=projector.width_in,
        width_out=projector.width_out,
        n_prefix_tokens=row["n_prefix_tokens"],
        n_params=row["n_params"],
        sha256=file_sha256(folder.path / PROJECTOR),
    )


def _manifest(row: Mapping[str, Any]) -> ManifestPart:
    return ManifestPart(**{one.name: row[one.name] for one in fields(ManifestPart)})


def _lm(row: Mapping[str, Any]) -> LmPart:
    is_folder = row["lm_revision"] is None and row["lm"] not in BUNDLED
    return LmPart(
        name=Path(row["lm"]).name if is_folder else row["lm"],
        init=row["lm_init"],
        revision=row["lm_revision"],
        weights_sha256=row["lm_hash"],
    )


def _prompt(row: Mapping[str, Any], taxonomy: Taxonomy, relation: str) -> PromptPart:
    prompt = prompt_template(row["prompt"], relation, question_text(taxonomy, relation))
    yes_id, no_id = json.loads(row["recipe_json"])["answer_ids"]
    return PromptPart(
        name=prompt.name,
        relation=relation,
        question=prompt.question,
        target_question=prompt.target_question,
        yes=prompt.yes,
        no=prompt.no,
        yes_id=yes_id,
        no_id=no_id,
    )


def _training(row: Mapping[str, Any], pictures: Sequence[str]) -> TrainingPart:
    said = json.loads(row["recipe_json"])
    return TrainingPart(
        recipe=row["recipe"],
        settings={name: value for name, value in said.items() if name not in _ELSEWHERE},
        seed_init=row["seed_init"],
        seed_order=row["seed_order"],
        n_steps=row["n_steps"],
        n_train_questions=row["n_train_questions"],
        n_pictures=len(pictures),
        pictures_sha256=training_sha256(pictures),
        device=row["device"],
        versions=json.loads(row["versions_json"]),
        git_commit=row["git_commit"],
    )
