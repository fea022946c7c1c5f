"""Servers that start in milliseconds: forks of a process that has imported all that a server imports.

A fork is what `python -m app_server serve ...` or `python -m gunicorn ...` would be: its words, folder, environment,
umask, output, signals, random numbers and end are its own. Not its own are its command line as the kernel tells it, its
parent, and its start; its modules are not taken apart at its end. Tests of these, of memory and of the interpreter
start a server cold.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tests.support.servers.warm_server import READ_AGAIN

PROGRAM = Path(__file__).with_name("warm_server.py")
START_DEADLINE_S = 120.0
END_DEADLINE_S = 10.0
LONGEST_ANSWER_BYTES = 200_000

# What the interpreter and the libraries in C look at before any module of Python can be seen to.
_EARLY = re.compile(r"(PYTHON|COV|LC_|LD_|GLIBC_|MALLOC_|OMP_|MKL_|OPENBLAS_|NPY_)|(LANG|LANGUAGE|TZ)$")
# A file of variables that bokeh is to find when it is imported.
_SHAPES_IMPORTS = "--use-config"
# bokeh warns of a shorter one, and of none where sessions are signed, when it is imported.
_LONG_KEY = 32


class Forked:
    """A forked server, with what tests use of `subprocess.Popen`."""

    def __init__(self, helper: _Helper, command: Sequence[str], pid: int) -> None:
        self.args = [*command]
        self.pid = pid
        self.returncode: int | None = None
        self._helper = helper
        self._lock = threading.Lock()
        # Until it is asked for its status it cannot be another process's.
        self._ending = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """The exit status, negative for the signal that ended it; None while it runs."""
        with self._lock:
            if self.returncode is None and self._has_ended(0):
                self.returncode = int(self._helper.ask({"ended": self.pid}))
                os.close(self._ending)
            return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended; TimeoutExpired after `timeout` seconds."""
        if self.returncode is None and not self._has_ended(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0.0)
        status = self.poll()
        assert status is not None
        return status

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send it SIGTERM, unless it has ended."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send it SIGKILL, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def _has_ended(self, timeout_s: float | None) -> bool:
        watch = select.poll()
        watch.register(self._ending, select.POLLIN)
        return bool(watch.poll(None if timeout_s is None else timeout_s * 1000))


@dataclass
class _Helper:
    """A process that forks servers; `variables` of its environment had a part in what it has imported."""

    process: subprocess.Popen[bytes]
    control: socket.socket
    variables: frozenset[str]
    modules: frozenset[str]
    lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def start(cls, environment: Mapping[str, str]) -> _Helper:
        """A new one, which has imported everything."""
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with there:
            command = [sys.executable, str(PROGRAM), str(there.fileno())]
            process = subprocess.Popen(
                command, env=environment, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
        here.settimeout(START_DEADLINE_S)
        ready = _receive(here)
        return cls(process, here, frozenset(ready["variables"]), frozenset(ready["modules"]))

    def ask(self, question: Mapping[str, object], descriptors: Sequence[int] = ()) -> Any:
        """Its answer to one request."""
        with self.lock:
            socket.send_fds(self.control, [json.dumps(question).encode()], descriptors)
            return _receive(self.control)

    def end(self) -> None:
        """End it, and with it what it has forked that still runs."""
        self.control.close()
        try:
            self.process.wait(END_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _receive(control: socket.socket) -> Any:
    answer = control.recv(LONGEST_ANSWER_BYTES)
    assert answer, "the process that forks servers has ended; its words are in the output of the test run"
    return json.loads(answer)


class _Helpers:
    """The helpers of this test run, by the variables that had a part in what they imported."""

    def __init__(self) -> None:
        self._helpers: dict[tuple[tuple[str, str], ...], _Helper] = {}
        self._seen: set[tuple[tuple[str, str], ...]] = set()
        self._looked_at: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def get(self, environment: Mapping[str, str]) -> _Helper | None:
        """One that has imported in this environment; None if it is worth one only when it comes again."""
        with self._lock:
            if not self._helpers:
                return self._start(environment)
            key = self._key(environment)
            if key in self._helpers:
                self._helpers[key] = helper = self._helpers.pop(key)
                return helper
            if key in self._seen:
                return self._start(environment)
            self._seen.add(key)
            return None

    def _key(self, environment: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        apart = self._looked_at if _makes_bokeh_warn(environment) else self._looked_at.difference(READ_AGAIN)
        return tuple(sorted((name, text) for name, text in environment.items() if name in apart or _EARLY.match(name)))

    def _start(self, environment: Mapping[str, str]) -> _Helper:
        helper = _Helper.start(environment)
        self._looked_at |= helper.variables
        self._helpers[self._key(environment)] = helper
        return helper

    def end(self) -> None:
        """End all of them."""
        for helper in self._helpers.values():
            helper.end()
        self._helpers.clear()


_helpers = _Helpers()
atexit.register(_helpers.end)


def fork(
    command: Sequence[str],
    cwd: Path | None,
    environment: Mapping[str, str],
    output: IO[bytes],
    errors: IO[bytes] | None = None,
) -> Forked | None:
    """What `command`, `python -m MODULE WORD ...`, is with this environment; stderr is in `output` too, or in `errors`.

    None if it has to be started cold: the words or the folder change what is imported, or no helper has imported in
    such an environment.
    """
    _, _, module, *fields = command
    if _SHAPES_IMPORTS in fields or (helper := _helpers.get(environment)) is None:
        return None
    folder = (cwd or Path()).absolute()
    if folder.resolve() != PROGRAM.parents[3] and _shadows(folder, helper.modules):
        return None
    asked = {"module": module, "words": fields, "cwd": str(folder), "env": dict(environment), "umask": _umask()}
    return Forked(helper, command, helper.ask(asked, [output.fileno(), (errors or output).fileno()]))


def _makes_bokeh_warn(environment: Mapping[str, str]) -> bool:
    """Whether bokeh may say something of these variables, which a fork would not hear."""
    key = environment.get("BOKEH_SECRET_KEY")
    return "BOKEH_SIGN_SESSIONS" in environment if key is None else len(key) < _LONG_KEY


def _shadows(folder: Path, modules: frozenset[str]) -> bool:
    """Whether something in this folder would be imported instead of one of these modules."""
    return not modules.isdisjoint(entry.name.partition(".")[0] for entry in folder.iterdir())


def _umask() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(re.search(r"^Umask:\s+(\d+)$", status, re.MULTILINE)[1], 8)  # type: ignore[index]
