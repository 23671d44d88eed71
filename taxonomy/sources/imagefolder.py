"""A folder of pictures by WordNet id, synset name or lemma, as a source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from taxonomy.errors import DataError
from taxonomy.graph import inner_by_synset
from taxonomy.model import TaxonomyConfig
from taxonomy.selection import find_hypernyms, read_hypernyms
from taxonomy.sources.folder_pictures import is_picture, read_folders, visible
from taxonomy.sources.source import Picture, Source
from taxonomy.wordnet import WordNet

WNID_VERSION = "3.0"
_WNID = re.compile(r"n(\d{8})")
_FLAT = re.compile(r"(n\d{8})_.*")
_SYNSET = re.compile(r"(.+)\.n\.\d+", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Named:
    """What the name of a folder, or of a leaf in a list, stands for."""

    synset: str
    word: str
    n_senses: int
    """Senses to choose from; 1 unless the name is a lemma."""


def read_imagefolder(
    config: TaxonomyConfig, wordnet: WordNet, images: Path, hypernyms_path: Path | None = None
) -> Source:
    """Read a folder of pictures as a source. Concepts are keyed by synset.

    Each folder is named by a WordNet id (n01817953: an offset in WordNet 3.0), a synset name
    (parrot.n.01) or a lemma (African_grey), which then means its most frequent sense. Files
    named `<WordNet id>_<anything>` may lie beside the folders. Hidden entries are passed over.

    Args:
        config: min_leaves, depths, inner_leaves and the seed of the split.
        wordnet: Where the names are looked up, and hypernyms found.
        images: The folder.
        hypernyms_path: The hypernyms to ask about; None: those WordNet has above the leaves.

    Returns:
        The source, checked.

    Raises:
        DataError: An unknown name, two folders for one synset, or a picture that cannot be used.
    """
    files, ignored = _scan(images)
    concepts: dict[str, str | None] = {}
    words: dict[str, str] = {}
    label_of: dict[str, str] = {}
    ambiguous = []
    for label in sorted(files):
        named = resolve_label(label, images, wordnet)
        if named.synset in label_of:
            raise DataError(
                f"{images}: {label!r} and {label_of[named.synset]!r} are both {named.synset}; "
                "put their pictures in one folder"
            )
        label_of[named.synset] = label
        concepts[named.synset], words[named.synset] = named.synset, named.word
        if named.n_senses > 1:
            ambiguous.append(f"{label} = {named.synset} (first of {named.n_senses} senses)")
    pictures, shared = _pictures(config, wordnet, concepts, files, label_of)
    return synset_source(
        config,
        wordnet,
        words,
        hypernyms_path,
        pictures,
        {"ambiguous_folders": ambiguous, "ignored_files": ignored, "shared_pictures": shared},
    )


def synset_source(
    config: TaxonomyConfig,
    wordnet: WordNet,
    words: Mapping[str, str],
    hypernyms_path: Path | None,
    pictures: tuple[Picture, ...] | None,
    notes: Mapping[str, list[str]],
) -> Source:
    """A source of synsets without a list: WordNet alone says what is above what.

    Args:
        config: min_leaves, depths and inner_leaves for the choice of hypernyms.
        wordnet: The closure.
        words: Surface form by synset.
        hypernyms_path: The user's hypernyms, or None.
        pictures: The pictures; None for a source that has none.
        notes: What to tell the reader besides.
    """
    concepts: dict[str, str | None] = {synset: synset for synset in sorted(words)}
    if hypernyms_path is not None:
        selection = read_hypernyms(hypernyms_path, concepts, wordnet, config.inner_leaves)
    else:
        selection = find_hypernyms(config, concepts, wordnet)
    return Source(
        list_name="wordnet",
        concepts=concepts,
        hypernyms=selection.hypernyms,
        listed={},
        edges=(),
        pictures=pictures or (),
        words=words,
        spoken_of=frozenset(),
        pictured=pictures is not None,
        notes={**notes, **selection.notes},
    )


def _scan(images: Path) -> tuple[dict[str, list[Path]], list[str]]:
    """The pictures by name of folder or WordNet id, and files that are none."""
    files: dict[str, list[Path]] = {}
    ignored = []
    for path in visible(images):
        flat = _FLAT.fullmatch(path.name)
        if path.is_dir():
            inside = visible(path)
            files.setdefault(path.name, []).extend(p for p in inside if is_picture(p))
            ignored += [f"{path.name}/{p.name}" for p in inside if not is_picture(p)]
        elif flat is not None and is_picture(path):
            files.setdefault(flat[1], []).append(path)
        else:
            ignored.append(path.name)
    if not files:
        raise DataError(
            f"images {images} must hold folders named by WordNet id, synset or lemma, or files "
            "named <WordNet id>_<anything>; there are none"
        )
    for name, paths in files.items():
        if not paths:
            raise DataError(f"{images / name} holds no pictures; add some or take the folder out")
    return files, ignored


def resolve_label(label: str, images: Path, wordnet: WordNet) -> Named:
    """The synset that a name stands for; DataError with the nearest if there is none."""
    wnid, synset = _WNID.fullmatch(label), _SYNSET.fullmatch(label)
    try:
        if wnid is not None:
            if wordnet.version != WNID_VERSION:
                raise DataError(
                    f"WordNet ids are offsets in WordNet {WNID_VERSION}, got {wordnet.version}"
                )
            name = wordnet.at_offset(int(wnid[1]))
            return Named(synset=name, word=wordnet.lemmas(name)[0].lower(), n_senses=1)
        if synset is not None:
            word = synset[1].replace("_", " ").lower()
            return Named(synset=wordnet.name(label), word=word, n_senses=1)
        word = " ".join(label.replace("_", " ").lower().split())
        senses = wordnet.senses(word)
        if not senses:
            raise DataError(wordnet.unknown_word(word))
    except DataError as error:
        raise DataError(f"{images / label}: {error}") from error
    return Named(synset=senses[0], word=word, n_senses=len(senses))


def _pictures(
    config: TaxonomyConfig,
    wordnet: WordNet,
    concepts: Mapping[str, str | None],
    files: Mapping[str, list[Path]],
    label_of: Mapping[str, str],
) -> tuple[tuple[Picture, ...], list[str]]:
    inner = inner_by_synset(concepts, wordnet) if config.inner_leaves == "drop" else set()
    by_concept = {synset: files[label] for synset, label in label_of.items()}
    found = read_folders(by_concept, config.seed, inner)
    return found.pictures, list(found.shared)
