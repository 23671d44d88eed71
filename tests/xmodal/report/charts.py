"""What a chart draws, read off its specification."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def _rows(spec: Any) -> list[Any]:
    """What stands below one another: rows of panels, or panels that wrap."""
    return list(spec["concat"] if "concat" in spec else spec["vconcat"])


def panels(spec: Any) -> list[list[Any]]:
    """Rows of panels; panels that wrap are rows of one."""
    # what panels share stands above them
    return [
        [
            {"data": row.get("data") or spec.get("data")} | panel
            for panel in row.get("hconcat", [row])
        ]
        for row in _rows(spec)
    ]


def _layers(spec: Any) -> Iterator[Any]:
    for row in panels(spec):
        for panel in row:
            yield from panel.get("layer", [panel])


def drawn(spec: Any, panel: Any, mark: str) -> list[dict[str, Any]]:
    """The data of a panel's layers of one mark."""
    layers = [one for one in panel.get("layer", [panel]) if one["mark"]["type"] == mark]
    data = [layer.get("data") or panel["data"] for layer in layers]
    return [row for one in data for row in spec["datasets"][one["name"]]]


def titles(spec: Any) -> list[list[Any]]:
    """By row what stands above it or its panels: text, and subtitle where there is one."""
    found = []
    for row in _rows(spec):
        of = [row["title"]] if "title" in row else [one["title"] for one in row["hconcat"]]
        found.append([(t["text"], t.get("subtitle")) if isinstance(t, dict) else t for t in of])
    return found


def scale_of(spec: Any, channel: str) -> dict[str, str]:
    """Of a channel, by name what stands for it; the same in all layers."""
    scales = [
        layer["encoding"][channel]["scale"]
        for layer in _layers(spec)
        if channel in layer["encoding"] and "domain" in layer["encoding"][channel].get("scale", {})
    ]
    assert all(scale == scales[0] for scale in scales)
    return dict(zip(scales[0]["domain"], scales[0]["range"], strict=True))
