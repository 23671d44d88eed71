"""From a drawing to a 64 px palette PNG."""

from __future__ import annotations

import io

import resvg_py
from PIL import Image, ImageDraw, ImageFont

_DRAWN = 256
_FAINT = 8
_PAD = 32
_MARGIN = 1.08
_SIDE = 64
_N_COLOURS = 64


def draw_svg(svg: str) -> Image.Image | None:
    """RGBA picture of an SVG document at 256 px, cut to its ink; None if it is blank.

    Glows and shadows of an alpha up to 8 do not count as ink.
    """
    drawn = resvg_py.svg_to_bytes(
        svg_string=svg, width=_DRAWN, height=_DRAWN, skip_system_fonts=True
    )
    image = Image.open(io.BytesIO(bytes(drawn))).convert("RGBA")
    alpha = image.getchannel("A")
    box = alpha.point(lambda level: 255 if level > _FAINT else 0).getbbox()
    return None if box is None else image.crop(box)


def draw_character(font: ImageFont.FreeTypeFont, character: str) -> Image.Image | None:
    """RGBA picture of one character in black, cut to its ink; None if it is blank."""
    left, top, right, bottom = (int(edge) for edge in font.getbbox(character))
    alpha = Image.new("L", (right - left + 2 * _PAD, bottom - top + 2 * _PAD), 0)
    ImageDraw.Draw(alpha).text((_PAD - left, _PAD - top), character, font=font, fill=255)
    image = Image.new("RGBA", alpha.size, "black")
    image.putalpha(alpha)
    box = alpha.getbbox()
    return None if box is None else image.crop(box)


def font_at_size(data: io.BytesIO) -> ImageFont.FreeTypeFont:
    """The font at the size at which characters are drawn."""
    return ImageFont.truetype(data, _DRAWN, layout_engine=ImageFont.Layout.BASIC)


def to_png(inked: Image.Image) -> bytes:
    """A 64 x 64 PNG of at most 64 colours, centred on white with a margin of 4 %."""
    side = int(_MARGIN * max(inked.size))
    corner = ((side - inked.width) // 2, (side - inked.height) // 2)
    page = Image.new("RGB", (side, side), "white")
    page.paste(inked, corner, inked)
    small = page.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.quantize(_N_COLOURS, method=Image.Quantize.MEDIANCUT).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
