"""All readers by name."""

from __future__ import annotations

import functools
from pathlib import Path

from tests.fuzz.case import Reader
from tests.fuzz.kept_readers import kept_readers
from tests.fuzz.text_readers import text_readers


@functools.cache
def readers(home: Path) -> dict[str, Reader]:
    return {one.name: one for one in (*text_readers(home), *kept_readers(home))}


NAMES = (
    "csv", "things", "leaves", "hypernyms", "synsets", "imagefolder", "pictures", "wordnet",
    "relations", "chat", "exported", "caption-table", "caption-paths", "caption-shard",
    "caption-json", "winoground-lines", "winoground-table", "class-names", "class-names-table",
    "class-list", "pairs", "texts", "texts-table", "capabilities", "capabilities-table",
    "released", "stages", "plan",
    "caption-set", "text-set", "feature-set", "given-npz", "given-tensors", "scene-set", "probe",
    "encoder", "note", "record", "projector", "vlm-state", "aligner", "align-state", "decoder",
    "binding-state", "card",
)  # fmt: skip
