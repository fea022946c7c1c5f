"""What other systems refuse of files, and Linux' own folders, which they lack."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from typing import Any, Final

_access = os.access
_HIDDEN: Final = ("/proc", "/sys", "/dev/shm")
_O_BINARY: Final = 1 << 28
_FUNCTIONS_OF_FILES: Final = ("listdir", "open", "readlink", "remove", "rename", "replace", "stat", "unlink")


class OtherFiles:
    """What other systems refuse of files."""

    def __init__(self) -> None:
        self._real = {name: getattr(os, name) for name in _FUNCTIONS_OF_FILES}

    def hide_folders(self) -> None:
        """Linux' own folders are missing."""
        for name in ("stat", "lstat", "open", "readlink", "listdir", "scandir"):
            guarded = self._guarded(real := getattr(os, name))
            for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
                if real in able:
                    able.add(guarded)
            setattr(os, name, guarded)

        def audit(event: str, args: tuple[Any, ...]) -> None:
            # `open` does not go through os.open. psutil is Linux' own here, and reads what is there.
            if event == "open" and _is_hidden(args[0]) and not _is_for("psutil"):
                raise _missing(args[0])

        sys.addaudithook(audit)

    @staticmethod
    def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
            if _is_hidden(path):
                raise _missing(path)
            return function(path, *args, **kwargs)

        return call

    def limit(self) -> None:
        """Files have no owners, are opened as text unless one says otherwise, and stay where they are while open."""
        os.O_BINARY = _O_BINARY  # type: ignore[attr-defined]
        for name in ("supports_dir_fd", "supports_fd", "supports_follow_symlinks", "supports_effective_ids"):
            setattr(os, name, set())
        for name in ("stat", "lstat", "fstat"):
            setattr(os, name, self._ownerless(getattr(os, name)))
        os.open = self._open
        os.access = self._access
        os.symlink = self._symlink
        os.path.expanduser = _expanded
        for name in ("replace", "rename", "unlink", "remove"):
            setattr(os, name, self._in_place(name))

    @staticmethod
    def _ownerless(function: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def call(*args: Any, dir_fd: int | None = None, **kwargs: Any) -> os.stat_result:
            _refuse_folder(dir_fd)
            make, (fields, more) = function(*args, **kwargs).__reduce__()  # type: ignore[misc]
            mode, *rest = fields
            rest[3:5] = 0, 0
            made: os.stat_result = make((mode | (0o777 if stat.S_ISDIR(mode) else 0o666), *rest), more)
            return made

        return call

    def _open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        _refuse_folder(dir_fd)
        if _is_hidden(path):
            raise _missing(path)
        if os.path.isdir(path):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        caller = str(sys._getframe(1).f_globals.get("__name__"))
        if caller.startswith("app_server") and path != os.devnull and not flags & _O_BINARY:
            raise AssertionError(f"{caller} opens {path} as text, in which Windows changes line ends")
        number: int = self._real["open"](path, flags & ~_O_BINARY, mode)
        return number

    @staticmethod
    def _access(
        path: Any, mode: int, *, dir_fd: int | None = None, effective_ids: bool = False, follow_symlinks: bool = True
    ) -> bool:
        _refuse_folder(dir_fd)
        if effective_ids:
            raise NotImplementedError("effective_ids unavailable on this platform")
        return _access(path, mode)

    @staticmethod
    def _symlink(*args: Any, **kwargs: Any) -> None:
        raise OSError(errno.EPERM, "A required privilege is not held by the client")

    def _in_place(self, name: str) -> Callable[..., None]:
        function = self._real[name]

        def call(path: Any, *target: Any, dir_fd: int | None = None) -> None:
            _refuse_folder(dir_fd)
            opened = {self._real["readlink"](f"/proc/self/fd/{number}") for number in self._descriptors()}
            for each in (path, *target):
                if os.path.realpath(each) in opened:
                    raise PermissionError(errno.EACCES, "The process cannot access the file: it is open", str(each))
            if name == "rename" and os.path.lexists(target[0]):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target[0]))
            function(path, *target)

        return call

    def _descriptors(self) -> list[str]:
        names: list[str] = self._real["listdir"]("/proc/self/fd")
        return [name for name in names if self._is_file(f"/proc/self/fd/{name}")]

    def _is_file(self, link: str) -> bool:
        try:
            return stat.S_ISREG(self._real["stat"](link).st_mode)
        except OSError:  # the folder's own descriptor, which is closed by now
            return False


def _is_hidden(path: Any) -> bool:
    return isinstance(path, str | os.PathLike) and str(os.fspath(path)).startswith(_HIDDEN)


def _is_for(package: str) -> bool:
    """Whether this package has called what runs now."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if str(frame.f_globals.get("__name__")).startswith(package):
            return True
    return False


def _missing(path: Any) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))


def _expanded(path: Any) -> Any:
    """The path below the user's folder, which has another variable on Windows."""
    text = os.fspath(path)
    home = os.environ.get("USERPROFILE") or os.environ.get("HOME")
    return home + text[1:] if home and text[:2] in ("~", "~/") else text


def _refuse_folder(dir_fd: int | None) -> None:
    if dir_fd is not None:
        raise NotImplementedError("dir_fd unavailable on this platform")
