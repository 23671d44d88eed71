"""What `config.json` of a card says: everything that the projector's answers depend on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from taxonomy.errors import DataError
from taxonomy.hashing import content_id
from taxonomy.reading import read_object, read_text, record_of, short
from xmodal.features.config import FeatureConfig
from xmodal.features.feature_set import FeatureSet
from xmodal.features.pca import PCA, Pca
from xmodal.features.unseen import training_sha256
from xmodal.files import file_sha256
from xmodal.lms.names import BUNDLED

CONFIG, PROJECTOR, PICTURES = "config.json", "projector.safetensors", "training_pictures.txt"
FORMAT = 1
_ANEW = "get a whole copy of the folder"


@dataclass(frozen=True, kw_only=True)
class ProjectorPart:
    """Its shape and its file. P patch tokens, K prefix tokens, Dv and Dl widths."""

    kind: str
    width_in: int
    """Dv."""
    width_out: int
    """Dl."""
    n_prefix_tokens: int
    """K."""
    n_params: int
    sha256: str
    """Of projector.safetensors, whose header has the settings of the shape."""


@dataclass(frozen=True, kw_only=True)
class LmPart:
    """The frozen LM."""

    name: str
    """On the model hub or in the bundle; of a local folder its last part alone."""
    init: str
    revision: str | None
    """The hub's commit; None where it came from elsewhere."""
    weights_sha256: str

    @property
    def is_folder(self) -> bool:
        """Whether it was a folder of the machine that trained."""
        return self.revision is None and self.name not in BUNDLED


@dataclass(frozen=True, kw_only=True)
class FeaturesPart:
    """The features that go in."""

    feature_set_id: str
    sha256: str
    """Of the file of features that the projector was trained on."""
    config: FeatureConfig
    """Encoder (of a local folder the last part alone), layer, pooling and so on."""
    encoder_version: str
    revision: str
    weights_sha256: str | None
    side: int | None
    n_tokens: int
    """P."""
    width: int
    """Dv."""
    pca_sha256: str | None
    """Of the tensors of pca.safetensors; None where there is none."""


@dataclass(frozen=True, kw_only=True)
class PromptPart:
    """How the projector was asked."""

    name: str
    relation: str
    question: str
    target_question: str | None
    """Of targets of another relation than hypernym."""
    yes: str
    no: str
    yes_id: int
    no_id: int


@dataclass(frozen=True, kw_only=True)
class ManifestPart:
    """The design that it was trained from."""

    manifest_id: str
    rows_sha256: str
    design: str
    unit: str
    ratio: float
    ratio_realised_cells: float | None
    ratio_realised_questions: float | None
    n_held_out_hypernyms: int | None
    closure: str
    mentions: str
    negatives: str
    shuffle: str
    seed: int
    shuffle_seed: int | None
    train_leaf_negatives: int


@dataclass(frozen=True, kw_only=True)
class TrainingPart:
    """How it was trained."""

    recipe: str
    settings: Mapping[str, Any]
    seed_init: int
    seed_order: int
    n_steps: int
    n_train_questions: int
    n_pictures: int
    pictures_sha256: str | None
    """Hash of the sorted lines of training_pictures.txt."""
    device: str
    versions: Mapping[str, str]
    git_commit: str | None


@dataclass(frozen=True, kw_only=True)
class CardConfig:
    """A projector as it is shared."""

    format: int
    library_name: str
    xmodal_version: str
    """Of the xmodal that wrote the folder."""
    run_id: str
    dataset_id: str
    projector: ProjectorPart
    lm: LmPart
    features: FeaturesPart
    prompt: PromptPart
    manifest: ManifestPart
    training: TrainingPart

    @property
    def card_id(self) -> str:
        """Hash of everything but the version that wrote it."""
        return content_id({k: v for k, v in asdict(self).items() if k != "xmodal_version"})


