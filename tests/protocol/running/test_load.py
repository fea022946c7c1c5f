"""`app-server load`, against a real server: what it finds out, what it refuses, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import trustme

from app_server.cli import main
from tests.protocol.conftest import Served, apps, serving
from tests.support.ports import free_port
from tests.support.server import REPOSITORY
from tests.support.waiting import until

QUICKLY = ("--stage", "1", "--think", "0.2", "--first", "2")
PATIENT = ("--p99", "60s")
"""What no machine is too busy for."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("load")


@pytest.fixture(scope="module")
def tested(folder: Path) -> Iterator[Served]:
    """A server that may be tested, and writes down what is done."""
    recordings = folder / "recordings"
    recordings.mkdir()
    flags = ("--allow-load-tests", "--metrics", "--record", f"{recordings}/", "--log-level", "info")
    with serving(*apps("working.py"), *flags, env={"APP_SERVER_RUNTIME_DIR": str(folder / "run")}) as served:
        yield served


@pytest.fixture(scope="module")
def limited() -> Iterator[Served]:
    """Another one, for two sessions, and a user whom a proxy names."""
    flags = "--allow-load-tests --max-sessions 2 --auth-header X-User --auth-header-from 127.0.0.1"
    with serving(*apps("working.py"), *flags.split(), env={"BOKEH_COOKIE_SECRET": "not a secret at all"}) as served:
        yield served


