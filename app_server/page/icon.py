"""The logo: a rising line on a rounded square, as SVG for pages and as an icon file for tabs."""

from __future__ import annotations

import struct
import zlib
from functools import cache
from math import hypot

_POINTS = ((7.0, 21.5), (13.0, 14.5), (18.0, 18.5), (25.0, 9.5))
_SIDE = 32.0
_CORNER = 8.5
_LINE = 1.6  # half of the stroke's width
_DOT = 3.2
_FROM = (0x6E, 0x56, 0xCF)
_TO = (0x12, 0x9A, 0x8C)
_SIZES = (16, 32, 48)


def mark() -> str:
    """The logo as an SVG element. Its gradient has an id, so use it once in a page."""
    points = " ".join(f"{x:g},{y:g}" for x, y in _POINTS)
    (x, y) = _POINTS[-1]
    return (
        '<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><defs>'
        '<linearGradient id="mark" x1="0" y1="0" x2="1" y2="1">'
        f'<stop stop-color="{_hex(_FROM)}"/><stop offset="1" stop-color="{_hex(_TO)}"/></linearGradient></defs>'
        f'<rect width="32" height="32" rx="{_CORNER}" fill="url(#mark)"/>'
        f'<polyline points="{points}" fill="none" stroke="#fff" stroke-width="{2 * _LINE}" '
        f'stroke-linecap="round" stroke-linejoin="round"/><circle cx="{x:g}" cy="{y:g}" r="{_DOT}" fill="#fff"/></svg>'
    )


@cache
def favicon() -> tuple[str, bytes]:
    """The Content-Type and the bytes of an icon file with the logo, in the sizes that browsers request."""
    images = [_png(size) for size in _SIZES]
    offset = 6 + 16 * len(images)
    entries = b""
    for size, image in zip(_SIZES, images, strict=True):
        entries += struct.pack("<BBBBHHII", size, size, 0, 0, 1, 32, len(image), offset)
        offset += len(image)
    return "image/vnd.microsoft.icon", struct.pack("<HHH", 0, 1, len(images)) + entries + b"".join(images)


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def _png(size: int) -> bytes:
    rows = b"".join(b"\0" + b"".join(_pixel(column, row, size) for column in range(size)) for row in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 6, 0, 0, 0)  # 8 bits, red green blue alpha
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _pixel(column: int, row: int, size: int) -> bytes:
    """Red, green, blue and alpha; an edge covers a pixel by as much as it is nearer than half a pixel."""
    scale = _SIDE / size
    x, y = (column + 0.5) * scale, (row + 0.5) * scale
    line = min(_distance(x, y, a, b) for a, b in zip(_POINTS, _POINTS[1:], strict=False)) - max(_LINE, 0.8 * scale)
    dot = hypot(x - _POINTS[-1][0], y - _POINTS[-1][1]) - _DOT
    white = _cover(min(line, dot) / scale)
    position = (x + y) / (2 * _SIDE)
    colour = (start + (end - start) * position for start, end in zip(_FROM, _TO, strict=True))
    alpha = _cover(_edge(x, y) / scale)
    return bytes([*(round(part + (255 - part) * white) for part in colour), round(255 * alpha)])


def _cover(distance: float) -> float:
    return min(max(0.5 - distance, 0.0), 1.0)


def _edge(x: float, y: float) -> float:
    """The distance to the rounded square's edge, negative inside."""
    dx, dy = (abs(value - _SIDE / 2) - (_SIDE / 2 - _CORNER) for value in (x, y))
    return hypot(max(dx, 0), max(dy, 0)) + min(max(dx, dy), 0) - _CORNER


def _distance(x: float, y: float, a: tuple[float, float], b: tuple[float, float]) -> float:
    """The distance from a point to the segment between two others."""
    along, across = b[0] - a[0], b[1] - a[1]
    share = ((x - a[0]) * along + (y - a[1]) * across) / (along * along + across * across)
    share = min(max(share, 0), 1)
    return hypot(x - a[0] - share * along, y - a[1] - share * across)
