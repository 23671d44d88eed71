"""The errors a user can mend. Anything that is not an XmodalError is a bug."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

LONGEST = 2000
"""Characters of a message, about."""


class XmodalError(Exception):
    """The user can fix it: the message names the thing, the rule and the value got."""

    def __init__(self, message: str = "") -> None:
        """Keep the message in one line of characters that can be printed.

        Names of files and cells of tables come into it, and may hold anything.
        """
        super().__init__(one_line(message))


class ConfigError(XmodalError):
    """A setting is outside its allowed values."""


class DataError(XmodalError):
    """A file or folder given by the user cannot be used as it is."""


class ManifestError(XmodalError):
    """A manifest cannot be built or found."""


class NoRoomError(XmodalError):
    """A disk, a quota or a limit on the size of files leaves no room for what is written."""


class StoreError(XmodalError):
    """The experiment store cannot be opened, read or written as asked."""


def one_line(text: str) -> str:
    """A text without line breaks, with escapes for what cannot be printed, and not too long."""
    if len(text) > LONGEST:  # a cell of a table may hold a book
        text = f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"
    if text.isprintable():
        return text
    joined = re.sub(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*", " ", text)
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in joined)


def unknown(kind: str, got: str, valid: Iterable[str]) -> str:
    """One line that says a name is unknown and lists the nearest valid ones.

    Args:
        kind: What the name should have been, such as "hypernym".
        got: The name that was given.
        valid: All names that would have been accepted.

    Returns:
        The message, without a trailing full stop.
    """
    names = sorted(set(valid))
    near = _nearest(got, names) or names[:8]
    more = "" if len(near) == len(names) else f" (of {len(names)})"
    listed = ", ".join(near) if near else "none are there"
    return f"unknown {kind} {got!r}; valid: {listed}{more}"


def _nearest(got: str, names: list[str]) -> list[str]:
    """Up to five names like the one given, the most alike first; none if none is.

    Case counts for nothing. Where no whole name is alike, beginnings as long as the one given
    are compared: ids are given by theirs.
    """
    typed = got.casefold()
    for forms in ([name.casefold() for name in names], [n.casefold()[: len(got)] for n in names]):
        by_form: dict[str, list[str]] = {}
        for form, name in zip(forms, names, strict=True):
            by_form.setdefault(form, []).append(name)
        # of a text as long as a page nothing is alike, and the search would take minutes
        fits = 0 < len(got) <= 100
        alike = difflib.get_close_matches(typed, by_form, n=5, cutoff=0.5) if fits else []
        if alike:
            return [name for form in alike for name in by_form[form]][:5]
    return []
