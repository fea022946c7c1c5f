"""The addresses that Prometheus asks."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from app_server.deployment.render import is_wanted, render
from app_server.errors import OperatorError
from tests.unit.deployment.making import HOSTS, MINIMAL, planned

METRICS = "server: {metrics: yes}\n"


def test_each_instance_is_known_by_its_name(tmp_path: Path) -> None:
    (file,) = render("prometheus", planned(tmp_path, HOSTS + METRICS)).values()
    assert file.install == "/etc/prometheus/targets/app-server.yml"
    assert yaml.safe_load(file.text) == [
        {
            "targets": [address],
            "labels": {"deployment": "app-server", "instance": name, "pool": "myapp", "host": host},
        }
        for address, name, host in (
            ("10.0.0.1:5100", "a1", "one"),
            ("10.0.0.1:5101", "a2", "one"),
            ("10.0.0.2:5100", "b1", "two"),
            ("10.0.0.2:5101", "b2", "two"),
        )
    ]


def test_unix_sockets_cannot_be_asked(tmp_path: Path) -> None:
    plan = planned(tmp_path, MINIMAL + METRICS + "instances: {socket_dir: /run/app}\n")
    assert not is_wanted("prometheus", plan) and is_wanted("alerts", plan)
    with pytest.raises(OperatorError, match="instance a1 listens on a Unix socket, which Prometheus cannot ask"):
        render("prometheus", plan)
