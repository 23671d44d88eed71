"""The twelve artwork styles: where each comes from, its family and its licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NAMES_PACKAGE = "unicode-emoji-json@0.9.0"


@dataclass(frozen=True, kw_only=True)
class Style:
    """One artwork style of the bundle."""

    name: str
    """Name as in styles.json."""
    family: str
    """Styles of one family are redrawings of one design and never cross splits."""
    package: str
    """npm package@version, or deb:package=version."""
    reader: str = "iconify"
    """How its drawings are found: iconify (one JSON file), folder (SVG files) or font."""
    files: str = "package/icons.json"
    """Where they are in the unpacked package, a glob pattern."""
    old_names: bool = False
    """True if its drawings also go by the names of the Unicode characters."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """Names in spec.txt to the set's own names, where no rule leads there."""
    license: str
    """SPDX identifier, or LicenseRef-Symbola."""
    attribution: str
    """Who made it, as the licence asks to be said."""


_GOOGLE = "Noto Emoji, copyright Google LLC"
_FLUENT = "Fluent Emoji, copyright Microsoft Corporation"
_EMOJIONE = "EmojiOne 2, copyright Ranks.com Inc., by way of EmojiTwo; rendered at 64 px"

STYLES = (
    Style(
        name="noto",
        family="noto",
        package="@iconify-json/noto@1.2.9",
        license="Apache-2.0",
        attribution=_GOOGLE,
    ),
    Style(
        name="noto-blob",
        family="noto-blob",
        package="@iconify-json/noto-v1@1.2.5",
        old_names=True,
        license="Apache-2.0",
        attribution=f"{_GOOGLE} (version 1)",
    ),
    Style(
        name="twemoji",
        family="twemoji",
        package="@iconify-json/twemoji@1.2.5",
        license="CC-BY-4.0",
        attribution="Twemoji, copyright Twitter, Inc. and other contributors; rendered at 64 px",
    ),
    Style(
        name="fluent",
        family="fluent",
        package="fluentui-emoji@1.3.0",
        reader="folder",
        files="package/icons/modern/*.svg",
        license="MIT",
        attribution=_FLUENT,
    ),
    Style(
        name="fluent-flat",
        family="fluent",
        package="@iconify-json/fluent-emoji-flat@1.2.6",
        license="MIT",
        attribution=f"{_FLUENT} (flat)",
    ),
    Style(
        name="fluent-hc",
        family="fluent",
        package="@iconify-json/fluent-emoji-high-contrast@1.2.6",
        license="MIT",
        attribution=f"{_FLUENT} (high contrast)",
    ),
    Style(
        name="emojione2",
        family="emojione2",
        package="@iconify-json/emojione@1.2.3",
        old_names=True,
        license="CC-BY-4.0",
        attribution=_EMOJIONE,
    ),
    Style(
        name="emojione-mono",
        family="emojione2",
        package="@iconify-json/emojione-monotone@1.2.1",
        old_names=True,
        license="CC-BY-4.0",
        attribution=f"{_EMOJIONE} (monotone)",
    ),
    Style(
        name="fxemoji",
        family="fxemoji",
        package="@iconify-json/fxemoji@1.2.2",
        old_names=True,
        renamed={"raised hand": "hand"},
        license="Apache-2.0",
        attribution="FxEmojis (Firefox OS Emoji), copyright Mozilla Foundation",
    ),
    Style(
        name="streamline",
        family="streamline",
        package="@iconify-json/streamline-emojis@1.2.4",
        license="CC-BY-4.0",
        attribution="Streamline Emojis, copyright Streamline; rendered at 64 px",
    ),
    Style(
        name="noto-mono",
        family="noto",
        package="@fontsource/noto-emoji@5.3.2",
        reader="font",
        files="noto-emoji-[0-9]*-400-normal.woff",
        license="OFL-1.1",
        attribution="Noto Emoji font (monochrome), copyright The Noto Emoji Project Authors",
    ),
    Style(
        name="symbola",
        family="symbola",
        package="deb:fonts-symbola=2.60-1.1",
        reader="font",
        files="Symbola_hint.ttf",
        license="LicenseRef-Symbola",
        attribution="Symbola, copyright 2007-2015 George Douros",
    ),
)
