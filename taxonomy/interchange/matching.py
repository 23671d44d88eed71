"""From the texts and paths of chat files to concepts and images of a dataset."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

from taxonomy.errors import DataError, unknown
from taxonomy.interchange.llava import QUESTION
from taxonomy.interchange.reading import Turn
from taxonomy.manifest.world import Concepts, World, surface
from taxonomy.model import Taxonomy
from taxonomy.reading import read_bytes
from taxonomy.sources.inside import inside

_ARTICLE = re.compile(r"^(?:an?|some) ")


@dataclass(frozen=True)
class Asked:
    """What a question may ask: rows of leaves and of hypernyms."""

    leaves: frozenset[int]
    hypernyms: frozenset[int]


class Phrases:
    """Concepts by the text of a question."""

    def __init__(
        self, world: World, aliases: Mapping[str, str], hypernym_question: str = QUESTION
    ) -> None:
        """Index a dataset.

        Args:
            world: The dataset.
            aliases: Other wordings of hypernyms, by surface form, to the hypernym's word.
            hypernym_question: Question about a target of the manifest's relation, with
                {phrase}; leaf questions are as in QUESTION.
        """
        # where targets have a question of their own, it tells them from leaves of the same word
        same = hypernym_question == QUESTION
        self._patterns = [(_pattern(QUESTION), True, same)]
        if not same:
            self._patterns.append((_pattern(hypernym_question), False, True))
        self._leaves = _by_text(world.leaves)
        self._hypernyms = _by_text(world.hypernyms)
        for wording, word in aliases.items():
            for row in self._hypernyms.get(surface(word), ()):
                self._hypernyms[surface(wording)].add(row)
        self._known: dict[str, Asked] = {}

    def asked(self, turn: Turn) -> Asked:
        """What a turn asks.

        Raises:
            DataError: The question has another form, or names nothing of the dataset.
        """
        if turn.question not in self._known:
            self._known[turn.question] = self._find(turn)
        return self._known[turn.question]

    def _find(self, turn: Turn) -> Asked:
        texts = [
            (surface(match.group(1)), of_leaves, of_hypernyms)
            for pattern, of_leaves, of_hypernyms in self._patterns
            if (match := pattern.fullmatch(turn.question))
        ]
        if not texts:
            raise DataError(
                f"{turn.where}: a question must read {QUESTION!r} with a concept for {{phrase}}, "
                f"got {turn.question!r}"
            )
        for text, of_leaves, of_hypernyms in texts:
            for form in (text, _ARTICLE.sub("", text)):
                leaves = self._leaves.get(form) if of_leaves else None
                hypernyms = self._hypernyms.get(form) if of_hypernyms else None
                if leaves or hypernyms:
                    return Asked(frozenset(leaves or ()), frozenset(hypernyms or ()))
        names = [*self._leaves, *self._hypernyms]
        raise DataError(f"{turn.where}: {unknown('concept in a question', texts[0][0], names)}")


def _pattern(template: str) -> re.Pattern[str]:
    before, _, after = template.partition("{phrase}")
    return re.compile(f"{re.escape(before)}(.+?){re.escape(after)}", re.IGNORECASE)


def _by_text(concepts: Concepts) -> dict[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for row, (word, phrase) in enumerate(zip(concepts.words, concepts.phrases, strict=True)):
        for text in (word, surface(phrase), _ARTICLE.sub("", surface(phrase))):
            found[text].add(row)
    return found


class Images:
    """Images of a dataset by a path in a chat file."""

    def __init__(self, taxonomy: Taxonomy, *, allow_outside: bool = False) -> None:
        """Index a dataset.

        Args:
            taxonomy: The dataset.
            allow_outside: Look at files outside the chat file's folder too.
        """
        self._allow_outside = allow_outside
        columns = taxonomy.images.select(["image_id", "uri", "sha256"]).to_pydict()
        self._by_uri: dict[str, set[int]] = defaultdict(set)
        self._by_name: dict[str, list[tuple[tuple[str, ...], int]]] = defaultdict(list)
        self._by_hash: dict[str, set[int]] = defaultdict(set)
        for image, uri, digest in zip(*columns.values(), strict=True):
            parts = PurePosixPath(uri).parts
            self._by_uri[uri].add(image)
            self._by_name[parts[-1] if parts else ""].append((parts, image))
            self._by_hash[digest].add(image)
        self._known: dict[tuple[Path, str], int] = {}

    def find(self, turn: Turn) -> int:
        """The id of a turn's image: by uri, by the end of the uri, else by the file's bytes.

        Raises:
            DataError: No image of the dataset, or several.
        """
        key = (turn.folder, turn.image)
        if key not in self._known:
            self._known[key] = self._find(turn)
        return self._known[key]

    def _find(self, turn: Turn) -> int:
        parts = tuple(part for part in PurePosixPath(turn.image).parts if part != ".")
        found = self._by_uri.get(turn.image) or {
            image
            for whole, image in self._by_name.get(parts[-1] if parts else "", ())
            if whole[len(whole) - len(parts) :] == parts
        }
        if not found:
            found = self._by_hash.get(self._file_sha256(turn), set())
        if len(found) == 1:
            return next(iter(found))
        if found:
            raise DataError(
                f"{turn.where}: image {turn.image!r} may be any of {len(found)} images of the "
                "dataset: name it with its folders"
            )
        raise DataError(
            f"{turn.where}: image {turn.image!r} is none of the dataset's, neither by its path "
            "nor by the bytes of such a file"
        )

    def _file_sha256(self, turn: Turn) -> str:
        """The hash of the file that a turn names; empty if there is none.

        Raises:
            DataError: It leads out of the chat file's folder, or cannot be read.
        """
        file = inside(turn.folder, turn.image, turn.where, allow_outside=self._allow_outside)
        return sha256(read_bytes(file)).hexdigest() if os.path.isfile(file) else ""
