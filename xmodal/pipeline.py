"""From the store to runs and back: what `xmodal features` and `xmodal train` do.

The store is open only to read what is needed and to write the result; training holds no lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from taxonomy.errors import ConfigError, StoreError
from taxonomy.model import Manifest, Taxonomy
from xmodal.features.extract import (
    FeatureConfig,
    FeatureSet,
    Part,
    Progress,
    Work,
    extract,
    extract_part,
    feature_set_id,
)
from xmodal.features.skipped import with_features
from xmodal.features.stored import load_stored
from xmodal.features.unseen import check_unseen, pictures_asked, training_sha256
from xmodal.jobs import TrainJob, features_dir, loaded_lm, run_specs, shared_groups
from xmodal.lms.names import BUNDLED, EMBEDDED
from xmodal.machine import device_meant
from xmodal.store import Store
from xmodal.store.rows import FeatureSetRow, SkippedImageRow
from xmodal.syncing import sync_store
from xmodal.vlm.prompts import prompt_template
from xmodal.vlm.recipes import named_recipe


def ensure_features(
    store: Path,
    config: FeatureConfig,
    dataset_id: str | None = None,
    progress: Progress | None = None,
    work: Work | None = None,
) -> tuple[FeatureSet, bool]:
    """Extract a dataset's features unless they are there, and note them in the store.

    Args:
        store: The DuckDB file.
        config: Encoder and pooling.
        dataset_id: Id of a dataset or its beginning; None for the latest.
        progress: Called after each shard of pictures.
        work: Processes, device, and what to do about bad pictures.

    Returns:
        The feature set, and whether it had to be made.
    """
    with Store.open(store, read_only=True) as opened:
        taxonomy = opened.load_taxonomy(dataset_id)
    features, made = extract(taxonomy, config, features_dir(store), progress, work)
    note_features(store, taxonomy, features)
    return features, made


def ensure_part(
    store: Path, config: FeatureConfig, part: Part, dataset_id: str | None = None, **given: Any
) -> FeatureSet | None:
    """Make a part of a dataset's features; note the set in the store once it is whole.

    Args:
        store: The DuckDB file.
        config: Encoder and pooling.
        part: Which.
        dataset_id: Id of a dataset or its beginning; None for the latest.
        **given: See xmodal.features.extract.extract_part.

    Returns:
        The feature set; None if it is not whole yet.
    """
    with Store.open(store, read_only=True) as opened:
        taxonomy = opened.load_taxonomy(dataset_id)
    features = extract_part(taxonomy, config, features_dir(store), part, **given)
    if features is not None:
        note_features(store, taxonomy, features)
    return features


def take_features(
    store: Path, file: Path, dataset_id: str | None = None, **given: Any
) -> tuple[FeatureSet, bool, str]:
    """Import a file's features for a dataset, and note them in the store.

    Args:
        store: The DuckDB file.
        file: .npz or .safetensors.
        dataset_id: Id of a dataset or its beginning; None for the latest.
        **given: See xmodal.features.imported.import_features.

    Returns:
        The feature set, whether it had to be made, and what its ids are.
    """
    from xmodal.features.imported import import_features

    with Store.open(store, read_only=True) as opened:
        taxonomy = opened.load_taxonomy(dataset_id)
    features, made, known_by = import_features(taxonomy, file, features_dir(store), **given)
    note_features(store, taxonomy, features)
    return features, made, known_by


def note_features(store: Path, taxonomy: Taxonomy, features: FeatureSet) -> None:
    """Note in the store where a feature set lies, what made it and which pictures it lacks."""
    _, n_tokens, width = features.shape
    config = features.config
    row = FeatureSetRow(
        feature_set_id=features.feature_set_id,
        dataset_id=features.dataset_id,
        encoder=config.encoder,
        revision=features.revision,
        layer=config.layer,
        pooling=config.pooling,
        n_tokens=n_tokens,
        width=width,
        n_views=config.n_views,
        dtype=config.dtype,
        sha256=features.sha256,
        path=str(features.path.relative_to(store.parent)),
        weights_sha256=features.weights_sha256,
        side=features.side,
        fit=config.fit,
        precision=config.precision,
        n_training_pictures=len(features.training_pictures),
        training_sha256=training_sha256(features.training_pictures),
        n_skipped=len(features.skipped),
    )
    uris = taxonomy.images["uri"] if features.skipped else []
    skipped = [
        SkippedImageRow(
            feature_set_id=features.feature_set_id,
            image_id=image,
            uri=uris[image].as_py(),
            reason=reason,
        )
        for image, reason in features.skipped
    ]
    with Store.open(store) as opened:
        opened.add_feature_set(row, skipped)


def check_seeds(seeds: Sequence[int]) -> None:
    """Raise ConfigError unless there are seeds and all can seed a generator."""
    if not seeds or min(seeds) < 0:
        raise ConfigError(f"seeds must be one or more whole numbers from 0, got {list(seeds)}")
    if max(seeds) >= 2**63:
        raise ConfigError(f"seeds must be below 2 to the power of 63, got {max(seeds)}")


def _features_of(
    store: Path, dataset_id: str, given: str | None, *, extracted: bool = True
) -> FeatureSet:
    """The feature set of a dataset to train on.

    Without an id: its only one; of several the default one; and where it has none, the
    default one is extracted.

    Raises:
        StoreError: There is no such feature set, it is of another dataset, or the choice is
            not clear.
    """
    usual = FeatureConfig()
    text = "SELECT feature_set_id FROM feature_set WHERE dataset_id = $id"
    with Store.open(store, read_only=True) as opened:
        there = opened.query(text, {"id": dataset_id})["feature_set_id"].to_pylist()
        if given is not None or (there and feature_set_id(dataset_id, usual) not in there):
            return load_stored(opened, given, dataset_id)[1]
        if not there and not extracted:
            raise StoreError(
                f"dataset {dataset_id} has no features yet: extract them first (`xmodal features "
                "extract`, on a cluster `xmodal sweep features`)"
            )
    return ensure_features(store, usual, dataset_id, work=Work(workers=None))[0]


def _check_features(
    store: Path, manifest: Manifest, features: FeatureSet, allow_seen: bool
) -> Iterator[str]:
    """Refuse seen test pictures; say how many questions the set's missing pictures cost.

    Raises:
        ConfigError: The encoder was trained on test pictures.
        ManifestError: No test question is left.
    """
    asked = with_features(manifest, features)
    if features.training_pictures:
        with Store.open(store, read_only=True) as opened:
            taxonomy = opened.load_taxonomy(manifest.dataset_id)
        check_unseen(features, pictures_asked(taxonomy, asked), allow_seen)
    if n := manifest.examples.num_rows - asked.examples.num_rows:
        yield (
            f"manifest {manifest.manifest_id}: {n} of {manifest.examples.num_rows} questions left "
            f"out, about {len(features.skipped)} pictures that feature set "
            f"{features.feature_set_id} lacks"
        )


def plan_jobs(
    store: Path,
    manifests: Sequence[str],
    *,
    seeds: Sequence[int],
    lm: str = EMBEDDED,
    lm_init: str = "pretrained",
    revision: str | None = None,
    recipe: str | None = None,
    prompt: str = "default",
    features: str | None = None,
    allow_seen: bool = False,
    device: str = "auto",
    changes: Mapping[str, Any] | None = None,
    load: bool = True,
    extracted: bool = True,
) -> tuple[list[TrainJob], list[str]]:
    """One job a manifest and seed, every setting checked; features are extracted if missing.

    Args:
        store: The DuckDB file.
        manifests: Ids of manifests, or their beginnings.
        seeds: Seeds of initialisation and order.
        lm: "embedded", "embedded-parts", a local folder, or a hub name.
        lm_init: pretrained, random or scrambled.
        revision: Of a hub model.
        recipe: A recipe's name; None for embedded with an LM of the bundle, else s1.
        prompt: A prompt template's name.
        features: Id of a feature set or its beginning; None for the only one of each dataset,
            of several the default, which is extracted where there is none.
        allow_seen: Test on pictures that the encoder was trained on.
        device: cpu, cuda, cuda:1, mps; auto for the first GPU, or cpu where there is none.
        changes: Settings of the recipe to change; None values are left as they are.
        load: Load the LM now, so that one that cannot be read is known of before any work.
        extracted: Extract features where there are none, rather than fail.

    Returns:
        The jobs, and what to tell the user about questions left out.
    """
    usual = "embedded" if lm in BUNDLED else "s1"
    chosen = named_recipe(usual if recipe is None else recipe, **(changes or {}))
    prompt_template(prompt)
    check_seeds(seeds)
    with Store.open(store, read_only=True) as opened:
        loaded = [opened.load_manifest(manifest) for manifest in manifests]
    found = list({manifest.manifest_id: manifest for manifest in loaded}.values())
    where = device_meant(device)
    if load:
        loaded_lm(lm, lm_init, revision, seeds[0] if lm_init == "random" else 0, where)
    datasets = sorted({manifest.dataset_id for manifest in found})
    sets = {one: _features_of(store, one, features, extracted=extracted) for one in datasets}
    notes = [
        line
        for manifest in found
        for line in _check_features(store, manifest, sets[manifest.dataset_id], allow_seen)
    ]
    jobs = [
        TrainJob(
            store=store,
            manifest_id=manifest.manifest_id,
            lm=lm,
            lm_init=lm_init,
            revision=revision,
            recipe=chosen,
            prompt=prompt,
            feature_set_id=sets[manifest.dataset_id].feature_set_id,
            device=where,
            seed=seed,
        )
        for manifest in found
        for seed in dict.fromkeys(seeds)
    ]
    return jobs, notes


def train_manifests(
    store: Path,
    manifests: Sequence[str],
    *,
    workers: int = 1,
    co_train: str = "auto",
    **settings: Any,
) -> Iterator[str]:
    """Train every manifest with every seed and sync; what `xmodal train` does.

    Args:
        store: The DuckDB file.
        manifests: Ids of manifests, or their beginnings.
        workers: Groups of runs at a time, a process each.
        co_train: Runs that train together: a number, or auto.
        **settings: See plan_jobs.

    Yields:
        What is left out, one line a run, then the sync's counts and problems.
    """
    from xmodal.workers import group_size, train_jobs

    group_size(co_train, ())
    jobs, notes = plan_jobs(store, manifests, **settings)
    yield from notes
    for result in train_jobs(jobs, workers, co_train=co_train):
        yield f"{result.run_id} {'trained' if result.trained else 'is there'}: {result.path}"
    report = sync_store(store)
    yield from (report.summary(), *report.problems())


def cost_of(
    store: Path, manifests: Sequence[str], *, co_train: str = "auto", **settings: Any
) -> pa.Table:
    """What training would cost, run by run; see xmodal.vlm.dry_run. Nothing is trained or stored.

    Args:
        store: The DuckDB file.
        manifests: Ids of manifests, or their beginnings.
        co_train: Runs that train together: a number, or auto.
        **settings: See plan_jobs.
    """
    from xmodal.vlm.dry_run import dry_run
    from xmodal.workers import group_size

    jobs, _ = plan_jobs(store, manifests, **settings)
    groups = shared_groups(jobs, group_size(co_train, jobs))
    return dry_run([run_specs([jobs[i] for i in places]) for places in groups])
