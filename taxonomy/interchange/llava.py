"""The conversations of a manifest: a list of entries with id, image and turns.

LLaVA's and Prismatic's loaders read a JSON list of {"id", "image", "conversations"}; turns are
{"from": "human" or "gpt", "value": text}, the first human one with "<image>". Prismatic's align
stage wants exactly two turns an entry, its finetune stage and LLaVA take more.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from taxonomy.errors import ConfigError
from taxonomy.model import Manifest, Taxonomy, one_of

QUESTION = "Is there {phrase} in the image?"
"""What is asked, with {phrase} for the concept's asked form."""
IMAGE_TOKEN = "<image>"
PER = ("question", "image")
IMAGES = ("none", "copy")
SIDECAR = "manifest.json"
TRAINING, VALIDATION, TEST = "chat.json", "validation.json", "test.json"

Entry = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a manifest is laid out in files."""

    per: str = "question"
    """One entry a question (what S1's code reads), or one an image, a turn a question."""
    images: str = "none"
    """none: an image is named by its uri; copy: by its place under images/."""
    question: str = QUESTION
    """Question about a leaf."""
    hypernym_question: str = QUESTION
    """Question about a hypernym, or another target of the manifest's relation."""

    def __post_init__(self) -> None:
        one_of("per", self.per, PER)
        one_of("images", self.images, IMAGES)
        for name in ("question", "hypernym_question"):
            text = getattr(self, name)
            if text.count("{") != 1 or text.count("}") != 1 or "{phrase}" not in text:
                raise ConfigError(f"{name} must hold {{phrase}} once, got {text!r}")

    def as_dict(self) -> dict[str, str]:
        """Every setting by name, for the sidecar."""
        return asdict(self)


def image_paths(taxonomy: Taxonomy, layout: Layout) -> dict[int, str]:
    """What the entries call each image, by image id.

    For layout copy images/<leaf>/<image id>.<suffix of the uri, png for embedded pictures>.
    """
    table = taxonomy.images.select(["image_id", "concept_id", "uri"]).to_pydict()
    ids, owners, uris = table.values()
    if layout.images == "none":
        return dict(zip(ids, uris, strict=True))
    named = taxonomy.concepts.select(["concept_id", "key"]).to_pydict()
    folders = {
        concept: re.sub(r"[^\w.-]", "_", key.partition("/")[2] or key)
        for concept, key in zip(*named.values(), strict=True)
    }
    return {
        image: f"images/{folders[owner]}/{image:06}{PurePosixPath(uri).suffix or '.png'}"
        for image, owner, uri in zip(ids, owners, uris, strict=True)
    }


def chat_files(taxonomy: Taxonomy, manifest: Manifest, layout: Layout) -> dict[str, list[Entry]]:
    """The entries of each file: training, validation and test questions.

    Questions of the train split that the design leaves out are in none of them. The order is
    that of the manifest's rows.
    """
    rows = manifest.examples
    parts = {
        TRAINING: rows["in_training"],
        VALIDATION: pc.equal(rows["split"], "validation"),
        TEST: pc.equal(rows["split"], "test"),
    }
    paths = image_paths(taxonomy, layout)
    return {
        name: _entries(taxonomy, rows.filter(mask), layout, paths) for name, mask in parts.items()
    }


def _entries(
    taxonomy: Taxonomy, rows: pa.Table, layout: Layout, paths: dict[int, str]
) -> list[Entry]:
    named = taxonomy.concepts.select(["concept_id", "phrase"]).to_pydict()
    phrases = dict(zip(*named.values(), strict=True))
    templates = {"leaf": layout.question, "hypernym": layout.hypernym_question}
    entries: list[Entry] = []
    last_image: int | None = None
    for row in rows.select(["example_id", "image_id", "asked_id", "kind", "answer"]).to_pylist():
        text = templates[row["kind"]].replace("{phrase}", phrases[row["asked_id"]])
        if layout.per == "question" or row["image_id"] != last_image:
            number = row["example_id" if layout.per == "question" else "image_id"]
            entry: Entry = {"id": str(number), "image": paths[row["image_id"]]}
            entries.append(entry | {"conversations": []})
            text = f"{IMAGE_TOKEN}\n{text}"
            last_image = row["image_id"]
        entries[-1]["conversations"] += [
            {"from": "human", "value": text},
            {"from": "gpt", "value": "Yes" if row["answer"] else "No"},
        ]
    return entries
