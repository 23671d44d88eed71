"""Answers to a manifest's test questions without an LM: how far recognition alone goes.

Two methods. leaf-lookup: a leaf classifier on the same features, then the taxonomy; the
probability of a hypernym is that of the leaves of which it is true. hypernym-neighbours: the
nearest training pictures with all their labels, held-out ones too, vote on what is asked. Both
learn from the training pictures under the manifest's labels, and choose their settings on
validation: the classifier on leaves, the neighbours on the validation questions.

A picture stands as the mean of its encoder tokens: where there are many, a projector that sees
them all may go further. The score of an answer is the probability of Yes with both answers as
likely beforehand: see xmodal.features.questions.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor
from torch.nn.functional import normalize

from taxonomy.errors import ConfigError, ManifestError
from taxonomy.hashing import canonical_json, content_id
from taxonomy.manifest.draws import Bools, Floats, Ints
from taxonomy.model import Manifest, Taxonomy, one_of
from xmodal.features.classifier import Pictures, Posterior, leaf_posterior, pooled
from xmodal.features.extract import FeatureSet, one_thread
from xmodal.features.questions import Asked, read_asked, score_table, scores
from xmodal.features.skipped import shown_pictures, with_features
from xmodal.features.stored import load_stored
from xmodal.features.truth import Truth, label_rows, pictures, read_truth
from xmodal.store import Store
from xmodal.store.findings import CEILING_PREDICTION, replace_ceiling
from xmodal.store.rows import CeilingRow

METHODS = ("leaf-lookup", "hypernym-neighbours")
VERSION = 1
SETTINGS = tuple((k, warmth) for k in (1, 5, 20, 100) for warmth in (0.02, 0.03, 0.05, 0.1))
"""Numbers of neighbours, and the warmth of their votes: exp(cosine / warmth)."""
_AT_A_TIME = 1024


@dataclass(frozen=True)
class Neighbours:
    """The nearest training pictures of each picture, nearest first. N pictures."""

    leaf: Ints
    """int64 [N, k], the leaf that each neighbour shows."""
    cosine: Floats
    """float64 [N, k]."""

    def mass(self, k: int, warmth: float, n_leaves: int) -> Floats:
        """Votes of the first k, each exp(cosine / warmth), as shares; float64 [N, n_leaves]."""
        near = self.cosine[:, :k]
        votes = np.exp((near - near[:, :1]) / warmth)
        mass = np.zeros((len(near), n_leaves))
        np.add.at(mass, (np.arange(len(near))[:, None], self.leaf[:, :k]), votes)
        shares: Floats = mass / votes.sum(axis=1, keepdims=True)
        return shares


def nearest(shown: Tensor, images: Ints, train: Pictures) -> Neighbours:
    """Neighbours by cosine among training pictures; of equals the smaller image id.

    Args:
        shown: float32 [n_rows, Dv], as pooled gives it.
        images: int64 [N], whose neighbours.
        train: Training pictures in ascending order of id, and the leaf each shows.
    """
    k = min(max(SETTINGS)[0], len(train.images))
    order, cosine = [], []
    with one_thread():
        among = normalize(shown[torch.from_numpy(train.images)].double())
        for part in torch.split(torch.from_numpy(images), _AT_A_TIME):
            near = normalize(shown[part].double()) @ among.T
            best = near.sort(dim=1, descending=True, stable=True)
            order.append(best.indices[:, :k].clone())
            cosine.append(best.values[:, :k].clone())
    return Neighbours(train.classes[torch.cat(order).numpy()], torch.cat(cosine).numpy())


def by_label(mass: Floats, labels: Ints) -> Floats:
    """Probabilities of the label leaf, from those of the leaf shown.

    Args:
        mass: float64 [N, L], by leaf shown.
        labels: int64 [L], the label leaf of each; -1 for a leaf in no question, which has no mass.
    """
    moved = np.zeros(mass.T.shape)
    kept = labels >= 0
    np.add.at(moved, labels[kept], mass.T[kept])
    of_label: Floats = moved.T
    return of_label


@dataclass(frozen=True)
class Answers:
    """One method's answers to a manifest's test questions."""

    scores: Floats
    settings: dict[str, Any]

    @property
    def predicted(self) -> Bools:
        """Whether Yes is said."""
        said: Bools = self.scores > 0.5
        return said


@dataclass(frozen=True, kw_only=True)
class Taught:
    """What a manifest's labels say of the training pictures. L leaves."""

    truth: Truth
    labels: Ints
    """int64 [L]: label leaf of each leaf; -1 for one in no question."""
    train: Pictures
    """In ascending order of id, with the leaf that each shows."""
    share: Floats
    """float64 [L]: share of the training pictures that carry a leaf's labels."""


