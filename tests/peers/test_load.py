"""People who use an application under both servers: the same page, the same widgets, and round trips of both."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app_server.cli import main
from tests.peers.conftest import Peers

WORDS = (
    "--yes-this-is-mine",
    "--stage",
    "3",
    "--think",
    "0.2",
    "--first",
    "2",
    "--most",
    "2",
    "--p99",
    "60s",
    "--json",
)


def test_both_servers_can_be_tested(peers: Peers, capfd: pytest.CaptureFixture[str]) -> None:
    reports = []
    for site in peers.both():
        assert main(["load", f"{site.url}/sliders", *WORDS]) == 0
        report: dict[str, Any] = json.loads(capfd.readouterr()[0])
        (stage,) = report["stages"]
        assert stage["faults"] == {} and stage["opens"]["count"] == 2 and stage["round_trips"]["count"] > 0
        assert report["people"] == 2 and report["opens_per_s"] > 0
        reports.append(report)
    stock, ours = reports
    assert stock["widgets"] == ours["widgets"] == {"Range1d": 2, "Slider": 4, "TextInput": 1}
    assert stock["left_out"] == ours["left_out"]
    assert stock["server_unknown"].startswith("it is not a server of this user on this machine")
