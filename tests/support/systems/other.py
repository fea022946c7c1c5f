"""A Python that looks as it does on Windows or macOS: what they lack is missing, what they refuse is refused.

    python -m tests.support.systems.other windows app_server serve app.py

takes the system away from this process and then runs the module, as `python -m app_server serve app.py` would. Paths
keep this system's form. Whatever a module of ours opens as text without an encoding raises EncodingWarning.
"""

from __future__ import annotations

import asyncio
import errno
import faulthandler
import importlib
import importlib.abc
import importlib.machinery
import os
import runpy
import select
import selectors
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import warnings
from asyncio import selector_events
from collections.abc import Callable, Sequence
from typing import Any, Final

from tests.support.systems.files import OtherFiles

UNIX_MODULES: Final = ("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")

_WINDOWS_LACKS: Final[dict[Any, tuple[str, ...]]] = {
    os: (
        "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_PATH", "chown", "fchmod", "fchown",
        "fork",
        "forkpty", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpriority", "getsid",
        "getuid", "initgroups", "killpg", "lchown", "memfd_create", "mkfifo", "nice", "openpty", "pidfd_open", "pread",
        "preadv", "pwrite", "register_at_fork", "sched_getaffinity", "sched_getscheduler", "sched_setscheduler",
        "sendfile", "setegid", "seteuid", "setgid", "setgroups", "setpgid", "setpriority", "setsid", "setuid",
        "statvfs", "sysconf", "sync", "wait", "waitid", "wait3", "wait4",
    ),
    socket: (
        "AF_UNIX", "CMSG_LEN", "CMSG_SPACE", "MSG_DONTWAIT", "MSG_NOSIGNAL", "SCM_RIGHTS", "SO_PEERCRED",
        "SO_REUSEPORT", "TCP_NOTSENT_LOWAT", "TCP_QUICKACK", "TCP_USER_TIMEOUT", "recv_fds", "send_fds",
    ),
    signal: (
        "SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGTSTP", "SIGTTIN",
        "SIGTTOU", "SIGURG", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGXCPU", "ITIMER_REAL", "alarm", "pthread_kill",
        "pthread_sigmask", "setitimer", "siginterrupt", "sigpending", "sigwait",
    ),
    faulthandler: ("register",),
    select: ("epoll", "poll"),
    selectors: ("EpollSelector", "PollSelector"),
    time: ("CLOCK_MONOTONIC", "clock_gettime", "clock_gettime_ns", "tzset"),
}  # fmt: skip

_MACOS_LACKS: Final[dict[Any, tuple[str, ...]]] = {
    os: (
        "O_PATH", "memfd_create", "pidfd_open", "sched_getaffinity", "sched_getscheduler", "sched_setscheduler",
    ),
    socket: ("MSG_NOSIGNAL", "SO_PEERCRED", "TCP_QUICKACK", "TCP_USER_TIMEOUT"),
    select: ("epoll",),
    selectors: ("EpollSelector",),
}  # fmt: skip

_MOST_SELECTED: Final = 512


def become(system: str) -> None:
    """Take away from this process what `system`, "windows" or "macos", does not have."""
    if not sys.flags.warn_default_encoding:
        raise ValueError("needs python -X warn_default_encoding")
    files = OtherFiles()  # what it needs itself goes, too
    if system == "windows":
        _handle_signals_in_another_thread()
        _limit_signals()
        _limit_processes()
        sys.meta_path.insert(0, _Missing())
        for name in UNIX_MODULES:
            sys.modules.pop(name, None)
        selectors.DefaultSelector = selectors.SelectSelector  # type: ignore[misc]
    else:
        selectors.DefaultSelector = selectors.PollSelector  # type: ignore[misc]
    if hasattr(os, "process_cpu_count"):  # since Python 3.13, which looks at what goes here
        os.process_cpu_count = os.cpu_count
    for module, names in {"windows": _WINDOWS_LACKS, "macos": _MACOS_LACKS}[system].items():
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    files.hide_folders()
    if system == "windows":
        files.limit()
        _limit_select()
        _replace_loops()
    warnings.filterwarnings("error", category=EncodingWarning, module=r"app_server(\.|$)")
    # Only our own module asks for the name: to Python's and others it would say which modules there are to import.
    known, sys.platform = sys.platform, {"windows": "win32", "macos": "darwin"}[system]
    importlib.import_module("app_server.system")
    sys.platform = known


