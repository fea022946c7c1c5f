"""The doctor before a server without a proxy, and what that server reports."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app_server.doctor.address import parse_target
from app_server.doctor.network.connection import Route
from app_server.doctor.options import Options
from app_server.doctor.probes import examine
from app_server.doctor.rules import judge
from app_server.doctor.seen.evidence import Evidence
from app_server.protocol.doctor import HEADER, TRICKLE, TRICKLE_S, Seen, Sent
from tests.protocol.conftest import Served, apps, serving
from tests.support.client import fetch


def look(url: str, **options: object) -> Evidence:
    """What the doctor sees there, without waiting long for silence."""
    target, authorization = parse_target(url)
    headers = (("Authorization", authorization),) if authorization else ()
    given = Options(None, Route(headers=headers, timeout_s=30), idle_s=0.5, **options)  # type: ignore[arg-type]
    return asyncio.run(examine(target, given))


def ids(evidence: Evidence) -> list[str]:
    return [finding.id for finding in judge(evidence)]


def seen_by(url: str, sent: Sent, **headers: str) -> Seen | None:
    return Seen.read(fetch(url, headers={HEADER: sent.statement(), **headers}).headers.get(HEADER.lower(), ""))


def test_server_without_a_proxy_is_well(plain: Served) -> None:
    evidence = look(f"{plain.site.url}/board")
    assert ids(evidence) == []
    assert len(evidence.instances) == 1 and evidence.proxy is None
    assert all(opening.socket is not None and opening.socket.pulled_bytes for opening in evidence.openings)


def test_only_the_doctor_gets_the_details(plain: Served) -> None:
    host = plain.site.url.removeprefix("http://")
    for path in ("/board", "/healthz", "/nowhere", "/static/js/bokeh.min.js", "/board/ws"):
        assert HEADER.lower() not in fetch(plain.site.url + path).headers
        assert HEADER.lower() not in fetch(plain.site.url + path, headers={HEADER: "hello"}).headers
        seen = seen_by(plain.site.url + path, Sent("http", host, path))
        assert seen is not None and (seen.scheme, seen.host, seen.path) == ("same", "same", "same"), path


def test_application_below_another_prefix_is_reported(plain: Served) -> None:
    sent = Sent("http", "x", "/tools/board")
    wanted = {"/tools/board": "elsewhere", "/tools/nothing": "here"}
    for path, place in wanted.items():
        seen = seen_by(plain.site.url + path, sent)
        assert seen is not None and seen.place == place
    assert ids(look(f"{plain.site.url}/tools/board")) == ["prefix-missing"]


def test_health_trickles_only_for_the_doctor(plain: Served) -> None:
    url = f"{plain.site.url}/healthz?{TRICKLE}"
    started = time.monotonic()
    assert fetch(url).headers.get("transfer-encoding") is None
    assert time.monotonic() - started < TRICKLE_S
    answer = fetch(url, headers={HEADER: Sent("http", "x", "/").statement()})
    assert answer.headers["transfer-encoding"] == "chunked"
    assert json.loads(answer.text) == {"status": "alive"}


def test_forged_headers_are_believed_without_a_proxy() -> None:
    with serving(*apps("board.py"), "--use-xheaders") as served:
        [finding] = judge(look(f"{served.site.url}/board"))
        assert (finding.id, finding.hop.value) == ("forgery-believed", "application server")


def test_page_behind_a_login_is_seen_with_name_and_password(tmp_path: Path) -> None:
    users = tmp_path / "users.txt"
    subprocess.run(
        [sys.executable, "-m", "app_server", "passwd", users, "ann"], input="a long password", text=True, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    with serving(*apps("board.py"), "--basic-auth", users, env={"BOKEH_COOKIE_SECRET": "nobody knows"}) as served:
        host = served.site.url.removeprefix("http://")
        assert ids(look(f"http://{host}/board")) == ["login-required"]
        evidence = look(f"http://ann:a%20long%20password@{host}/board")
        assert ids(evidence) == [] and len(evidence.openings) == 6


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app_server", "doctor", *words], capture_output=True, text=True, check=False, timeout=120
    )


def test_command_prints_a_report_and_its_status_is_the_worst_finding(plain: Served) -> None:
    missing = run(f"{plain.site.url}/tools/board", "--json")
    report = json.loads(missing.stdout)
    assert (missing.returncode, missing.stderr, report["ok"]) == (1, "", False)
    assert [finding["id"] for finding in report["findings"]] == ["prefix-missing"]
    assert {"where": "app-server", "how": "tell it the path that the proxy forwards", "lines": ["--prefix /tools"]} in (
        report["findings"][0]["remedies"]
    )
    well = run(f"{plain.site.url}/board", "--long", "1", "--opens", "2")
    assert (well.returncode, well.stderr) == (0, "")
    assert well.stdout.splitlines()[-1] == "No problems found."
    assert "one instance for page and socket" in " ".join(well.stdout.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no address. For example: app-server doctor https://example.com/sliders"),
        (["example.com"], "'example.com': this is not an address of a web site. Use the address that people open, such"
         " as https://example.com/sliders."),
        (["http://x", "--long", "soon"], "--long: expected a number from 1 to 86400, not 'soon'"),
        (["http://x", "--opens", "0"], "--opens: expected a whole number from 1 to 200, not '0'"),
        (["http://x", "--instances", "2.5"], "--instances: expected a whole number from 1 to 10000, not '2.5'"),
        (["http://x", "--timeout", "nan"], "--timeout: expected a number from 0.1 to 3600, not 'nan'"),
        (["http://x", "--header", "Cookie"], "--header: expected 'NAME: VALUE', not 'Cookie'"),
        (["http://x", "--header", "A: b\nC: d"], "--header: expected 'NAME: VALUE', not 'A: b\\nC: d'"),
        (["http://x", "--proxy", "caddy"], "--proxy: expected one of nginx, apache, not 'caddy'"),
        (["http://x", "--ca-file", "/nowhere.pem"], "--ca-file /nowhere.pem: cannot be read as certificates: No such"
         " file or directory. Give a file in PEM format."),
        (["http://x", "--embed-origin", "http://y/z"], "'http://y/z': an origin has no path: http://y is one"),
    ],
)  # fmt: skip
def test_usage_fault_is_one_line(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    from app_server.cli import EXIT_USAGE, main

    assert main(["doctor", *words], {}) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {message}\n"