def taught_by(taxonomy: Taxonomy, manifest: Manifest) -> Taught:
    """Labels and training pictures under a manifest, whatever it holds out."""
    truth = read_truth(taxonomy, manifest.config.relation)
    labels = label_rows(truth, manifest.labels)
    images, shown = pictures(taxonomy, truth, "train")
    kept = labels[shown] >= 0
    if not kept.any():
        raise ManifestError(f"manifest {manifest.manifest_id} has no training picture")
    train = Pictures(images[kept], shown[kept])
    counts = np.bincount(labels[train.classes], minlength=len(labels))
    return Taught(truth=truth, labels=labels, train=train, share=counts / kept.sum())


@dataclass
class Answerer:
    """Answers manifests of one dataset; what several of them share is made once."""

    taxonomy: Taxonomy
    features: FeatureSet
    seed: int = 0
    _posteriors: dict[bytes, Posterior] = field(default_factory=dict)
    _neighbours: dict[tuple[bytes, bytes], Neighbours] = field(default_factory=dict)

    @functools.cached_property
    def shown(self) -> Tensor:
        """float32 [n_rows, Dv]: every picture and view as a direction."""
        return pooled(self.features)

    def answer(self, manifest: Manifest, method: str) -> tuple[Asked, Answers]:
        """Answer the test questions of a manifest.

        Raises:
            ConfigError: A method that does not exist.
            ManifestError: The manifest or dataset leaves nothing to learn from or choose on.
        """
        one_of("method", method, METHODS)
        taught = taught_by(self.taxonomy, manifest)
        asked = read_asked(manifest, taught.truth, "test")
        if method == METHODS[0]:
            return asked, self._lookup(taught, asked)
        tried = read_asked(manifest, taught.truth, "validation")
        if not len(tried.image):
            raise ManifestError(
                f"manifest {manifest.manifest_id} has no validation question to choose the "
                "neighbours on: give the dataset validation pictures"
            )
        return asked, self._vote(taught, tried, asked)

    def _lookup(self, taught: Taught, asked: Asked) -> Answers:
        """By a leaf classifier. It learns which leaf is shown: labels only rename its classes."""
        train, classes = taught.train, np.unique(taught.train.classes)
        key = train.images.tobytes()
        if key not in self._posteriors:
            images, shown = pictures(self.taxonomy, taught.truth, "validation")
            kept = np.isin(shown, classes)
            self._posteriors[key] = leaf_posterior(
                self.shown,
                self.features,
                Pictures(train.images, np.searchsorted(classes, train.classes)),
                Pictures(images[kept], np.searchsorted(classes, shown[kept])),
                len(classes),
                self.seed,
            )
        posterior = self._posteriors[key]
        images = np.unique(asked.image)
        mass = np.zeros((len(images), len(taught.labels)))
        mass[:, classes] = posterior.probabilities[images]
        return Answers(self._scores(mass, taught, asked), posterior.settings)

    def _vote(self, taught: Taught, tried: Asked, asked: Asked) -> Answers:
        """By the nearest training pictures, settings chosen on the tried questions."""
        right = []
        for k, warmth in SETTINGS:
            mass = self._nearest(tried, taught).mass(k, warmth, len(taught.labels))
            said = self._scores(mass, taught, tried) > 0.5
            right.append(int((said == tried.answer).sum()))
        k, warmth = SETTINGS[int(np.argmax(right))]
        mass = self._nearest(asked, taught).mass(k, warmth, len(taught.labels))
        accuracy = max(right) / len(tried.answer)
        settings = {"k": k, "warmth": warmth, "validation_accuracy": accuracy}
        return Answers(self._scores(mass, taught, asked), settings)

    def _scores(self, mass: Floats, taught: Taught, asked: Asked) -> Floats:
        """float64 [Q], from probabilities of the leaf shown, float64 [N, L]."""
        return scores(by_label(mass, taught.labels), taught.share, taught.truth, asked)

    def _nearest(self, asked: Asked, taught: Taught) -> Neighbours:
        images = np.unique(asked.image)
        key = (taught.train.images.tobytes(), images.tobytes())
        if key not in self._neighbours:
            self._neighbours[key] = nearest(self.shown, images, taught.train)
        return self._neighbours[key]


