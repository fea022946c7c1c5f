"""A real gunicorn with the file that `app-server config gunicorn` writes."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from tests.support.client import Site
from tests.support.deployments.scenes import write
from tests.support.ports import free_port
from tests.support.server import POLL_INTERVAL_S, REPOSITORY, running_process
from tests.support.servers.family import kill_family
from tests.support.waiting import PATIENCE_S, patience
from tests.unit.deployment.making import planned

GUNICORN = Path(sys.executable).with_name("gunicorn")


def test_generated_file_serves_signed_sessions_below_a_prefix(tmp_path: Path, processes: ExitStack) -> None:
    port = free_port()
    spec = f"""\
        apps:
          board: {{path: board.py, route: /deep/board}}
          beats: beats.py
        public: {{hosts: localhost, port: {port}, prefix: /tools}}
        proxy: none
        instances: {{port: {port}, address: 127.0.0.1}}
        service: {{manager: gunicorn, workers: 2, drain_s: 1, environment: {{MINE: "a 'b' \\"c\\""}}}}
        sessions: {{ids: signed}}
        secrets: {{secret_key: {{environment: BOKEH_SECRET_KEY}}}}
        paths: {{apps: {REPOSITORY}/tests/protocol/apps, state: {tmp_path}/state}}
        """
    write(tmp_path, "gunicorn", plan=planned(tmp_path, spec))
    command = [str(GUNICORN), "-c", str(tmp_path / "gunicorn" / "a1.conf.py")]
    url = f"http://localhost:{port}"
    served = processes.enter_context(running_process(command, url, env={"BOKEH_SECRET_KEY": "k" * 44}))
    site = Site(f"{url}/tools")
    assert site.get("/beats").status == 200
    tokens = [site.token("/deep/board") for _ in range(4)]
    for number, token in enumerate(tokens):
        with site.client("/deep/board", token, additional_headers={"Origin": url}) as client:
            client.set("slider", "value", number)
            client.wait_value("double", "value", 2 * number)
    # HUP reads the file again, and no page fails.
    os.kill(served.process.pid, signal.SIGHUP)
    served.wait_for_log("Hang up")
    deadline = time.monotonic() + patience(PATIENCE_S)
    while served.log_text().count("Booting worker") < 4:
        assert site.get("/deep/board").status == 200
        assert time.monotonic() < deadline, served.log_text()
        time.sleep(POLL_INTERVAL_S)
    kill_family(served.process.pid)  # whatever sessions are left need no farewell
