"""The manual's pictures are small, all are shown, and what takes them keeps this machine's folders out."""

from __future__ import annotations

import io
import os
import platform
import re
import sys
from pathlib import Path

from PIL import Image

from tests.support.tools import ROOT
from tools.manual.pictures.camera import PATHS, compressed
from tools.manual.pictures.commands import BACKGROUND, COLORS, in_terminal
from tools.manual.pictures.serving import folder

IMAGES = ROOT / "docs" / "images"
MOST_BYTES = 1_500_000


def test_pictures_are_small_together() -> None:
    assert sum(path.stat().st_size for path in IMAGES.rglob("*.*")) < MOST_BYTES


def test_every_picture_is_shown_somewhere() -> None:
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")]
    shown = set(re.findall(r"images/([\w./-]+)", "".join(page.read_text(encoding="utf-8") for page in pages)))
    assert {path.relative_to(IMAGES).as_posix() for path in IMAGES.rglob("*.*")} <= shown


def test_compressed_picture_has_few_colors_and_is_the_same_each_time() -> None:
    written = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(written, "PNG")
    small = compressed(written.getvalue())
    with Image.open(io.BytesIO(small)) as picture:
        assert (picture.mode, picture.size) == ("P", (256, 256))
    assert small == compressed(written.getvalue())


def luminance(color: tuple[int, int, int]) -> float:
    """How bright a color is, as WCAG 2 defines it."""
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (c / 255 for c in color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_colors_of_commands_can_be_read() -> None:
    """Those that our commands use: red, green, yellow, blue, magenta and cyan, on the background of a terminal."""
    colors = [COLORS.ansi_colors[number] for number in range(1, 7)]
    contrasts = [(luminance(color) + 0.05) / (luminance(BACKGROUND) + 0.05) for color in colors]
    assert min(contrasts) > 3


def test_command_believes_that_it_has_a_terminal(tmp_path: Path) -> None:
    asked = "import os, sys; print(sys.stdout.isatty(), os.get_terminal_size().columns); sys.exit(3)"
    assert in_terminal([sys.executable, "-c", asked], tmp_path, os.environ) == "True 104\n"


def test_server_in_a_terminal_gets_ctrl_c_after_its_last_line(tmp_path: Path) -> None:
    endless = "import time; print('Ready', flush=True); time.sleep(60)"
    assert in_terminal([sys.executable, "-c", endless], tmp_path, os.environ, until="Ready").strip() == "Ready"


def test_folders_and_kernel_of_this_machine_have_other_names_in_pictures() -> None:
    with folder() as place:
        text = f"{place}/sales.py {ROOT}/app_server {sys.prefix}/bin/python Linux-{platform.release()}-x86_64"
    for path, shown in PATHS.items():
        text = re.sub(path, shown, text)
    shown = "/home/ann/plots/sales.py /home/ann/app-server/app_server /home/ann/venv/bin/python Linux-6.12.48-x86_64"
    assert text == shown
