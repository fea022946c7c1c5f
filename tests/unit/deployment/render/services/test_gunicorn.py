"""Configurations of gunicorn."""

from __future__ import annotations

import ast
from pathlib import Path

from hypothesis import given

from app_server.deployment.render.services.gunicorn import literal
from app_server.errors import OperatorError
from tests.unit.deployment.making import PRINTABLE, THREE, line, text


def test_gunicorn_gets_settings_as_keywords(tmp_path: Path) -> None:
    spec = THREE + "service: {manager: gunicorn, workers: 4}\nsessions: {unused_lifetime_s: 60}\n"
    conf = text(tmp_path, "gunicorn", spec, "gunicorn/a2.conf.py")
    settings = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(conf).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    assert settings["wsgi_app"] == (
        "app_server.gunicorn:app('myapp.py', route='a2', allow_websocket_origin=['tools.example.org'], "
        "use_xheaders=True, unused_session_lifetime_ms='60000', store='/var/lib/app-server/sessions')"
    )
    assert (settings["bind"], settings["workers"], settings["graceful_timeout"]) == ("127.0.0.1:5101", 4, 15)
    unit = text(tmp_path, "systemd", spec, "systemd/app-server@.service")
    assert line(unit, "ExecStart=") == "/opt/app-server/bin/gunicorn -c /etc/app-server/gunicorn/%i.conf.py"
    assert "WatchdogSec" not in unit


def test_gunicorn_gets_routes_as_a_dictionary(tmp_path: Path) -> None:
    spec = "apps: {a: a.py, b: {path: 'it''s.py', route: /x/y}}\nservice: gunicorn\n"
    conf = text(tmp_path, "gunicorn", spec, "gunicorn/a1.conf.py")
    (call,) = [line for line in conf.splitlines() if line.startswith("wsgi_app = ")]
    expression = ast.literal_eval(call.removeprefix("wsgi_app = ")).partition(":")[2]
    (sources,) = ast.parse(expression, mode="eval").body.args  # type: ignore[attr-defined]
    assert ast.literal_eval(sources) == {"/a": "a.py", "/x/y": "it's.py"}


def test_gunicorn_itself_speaks_tls_where_nothing_stands_in_front(tmp_path: Path) -> None:
    spec = "apps: {a: a.py}\nproxy: none\nservice: gunicorn\ntls: {certificate: /c.pem, key: /k.pem}\n"
    conf = text(tmp_path, "gunicorn", spec, "gunicorn/a1.conf.py")
    assert 'certfile = "/c.pem"\nkeyfile = "/k.pem"\n' in conf and "ssl_certfile" not in conf


@given(PRINTABLE)
def test_no_value_leaves_its_place_in_python(value: str) -> None:
    try:
        assert ast.literal_eval(str(literal(value))) == value
    except OperatorError:
        assert not value.isprintable()
