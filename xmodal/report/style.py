"""The look of every figure: colours, shapes, sizes, and the files they are written to."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert as vlc

from xmodal.files import write_whole

# Okabe and Ito's palette: told apart with any colour vision
BLUE, ORANGE, VERMILION, GREEN = "#0072B2", "#E69F00", "#D55E00", "#009E73"
PURPLE, SKY, BLACK = "#CC79A7", "#56B4E9", "#000000"
GREY = "#555555"
COLOURS = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, BLACK)
"""For series, neighbours far apart."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
"""Beside the colours, for grey printing."""
DASHES = ([1, 0], [6, 3], [2, 2], [8, 2, 2, 2])
COLUMN = 240
"""Points: the width of one column of a paper, 3.33 inches; a figure is one or two wide."""
SMALL, TEXT, HEADING = 7, 8, 9
"""Points, at print size: of labels, of axis titles and legends, of the title."""
LONG = 26
"""Letters: with longer names a legend has one column."""
Rows = Sequence[Mapping[str, Any]]


def inline(rows: Rows) -> Any:
    """Rows as the data of a chart."""
    return alt.InlineData(values=[dict(row) for row in rows])


def packed(rows: Rows) -> Any:
    """The same as one text, which layers and panels share: Altair copies rows many times."""
    text = json.dumps([dict(row) for row in rows])
    return alt.InlineData(values=text, format=alt.JsonDataFormat(type="json"))


def spec_of(chart: Any) -> dict[str, Any]:
    """A chart as Vega-Lite, its data as rows."""
    # its parts were checked as they were made; the whole takes ten times as long to check
    spec: dict[str, Any] = chart.to_dict(validate=False)
    for name, data in spec.get("datasets", {}).items():
        if isinstance(data, str):
            spec["datasets"][name] = json.loads(data)
    return spec


def series_scales(names: Mapping[Any, str], drawn: Sequence[Any]) -> tuple[alt.Scale, alt.Scale]:
    """Scales of colour and of shape over the names of some series.

    Args:
        names: Of all series, in order: one looks the same in every figure that is given the
            same names.
        drawn: Keys of those that are drawn.

    Returns:
        Two scales of one domain; no two series of the first 49 have both in common.
    """
    at = [n for n, key in enumerate(names) if key in set(drawn)]
    every = list(names.values())
    domain = [every[n] for n in at]
    colours = [COLOURS[(n + n // len(SHAPES)) % len(COLOURS)] for n in at]
    return (
        alt.Scale(domain=domain, range=colours),
        alt.Scale(domain=domain, range=[SHAPES[n % len(SHAPES)] for n in at]),
    )


def series_channels(field: str, names: Sequence[str]) -> tuple[alt.Color, alt.Shape]:
    """Colour and shape by a field, with one legend below.

    Args:
        field: Whose values are the names.
        names: All of them, in order; panels of one figure are given the same.
    """
    colours, shapes = series_scales({name: name for name in names}, names)
    columns = 2 if max(map(len, names), default=0) <= LONG else 1
    legend = alt.Legend(
        orient="bottom", columns=columns, title=None, symbolOpacity=1, direction="vertical"
    )
    return (
        alt.Color(field=field, type="nominal", scale=colours, sort=None, legend=legend),
        alt.Shape(field=field, type="nominal", scale=shapes, sort=None, legend=legend),
    )


def printed(chart: Any) -> Any:
    """The chart with letters and lines for print at its own size, one pixel a point.

    Args:
        chart: At the top level, without a configuration.
    """
    return (
        chart.configure_view(stroke=None)
        .configure_axis(
            labelFontSize=SMALL, titleFontSize=TEXT, titleFontWeight="normal", titlePadding=3,
            labelPadding=2, tickSize=3, gridOpacity=0.6, labelLimit=150, titleLimit=COLUMN,
        )
        .configure_legend(
            labelFontSize=SMALL, titleFontSize=TEXT, titleFontWeight="normal", symbolSize=40,
            rowPadding=1, columnPadding=6, labelLimit=220, titleLimit=COLUMN, offset=6,
        )
        .configure_header(labelFontSize=TEXT, titleFontSize=TEXT)
        .configure_title(
            fontSize=HEADING, subtitleFontSize=SMALL, subtitleColor=GREY, anchor="start", offset=6,
            subtitlePadding=3, frame="bounds",
        )
    )  # fmt: skip


_EMBED = "window.vegaEmbed = vegaEmbed;"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>xmodal</title></head>
<body>
<div id="chart"></div>
<script>{script}</script>
<script>vegaEmbed("#chart", {spec}, {{"renderer": "svg", "actions": false}});</script>
</body>
</html>
"""


def page(spec: Mapping[str, Any], script: str) -> str:
    """One page with a chart and what draws it; no name in the data can end the script it is in.

    Args:
        spec: Vega-Lite.
        script: That defines vegaEmbed.
    """
    text = json.dumps(spec).replace("<", "\\u003c")
    return _PAGE.format(script=script, spec=text)


FORMATS: Mapping[str, Callable[[dict[str, Any]], bytes]] = {
    "png": lambda spec: vlc.vegalite_to_png(spec, scale=2, allowed_base_urls=[]),
    "svg": lambda spec: vlc.vegalite_to_svg(spec, allowed_base_urls=[]).encode(),
    "pdf": lambda spec: vlc.vegalite_to_pdf(spec, allowed_base_urls=[]),
    "json": lambda spec: json.dumps(spec, indent=1, sort_keys=True).encode(),
    "html": lambda spec: page(spec, vlc.javascript_bundle(_EMBED)).encode(),
}
"""By ending, from a Vega-Lite specification to the file's bytes. Nothing is fetched."""


def save_chart(
    chart: alt.TopLevelMixin, stem: Path, formats: Sequence[str] = ("png", "svg")
) -> list[Path]:
    """Write a chart, as PNG with two pixels a point.

    Args:
        chart: Any Altair chart.
        stem: Path without ending.
        formats: Of FORMATS.

    Returns:
        The paths, in the order of the formats.
    """
    spec = spec_of(chart)
    paths = []
    for name in formats:
        paths.append(stem.with_name(f"{stem.name}.{name}"))
        write_whole(paths[-1], partial(_fill, made=FORMATS[name](spec)))
    return paths


def _fill(path: Path, made: bytes) -> None:
    path.write_bytes(made)
