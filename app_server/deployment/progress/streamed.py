"""A program whose output is read line by line while it runs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence

from app_server import programs
from app_server.deployment.reason import plain

_PATIENCE_S = 10.0
"""How long a program may take to end after Ctrl-C, before it is killed."""


def stream(words: Sequence[str], line: Callable[[str], None], env: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a program; its status, and all that it has printed. `line` gets each line as soon as it is there.

    FileNotFoundError for a missing program.
    """
    said: list[str] = []
    process = subprocess.Popen(
        words, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    assert process.stdout is not None
    with process.stdout:
        try:
            for each in process.stdout:
                text = plain(each).rstrip()
                said.append(text)
                line(text)
        except BaseException:
            programs.end(process, _PATIENCE_S)
            raise
    return process.wait(), "\n".join(said)
