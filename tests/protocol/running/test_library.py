"""`from app_server import Server` in programs of their own, which signals end, or threads must not keep."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import pytest

from tests.support.ports import free_port
from tests.support.server import REPOSITORY
from tests.support.waiting import patience


def test_run_until_shutdown_drains_at_sigterm_if_configured() -> None:
    program = """
import os, signal, time
from app_server import Server
server = Server(lambda document: None, port=0, address="127.0.0.1", drain_s=0.5, unused_session_lifetime_ms=60_000)
import threading, urllib.request
def visit():
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(server.url).close()
    os.kill(os.getpid(), signal.SIGTERM)
threading.Thread(target=visit).start()
began = time.monotonic()
server.run_until_shutdown()
print(time.monotonic() - began > 0.5)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, cwd=REPOSITORY)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


PROGRAM = """
import os, signal, sys
from app_server import Server

class Builder:
    def initialize_document(self, doc): pass
    def on_server_loaded(self, context):
        print("loaded", flush=True)
        os.kill(os.getpid(), signal.{signal})
    def on_server_unloaded(self, context): print("unloaded", flush=True)

server = Server(Builder(), port=0, address="127.0.0.1")
before = signal.getsignal(signal.SIGINT)
server.run_until_shutdown()
print(signal.getsignal(signal.SIGINT) is before)
"""


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_run_until_shutdown_stops_in_order_at_a_signal(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{signal}", name)],
        capture_output=True, text=True, timeout=30, check=False, cwd=REPOSITORY,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "loaded\nunloaded\nTrue\n", "")


def test_server_in_a_thread_does_not_keep_the_program_from_ending() -> None:
    program = f"""
import threading
from tornado.ioloop import IOLoop
from app_server import Server
server = Server({{"/a": lambda doc: None}}, io_loop=IOLoop(make_current=False), port={free_port()}, address="127.0.0.1")
server.start()
threading.Thread(target=server.io_loop.start, daemon=True).start()
import urllib.request
print(urllib.request.build_opener(urllib.request.ProxyHandler({{}})).open(server.url + "a").status)
"""
    with suppress(subprocess.TimeoutExpired):
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True, text=True, timeout=patience(20), check=False, cwd=REPOSITORY,
        )  # fmt: skip
        assert (done.returncode, done.stdout, done.stderr) == (0, "200\n", "")
        return
    pytest.fail("the program did not end")
