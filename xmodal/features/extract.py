"""Extract image features once, into one memory-mapped file per dataset and config.

While it is made, a set lies in a hidden folder beside the others: the array, and a note for each
whole shard. It takes its place by one rename. A call that finds such a folder checks its shards
and makes the rest. Several machines can make a set together, a part each; see extract_part.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from taxonomy.errors import DataError
from taxonomy.hashing import content_id
from taxonomy.model import Taxonomy
from xmodal.features import parts
from xmodal.features.build import Build, Progress, Work
from xmodal.features.config import FeatureConfig
from xmodal.features.encoders.encoder import Encoder
from xmodal.features.encoders.load import load_encoder
from xmodal.features.feature_set import DESCRIPTION, FeatureSet, load_features
from xmodal.features.parts import Part
from xmodal.features.pca import Pca, one_thread
from xmodal.features.shards import plan
from xmodal.files import TakenError, drop_empty, file_sha256, make_folder, own, write_whole

__all__ = [
    "FeatureConfig",
    "FeatureSet",
    "Part",
    "Progress",
    "Work",
    "extract",
    "extract_part",
    "feature_set_id",
    "load_features",
    "one_thread",
]


def feature_set_id(dataset_id: str, config: FeatureConfig, encoder: Encoder | None = None) -> str:
    """The id of the features of a dataset under a config.

    Weights stand for the encoder's name, so that a model that has moved keeps its features.

    Args:
        dataset_id: Whose pictures.
        config: What is extracted.
        encoder: The config's encoder; loaded if None.
    """
    encoder = encoder or load_encoder(config)
    said = config.as_dict()
    if encoder.weights_sha256 is not None:
        # its version is a hash of weights, size and normalisation
        dropped = {"encoder", "revision", "side", "fit"}
        if config.pooling != "pca":
            dropped |= {"n_components"} | ({"seed"} if config.n_views == 1 else set())
        said = {name: value for name, value in said.items() if name not in dropped}
    return content_id({"dataset": dataset_id, "version": encoder.version, **said})


def extract(
    taxonomy: Taxonomy,
    config: FeatureConfig,
    root: Path,
    progress: Progress | None = None,
    work: Work | None = None,
) -> tuple[FeatureSet, bool]:
    """Extract the features of every image of a dataset, unless they are there.

    Args:
        taxonomy: The dataset.
        config: Encoder and pooling.
        root: Folder of feature sets; one subfolder each, put in place by one rename.
        progress: Called after each shard of pictures, and once with what was there.
        work: Processes, device, and what to do about bad pictures.

    Returns:
        The feature set, and whether it had to be made. With skipped pictures it has an id of
        its own.

    Raises:
        ConfigError: The encoder has no such layer, size, token or device.
        DataError: The encoder or a picture cannot be read, none is for training, the disk is
            too small, or another process is at it. Whole shards stay for the next call.
    """
    wanted = _Wanted(taxonomy, config, root, work or Work(), progress)
    if found := wanted.there():
        wanted.remove_parts()
        return found, False
    with _folder(wanted.folder) as folder:
        return wanted.make(folder), True


def extract_part(
    taxonomy: Taxonomy,
    config: FeatureConfig,
    root: Path,
    part: Part,
    progress: Progress | None = None,
    work: Work | None = None,
    say: Callable[[str], object] | None = None,
) -> FeatureSet | None:
    """Make a part of a feature set; whoever finds all parts whole puts them together.

    Processes that make parts share nothing but the root, and write no file that another writes. The
    set is the one that extract makes, byte for byte on machines that compute alike. Locks keep two
    calls from doing the same work, and the bytes do not depend on them.

    Args:
        taxonomy: The dataset.
        config: Encoder and pooling.
        root: As for extract.
        part: Which.
        progress: As for extract; what is put together is counted anew.
        work: As for extract.
        say: Told in a line why there is no set yet.

    Returns:
        The feature set if it is whole; None if parts are missing, or another process puts them
        together.

    Raises:
        ConfigError: As for extract.
        DataError: As for extract, or another process makes this part.
    """
    wanted = _Wanted(taxonomy, config, root, work or Work(), progress)
    told = say or (lambda _: None)
    try:
        if not (found := wanted.there()):
            wanted.make_part(part)
            found = wanted.together(part, told)
    except FileNotFoundError:
        # another machine that sees no locks of this one has put the set in place
        if not (found := wanted.there()):
            raise
    if found:
        wanted.remove_parts()
    return found


@dataclass
class _Wanted:
    """A feature set that is to be."""

    taxonomy: Taxonomy
    config: FeatureConfig
    root: Path
    work: Work
    progress: Progress | None

    @cached_property
    def encoder(self) -> Encoder:
        return load_encoder(self.config, self.work.device)

    @cached_property
    def set_id(self) -> str:
        """Its id if no picture is skipped."""
        return feature_set_id(self.taxonomy.dataset_id, self.config, self.encoder)

    @property
    def folder(self) -> Path:
        """Where one process makes it."""
        return self.root / f".{self.set_id}.part"

    @cached_property
    def train(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Ids of the training pictures."""
        found = _train(self.taxonomy)
        if not len(found):
            raise DataError(f"dataset {self.taxonomy.dataset_id} has no training picture")
        return found

    def there(self) -> FeatureSet | None:
        """The finished set."""
        return _there(self.root, self.set_id, self.work.skip_bad)

    def build(self, folder: Path) -> Build:
        """What makes rows in a folder; takes what parts other than the folder's own hold."""
        uris, hashes = (self.taxonomy.images[name].to_pylist() for name in ("uri", "sha256"))
        train = self.train
        first, further = plan(range(len(uris)), uris, hashes, train.tolist(), self.config.n_views)
        others = parts.parts_in(self.root, self.set_id)
        others.pop(folder, None)
        views = first, further, train
        return Build(folder, self.config, self.encoder, self.work, *views, self.progress, others)

    def make(self, folder: Path) -> FeatureSet:
        """Make all rows in a folder and put the set in place."""
        build = self.build(folder)
        skipped = build.run()
        set_id = _with_skipped(self.set_id, skipped)
        encoder = self.encoder
        features = FeatureSet(
            feature_set_id=set_id,
            dataset_id=self.taxonomy.dataset_id,
            config=self.config,
            n_images=self.taxonomy.images.num_rows,
            augmented=self.train if self.config.n_views > 1 else self.train[:0],
            sha256=file_sha256(build.array),
            path=self.root / set_id,
            encoder_version=encoder.version,
            revision=encoder.revision,
            weights_sha256=encoder.weights_sha256,
            training_pictures=encoder.training_pictures,
            side=encoder.preparation.side,
            skipped=skipped,
        )
        put(build.whole, features)
        parts.remove(self.root, self.set_id)
        return load_features(features.path)

    def make_part(self, part: Part) -> None:
        """Make the rows of a part, unless it is whole."""
        if parts.is_whole(self.root, self.set_id, part, self.work.skip_bad):
            return
        with _folder(part.folder(self.root, self.set_id), stays=True, locked=False) as folder:
            n_skipped = self.build(folder).run_part(part)
            parts.mark(self.root, self.set_id, part, n_skipped)

    def together(self, part: Part, say: Callable[[str], object]) -> FeatureSet | None:
        """Put the parts together if all are whole."""
        missing = parts.missing(self.root, self.set_id, part.of, self.work.skip_bad)
        if missing:
            if found := self.there():
                return found
            named = ", ".join(map(str, missing[:8])) + (", ..." if len(missing) > 8 else "")
            say(f"part {part} of {self.set_id} is whole; {len(missing)} missing: {named}")
            return None
        try:
            # a folder of its own in there, should another machine not see the lock
            with _folder(self.folder, locked=False) as folder, _apart(folder) as apart:
                return self.there() or self.make(Path(apart))
        except TakenError:
            say(f"part {part} of {self.set_id} is whole; another process puts the set together")
            return None

    def remove_parts(self) -> None:
        """Remove what a call that was killed at its end left of them."""
        if (self.root / self.set_id).is_dir():
            parts.remove(self.root, self.set_id)


