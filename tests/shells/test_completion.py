"""The completion scripts in their real shells: a line, TAB, and the completed line."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app_server.cli.general.shells import SCRIPTS
from app_server.store.base import session_key
from tests.unit.cli.pretending import pretending

LONGEST_S = 60.0
_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|\x07|\r")

LINES = [
    ("app-server inf", "app-server info"),
    ("app-server config ngi", "app-server config nginx"),
    ("app-server config nginx --che", "app-server config nginx --check"),
    ("app-server deploy comp", "app-server deploy compose"),
    ("app-server completion fi", "app-server completion fish"),
    ("app-server tunnel --show gat", "app-server tunnel --show gateway"),
    ("app-server init --proxy apa", "app-server init --proxy apache"),
    ("app-server init --proxy=apa", "app-server init --proxy=apache"),
    ("app-server serve --session-ids ext", "app-server serve --session-ids external-signed"),
    ("app-server serve my_ap", "app-server serve my_app.py"),
]
"""A line, and what completes it: of several words one fits."""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with an application, and a script for each shell."""
    (tmp_path / "my_app.py").write_text("", encoding="utf-8")
    for shell, script in SCRIPTS.items():
        (tmp_path / f"script.{shell}").write_text(script + "\n", encoding="utf-8")
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    """What a shell's environment says, with `app-server` in the path and servers in the folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PATH": path, "HOME": str(home), "TERM": "xterm", "APP_SERVER_RUNTIME_DIR": str(home / "run")}


class Terminal:
    """A shell at a terminal."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._seen = ""

    def type(self, text: str) -> None:
        """Press these keys."""
        os.write(self._number, text.encode())

    def until(self, pattern: str) -> str:
        """What the first group of the pattern has matched on the screen, once it does."""
        deadline = time.monotonic() + LONGEST_S
        while (found := re.search(pattern, self._seen)) is None:
            assert time.monotonic() < deadline, self._seen
            if select.select([self._number], [], [], 0.5)[0]:
                self._seen += _CODES.sub("", os.read(self._number, 65536).decode(errors="replace"))
        self._seen = self._seen[found.end() :]
        return found[1]


@contextmanager
def at_terminal(words: list[str], home: Path) -> Iterator[Terminal]:
    """A shell that reads from a terminal, killed at the end."""
    main_end, shell_end = pty.openpty()
    process = subprocess.Popen(
        words, stdin=shell_end, stdout=shell_end, stderr=shell_end, cwd=home, env=environment(home),
        start_new_session=True,
    )  # fmt: skip
    os.close(shell_end)
    try:
        yield Terminal(main_end)
    finally:
        process.kill()
        process.wait()
        os.close(main_end)


# Control-X shows the line between brackets, as the shell has it then, and clears it.
BASH_RC = """
source script.bash
show() { printf '\\n<%s>\\n' "$READLINE_LINE"; READLINE_LINE=""; READLINE_POINT=0; }
bind -x '"\\C-x": show' 2>/dev/null
PS1='ready$ '
"""
ZSH_RC = """
autoload -Uz compinit; compinit -u
source script.zsh
show() { print -r -- $'\\n'"<$BUFFER>"; BUFFER=""; zle redisplay }
zle -N show; bindkey -e; bindkey '^X' show
PS1='ready$ '
"""


@pytest.fixture
def bash(home: Path) -> Iterator[Terminal]:
    (home / "rc").write_text(BASH_RC, encoding="utf-8")
    program = os.environ.get("APP_SERVER_TEST_BASH", "bash")
    with at_terminal([program, "--noprofile", "--rcfile", "rc", "-i"], home) as shell:
        shell.until("(ready)")
        yield shell


@pytest.fixture
def zsh(home: Path) -> Iterator[Terminal]:
    (home / ".zshrc").write_text(ZSH_RC, encoding="utf-8")
    with at_terminal([os.environ.get("APP_SERVER_TEST_ZSH", "zsh"), "-d", "-i"], home) as shell:
        shell.until("(ready)")
        yield shell


def completed(shell: Terminal, line: str) -> str:
    """The line after TAB."""
    shell.type(f"{line}\t\x18")
    return shell.until(r"<(app-server [^<>]*)>").strip()


def test_bash_completes_a_line(bash: Terminal) -> None:
    assert [completed(bash, line) for line, _ in LINES] == [whole for _, whole in LINES]


def test_zsh_completes_a_line(zsh: Terminal) -> None:
    assert [completed(zsh, line) for line, _ in LINES] == [whole for _, whole in LINES]


def fish(home: Path, line: str) -> list[str]:
    """What fish offers at the end of a line."""
    program = [os.environ.get("APP_SERVER_TEST_FISH", "fish"), "--no-config", "-c"]
    done = subprocess.run(
        [*program, 'source script.fish; complete -C "$argv[1]"', line],
        cwd=home, env=environment(home), capture_output=True, text=True, check=True, timeout=LONGEST_S,
    )  # fmt: skip
    assert done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


def test_fish_completes_a_line(home: Path) -> None:
    assert [fish(home, line) for line, _ in LINES] == [[whole.split(" ")[-1]] for _, whole in LINES]


def test_program_that_is_not_in_the_path_completes_its_own_lines(bash: Terminal, zsh: Terminal, home: Path) -> None:
    program = Path(sys.executable).parent / "app-server"
    (home / "app-server").symlink_to(program)
    for shell in (bash, zsh):
        shell.type("export PATH=/usr/bin:/bin\n~/app-server deploy comp\t\x18")
        assert shell.until(r"<(~/app-server [^<>]*)>").strip() == "~/app-server deploy compose"
    assert fish(home, f"{program} deploy comp") == ["compose"]


def test_running_servers_are_offered(bash: Terminal, zsh: Terminal, home: Path) -> None:
    with pretending(home / "run") as process:
        for command in ("status", "drain"):
            line = f"app-server {command} "
            assert completed(bash, line) == completed(zsh, line) == f"{line}{process.pid}"
            assert fish(home, line) == [str(process.pid)]


def test_keys_of_saved_sessions_are_offered(bash: Terminal, zsh: Terminal, home: Path) -> None:
    (home / "saved").mkdir(mode=0o700)
    key = session_key("/app", "session")
    (home / "saved" / f"{key}.session").write_bytes(b"a journal")
    line = "app-server sessions end --store saved "
    assert completed(bash, line) == completed(zsh, line) == f"{line}{key[:12]}"
    assert fish(home, line) == [key[:12]]
