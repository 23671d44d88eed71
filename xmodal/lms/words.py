"""A reader without a language model: a text is the words that it has, each a column by its hash.

The baseline of every LM: what an alignment can do with text that nobody has read before.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from taxonomy.errors import ConfigError, DataError
from taxonomy.hashing import content_id, hash63
from xmodal.lms.reader import LONGEST, Pooling, TextReader, Tokenised
from xmodal.lms.text import load_text_model

BAG_OF_WORDS = "bag-of-words"
COLUMNS = 4096
_WORD = re.compile(r"\w+")
_SCHEME = content_id({"reader": BAG_OF_WORDS, "version": 1, "columns": COLUMNS})
_TAKEN = Pooling("mean", "0")
"""In the words of LMs: the mean of the embeddings, brought to unit length."""
_BLOCK = 1024
"""Texts counted together: 32 MB."""


@dataclass(frozen=True)
class BagOfWords:
    """Counts of a text's lower-cased words, in COLUMNS columns, as a vector of unit length.

    A word adds 1 to the column that its hash names, or takes 1 from it, by another bit of the
    hash, so that words that share a column make no two texts more alike on average. Words that
    leave nothing but zeros that way count without sign.
    """

    name: str = BAG_OF_WORDS
    init: str = "none"
    revision: str | None = None
    kind: str = "words"
    sha256: str = _SCHEME
    """Of the version of this scheme: there are no weights."""
    n_parameters: int = 0
    tokens_id: str = _SCHEME

    def pooling(self, name: str | None = None, layer: str | None = None) -> Pooling:
        """Mean of the embeddings: nothing else is there.

        Raises:
            ConfigError: Anything was asked for.
        """
        if name is not None or layer is not None:
            got = f"pooling {name!r}" if name is not None else f"layer {layer!r}"
            raise ConfigError(
                f"the lm {self.name} has no states to choose from, got {got}: leave pooling and "
                "layer out"
            )
        return _TAKEN

    def tokenise(self, texts: Sequence[str], pooling: Pooling, longest: int) -> list[Tokenised]:
        """The columns of words, COLUMNS more for those that count negatively.

        Args:
            texts: What is read.
            pooling: That of pooling().
            longest: Words of a text, at most.

        Raises:
            ConfigError: Another pooling.
            DataError: A text without a word.
        """
        if pooling != _TAKEN:
            self.pooling(pooling.name, pooling.layer)
        found = []
        for text in texts:
            words = _WORD.findall(text.lower())
            if not words:
                raise DataError(f"the lm {self.name} finds no word in the text {text!r}")
            ids = tuple(_token(word) for word in words[:longest])
            found.append(Tokenised(ids, (True,) * len(ids), len(words) > longest))
        return found

    def encode(
        self,
        texts: Sequence[str],
        pooling: Pooling | None = None,
        *,
        longest: int = LONGEST,
        batch_tokens: int | None = None,
        on_batch: Callable[[int], None] | None = None,
        read: Sequence[Tokenised] | None = None,
    ) -> Tensor:
        """Vectors of texts, float32 [N, COLUMNS], rows of unit length; see TextReader.encode."""
        read = self.tokenise(texts, pooling or _TAKEN, longest) if read is None else read
        vectors = torch.empty(len(read), COLUMNS)
        for start in range(0, len(read), _BLOCK):
            block = read[start : start + _BLOCK]
            vectors[start : start + _BLOCK] = torch.from_numpy(_counted(block))
            if on_batch is not None:
                on_batch(len(block))
        return vectors


def _counted(read: Sequence[Tokenised]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Unit rows, float64 [N, COLUMNS]."""
    row = np.repeat(np.arange(len(read)), [len(one.ids) for one in read])
    token = np.concatenate([one.ids for one in read])
    places = row * COLUMNS + token % COLUMNS
    signs = np.where(token < COLUMNS, 1.0, -1.0)
    size, shape = len(read) * COLUMNS, (len(read), COLUMNS)
    counts = np.bincount(places, weights=signs, minlength=size).reshape(shape)
    if not (left := counts.any(axis=1)).all():
        counts[~left] = np.bincount(places, minlength=size).reshape(shape)[~left]
    return np.asarray(counts / np.sqrt((counts * counts).sum(axis=1, keepdims=True)))


@functools.lru_cache(maxsize=2**17)
def _token(word: str) -> int:
    """The column of a word, COLUMNS more if it counts negatively."""
    return hash63(word) % (2 * COLUMNS)


def load_reader(
    name: str,
    *,
    init: str = "pretrained",
    revision: str | None = None,
    seed: int = 0,
    device: str = "cpu",
) -> TextReader:
    """What reads texts by a name: an LM, or bag-of-words.

    Args:
        name: "bag-of-words", or as of load_text_model.
        init: As of load_text_model; of bag-of-words, which has no weights, pretrained or none.
        revision: Of a hub model.
        seed: For init random.
        device: Where weights go.

    Raises:
        ConfigError: A setting that the reader does not have.
        DataError: The model cannot be found or read.
    """
    if name != BAG_OF_WORDS:
        return load_text_model(name, init=init, revision=revision, seed=seed, device=device)
    if init not in ("pretrained", "none"):
        raise ConfigError(f"the lm {name} has no weights, got lm_init {init!r}: leave it out")
    if revision is not None:
        raise ConfigError(f"the lm {name} has no revisions, got {revision!r}: leave it out")
    return BagOfWords()
