"""THINGS: its concepts and pictures, and the 53 categories of THINGSplus as hypernyms."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from taxonomy.errors import ConfigError, DataError, unknown
from taxonomy.graph import inner_by_synset
from taxonomy.model import TaxonomyConfig
from taxonomy.reading import parse_json
from taxonomy.selection import Selection, find_hypernyms, read_hypernyms, read_lines
from taxonomy.sources.csv_table import clean, read_records
from taxonomy.sources.folder_pictures import is_picture, read_folders, visible
from taxonomy.sources.source import Picture, Source
from taxonomy.sources.things_lists import Category as Category
from taxonomy.sources.things_lists import aliases, concept_phrases
from taxonomy.sources.things_lists import categories as categories
from taxonomy.wordnet import WordNet

LEAF_COLUMNS = ("uniqueid", "hyponym", "leaf")


@dataclass(frozen=True, kw_only=True)
class _Concepts:
    """The concepts file: what each uniqueID is called and means."""

    words: Mapping[str, str]
    synsets: Mapping[str, str | None]
    unknown_synsets: tuple[str, ...]
    """ "uniqueID: synset" for synsets that WordNet does not have."""


def read_things(
    config: TaxonomyConfig,
    wordnet: WordNet,
    concepts_path: Path,
    categories_path: Path,
    images: Path | None = None,
    leaves_path: Path | None = None,
    hypernyms_path: Path | None = None,
) -> Source:
    """Read THINGS as a source. Concepts are keyed by uniqueID and asked by their word.

    The list speaks of a concept that the categories file has a row for, and of the 53
    categories; of anything else it is silent, and so is WordNet of what has no synset.

    Args:
        config: Pairs, min_leaves, depths, inner_leaves and the seed of the split.
        wordnet: Where synsets are looked up, WordNet 3.0 as in the file.
        concepts_path: things_concepts.tsv: columns Word, uniqueID, Wordnet ID4.
        categories_path: category53_longFormat.tsv: columns category, uniqueID.
        images: A folder of folders `<uniqueID>/<name>.jpg`; None: no images.
        leaves_path: The leaves to keep; see read_leaves. None: all concepts.
        hypernyms_path: The hypernyms to keep, categories or others; see read_hypernyms in
            taxonomy.selection. None: the categories, or with depths what WordNet has.

    Returns:
        The source, checked.

    Raises:
        DataError: Anything in the files or folders that cannot be used.
        ConfigError: Hypernyms are to be found in WordNet, but the pairs are not strict.
    """
    file = _read_concepts(concepts_path, wordnet)
    chosen = sorted(file.words if leaves_path is None else read_leaves(leaves_path, file.words))
    listed, used = _read_categories(categories_path, file.words)
    concepts = {name: file.synsets[name] for name in chosen}
    known = {category.word: category for category in categories()}
    selection = _hypernyms(config, concepts, wordnet, hypernyms_path, listed)
    spoken_of = frozenset(
        word
        for word, synset in selection.hypernyms.items()
        if word in known and known[word].synset == synset
    )
    listed = {name: listed[name] & spoken_of for name in chosen if name in listed}
    pictures, found = _pictures(config, concepts, file.words, images, wordnet)
    return Source(
        list_name="categories",
        concepts=concepts,
        hypernyms=selection.hypernyms,
        listed=listed,
        edges=[(name, word) for name in sorted(listed) for word in sorted(listed[name])],
        pictures=pictures,
        words={name: file.words[name] for name in chosen},
        phrases={**concept_phrases(), **{word: known[word].phrase for word in spoken_of}},
        spoken_of=spoken_of,
        pictured=images is not None,
        notes={
            "aliases": used,
            "without_synset": [name for name in chosen if concepts[name] is None],
            "unknown_synsets": list(file.unknown_synsets),
            **selection.notes,
            **found,
        },
    )


def _columns(header: list[str], wanted: Iterable[str], path: Path) -> list[int]:
    for name in wanted:
        if clean(name) not in header:
            raise DataError(f"{path} lacks the column {name}; got {', '.join(header)}")
    return [header.index(clean(name)) for name in wanted]


def _read_concepts(path: Path, wordnet: WordNet) -> _Concepts:
    header, records = read_records(path, "\t")
    word, key, synset = _columns(header, ("Word", "uniqueID", "Wordnet ID4"), path)
    words: dict[str, str] = {}
    synsets: dict[str, str | None] = {}
    foreign = []
    for n_line, cells in records:
        name, text = cells[key].strip(), cells[synset].strip()
        if not (name and clean(cells[word])):
            raise DataError(f"{path} line {n_line} must have a Word and a uniqueID")
        if name in words:
            raise DataError(f"{path} line {n_line} repeats the uniqueID {name!r}; it names one")
        words[name] = clean(cells[word])
        exists = bool(text) and wordnet.exists(text)
        synsets[name] = wordnet.name(text) if exists else None
        if text and not exists:
            foreign.append(f"{name}: {text}")
    if not words:
        raise DataError(f"{path} has a header but no concepts; it needs one a row")
    return _Concepts(words=words, synsets=synsets, unknown_synsets=tuple(foreign))


def _read_categories(
    path: Path, words: Mapping[str, str]
) -> tuple[dict[str, frozenset[str]], list[str]]:
    """The categories of each uniqueID that has any, and the aliases that were needed."""
    header, records = read_records(path, "\t")
    category, key = _columns(header, ("category", "uniqueID"), path)
    known = {entry.word for entry in categories()}
    listed: dict[str, set[str]] = defaultdict(set)
    used = set()
    for n_line, cells in records:
        word, given = clean(cells[category]), cells[key].strip()
        if word not in known:
            raise DataError(f"{path} line {n_line}: {unknown('category', word, known)}")
        name = _same(given, words)
        if name is None:
            raise DataError(f"{path} line {n_line}: {unknown('uniqueID', given, words)}")
        if name != given:
            used.add(f"{given} = {name}")
        listed[name].add(word)
    return {name: frozenset(listed[name]) for name in sorted(listed)}, sorted(used)


def _same(name: str, words: Mapping[str, str]) -> str | None:
    """The uniqueID of the concepts file that a name is, or is an alias of."""
    other = aliases().get(name)
    return name if name in words else other if other in words else None


def read_leaves(path: Path, words: Mapping[str, str]) -> set[str]:
    """The uniqueIDs that a list of leaves names.

    Args:
        path: A text file with one leaf a line (# starts a comment), a .jsonl file with a field
            hyponym or leaf, or a .csv or .tsv file with such a column, or uniqueID.
        words: Word by uniqueID.

    Returns:
        For each entry that uniqueID, or else all those with that word.

    Raises:
        DataError: Not readable, no entries, or one that matches nothing.
    """
    by_word: dict[str, list[str]] = defaultdict(list)
    for name, word in words.items():
        by_word[word].append(name)
    found: set[str] = set()
    for where, entry in _leaf_entries(path):
        same = _same(entry, words)
        names = [same] if same is not None else by_word.get(clean(entry.replace("_", " ")))
        if not names:
            raise DataError(f"{where}: {unknown('leaf', entry, {*words, *words.values()})}")
        found.update(names)
    if not found:
        raise DataError(f"{path} has no entries; it needs at least one leaf")
    return found


def _leaf_entries(path: Path) -> list[tuple[str, str]]:
    """File and line, and the entry, of every leaf in a list."""
    suffix = path.suffix.lower()
    if suffix == ".jsonl":
        lines = read_lines(path, comments=False)
        return [(where, _json_leaf(where, line)) for where, line in lines]
    if suffix in (".csv", ".tsv"):
        header, records = read_records(path, "\t" if suffix == ".tsv" else ",")
        column = next((header.index(name) for name in LEAF_COLUMNS if name in header), None)
        if column is None:
            raise DataError(
                f"{path} must have a column uniqueID, hyponym or leaf, got {', '.join(header)}"
            )
        return [(f"{path} line {n_line}", cells[column].strip()) for n_line, cells in records]
    return read_lines(path)


def _json_leaf(where: str, line: str) -> str:
    record = parse_json(line, where)
    fields = record if isinstance(record, dict) else {}
    entry = fields.get("hyponym", fields.get("leaf"))
    if not isinstance(entry, str):
        raise DataError(f"{where} must have a field hyponym or leaf, got {line[:60]!r}")
    return entry.strip()


def _hypernyms(
    config: TaxonomyConfig,
    concepts: Mapping[str, str | None],
    wordnet: WordNet,
    path: Path | None,
    listed: Mapping[str, frozenset[str]],
) -> Selection:
    """The categories of the file, the user's choice, or what WordNet has at the depths."""
    known = {category.word: category.synset for category in categories()}
    if path is not None:
        selection = read_hypernyms(path, concepts, wordnet, config.inner_leaves, known)
        others = sorted(set(selection.hypernyms) - set(known))
        if others and config.pairs == "categories":
            raise DataError(
                f"{path}: {unknown('category', others[0], known)}; or take pairs strict"
            )
        return selection
    if config.min_depth is not None or config.max_depth is not None:
        if config.pairs != "strict":
            raise ConfigError(
                "depth finds hypernyms of things in WordNet and goes with pairs strict, "
                f"got pairs {config.pairs!r}"
            )
        return find_hypernyms(config, concepts, wordnet)
    words = sorted(frozenset().union(*listed.values()))
    # WordNet 3.0 is what the list of categories was made for; another version may lack one
    synsets = {word: known[word] for word in words}
    return Selection(
        hypernyms={w: None if s is None else wordnet.name(s) for w, s in synsets.items()}
    )


def _pictures(
    config: TaxonomyConfig,
    concepts: Mapping[str, str | None],
    words: Mapping[str, str],
    images: Path | None,
    wordnet: WordNet,
) -> tuple[tuple[Picture, ...], dict[str, Any]]:
    """The pictures of the concepts, and what was passed over."""
    if images is None:
        return (), {}
    files: dict[str, list[Path]] = {name: [] for name in concepts}
    ignored, ignored_files, n_outside = [], [], 0
    for folder in visible(images):
        # folders are named as the categories file spells them, or as the concepts file does
        name = folder.name if folder.name in words else aliases().get(folder.name, folder.name)
        if name not in words or not folder.is_dir():
            ignored.append(folder.name)
        elif name not in concepts:
            n_outside += 1
        else:
            inside = visible(folder)
            files[name] += [path for path in inside if is_picture(path)]
            ignored_files += [f"{folder.name}/{p.name}" for p in inside if not is_picture(p)]
    for name in concepts:
        if not files[name]:
            raise DataError(
                f"leaf {name!r} has no images in {images / name}; add some or take it out by "
                "a list of leaves"
            )
    inner = inner_by_synset(concepts, wordnet) if config.inner_leaves == "drop" else set()
    found = read_folders(files, config.seed, inner)
    return found.pictures, {
        "ignored_folders": ignored,
        "n_folders_outside_leaves": n_outside,
        "ignored_files": ignored_files,
        "shared_pictures": list(found.shared),
    }