def is_whole(folder: Path) -> bool:
    """Whether a set is in place."""
    return (folder / DESCRIPTION).is_file()


def put(made: Path, features: FeatureSet) -> None:
    """Give a folder that holds the array its description and its place, by one rename.

    A set that another process has put there in the meantime has the same bytes, and stays.
    """
    write_whole(made / DESCRIPTION, lambda path: path.write_text(features.description()))
    made.chmod(0o755)
    if is_whole(features.path):
        return
    if features.path.exists():
        shutil.rmtree(features.path)
    try:
        os.replace(made, features.path)
    except OSError:
        if not is_whole(features.path):
            raise


def fit_again(taxonomy: Taxonomy, features: FeatureSet, encoder: Encoder, work: Work) -> Pca:
    """The pca of a feature set that was made before sets kept theirs.

    Every picture is encoded as it was then, in a folder that is gone afterwards; whether the result
    is the same is for the caller to see.

    Args:
        taxonomy: The dataset.
        features: Pooled by pca.
        encoder: That of the features.
        work: Its device.

    Raises:
        DataError: A picture is gone or another one, or there is no room.
    """
    train = _train(taxonomy)
    uris, hashes = (taxonomy.images[name].to_pylist() for name in ("uri", "sha256"))
    first, _ = plan(range(len(uris)), uris, hashes, train.tolist(), 1)
    with tempfile.TemporaryDirectory(prefix="xmodal-pca-") as folder:
        return Build(Path(folder), features.config, encoder, work, first, [], train, None).refit()


def _train(taxonomy: Taxonomy) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    splits = np.array(taxonomy.images["split"].to_pylist(), dtype=object)
    return np.flatnonzero(splits == "train")


def _with_skipped(made_id: str, skipped: Sequence[tuple[int, str]]) -> str:
    """Another id where pictures are missing: their questions are not asked."""
    return content_id({"of": made_id, "without": [i for i, _ in skipped]}) if skipped else made_id


def _there(root: Path, made_id: str, skip_bad: bool) -> FeatureSet | None:
    """The finished set; with skip_bad also one that skipped pictures."""
    if is_whole(root / made_id):
        return load_features(root / made_id)
    if skip_bad:
        for description in sorted(root.glob(f"[!.]*/{DESCRIPTION}")):
            found = load_features(description.parent)
            if found.skipped and found.feature_set_id == _with_skipped(made_id, found.skipped):
                return found
    return None


def _apart(folder: Path) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="together-", dir=folder, ignore_cleanup_errors=True)


@contextmanager
def _folder(part: Path, stays: bool = False, locked: bool = True) -> Iterator[Path]:
    """A folder for this process alone; after an error it stays only if a shard in it is whole.

    Args:
        part: Its path.
        stays: It stays without an error too.
        locked: Refuse a file system without locks.
    """
    root = part.parent
    make_folder(part, "a folder of features")
    with own(part, needed=locked):
        try:
            yield part
        except BaseException:
            if not any(part.glob("notes-*/*.json")):
                shutil.rmtree(part, ignore_errors=True)
                if not any(root.iterdir()):
                    root.rmdir()
            raise
        if not stays:
            shutil.rmtree(part, ignore_errors=True)
    if not stays:
        drop_empty(part)