def read_config(folder: Path) -> CardConfig:
    """What a folder of `xmodal card` says of itself.

    Raises:
        DataError: There is no such folder, or its config is damaged or of a later format.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise DataError(f"{folder} is no folder of `xmodal card`: it has no {CONFIG}")
    said = read_object(path)
    if said.get("format") != FORMAT or said.get("library_name") != "xmodal":
        raise DataError(
            f"{path} must be of library xmodal and format {FORMAT}, got "
            f"{short(said.get('library_name'))} and {short(said.get('format'))}: take a folder of "
            "`xmodal card`, or a version of xmodal that reads it"
        )
    return record_of(CardConfig, said, str(path))


def checked_projector(folder: Path, config: CardConfig) -> Path:
    """The file of weights of a card, once it is held against its config.

    Raises:
        DataError: It is gone or another one.
    """
    path = folder / PROJECTOR
    try:
        found = file_sha256(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): {_ANEW}") from error
    if found != config.projector.sha256:
        raise DataError(
            f"{path} has sha256 {found[:12]}, {CONFIG} says {config.projector.sha256[:12]}: {_ANEW}"
        )
    return path


def checked_pictures(folder: Path, config: CardConfig) -> frozenset[str]:
    """sha256 of each picture that a card's projector was trained on, held against its config.

    Raises:
        DataError: The list is gone or another one.
    """
    found = frozenset(read_text(folder / PICTURES).split())
    if training_sha256(found) != config.training.pictures_sha256:
        raise DataError(f"{folder / PICTURES} is not the list that the card was made with: {_ANEW}")
    return found


def checked_pca(folder: Path, config: CardConfig) -> Pca | None:
    """The pca of a card, once it is held against its config; None where features had none.

    Raises:
        DataError: The card has none though its features were pooled by one, or another one.
    """
    if config.features.config.pooling != "pca":
        return None
    want = config.features.pca_sha256
    if want is None:
        raise DataError(
            f"{folder} has no {PCA}, by which the features were pooled: where run {config.run_id} "
            "lies, `xmodal ask` makes it, and `xmodal card` then takes it along"
        )
    found = Pca.load(folder / PCA)
    if found.sha256 != want:
        raise DataError(
            f"{folder / PCA} has sha256 {found.sha256[:12]}, {CONFIG} says {want[:12]}: {_ANEW}"
        )
    return found


def features_part(features: FeatureSet, pca_sha256: str | None) -> FeaturesPart:
    """What a card says of a feature set.

    Args:
        features: The set.
        pca_sha256: Of its pca, where it keeps one.
    """
    _, n_tokens, width = features.shape
    config = features.config
    # a revision that is no version is a commit of the hub; else the name may be a folder's
    if features.revision == features.encoder_version and config.pooling != "given":
        config = replace(config, encoder=Path(config.encoder).name or config.encoder)
    return FeaturesPart(
        feature_set_id=features.feature_set_id,
        sha256=features.sha256,
        config=config,
        encoder_version=features.encoder_version,
        revision=features.revision,
        weights_sha256=features.weights_sha256,
        side=features.side,
        n_tokens=n_tokens,
        width=width,
        pca_sha256=pca_sha256,
    )


def kept_pca(features: FeatureSet) -> Pca | None:
    """The pca that a feature set keeps; None if it has none.

    Raises:
        DataError: Its file is damaged.
    """
    path = features.path / PCA
    is_there = features.config.pooling == "pca" and path.is_file()
    return Pca.load(path) if is_there else None


def check_features(config: CardConfig, features: FeatureSet) -> None:
    """Refuse features that were made otherwise than those of a card.

    Features with the same bytes are the same, however they were made.

    Args:
        config: Of the card.
        features: Of the dataset that is asked about.

    Raises:
        DataError: They differ; says in what.
    """
    want = config.features
    if features.sha256 == want.sha256:
        return
    pca = kept_pca(features)
    got = features_part(features, pca.sha256 if pca else None)
    differs = [
        f"{name} {_told(theirs)}, the card {_told(ours)}"
        for name, ours, theirs in (
            *((name, getattr(want, name), getattr(got, name)) for name in _SAME),
            *((name, getattr(want.config, name), getattr(got.config, name)) for name in _SETTINGS),
        )
        if ours != theirs
    ]
    what = f"feature set {features.feature_set_id}"
    if differs:
        raise DataError(f"{what} was made otherwise than the card's: it has {'; '.join(differs)}")
    if want.config.pooling == "pca" and (want.pca_sha256 is None or got.pca_sha256 is None):
        where = "the card" if want.pca_sha256 is None else "it"
        raise DataError(f"{what} cannot be held against the card's pca: {where} kept none")
    if want.pca_sha256 != got.pca_sha256:
        raise DataError(
            f"{what} was pooled by another pca than the card's ({_told(got.pca_sha256)}, the card "
            f"{_told(want.pca_sha256)}): a pca is fitted on a dataset's own pictures, so that such "
            "a projector goes with its own dataset alone"
        )


_SAME = ("encoder_version", "revision", "weights_sha256", "side", "n_tokens", "width")
_SETTINGS = ("encoder", "layer", "pooling", "fit", "dtype", "precision")


def _told(value: Any) -> str:
    return str(value)[:16] if value is not None else "none"
