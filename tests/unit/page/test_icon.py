"""The icon of a server's tabs."""

from __future__ import annotations

import struct
import zlib

from app_server.page import favicon


def test_the_icon_file_holds_sound_images_in_three_sizes() -> None:
    content_type, data = favicon()
    assert content_type == "image/vnd.microsoft.icon"
    reserved, kind, count = struct.unpack_from("<HHH", data)
    assert (reserved, kind, count) == (0, 1, 3)
    for index, expected in enumerate((16, 32, 48)):
        width, height, *_, size, offset = struct.unpack_from("<BBBBHHII", data, 6 + 16 * index)
        assert (width, height) == (expected, expected)
        image = data[offset : offset + size]
        assert image.startswith(b"\x89PNG\r\n\x1a\n") and image.endswith(b"IEND\xaeB`\x82")
        start = image.index(b"IDAT") + 4
        pixels = zlib.decompress(image[start : image.index(b"IEND") - 8])
        assert len(pixels) == expected * (4 * expected + 1)
        assert pixels[4] == 0, "the corner is transparent"
