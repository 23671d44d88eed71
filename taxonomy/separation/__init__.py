"""Concept separation: which classes are unseen, and what training may not see of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from taxonomy.lazy import attributes

if TYPE_CHECKING:
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
    "build_separation",
    "control_texts",
    "filter_texts",
    "find_mentions",
    "read_classes",
    "read_nouns",
    "separate",
]
# when first asked for: a store that holds a separation needs no WordNet
__getattr__ = attributes(
    __name__,
    {
        "LEVELS": "model",
        "Classes": "classes",
        "FilteredTexts": "mentions",
        "Mentions": "mentions",
        "Nouns": "nouns",
        "Removed": "model",
        "Separation": "model",
        "SeparationConfig": "model",
        "TextFilter": "captions",
        "build_separation": "build",
        "control_texts": "mentions",
        "filter_texts": "mentions",
        "find_mentions": "mentions",
        "read_classes": "classes",
        "read_nouns": "nouns",
        "separate": "build",
    },
)
