"""What the operating system has: looked for, not inferred from its name. Other modules ask here.

Linux has everything. macOS has no /proc, no memory files and no priorities of threads. Windows also lacks `fork`, Unix
sockets, most signals, users and modes of files, and descriptors of folders: the server is one process there.
"""

from __future__ import annotations

import math
import mmap
import os
import selectors
import signal
import socket
import sys
from collections.abc import Mapping
from typing import Any, Final

from app_server.errors import OperatorError

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]
try:
    import resource
except ModuleNotFoundError:
    resource = None  # type: ignore[assignment]

UNIX_FAMILY: Final[int] = getattr(socket, "AF_UNIX", -1)
"""The family of Unix sockets; if there are none, a number that no socket has."""

BINARY: Final[int] = getattr(os, "O_BINARY", 0)
"""Of `os.open`: leave line ends as they are, which is optional on Windows."""

PRIVATE: Final[int] = getattr(os, "O_CLOEXEC", 0) | BINARY
"""Of `os.open`: programs that are started do not get the descriptor, which is the rule on Windows."""

STOP_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGBREAK") if hasattr(signal, name)
)
"""What asks a program to stop. SIGBREAK is Windows' only: Ctrl-Break, a closed console, or a service manager."""

NAME: Final = {"linux": "Linux", "darwin": "macOS", "win32": "Windows"}.get(sys.platform, sys.platform)
"""What people call this system. Only for what people read, and for what cannot be looked for."""

_SELECTED: Final = 480
"""How many sockets Python's select() can watch on Windows, without those that the server itself needs."""


def can_fork() -> bool:
    """Whether a server can have several processes: they are forked, and find each other by Unix sockets."""
    return hasattr(os, "fork") and has_unix_sockets()


def has_unix_sockets() -> bool:
    """Whether a server can listen at a path."""
    return UNIX_FAMILY >= 0


def reports_processes() -> bool:
    """Whether the system says in /proc which processes there are, and what they use."""
    return os.path.exists("/proc/self/stat")


def has_private_folders() -> bool:
    """Whether a folder can be opened, kept to one user, and used by its descriptor."""
    return hasattr(os, "O_DIRECTORY") and hasattr(os, "geteuid") and os.open in os.supports_dir_fd


def shows_colours(environ: Mapping[str, str]) -> bool:
    """Whether a terminal obeys escape sequences, as far as its variables say; Windows' old console prints them."""
    if environ.get("TERM") == "dumb":
        return False
    return NAME != "Windows" or any(environ.get(name) for name in ("WT_SESSION", "TERM", "TERM_PROGRAM", "ConEmuANSI"))


def has_file_modes() -> bool:
    """Whether a file's mode says who may read it. Windows has lists for that, and makes a mode up."""
    return hasattr(os, "fchown")


def may_access(path: str | os.PathLike[str], how: int) -> bool:
    """Whether this process may use the file in this way, as whom it acts now: os.R_OK and its like."""
    return os.access(path, how, effective_ids=os.access in os.supports_effective_ids)


def require(present: bool, what: str, *, where: str, hint: str) -> None:
    """Raise OperatorError, if this is not present: `where` needs `what`, which this system does not have."""
    if not present:
        raise OperatorError(f"needs {what}, which {NAME} does not have", where=where, hint=hint)


def require_processes(where: str, hint: str) -> None:
    """Raise OperatorError if a server cannot have several processes here."""
    require(can_fork(), "several processes (fork)", where=where, hint=hint)


def threads_have_priorities() -> bool:
    """Whether `os.setpriority` takes a thread's number, as on Linux; elsewhere it would mean a process."""
    return hasattr(os, "setpriority") and NAME == "Linux"


def signals_interrupt() -> bool:
    """Whether a signal ends a call that waits, so its handler can run."""
    return hasattr(signal, "siginterrupt")


def user_id() -> int:
    """The number of this user, as files have it; if users have none, that is 0."""
    return os.geteuid() if hasattr(os, "geteuid") else 0


def is_root() -> bool:
    """Whether this process may act as any other user."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def most_watched() -> int | None:
    """How many sockets a loop can watch; None for as many as there are descriptors."""
    return _SELECTED if issubclass(selectors.DefaultSelector, selectors.SelectSelector) else None


def descriptor_limits() -> tuple[float, float]:
    """How many files and sockets this process may open, and up to which number it may raise that."""
    if resource is None:
        return math.inf, math.inf
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    return math.inf if soft == infinite else soft, math.inf if hard == infinite else hard


def allow_descriptors(most: int) -> None:
    """Let this process open so many files and sockets, at most as many as `descriptor_limits` allows."""
    if resource is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def peak_memory_bytes() -> int:
    """The most memory that this process has had, in bytes; 0 if the system does not say."""
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if NAME == "macOS" else peak * 1024


def lock(file: Any, *, wait: bool = False, shared: bool = False) -> bool:
    """Whether this process has the file's lock now; with `wait`, once others have left it.

    A `shared` one only keeps those away that want it for themselves.

    It ends when the file is closed, or its process has ended. True if there are no such locks: then a server is one
    process, and has its files for itself. OSError if the file's disk has none.
    """
    if fcntl is not None:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
    return True


def unlock(file: Any) -> None:
    """End the lock before the file is closed: a child process may have it open, too."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_UN)


class SharedMemory:
    """Memory that this process shares with those that are forked from it, zeros at first, with locks for its parts.

    The kernel ends the locks of a process that is killed. They are the process's: two threads do not wait for each
    other.
    """

    def __init__(self, label: str, size: int) -> None:
        self._file = _memory_file(label)
        if self._file is None:
            self.memory = mmap.mmap(-1, size)
        else:
            os.ftruncate(self._file, size)  # it takes no memory until it is used
            self.memory = mmap.mmap(self._file, size)

    def lock(self, start: int = 0, size: int = 0, *, wait: bool = False) -> bool:
        """Whether this process has these bytes for itself now; size 0 is all that follows."""
        if self._file is not None:
            try:
                fcntl.lockf(self._file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), size, start)
            except OSError:
                if wait:
                    raise
                return False
        return True

    def unlock(self, start: int = 0, size: int = 0) -> None:
        """Let other processes have these bytes."""
        if self._file is not None:
            fcntl.lockf(self._file, fcntl.LOCK_UN, size, start)


def _memory_file(label: str) -> int | None:
    """A file without a name; None if no other process can have it."""
    if fcntl is None:
        return None
    if hasattr(os, "memfd_create"):
        return os.memfd_create(label)
    from tempfile import TemporaryFile

    with TemporaryFile(prefix=label) as file:
        return os.dup(file.fileno())
