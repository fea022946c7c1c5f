"""What --otel makes of the settings."""

from __future__ import annotations

import subprocess
import sys

import pytest

from app_server.errors import OperatorError
from app_server.observe.otel.setup import check_otel, instance_of, make_figure_sender, make_tracing
from app_server.observe.otel.tracing import UNTRACED
from app_server.settings import Settings


def test_nothing_is_made_or_checked_without_it() -> None:
    check_otel(Settings(), {"OTEL_TRACES_SAMPLER": "nonsense"})
    assert make_tracing(Settings()) is UNTRACED
    assert make_figure_sender(Settings(), "here/0") is None
    assert make_tracing(Settings(otel="metrics")) is UNTRACED
    assert make_figure_sender(Settings(otel="traces"), "here/0") is None


def test_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(OperatorError) as caught:
        check_otel(Settings(otel="traces"), {})
    assert str(caught.value).startswith("--otel: OpenTelemetry is not installed. Install it with: pip install ")
    assert "[otel]" in str(caught.value)


def test_metrics_need_what_writes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    check_otel(Settings(otel="traces"), {})
    with pytest.raises(OperatorError) as caught:
        check_otel(Settings(otel="both"), {})
    assert str(caught.value).startswith("--otel: prometheus-client is not installed. Install it with: pip install ")


def test_variable_of_the_sdk_that_turns_it_off_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "True")
    assert make_tracing(Settings(otel="both")) is UNTRACED
    assert make_figure_sender(Settings(otel="both"), "here/0") is None


def test_process_is_called_by_its_route_or_its_address() -> None:
    assert instance_of(Settings(route="west-1"), 5006, "1") == "west-1/1"
    assert instance_of(Settings(), 5006, "0").endswith(":5006/0")
    assert instance_of(Settings(unix_socket="/run/a.sock"), None, "0").endswith(":/run/a.sock/0")


def test_server_without_it_imports_nothing_of_it() -> None:
    program = (
        "import sys, app_server.server.lifecycle\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry', 'google'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.stdout == "[]\n"
