"""Concept separation: which classes are unseen, and what training may not see of them."""

from __future__ import annotations

from taxonomy.separation.audit import audit
from taxonomy.separation.build import build_separation, separate
from taxonomy.separation.captions import TextFilter
from taxonomy.separation.classes import Classes, read_classes
from taxonomy.separation.mentions import (
    FilteredTexts,
    Mentions,
    control_texts,
    filter_texts,
    find_mentions,
)
from taxonomy.separation.model import LEVELS, Removed, Separation, SeparationConfig
from taxonomy.separation.nouns import Nouns, read_nouns

__all__ = [
    "LEVELS",
    "Classes",
    "FilteredTexts",
    "Mentions",
    "Nouns",
    "Removed",
    "Separation",
    "SeparationConfig",
    "TextFilter",
    "audit",
    "build_separation",
    "control_texts",
    "filter_texts",
    "find_mentions",
    "read_classes",
    "read_nouns",
    "separate",
]