def load(
    capfd: pytest.CaptureFixture[str], *words: object, environ: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """The status, the output and the errors of the command."""
    status = main(["load", *map(str, words)], {**os.environ, **(environ or {})})
    out, errors = capfd.readouterr()
    return status, out, errors


def found(
    capfd: pytest.CaptureFixture[str], *words: object, environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What the command finds, as JSON."""
    status, out, errors = load(capfd, *words, "--json", environ=environ)
    assert status == 0, errors
    report: dict[str, Any] = json.loads(out)
    return report


def at(served: Served, seconds: float = 0.0) -> str:
    """The address of the application whose slider takes so long."""
    return f"{served.site.url}/working?seconds={seconds}"


def refusal(capfd: pytest.CaptureFixture[str], *words: object) -> str:
    """What the command says instead of a report."""
    status, out, errors = load(capfd, *words)
    assert status in (1, 2) and not out, out
    return errors.strip()


def test_people_are_carried_and_the_server_is_looked_at(
    tested: Served, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    here = {"APP_SERVER_RUNTIME_DIR": str(folder / "run")}
    report = found(capfd, at(tested), *QUICKLY, *PATIENT, "--most", 4, "--people", 50, "--scripts", environ=here)
    assert (report["people"], report["limit_found"], report["too_many"]) == (4, False, None)
    assert report["ended_because"] == "no more were to come, see --most"
    assert report["widgets"] == {"Button": 1, "Select": 1, "Slider": 1} and report["left_out"] == {"PasswordInput": 1}
    assert [stage["people"] for stage in report["stages"]] == [2, 4]
    for stage in report["stages"]:
        assert stage["faults"] == {} and stage["opens"]["count"] == 2
        assert 0 < stage["round_trips"]["p50_s"] <= stage["round_trips"]["p99_s"]
    assert report["opens_per_s"] > 0 and report["idle_bytes"] > 10**7 and report["cores_per_person"] > 0
    assert report["deployment"]["instances"] == 18 and report["deployment"]["memory_mb"] >= 256


def test_limit_is_found_and_an_instance_s_metrics_are_read(tested: Served, capfd: pytest.CaptureFixture[str]) -> None:
    url = f"{at(tested, 0.1)}&only=1"
    words = ("--stage", 1, "--think", 0.3, "--first", 1, "--p99", "50ms", "--metrics", tested.site.url, "--people", 5)
    status, out, _ = load(capfd, url, *words)
    assert status == 0
    first, _, rest = out.partition("\n")
    assert first.startswith(f"{url} carries ") and "round trips take too long (p99 " in first
    assert "Opens: " in rest and "Memory: " in rest and "For 5 people: " in rest


def test_picture_and_deployment_are_written(tested: Served, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file, picture = tmp_path / "deploy.yaml", tmp_path / "load.svg"
    file.write_text("apps: {working: working.py} # ours\npublic: localhost\ninstances: 2\n")
    words = (*QUICKLY, *PATIENT, "--most", 2, "--people", 5, "--write", file, "--picture", picture)
    status, out, errors = load(capfd, at(tested), *words)
    assert status == 0, errors
    assert "-instances: 2\n+instances: 4" in out
    written = file.read_text()
    assert written.startswith("apps: {working: working.py} # ours\npublic: localhost\ninstances: 4\n")
    assert picture.read_text().startswith("<svg ") and "people at the same time" in picture.read_text()


def test_what_was_recorded_is_played(tested: Served, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    token = tested.site.token("/working")
    with tested.site.client("/working", token) as client:
        for value in (3, 4):
            client.set("amount", "value", value)
        client.set("secret", "value", "open sesame")
    recording = written(folder, "x" * len("open sesame"))
    assert "sesame" not in recording.read_text() and token not in recording.read_text()
    assert recording.stat().st_mode & 0o777 == 0o600
    report = found(capfd, at(tested), "--stage", 2, "--first", 2, *PATIENT, "--most", 2, "--play", recording)
    (stage,) = report["stages"]
    assert stage["moves"] >= 3 and stage["not_played"] == 0 and stage["faults"] == {}
    assert report["doing"] == f"what a recording in {recording} has"


def written(folder: Path, text: str) -> Path:
    """The recording that contains this text, as soon as it is there."""

    def those() -> list[Path]:
        return [each for each in (folder / "recordings").glob("*.json") if text in each.read_text()]

    until(those, f"a recording with {text!r}")
    return those()[0]


@pytest.mark.parametrize("allowed", [False, True])
def test_server_that_does_not_allow_it_is_tested_only_if_it_is_yours(
    plain: Served, allowed: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    words = (f"{plain.site.url}/beats", *QUICKLY, *PATIENT, "--most", 2, *(["--yes-this-is-mine"] if allowed else []))
    if allowed:
        assert found(capfd, *words)["people"] == 2
    else:
        assert refusal(capfd, *words) == (
            f"app-server: {plain.site.url}/beats: this server does not say that it allows load tests. Start it with "
            "--allow-load-tests. If it is another kind of server and it is yours, give --yes-this-is-mine."
        )


def test_what_is_no_application_is_refused(tested: Served, capfd: pytest.CaptureFixture[str]) -> None:
    url, nowhere = tested.site.url, f"http://localhost:{free_port()}/working"
    for words, expected in (
        ((nowhere,), f"{nowhere}: cannot be reached: "),
        ((f"{url}/healthz",), f"{url}/healthz: this is not the page of a Bokeh application. Give the address of"),
        ((f"{url}/",), f"{url}/: redirects to {url}/working. Give that address."),
        ((f"{url}/nothing",), f"{url}/nothing: answered with status 404. Is this the address that people open"),
        ((), "no address. For example: app-server load http://localhost:5006/sliders"),
        ((f"http://ann:secret@localhost:{free_port()}/",), "the address contains a password. Write"),
        ((at(tested), "--p99", "200"), "--p99: expected a time such as 200ms or 1.5s, not '200'"),
        ((at(tested), "--write"), "--write: needs the number of people that the deployment is for. Give --people."),
        ((at(tested), "--play", "/nowhere.json"), "/nowhere.json: cannot be read: No such file or directory"),
        (
            (at(tested), "--header-file", "/nowhere"),
            "--header-file /nowhere: cannot be read: No such file or directory",
        ),
    ):
        assert expected in refusal(capfd, *words)


def test_login_and_a_limit_of_sessions(limited: Served, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    headers = tmp_path / "headers"
    headers.write_text("# a login\nX-User: ann\n\n")
    assert "answered with status 40" in refusal(capfd, at(limited))
    words = (at(limited), *QUICKLY, "--first", 6, *PATIENT, "--most", 6, "--header-file", headers)
    status, out, _ = load(capfd, *words)
    assert status == 0
    assert ", too much fails (" in out and "page refused (503)" in out
    assert "All people of a test come from one address" in out
    headers.write_text("X-User ann\n")
    assert refusal(capfd, *words) == f"app-server: --header-file {headers}:1: expected a line `NAME: VALUE`"


def test_certificate_is_checked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("localhost")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "site.pem")
    with serving(*apps("working.py"), "--allow-load-tests", "--ssl-certfile", tmp_path / "site.pem") as served:
        words = (at(served), *QUICKLY, *PATIENT, "--most", 2)
        assert "its certificate is not accepted: " in refusal(capfd, *words)
        assert "cannot be read as certificates" in refusal(capfd, *words, "--ca-file", __file__)
        assert found(capfd, *words, "--ca-file", tmp_path / "ca.pem")["people"] == 2


class Running:
    """The command in a process of its own, which has finished a stage."""

    def __init__(self, *words: object) -> None:
        command = [sys.executable, "-m", "app_server", "load", *map(str, words), "--json"]
        environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        self.process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        self.errors = [self.process.stderr.readline() for _ in range(3)]  # what is tested, the headings, a stage

    def report(self) -> dict[str, Any]:
        """What it says at its end."""
        out, errors = self.process.communicate(timeout=60)
        assert out, "".join(self.errors) + errors
        found: dict[str, Any] = json.loads(out)
        return found


def test_ctrl_c_gives_the_report_so_far(tested: Served) -> None:
    running = Running(at(tested), *QUICKLY, *PATIENT)
    running.process.send_signal(signal.SIGINT)
    report = running.report()
    assert report["ended_because"] == "it was interrupted" and report["stages"] and report["people"] >= 2
    assert running.process.returncode == 0


def test_server_that_ends_in_the_middle_ends_the_test(tmp_path: Path) -> None:
    with serving(*apps("working.py"), "--allow-load-tests") as served:
        running = Running(at(served), *QUICKLY, *PATIENT)
        served.process.stop()
        report = running.report()
    assert report["ended_because"] == "the server is gone" and report["people"] >= 2
    assert report["stages"][-1]["faults"]
