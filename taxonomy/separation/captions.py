"""What a separation leaves of texts from elsewhere, of which nobody says what class they show."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from taxonomy.errors import ConfigError, unknown
from taxonomy.manifest.draws import Bools
from taxonomy.model import one_of
from taxonomy.separation.audit import audit
from taxonomy.separation.classes import Classes
from taxonomy.separation.mentions import control_texts, filter_texts, find_mentions
from taxonomy.separation.model import ARMS, Separation

COUNTS = pa.schema(
    [
        pa.field("level", pa.string(), nullable=False),
        pa.field("arm", pa.string(), nullable=False),
        pa.field("n_texts", pa.int64(), nullable=False),  # that training may see
        pa.field("n_dropped_texts", pa.int64(), nullable=False),
        # of n_texts, those with a word of an unseen class or of something below it
        pa.field("n_leaking_texts", pa.int64(), nullable=False),
    ]
)


class TextFilter:
    """N texts and what each level and arm of a separation leaves of them."""

    def __init__(self, separation: Separation, classes: Classes, texts: Sequence[str]) -> None:
        """Take a separation, the classes that it was made of, and texts."""
        self.separation, self.classes, self.texts = separation, classes, texts
        self._kept: dict[str, Bools] = {}

    def kept(self, level: str, arm: str) -> Bools:
        """Which texts training may see.

        Separated: none that has a word of an unseen class, as the level counts words, or the
        name of a class that the level removes. Control: none that has the name of an unseen
        class, and as many texts as in the separated arm. At level none every text, in both.

        Args:
            level: Of the separation.
            arm: separated or control.

        Returns:
            bool [N].

        Raises:
            ConfigError: The separation has no such level, or there is no such arm.
        """
        if level not in self.separation.removed:
            raise ConfigError(unknown("level", level, self.separation.levels))
        one_of("arm", arm, ARMS)
        kept = self._separated(level)
        if arm == "separated" or level == "none":
            return kept
        return control_texts(kept, self._named, self.separation.config.seed)

    def counts(self) -> pa.Table:
        """Texts by level and arm; columns of COUNTS."""
        found = []
        for level in self.separation.levels:
            for arm in ARMS:
                kept = self.kept(level, arm)
                n = int(kept.sum())
                leaking = int((kept & self.leaking).sum())
                found.append([level, arm, n, len(self.texts) - n, leaking])
        columns = zip(*found, strict=True)
        return pa.table([list(column) for column in columns], schema=COUNTS)

    @cached_property
    def leaking(self) -> Bools:
        """bool [N]: has a word of an unseen class or of something below it, as the audit reads.

        It reads another way than what drops texts.
        """
        distance = self.separation.config.distance
        ties = audit(self.classes, self.separation.unseen, (), distance=distance, texts=self.texts)
        found: Bools = np.zeros(len(self.texts), dtype=np.bool_)
        found[ties["text_row"].to_numpy()] = True
        return found

    @cached_property
    def _named(self) -> Bools:
        """bool [N]: without the name of an unseen class."""
        words = find_mentions(self.classes, self.separation.unseen, "lemma")
        return filter_texts(self.texts, words).kept

    def _separated(self, level: str) -> Bools:
        if level == "none":
            return np.ones(len(self.texts), dtype=np.bool_)
        if level not in self._kept:
            words = find_mentions(
                self.classes,
                self.separation.unseen,
                level,
                removed=self.separation.removed[level].separated,
            )
            self._kept[level] = filter_texts(self.texts, words).kept
        return self._kept[level]
