"""Keeps a tunnel open: ssh is started again whenever it ends, and what it says becomes lines that a person can read.

ssh finds out by itself that a connection is dead (ServerAliveInterval) or that it cannot forward
(ExitOnForwardFailure), and ends. What is left to do is to wait a little and to start it again.
"""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import FrameType

from app_server import programs
from app_server.errors import OperatorError
from app_server.tunnels.description import Form, Tunnel
from app_server.tunnels.ssh import OWN_CONNECTION, Option, command, safe

# BokehJS tries to reconnect for about 30 s. Waits stay far below that, and pages find their sessions again.
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 5.0
READER_DEADLINE_S = 1.0
STOP_DEADLINE_S = 3.0
PROBE_TIMEOUT_S = 5.0
_LOOK_S = 0.5
# At this level ssh reports when a forward is established.
VERBOSE = Option("LogLevel", "DEBUG1", "")
NO_QUESTIONS = Option("BatchMode", "yes", "")

_UP = {
    Form.LOCAL: re.compile(r"debug1: Entering interactive session"),
    Form.REVERSE: re.compile(r"debug1: remote forward success for"),
}
_NOISE = re.compile(r"debug\d: |Authenticated to |Transferred: |Bytes per second: |OpenSSH_")
# Trying again does not help: the host is not the trusted one.
_NEVER = re.compile(r"Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED")
_HINTS = (
    (_NEVER, "Compare its key (ssh-keyscan prints it) with what its owner says, then add it to known_hosts."),
    (
        re.compile(r"Permission denied"),
        "It does not accept your key: install that key there (ssh-copy-id), or use another one (--identity).",
    ),
    (re.compile(r"Could not resolve hostname"), "Check the spelling of the host."),
    (
        re.compile(r"[Cc]ould not request local forwarding"),
        "Another program uses that port; choose another one with --listen.",
    ),
    (
        re.compile(r"remote port forwarding failed"),
        "The gateway does not allow that port, or it is in use, perhaps by a dead connection.",
    ),
    (re.compile(r"Connection refused|timed out|No route to host"), "Is the host up, and its sshd on that port?"),
    (re.compile(r"open failed: connect failed"), "Nothing listens there yet: start the server on the other end."),
)
_OPEN_FAILED = re.compile(r"open failed: (?:connect failed: |administratively prohibited: )(.*)")


@dataclass(frozen=True)
class RetryPace:
    """How long to wait before the next try."""

    wait_s: float = FIRST_WAIT_S

    def next(self) -> RetryPace:
        """The pace after one more failure: twice as long, up to a limit."""
        return RetryPace(min(2 * self.wait_s, LONGEST_WAIT_S))


def hint_for(said: str) -> str | None:
    """What to do about something that ssh has said."""
    return next((hint for pattern, hint in _HINTS if pattern.search(said)), None)


def _plain(line: str, tunnel: Tunnel) -> str:
    """What ssh says, without what is known anyway."""
    return re.sub(r"^(ssh|Error): ", "", line).removeprefix(f"{tunnel.destination.login}: ").rstrip(".")


