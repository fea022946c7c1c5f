"""The runtime directories of this user's servers: one for each running server, in a private directory.

<base>/<process id>/           the runtime directory of the server whose main process has this id
    worker-<slot>-<process id>       the Unix socket of one of its processes
    slot-<number>                    a link to the socket of the process that holds this slot now
    fork-server-<slot>-<process id>  the socket of a fork server
    page-<slot>                      the page of an application whose sessions are copied from a snapshot
    s-<digest>                       the socket of a session that has a process of its own
    components-<digest>              which files the components of a module have
    task-<digest>                    whose lock has the process that runs a scheduled task
    s-<digest>.page, .end            what that session's page shows, and why the process has ended
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from app_server import system
from app_server.errors import OperatorError, TransientError

log = logging.getLogger(__name__)

VARIABLE = "APP_SERVER_RUNTIME_DIR"

_OF_ALL = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))
"""Directories that the Filesystem Hierarchy Standard and Linux open to all users."""

_MAX_BASE_CHARS = 70
"""Characters of the base that leave room for the name of a socket: its whole path ends at 107 bytes (unix(7))."""


def base_directory(environ: Mapping[str, str]) -> Path:
    """The directory of this user's servers; it may not exist yet.

    Under systemd it is the unit's own (RUNTIME_DIRECTORY), in a login session the session's (XDG_RUNTIME_DIR), else
    one in the directory for temporary files.
    """
    if chosen := environ.get(VARIABLE):
        return Path(chosen).absolute()
    for variable in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        folder = environ.get(variable, "").split(":")[0]
        if folder and os.access(folder, os.W_OK | os.X_OK) and len(folder) < _MAX_BASE_CHARS:
            return Path(folder) / "app-server"
    return Path(tempfile.gettempdir()) / f"app-server-{system.user_id()}"


class RuntimeDir:
    """The runtime directory of one running server."""

    def __init__(self, folder: Path, made_by: int | None = None) -> None:
        self.folder = folder
        self._made_by = made_by

    @classmethod
    def make(cls, environ: Mapping[str, str]) -> RuntimeDir:
        """A new directory for the server whose main process is this one. OperatorError if it cannot be created."""
        base = base_directory(environ)
        folder = base / str(os.getpid())
        with placing(base):
            base.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_foreign(base)
            for dead in _dead(base):
                shutil.rmtree(dead, ignore_errors=True)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
        return cls(_short(folder), os.getpid())

    @classmethod
    def join(cls, base: Path, pid: int) -> RuntimeDir:
        """The directory of the server whose main process, another one, has this id; created if it does not exist.

        OperatorError if it cannot be created.
        """
        folder = base / str(pid)
        with placing(base):
            base.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_foreign(base)
            folder.mkdir(mode=0o700, exist_ok=True)
        return cls(_short(folder))

    def restore(self) -> None:
        """Create the directory again if it was deleted.

        OperatorError if its parent now belongs to another user, OSError if it cannot be created.
        """
        base = self.folder.parent
        base.mkdir(mode=0o700, parents=True, exist_ok=True)
        _refuse_foreign(base)
        with suppress(FileExistsError):
            self.folder.mkdir(mode=0o700)
            log.warning("The runtime directory %s was deleted; created it again", self.folder)

    @contextmanager
    def lock(self) -> Iterator[bool]:
        """Whether this process may move slots inside the block; False, without waiting, if another process does."""
        try:
            file = (self.folder / "lock").open("w")
        except OSError as error:  # the folder was deleted, or is full
            log.debug("No lock: %s", error)
            yield False
            return
        with file:
            yield system.lock(file)

    def socket_path(self, slot: int, pid: int) -> Path:
        """The socket of the process that was started with this slot."""
        return self.folder / f"worker-{slot}-{pid}"

    def slot(self, number: int) -> Path:
        """The link to the socket of the process that holds this slot."""
        return self.folder / f"slot-{number}"

    def is_slot(self, path: Path) -> bool:
        """Whether this is the link of a slot, which leads to its holder's socket."""
        return path.name.startswith("slot-")

    def holder(self, number: int) -> Path | None:
        """The socket of the process that holds this slot; None if no process has held it yet."""
        try:
            return self.folder / os.readlink(self.slot(number))
        except OSError:
            return None

    def give(self, number: int, socket_path: Path) -> None:
        """Make this socket's process the holder of the slot, in one step."""
        fresh = self.folder / f".slot-{number}-{os.getpid()}"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(socket_path.name)
        fresh.replace(self.slot(number))

    def socket_paths(self) -> list[Path]:
        """The sockets of all processes, including those that are about to end."""
        return sorted(path for path in self.folder.glob("worker-*") if path.is_socket())

    @staticmethod
    def process_of(socket_path: str) -> tuple[int, int]:
        """The slot and the process id in the name of a socket."""
        slot, pid = socket_path.split("-")[1:]
        return int(slot), int(pid)

    def fork_server_socket(self, slot: int, pid: int) -> Path:
        """The socket of the fork server with this slot."""
        return self.folder / f"fork-server-{slot}-{pid}"

    def session_socket(self, route: str, session_id: str) -> Path:
        """The socket of the process of this session of the application at `route`."""
        name = f"{route}\0{session_id}".encode("utf-8", "surrogatepass")
        # The name is short, as a socket's must be, and does not reveal the id, which is as good as a password.
        return self.folder / f"s-{base64.b32encode(hashlib.blake2b(name, digest_size=10).digest()).decode().lower()}"

    def page(self, slot: int) -> Path:
        """The page of the application whose sessions the fork server with this slot forks."""
        return self.folder / f"page-{slot}"

    def session_sockets(self) -> list[Path]:
        """The sockets of all sessions that have processes of their own."""
        return [path for path in self.folder.glob("s-*") if not path.suffix]

    def remove(self) -> None:
        """Delete the directory after the last process has ended; only the process that created it does."""
        if os.getpid() == self._made_by:
            shutil.rmtree(self.folder, ignore_errors=True)


