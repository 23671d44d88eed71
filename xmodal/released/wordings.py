"""One name for each hypernym, whatever a released file calls it."""

from __future__ import annotations

from collections.abc import Iterable
from csv import DictReader
from functools import cache
from importlib.resources import files

from taxonomy.errors import DataError, unknown
from taxonomy.sources.things_lists import categories


class Wordings:
    """Looks wordings up in the alias table of the 53 categories, and keeps those it met."""

    def __init__(self) -> None:
        self._canonical = {category.word: category.word for category in categories()}
        for category in categories():
            self._canonical.update(dict.fromkeys(category.released_as, category.word))
        self.met: dict[str, set[str]] = {}
        """Hypernym to the wordings that were looked up."""

    def hypernym(self, wording: str, where: str) -> str:
        """The category file's word for a hypernym.

        Raises:
            DataError: No category is called so; where says which file does.
        """
        if wording not in self._canonical:
            raise DataError(f"{where}: {unknown('hypernym', wording, self._canonical)}")
        word = self._canonical[wording]
        self.met.setdefault(word, set()).add(wording)
        return word

    def hypernyms(self, wordings: Iterable[str], where: str) -> list[str]:
        """The same for the columns of a file, which must be of different hypernyms."""
        given = list(wordings)
        words = [self.hypernym(wording, where) for wording in given]
        for i, word in enumerate(words):
            if word in words[:i]:
                first = given[words.index(word)]
                raise DataError(f"{where} has {word!r} twice, as {first!r} and as {given[i]!r}")
        return words


@cache
def ablated_categories() -> dict[int, frozenset[str]]:
    """Number of categories ablated -> which they are (canonical words).

    The release has them only inside its code (src/ablation/ablate_cat.py), which draws no
    sample but names them; s1_ablated.csv lists them in the wording of the result files.
    """
    text = files("xmodal.released").joinpath("s1_ablated.csv").read_text(encoding="utf-8")
    sets: dict[int, set[str]] = {}
    known = Wordings()
    for row in DictReader(text.splitlines()):
        word = known.hypernym(row["hypernym"], "s1_ablated.csv")
        sets.setdefault(int(row["n_categories"]), set()).add(word)
    return {n: frozenset(words) for n, words in sets.items()}
