"""Sessions in a folder on a disk that is full, or that can only be read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tools.run_tests import UNSHARE_ROOT

FULL = """
import sys
from pathlib import Path
from app_server.store.base import Write, session_key
from app_server.store.errors import Unavailable
from app_server.store.folder import FolderStore

store = FolderStore(sys.argv[1], ttl_s=100, max_bytes=10**6)
store.check()
first, second, third = (store.claim(session_key("", name), create=True) for name in "abc")
store.write([Write(claim, b"begin", True) for claim in (first, second, third)])
for claim, replaces in ((first, False), (first, True)):
    try:
        store.write([Write(claim, b"x" * 200_000, replaces), Write(second, b".", False)])
    except Unavailable as error:
        print(error, [each is first for each in error.unwritten])
print([store.read(claim, 100) for claim in (first, second, third)], len(list(Path(sys.argv[1]).iterdir())))
filler = Path(sys.argv[1], "filler").open("wb", buffering=0)
try:
    while True:
        filler.write(bytes(4096))
except OSError:
    pass
try:
    store.put("bookmark", b"x" * 10_000, 10)
except Unavailable as error:
    print(error)
Path(sys.argv[1], "filler").unlink()
store.write([Write(first, b" goes on", False)])
print(store.read(first, 100))
"""

READ_ONLY = """
import subprocess, sys
from app_server.errors import OperatorError
from app_server.store.base import Write, session_key
from app_server.store.errors import Unavailable
from app_server.store.folder import FolderStore

store = FolderStore(sys.argv[1], ttl_s=100, max_bytes=10**6)
store.check()
claim = store.claim(session_key("", "a"), create=True)
store.write([Write(claim, b"begin", True)])
store.release(claim)
subprocess.run(["mount", "-o", "remount,ro", sys.argv[1]], check=True)
for call in (store.check, lambda: store.claim(claim.key, create=False), lambda: store.put("bookmark", b"", 1)):
    try:
        call()
    except (OperatorError, Unavailable) as error:
        print(type(error).__name__, error)
print(len(list(store.entries())))
"""


def run_on(folder: Path, program: str) -> list[str]:
    """The lines that the program prints in a mount namespace where the folder is a disk of 64 KiB."""
    folder.mkdir(mode=0o700)
    mount = f'mount -t tmpfs -o size=64k,mode=700 none {folder} && exec "$@"'
    command = [os.environ.get("APP_SERVER_TEST_UNSHARE", "unshare"), *UNSHARE_ROOT, "--mount", "sh", "-c", mount, "sh"]
    command += [sys.executable, "-c", program, str(folder)]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()


def test_a_full_disk_loses_one_write_and_nothing_before_it(tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    assert run_on(folder, FULL) == [
        f"{folder}: No space left on device [True]",
        f"{folder}: No space left on device [True]",
        "[b'begin', b'begin..', b'begin'] 3",
        f"{folder}: No space left on device",
        "b'begin goes on'",
    ]


def test_a_disk_that_can_only_be_read_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "sessions"
    assert run_on(folder, READ_ONLY) == [
        f"OperatorError --store: sessions cannot be saved in {folder}: Read-only file system."
        " Name a folder that this user can write, on a disk that has room.",
        f"Unavailable {folder}: Read-only file system",
        f"Unavailable {folder}: Read-only file system",
        "1",
    ]