class TunnelKeeper:
    """Runs one tunnel until `stop` is called; `tell` gets a line whenever something changes."""

    def __init__(
        self, tunnel: Tunnel, tell: Callable[[str], None], *, interactive: bool, words: Sequence[str] = ()
    ) -> None:
        self.tunnel = tunnel
        self.tell = tell
        options = [*safe(tunnel), OWN_CONNECTION, VERBOSE, *(() if interactive else (NO_QUESTIONS,))]
        self.words = list(words) or command(tunnel, options)
        self.stopping = False
        # Gets something when ssh has ended, and when it is to end. A SimpleQueue, because a signal handler may put into
        # it while the main thread waits for it; an Event may deadlock there.
        self._news: SimpleQueue[None] = SimpleQueue()
        self._stood = False
        self._said = ""
        self._since: float | None = None

    def run(self) -> int:
        """Keep the tunnel open until SIGINT or SIGTERM, then return 0. Raises OperatorError if it never opened."""
        with self._signals():
            pace = RetryPace()
            while not self.stopping:
                up_for_s, said = self._once()
                if self.stopping:
                    break
                self._judge(said)
                pace = RetryPace() if up_for_s > LONGEST_WAIT_S else pace
                self.tell(f"the connection is gone{f' ({said})' if said else ''}; next try in {pace.wait_s:g} s")
                self._pause(pace.wait_s)
                pace = pace.next()
        self.tell("stopped")
        return 0

    def stop(self) -> None:
        """End ssh and do not start it again; for signal handlers and other threads."""
        self.stopping = True
        self._news.put(None)

    def _pause(self, wait_s: float) -> None:
        deadline_s = time.monotonic() + wait_s
        while not self.stopping and (left_s := deadline_s - time.monotonic()) > 0:
            self._hear(min(left_s, _LOOK_S))

    def _hear(self, most_s: float) -> None:
        """Wait for news, but not long: the handler of a signal that comes right before it runs only afterwards."""
        with suppress(Empty):
            self._news.get(timeout=most_s)

    def _once(self) -> tuple[float, str]:
        """Run ssh to its end; how long the tunnel was open, and ssh's last message about a fault."""
        self.tell(f"connecting to {self.tunnel.destination}")
        self._said, self._since = "", None
        ssh = self._start()
        # Threads, because a jump host's ssh has the same stderr, and may live a little longer.
        reader = threading.Thread(target=self._read, args=(ssh,), daemon=True)
        waiter = threading.Thread(target=self._wait, args=(ssh,), daemon=True)
        reader.start()
        waiter.start()
        while ssh.poll() is None and not self.stopping:
            self._hear(_LOOK_S)
        programs.end(ssh, STOP_DEADLINE_S)
        reader.join(READER_DEADLINE_S)
        return (0.0 if self._since is None else time.monotonic() - self._since), self._said

    def _wait(self, ssh: subprocess.Popen[str]) -> None:
        ssh.wait()
        self._news.put(None)

    def _read(self, ssh: subprocess.Popen[str]) -> None:
        assert ssh.stderr is not None
        for line in map(str.rstrip, ssh.stderr):
            if self._since is None and _UP[self.tunnel.form].match(line):
                self._since = time.monotonic()
                self._opened()
            elif failed := _OPEN_FAILED.search(line):
                self.tell(f"the other end cannot reach {self.tunnel.forward[1]}: {failed[1]}")
            elif line and not _NOISE.match(line):
                self._said = _plain(line, self.tunnel)

    def _start(self) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen(
                self.words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                text=True, errors="replace",
            )  # fmt: skip
        except FileNotFoundError:
            hint = "Install OpenSSH's client (on Debian: apt-get install openssh-client)."
            raise OperatorError("there is no such program", where=self.words[0], hint=hint) from None

    def _judge(self, said: str) -> None:
        """Raise OperatorError if the tunnel was never open, or if trying again makes no sense."""
        if not self._stood or _NEVER.search(said):
            raise OperatorError(
                said or "ssh ended without a message", where=str(self.tunnel.destination), hint=hint_for(said)
            )

    def _opened(self) -> None:
        self._stood = True
        if self.tunnel.form is Form.REVERSE:
            port, host = self.tunnel.listen_port, self.tunnel.destination.host
            self.tell(f"open: port {port} of {host} leads to {self.tunnel.forward[1]} here")
            return
        self.tell(f"open: {self.tunnel.url} leads to {self.tunnel.forward[1]} on {self.tunnel.destination.host}")
        # Beside the reading of what ssh says, which has to go on.
        threading.Thread(target=self._probe, daemon=True).start()

    def _probe(self) -> None:
        """Report whether a server answers at the other end of a tunnel that has just opened."""
        connection = http.client.HTTPConnection("localhost", self.tunnel.listen_port, timeout=PROBE_TIMEOUT_S)
        try:
            connection.request("GET", "/healthz")
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            if not self.stopping:
                self.tell("no server answers at the other end yet")
        else:
            self.tell("the server answers" if status < 500 else f"the server answers, with status {status}")
        finally:
            connection.close()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM stop the tunnel, as long as this lasts."""

        def handle(number: int, frame: FrameType | None) -> None:
            self.stop()

        before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