def discard(path: Path) -> None:
    """Delete this file if possible: its folder may be gone, or something else in its place."""
    with suppress(OSError):
        path.unlink()


@contextmanager
def placing(base: Path) -> Iterator[None]:
    """Turn an OSError into an OperatorError that says what to do."""
    try:
        yield
    except OSError as error:
        hint = f"Name a directory that this user can write to with {VARIABLE}."
        raise TransientError(
            f"{base} cannot hold the server's sockets: {error.strerror}", where=VARIABLE, hint=hint
        ) from None


def _short(folder: Path) -> Path:
    if len(os.fsencode(folder)) > _MAX_BASE_CHARS + 10:
        hint = f"Name a directory with a short path with {VARIABLE}."
        raise OperatorError(f"{folder.parent} is too long a path for Unix sockets", where=VARIABLE, hint=hint)
    return folder


def running(environ: Mapping[str, str]) -> Iterator[tuple[int, RuntimeDir]]:
    """The process ids of this user's running servers, and their runtime directories."""
    if not system.has_unix_sockets():
        return  # where os.kill(pid, 0) would be Ctrl-C, besides
    base = base_directory(environ)
    dead = set(_dead(base))
    for folder in sorted(base.glob("[0-9]*")):
        if folder.name.isdecimal() and folder.is_dir() and folder not in dead:
            yield int(folder.name), RuntimeDir(folder)


def _dead(base: Path) -> Iterator[Path]:
    """The directories of servers that crashed."""
    for folder in base.glob("[0-9]*"):
        try:
            os.kill(int(folder.name), 0)
        except ProcessLookupError:
            yield folder
        except (PermissionError, ValueError, OverflowError):
            continue


def _refuse_foreign(base: Path) -> None:
    """Raise OperatorError if another user could listen in: the directory's owner owns the connections."""
    found = base.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != system.user_id():
        hint = f"Name a directory of this user's own with {VARIABLE}."
        raise OperatorError(f"{base} belongs to another user", where=VARIABLE, hint=hint)
    if found.st_mode & stat.S_ISVTX and found.st_mode & stat.S_IWOTH and (base in _OF_ALL or any(base.iterdir())):
        # To close it would take it away from all others. A new tmpfs, which is open to all too, is ours.
        hint = f"Name a directory of this user's own, such as {base}/app-server."
        raise OperatorError(f"{base} is a directory of all users", where=VARIABLE, hint=hint)
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        # Users who may write here could replace our directory. Reading reveals nothing: ours are 0700.
        base.chmod(stat.S_IMODE(found.st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH | stat.S_ISVTX))