class _Missing(importlib.abc.MetaPathFinder):
    """Finds none of Unix' modules."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname in UNIX_MODULES:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def _handle_signals_in_another_thread() -> None:
    """As on Windows, where a thread of the system notes Ctrl-C: no call of this thread returns for it."""
    threading.Thread(target=threading.Event().wait, name="signals", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})


def _limit_signals() -> None:
    known = {signal.SIGINT, signal.SIGTERM, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV}
    set_handler, get_handler, set_wakeup, kill = signal.signal, signal.getsignal, signal.set_wakeup_fd, os.kill

    def checked(number: int) -> int:
        if number not in known:
            raise ValueError("invalid signal value")
        return number

    def set_socket(fd: int, **options: Any) -> int:
        if fd != -1 and not stat.S_ISSOCK(os.fstat(fd).st_mode):
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
        return set_wakeup(fd, **options)

    def terminate(pid: int, number: int) -> None:
        # Any other number is that of a console's event, or ends the process at once; 0 is Ctrl-C.
        assert number == signal.SIGTERM, f"os.kill({pid}, {number}) does something else on Windows"
        kill(pid, number)

    signal.signal = lambda number, handler: set_handler(checked(number), handler)  # type: ignore[assignment]
    signal.getsignal = lambda number: get_handler(checked(number))  # type: ignore[assignment]
    signal.set_wakeup_fd = set_socket
    os.kill = terminate


def _limit_processes() -> None:
    start = subprocess.Popen.__init__

    def begin(self: Any, *args: Any, **options: Any) -> None:
        assert not options.get("pass_fds"), "pass_fds not supported on Windows."
        if options.get("preexec_fn") is not None:
            raise ValueError("preexec_fn is not supported on Windows platforms")
        start(self, *args, **options)

    subprocess.Popen.__init__ = begin  # type: ignore[method-assign]
    subprocess.Popen.kill = subprocess.Popen.terminate  # type: ignore[method-assign]
    shutil._use_fd_functions = False  # type: ignore[attr-defined]


def _limit_select() -> None:
    """`select` watches few sockets, and no pipes; and messages of several parts are sent one after another."""
    watch = select.select

    def call(readers: Any, writers: Any, errors: Any, timeout: float | None = None) -> Any:
        for each in (readers, writers, errors):
            if len(each) > _MOST_SELECTED:
                raise ValueError("too many file descriptors in select()")
            for one in each:
                if not stat.S_ISSOCK(os.fstat(one if isinstance(one, int) else one.fileno()).st_mode):
                    raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK))
        return watch(readers, writers, errors, timeout)

    select.select = call
    socket.socketpair = _socketpair
    selectors.SelectSelector._select = staticmethod(call)  # type: ignore[attr-defined]
    for name in ("sendmsg", "recvmsg", "recvmsg_into"):
        setattr(socket.socket, name, _Absent())


def _socketpair(*_: Any) -> tuple[socket.socket, socket.socket]:
    """Two ends of a connection to oneself."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        one = socket.create_connection(listener.getsockname())
        return one, listener.accept()[0]


class _Absent:
    def __get__(self, instance: object, owner: type) -> Any:
        raise AttributeError


class _SelectorLoop(selector_events.BaseSelectorEventLoop):
    """Knows sockets, but neither signals, nor processes, nor Unix' sockets."""


class _ProactorLoop(_SelectorLoop):
    """Takes sockets, but does not watch them, except for asyncio itself."""


def _unwatched(name: str) -> Callable[..., Any]:
    own = getattr(_SelectorLoop, name)

    def call(self: _ProactorLoop, *args: Any) -> Any:
        if not str(sys._getframe(1).f_globals.get("__name__")).startswith("asyncio"):
            raise NotImplementedError
        return own(self, *args)

    return call


for _name in ("add_reader", "add_writer", "remove_reader", "remove_writer"):
    setattr(_ProactorLoop, _name, _unwatched(_name))


def _replace_loops() -> None:
    class Policy(type(asyncio.get_event_loop_policy()).__mro__[1]):  # type: ignore[misc]
        _loop_factory = _ProactorLoop

    asyncio.SelectorEventLoop = _SelectorLoop  # type: ignore[assignment,misc]
    asyncio.ProactorEventLoop = _ProactorLoop  # type: ignore[attr-defined]
    asyncio.set_event_loop_policy(Policy())


if __name__ == "__main__":
    _, wanted, name, *words = sys.argv
    become(wanted)
    sys.argv = [name, *words]
    runpy.run_module(name, run_name="__main__", alter_sys=True)
