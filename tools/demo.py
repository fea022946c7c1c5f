"""Serve the examples on this machine, print the address of their index, and open it in a browser.

The port is 5006, or any free one if that is in use; Ctrl-C stops the server.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import webbrowser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STORE = ROOT / "build" / "demo-sessions"
USUAL_PORT = 5006
# Importing bokeh from a cold disk can take a while.
START_DEADLINE_S = 60.0
# A little more time than the server gives its sessions.
STOP_DEADLINE_S = 15.0


def main() -> int:
    """Serve the examples, and return the server's exit status."""
    paths = examples(ROOT / "examples")
    if not paths:
        print("demo: there are no applications in examples/", file=sys.stderr)
        return 1
    port = free_port(int(os.environ.get("PORT") or USUAL_PORT))
    address = f"http://localhost:{port}/"
    command = [sys.executable, "-m", "app_server", "serve", *paths, "--address", "localhost", "--port", str(port)]
    # For the links of harmonograph, and for those who stop the demo and start it again with a page open.
    command += ["--store", str(STORE), "--store-optional"]
    # The server stops when this program ends, however it ends.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    server = subprocess.Popen(command, cwd=ROOT)
    try:
        if wait_until_ready(f"{address}readyz", server):
            print(f"\n  The examples are at {address}   (Ctrl-C stops them)\n", flush=True)
            open_browser(address)
        return server.wait()
    except KeyboardInterrupt:
        # The terminal has sent SIGINT to the server too, which now closes its sessions; do not interrupt that.
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(STOP_DEADLINE_S)
        return 0
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait()


def examples(folder: Path) -> list[str]:
    """The applications at the top of a folder: scripts, notebooks, and directories with a main file."""
    found = [
        path
        for path in sorted(folder.glob("[!._]*"))
        if path.suffix in (".py", ".ipynb") or any((path / name).is_file() for name in ("main.py", "main.ipynb"))
    ]
    return [str(path.relative_to(folder.parent)) for path in found]


def free_port(wanted: int) -> int:
    """The wanted port, or any free one if something listens there."""
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise SystemExit("demo: no port is free on 127.0.0.1")


def wait_until_ready(url: str, server: subprocess.Popen[bytes]) -> bool:
    """Whether the server has answered before it ended or the deadline passed."""
    deadline = time.monotonic() + START_DEADLINE_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    return False


def open_browser(address: str) -> None:
    """Open an address in a browser if there is a screen; a text browser would occupy the terminal."""
    if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    try:
        webbrowser.open(address)
    except webbrowser.Error:
        print("  (no browser was found to open it)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
