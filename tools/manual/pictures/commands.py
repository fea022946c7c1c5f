"""What commands print at a terminal."""

from __future__ import annotations

import io
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from contextlib import suppress
from fcntl import ioctl
from pathlib import Path

from playwright.sync_api import Browser
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from tools.manual.pictures.camera import PATHS, compressed, wait_drawn, window
from tools.manual.pictures.pages import Pictures
from tools.manual.pictures.serving import environment_in, free_port, serving

COLUMNS = 104
BACKGROUND = (28, 33, 40)
COLORS = SVG_EXPORT_THEME
"""Made for a dark background, as this one is."""
_STYLE = f"body {{ margin: 0; background: rgb{BACKGROUND}; }}" + """
pre { width: 104ch; white-space: pre-wrap; overflow-wrap: anywhere; margin: 0; padding: 16px 20px; color: #d7dce2;
      font: 14px/1.4 "DejaVu Sans Mono", "Liberation Mono", monospace; }
"""

DEPLOYMENT = """\
apps:
  sales: sales.py
  working: {path: working.py, workers: 4}
public: tools.example.org
instances: 2
proxy:
  timeouts: {websocket_s: 60}
"""


def server(started: Browser, place: Path) -> Pictures:
    """The versions, and a running server: its status, and what the doctor says of it."""
    yield "info", run(started, place, "info")
    words = ("serve", "sales.py", "working.py", "--address", "localhost", "--port", str(free_port()))
    yield "serve", run(started, place, *words, until="Ctrl-C to stop")
    with serving(place, "sales.py", "working.py", "--num-procs", "2") as served:
        with window(started) as one, window(started) as two:
            for page, name in ((one, "sales"), (two, "working")):
                page.goto(f"{served.url}/{name}")
                wait_drawn(page)
            yield "status", run(started, place, "status", "--once", str(served.pid))
        yield "doctor", run(started, place, "doctor", f"{served.url}/sales")


def deployment(started: Browser, place: Path) -> Pictures:
    """Errors of a deployment's file, and what a change of it means."""
    (place / "deploy.yaml").write_text(DEPLOYMENT, encoding="utf-8")
    yield "deploy-errors", run(started, place, "config", "nginx")
    good = DEPLOYMENT.replace(", workers: 4", "").replace("websocket_s: 60", "websocket_s: 3600")
    (place / "deploy.yaml").write_text(good, encoding="utf-8")
    subprocess.run(_command("config", "commands", "--output", "out"), cwd=place, env=_variables(place), check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    (place / "deploy.yaml").write_text(good.replace("instances: 2", "instances: 3"), encoding="utf-8")
    yield "config-diff", run(started, place, "config", "commands", "--output", "out", "--diff")


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "app_server", *words]


def _variables(place: Path) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI")}
    return {**kept, **environment_in(place), "TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": "50"}


def run(started: Browser, place: Path, *words: str, until: str | None = None) -> bytes:
    """A picture of a command line of ours, and of what it prints to a terminal; see `in_terminal`."""
    printed = in_terminal(_command(*words), place, _variables(place), until=until).rstrip()
    line = f"app-server {shlex.join(words)}\n"
    for path, shown in PATHS.items():
        printed, line = re.sub(path, shown, printed), re.sub(path, shown, line)
    line = re.sub(r"--port \d+", "--port 5006", line)
    console = Console(width=COLUMNS, record=True, file=io.StringIO(), color_system="truecolor")
    prompt = Text.assemble(("$ ", "bold green"), (line, "bold"))
    console.print(Text.assemble(prompt, Text.from_ansi(printed)), soft_wrap=True)
    body = console.export_html(theme=COLORS, inline_styles=True, code_format="{code}")
    with window(started, 1100, 900) as page:
        page.set_content(f"<style>{_STYLE}</style><pre>{body}</pre>")
        return compressed(page.locator("pre").screenshot())


def in_terminal(
    command: list[str], place: Path, variables: Mapping[str, str], *, until: str | None = None
) -> str:  # fmt: skip
    """What a command prints to a terminal, with its colors; it gets Ctrl-C after it has printed `until`."""
    ours, theirs = pty.openpty()
    ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    process = subprocess.Popen(command, cwd=place, env=variables, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed = b""
    with suppress(OSError):  # how a terminal ends on Linux when its last program has
        while part := os.read(ours, 65536):
            printed += part
            if until is not None and until.encode() in printed:
                process.send_signal(signal.SIGINT)
                break
    process.wait()
    os.close(ours)
    return printed.decode("utf-8").replace("\r\n", "\n")