def ceiling_row(
    manifest: Manifest, features: FeatureSet, method: str, answers: Answers, seed: int
) -> CeilingRow:
    """What is stored about one method on one manifest."""
    identity = {
        "finding": "ceiling",
        "version": VERSION,
        "manifest": manifest.manifest_id,
        "features": features.feature_set_id,
        "method": method,
        "seed": seed if method == METHODS[0] else None,
    }
    return CeilingRow(
        ceiling_id=content_id(identity),
        dataset_id=manifest.dataset_id,
        manifest_id=manifest.manifest_id,
        feature_set_id=features.feature_set_id,
        encoder=features.config.encoder,
        method=method,  # type: ignore[arg-type]
        settings_json=canonical_json(answers.settings),
        created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
    )


def measure_ceiling(
    store: Path,
    *,
    manifests: Sequence[str] | None = None,
    features: str | None = None,
    dataset: str | None = None,
    methods: Sequence[str] = METHODS,
    seed: int = 0,
) -> pa.Table:
    """Answer the test questions of manifests by each method, store the answers.

    Args:
        store: The DuckDB file; open only to read what is needed and to write each result.
        manifests: Ids of manifests or their beginnings, of one dataset; all of it if None.
        features: Id of a feature set or its beginning; see load_stored for None.
        dataset: Id of a dataset or its beginning; that of the first manifest if None.
        methods: Of METHODS.
        seed: Of the leaf classifier.

    Returns:
        The rows of score_table of all of them.

    Raises:
        StoreError: Something is not in the store, or the choice is not clear.
        ConfigError: A method that does not exist.
        ManifestError: A manifest of another dataset, or without validation.
    """
    for method in methods:
        one_of("method", method, METHODS)
    if not methods:
        raise ConfigError(f"give one method or more of {', '.join(METHODS)}, got none")
    with Store.open(store, read_only=True) as opened:
        taxonomy, found, chosen = _load(opened, manifests, features, dataset)
    answerer = Answerer(shown_pictures(taxonomy, found), found, seed)
    tables = []
    for manifest in chosen:
        for method in dict.fromkeys(methods):
            asked, answers = answerer.answer(manifest, method)
            row = ceiling_row(manifest, found, method, answers, seed)
            columns = [asked.example_id, answers.scores, answers.predicted]
            with Store.open(store) as opened:
                replace_ceiling(opened, row, pa.table(columns, schema=CEILING_PREDICTION))
            tables.append(score_table(manifest, method, asked, answers.predicted))
    return pa.concat_tables(tables, promote_options="default")


def _load(
    store: Store, manifests: Sequence[str] | None, features: str | None, dataset: str | None
) -> tuple[Taxonomy, FeatureSet, list[Manifest]]:
    """A dataset, its features and the manifests to answer, each once."""
    chosen = {one.manifest_id: one for one in map(store.load_manifest, manifests or ())}
    if chosen and dataset is None and features is None:
        dataset = next(iter(chosen.values())).dataset_id
    taxonomy, found = load_stored(store, features, dataset)
    if not chosen:
        rows = store.manifests().filter(pc.field("dataset_id") == taxonomy.dataset_id)
        chosen = {one: store.load_manifest(one) for one in rows["manifest_id"].to_pylist()}
    if not chosen:
        raise ManifestError(
            f"dataset {taxonomy.dataset_id} has no manifest: `xmodal manifest build` makes one"
        )
    for manifest in chosen.values():
        if manifest.dataset_id != taxonomy.dataset_id:
            raise ManifestError(
                f"manifest {manifest.manifest_id} is of dataset {manifest.dataset_id}, got "
                f"dataset {taxonomy.dataset_id}; answer it by itself"
            )
    return taxonomy, found, [with_features(one, found) for one in chosen.values()]
