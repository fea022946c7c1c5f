"""The blocks `apps` and `instances`: bare values, limits, and which applications cannot share."""

from __future__ import annotations

from typing import Any

import pytest

from app_server.deployment.spec.applications import Application, ApplicationLimits, Applications, Instances, ServerHost
from tests.unit.deployment.spec.reading import fault, read, said


def test_bare_values_are_a_path_and_a_number() -> None:
    assert said(Application, "app.py") == {"path": "app.py"}
    assert said(Instances, "4") == {"count": 4}
    assert said(Application, {"path": "a.py", "instances": "2"}) == {"path": "a.py", "instances": {"count": 2}}


def test_nothing_said_is_one_instance() -> None:
    found = read(Instances, None)
    assert (found.count, found.port, found.address, found.hosts, found.processes) == (1, None, None, (), None)


@pytest.mark.parametrize(
    ("more", "alone"),
    [
        ({}, False), ({"route": "/other"}, False), ({"args": "x"}, True), ({"args": []}, False),
        ({"isolation": "none"}, True), ({"limits": {}}, True), ({"instances": 1}, True),
    ],
)  # fmt: skip
def test_what_makes_an_application_have_instances_of_its_own(more: dict[str, Any], alone: bool) -> None:
    # A block without a word in it says that something differs, too.
    assert read(Application, {"path": "a.py", **more}).stands_alone is alone


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Instances, "0", "count: expected a whole number from 1 to 512, not '0'"),
        (Instances, {"count": "513"}, "count: expected a whole number from 1 to 512, not '513'"),
        (Instances, {"processes": "-1"}, "processes: expected a whole number from 0 to 1024, not '-1'"),
        (Instances, {"socket_dir": "run"}, "socket_dir: expected a path that begins with / and has no '..', not 'run'"),
        (ServerHost, {"name": "a"}, "address: Field required"),
        (ServerHost, {"name": "a", "address": "b", "count": "513"},
         "count: expected a whole number from 0 to 512, not '513'"),
        (Application, {}, "path: Field required"),
        (Application, {"path": "a.py", "isolation": "docker"},
         "isolation: expected one of none, process, snapshot, not 'docker'"),
        (ApplicationLimits, {"session_memory_mb": "15"},
         "session_memory_mb: expected a whole number, at least 16, not '15'"),
        (ApplicationLimits, {"session_cpu_s": "0.9"},
         "session_cpu_s: expected a number of seconds, at least 1, not '0.9'"),
        (ApplicationLimits, {"callback_s": "0"}, "callback_s: expected a number of seconds, at least 0.1, not '0'"),
        (Applications, {}, ": Dictionary should have at least 1 item after validation, not 0"),
        (Applications, {"9": "a.py"},
         "9.[key]: expected a name of letters, digits, '_' and '-' that begins with a letter, at most 24, not '9'"),
    ],
)  # fmt: skip
def test_what_is_refused(kind: Any, value: object, message: str) -> None:
    assert fault(kind, value) == message


def test_hosts_may_run_no_instances_and_are_not_without_number() -> None:
    hosts = [{"name": f"h{number}", "address": "10.0.0.1", "count": "0"} for number in range(257)]
    assert read(Instances, {"hosts": hosts[:256]}).hosts[0].count == 0
    assert fault(Instances, {"hosts": hosts}).startswith("hosts: Tuple should have at most 256 items")


def test_no_means_no_isolation() -> None:
    assert read(Application, {"path": "a.py", "isolation": "no"}).isolation == "none"
