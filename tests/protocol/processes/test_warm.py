"""A server that tests fork from a process which has imported everything is what one is that was started cold."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.protocol.conftest import SECRET, apps, serving
from tests.support.ports import free_port
from tests.support.server import REPOSITORY
from tests.support.servers.warm import Forked, fork
from tests.support.waiting import PATIENCE_S, patience

ABOUT = """
import atexit, gc, json, locale, logging, os, random, resource, signal, sys, threading, time, warnings

import bokeh.resources, bokeh.util.token
from bokeh.settings import settings

main = sys.modules["__main__"]
umask = os.umask(0)
os.umask(umask)


def kinds():
    "What is open, without its numbers and without the files that a thread compresses meanwhile."
    found = []
    for each in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{each}").partition("[")[0].rpartition("/")[2])
        except OSError:  # the listing itself
            pass
    return sorted(name for name in found if not name.endswith((".js", ".br", ".tmp", ".claim")))


facts = {
    "argv": sys.argv, "orig_argv": sys.orig_argv, "path": sys.path, "flags": str(sys.flags), "cwd": os.getcwd(),
    "environ": {name: text for name, text in os.environ.items() if name != "FACTS"}, "umask": umask,
    "main": [main.__spec__.name, main.__file__, sorted(vars(main))],
    "group": [os.getpgid(0), os.getsid(0)],
    "signals": {number: str(signal.getsignal(number)).partition(" at ")[0] for number in signal.valid_signals()},
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
    "descriptors": [os.readlink(f"/proc/self/fd/{each}").rpartition("/")[2] for each in (0, 1, 2)],
    "open": kinds(),
    "loggers": {name: [str(logging.getLogger(name).handlers), logging.getLogger(name).propagate,
                       logging.getLogger(name).level] for name in ("", "bokeh", "tornado", "app_server")},
    "warnings": [str(each) for each in warnings.filters],
    "threads": [each.name for each in threading.enumerate()],
    "limits": [resource.getrlimit(each) for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_AS, resource.RLIMIT_CORE)],
    "locale": locale.setlocale(locale.LC_ALL), "zone": time.tzname, "collector": [gc.isenabled(), gc.get_threshold()],
    "streams": [str(each.encoding) + each.errors + str([each.line_buffering, each.write_through])
                for each in (sys.stdout, sys.stderr)],
    "own modules": [name for name in sys.modules if name.startswith(("tests", "app"))],
    "modules": sorted(name for name in sys.modules if "_app_" not in name),
    "secrets": [settings.secret_key_bytes(), bokeh.util.token.generate_session_id.__defaults__,
                bokeh.util.token.check_token_signature.__defaults__, bokeh.resources.generate_session_id.__defaults__],
    "random": [random.random(), os.getpid()],
}
atexit.register(print, "ended in order", flush=True)
with open(os.environ["FACTS"], "w") as file:
    json.dump(facts, file, default=str)
"""


# Coverage has files of its own open.
UNMEASURED = {"measured": False}


def facts_of(folder: Path, port: int, *, cold: bool, **environ: str) -> dict[str, Any]:
    """What an application sees of its process."""
    (folder / "about.py").write_text(ABOUT, encoding="utf-8")
    environ = {"FACTS": str(folder / "facts"), "APP_SERVER_LOG_LEVEL": "warning", **environ}
    with serving(folder / "about.py", "--port", str(port), cold=cold, cwd=folder, env=environ, **UNMEASURED) as served:
        assert isinstance(served.process.process, Forked) != cold
        assert served.site.get("/about").status == 200
        assert served.process.stop() == 0
        served.process.wait_for_log("ended in order")
    found: dict[str, Any] = json.loads((folder / "facts").read_text())
    return found


def test_a_forked_server_is_what_one_started_cold_is(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    port = free_port()
    with serving(*apps("board.py"), env={"APP_SERVER_LOG_LEVEL": "warning"}, **UNMEASURED):
        pass  # the first start with an environment is cold
    before = os.umask(0o027)
    try:
        cold, warm, another = (facts_of(tmp_path / "work", port, cold=cold) for cold in (True, False, False))
    finally:
        os.umask(before)
    assert warm.pop("random") != another.pop("random") != cold.pop("random")
    loaded, needed = set(warm.pop("modules")), set(cold.pop("modules"))
    another.pop("modules")
    assert needed <= loaded
    assert warm == cold == another
    assert cold["umask"] == 0o027 and cold["cwd"] == str(tmp_path / "work")


def test_a_forked_server_has_the_secrets_of_its_environment(tmp_path: Path) -> None:
    signing = {"BOKEH_SECRET_KEY": SECRET, "BOKEH_SIGN_SESSIONS": "yes"}
    port = free_port()
    with serving(*apps("board.py"), **UNMEASURED):  # there is a process to fork from
        pass
    found = []
    for environ in ({}, signing):
        warm, cold = (facts_of(tmp_path, port, cold=cold, **environ)["secrets"] for cold in (False, True))
        assert warm == cold
        found.append(warm)
    assert [key for key, *_ in found] == [None, str(SECRET.encode())]
    assert all(unsigned != signed for unsigned, signed in zip(*found, strict=True))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_its_end_is_reported_as_that_of_a_process(number: int) -> None:
    with serving(*apps("board.py")) as served:
        process = served.process.process
        assert process.poll() is None and process.returncode is None
        process.send_signal(number)
        assert process.wait(patience(PATIENCE_S)) == (-9 if number == signal.SIGKILL else 0)
        assert process.poll() == process.returncode == process.wait()
        process.terminate()  # which is no one's any more


def test_what_an_import_looked_at_makes_a_start_cold(tmp_path: Path) -> None:
    with serving(*apps("board.py")):  # there is a process to fork from
        pass
    (tmp_path / "yaml.py").write_text("", encoding="utf-8")
    command = [sys.executable, "-m", "app_server", "help"]
    usual = {"PYTHONUNBUFFERED": "1", **os.environ, "PYTHONPATH": str(REPOSITORY)}  # as that server's
    with (tmp_path / "log").open("wb") as log:
        for different in (
            {"HOME": str(tmp_path)},
            {"BOKEH_PY_LOG_LEVEL": "info"},
            {"PYTHONHASHSEED": "7"},
            {"TZ": "X"},
            {"BOKEH_SECRET_KEY": "short"},
            {"BOKEH_SIGN_SESSIONS": "1"},
        ):
            assert fork(command, None, {**usual, **different}, log) is None
        assert fork(command, tmp_path, usual, log) is None
        assert fork([*command, "--use-config", "file"], None, usual, log) is None
