"""Tiny files of captions and pictures, written as their authors write them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def picture(seed: int, kind: str = "PNG", side: int = 24) -> bytes:
    """A noisy picture."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 4, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


PAIRS = [
    ("an owl at night", picture(0)),
    ("a hen", picture(1)),
    ("an owl at night", picture(2)),
    ("a saw and an axe", picture(0)),
    ("a parrot", picture(3, "JPEG")),
]
"""Five pairs of four texts and four pictures."""


def parquet(
    path: Path, pairs: Sequence[tuple[str | None, bytes | None]] = PAIRS, caption: str = "caption"
) -> Path:
    """As Hugging Face keeps pictures, two rows a group."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": content, "path": None} for _, content in pairs]
    columns = {
        "url": pa.array(["u"] * len(pairs)),
        "image": pa.array(images, STRUCT),
        caption: pa.array([text for text, _ in pairs], pa.string()),
    }
    pq.write_table(pa.table(columns), path, row_group_size=2)
    return path


def tar(path: Path, members: Mapping[str, bytes]) -> Path:
    """A shard."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def members(pairs: Sequence[tuple[str, bytes]] = PAIRS, first: int = 0) -> dict[str, bytes]:
    """What a shard of img2dataset holds."""
    found: dict[str, bytes] = {}
    for place, (text, content) in enumerate(pairs, first):
        found[f"{place:05d}.jpg"] = content
        found[f"{place:05d}.json"] = json.dumps({"caption": "other", "sha": 1}).encode()
        found[f"{place:05d}.txt"] = f"{text}\n".encode()
    return found


def turns(text: str) -> list[dict[str, str]]:
    """A conversation of LLaVA's pretraining."""
    return [
        {"from": "human", "value": "Give a brief description of the image.\n<image>"},
        {"from": "gpt", "value": text},
        {"from": "human", "value": "And?"},
        {"from": "gpt", "value": "nothing more"},
    ]


def llava(folder: Path, pairs: Sequence[tuple[str, bytes]] = PAIRS) -> Path:
    """chat.json, and the pictures in a folder beside it."""
    (folder / "images" / "00").mkdir(parents=True)
    entries: list[dict[str, Any]] = []
    for place, (text, content) in enumerate(pairs):
        name = f"00/{place}.jpg"
        (folder / "images" / name).write_bytes(content)
        entries.append({"id": f"GCC_{place}", "image": name, "conversations": turns(text)})
    path = folder / "chat.json"
    path.write_text(json.dumps(entries))
    return path
