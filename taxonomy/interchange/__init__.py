"""Manifests as files that LLaVA- and Prismatic-style code reads, and back."""

from __future__ import annotations

from taxonomy.interchange.infer import infer_manifest
from taxonomy.interchange.llava import QUESTION, SIDECAR, Layout, chat_files, image_paths
from taxonomy.interchange.reading import Files, find_files, read_turns
from taxonomy.interchange.sidecar import manifest_of, read_sidecar, sidecar

__all__ = [
    "QUESTION",
    "SIDECAR",
    "Files",
    "Layout",
    "chat_files",
    "find_files",
    "image_paths",
    "infer_manifest",
    "manifest_of",
    "read_sidecar",
    "read_turns",
    "sidecar",
]
