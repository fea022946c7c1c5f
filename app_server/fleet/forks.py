"""A process that is forked, and what it must not share with its parent and siblings."""

from __future__ import annotations

import gc
import os
import random
import signal
import sys
from collections.abc import Callable


def freeze() -> None:
    """Keep what is there now out of the collector's sight, so that it does not touch, and so copy, shared pages."""
    gc.collect()
    gc.freeze()


def fork(work: Callable[[], int]) -> int:
    """Run `work` in a new process, which ends with the status it returns; the process id, in the parent."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        reseed()
        status = work()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def reseed() -> None:
    """Give this process random numbers of its own: Python's and, where it is imported, numpy's."""
    random.seed()
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()


def own_signals() -> None:
    """Leave the parent's handling of signals behind, and the terminal's process group, whose Ctrl-C is the parent's."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.setpgid(0, 0)
