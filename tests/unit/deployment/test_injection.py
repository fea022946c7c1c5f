"""No value adds a line to any generated file: whatever stands in deploy.yaml is refused, or stays one word of one line.

What a word may say within its line is tested beside each target, by the program that reads it or by its parser.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app_server.deployment.load import from_values
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.render import is_wanted, render
from app_server.deployment.targets import TARGETS
from app_server.errors import OperatorError
from tests.support.examples import examples

Values = dict[str, Any]

_MEANINGFUL = st.sampled_from(";{}'\"\\$#\n\r\t\x0b\x0c\x1c\x85\u2028 &|<>`()[]*?!%~^:,=@/.-aZ0")
NASTY = st.text(alphabet=st.one_of(_MEANINGFUL, _MEANINGFUL, st.characters()), max_size=30)
ADDRESS = "127.0.0.1"

# Where each value stands, and a harmless one for the place.
PLACES: dict[str, tuple[str, Callable[[str], Values]]] = {
    "name": ("ab", lambda v: {"name": v}),
    "app path": ("a", lambda v: {"apps": {"a": v}}),
    "app name": ("a", lambda v: {"apps": {v: "a.py"}}),
    "app argument": ("a", lambda v: {"apps": {"a": {"path": "a.py", "args": [v]}}}),
    "host": (ADDRESS, lambda v: {"public": v}),
    "host's name": ("a", lambda v: {"instances": {"hosts": [{"name": v, "address": "10.0.0.1"}]}}),
    "host's address": (ADDRESS, lambda v: {"instances": {"hosts": [{"name": "a", "address": v}]}}),
    "host's login": ("a", lambda v: {"instances": {"hosts": [{"name": "a", "address": "10.0.0.1", "ssh": v}]}}),
    "socket": ("a", lambda v: {"instances": {"socket_dir": "/" + v}}),
    "certificate": ("a", lambda v: {"tls": {"certificate": "/" + v}}),
    "webroot": ("a", lambda v: {"tls": {"mode": "acme", "acme": {"webroot": "/" + v}}}),
    "e-mail": ("a@b.org", lambda v: {"tls": {"mode": "acme", "acme": {"email": v}}}),
    "authority": ("a", lambda v: {"tls": {"mode": "acme", "acme": {"directory": "https://a/" + v}}}),
    "origin": ("a", lambda v: {"embedding": "https://" + v}),
    "header": ("a", lambda v: {"headers": {"extra": {"X-A": v}}}),
    "message": ("a", lambda v: {"maintenance": {"message": v}}),
    "realm": ("a", lambda v: {"access": {"basic": {"file": "/f", "realm": v}}}),
    "secret's file": ("a", lambda v: {"secrets": {"secret_key": {"file": "/" + v}}}),
    "secret's variable": ("a", lambda v: {"secrets": {"secret_key": {"environment": v}}}),
    "credential": ("a", lambda v: {"secrets": {"secret_key": {"credential": v}}}),
    "alert's label": ("a", lambda v: {"server": {"metrics": True}, "monitoring": {"labels": {"a": v}}}),
    "label's name": ("a", lambda v: {"server": {"metrics": True}, "monitoring": {"labels": {v: "a"}}}),
    "server setting": ("a", lambda v: {"server": {"index": v}}),
    "log folder": ("a", lambda v: {"logs": {"dir": "/" + v}}),
    "user": ("a", lambda v: {"service": {"user": v}}),
    "variable": ("a", lambda v: {"service": {"environment": {"A": v}}}),
    "variable's name": ("a", lambda v: {"service": {"environment": {v: "a"}}}),
    "image": ("a", lambda v: {"containers": {"images": {"app": v}}}),
    "build context": ("a", lambda v: {"containers": {"build_context": v}}),
    "tunnel": ("b", lambda v: {"tunnels": {"t": {"kind": "reverse", "server": f"a@{v}x"}}}),
    "tunnel's name": ("a", lambda v: {"tunnels": {v: {"kind": "local", "server": "a@b"}}}),
    "jump host": ("b", lambda v: {"tunnels": {"t": {"kind": "local", "server": "a@b", "jump": [f"a@{v}x"]}}}),
    "identity": ("a", lambda v: {"tunnels": {"t": {"kind": "local", "server": "a@b", "identity": "/" + v}}}),
    "command": ("a", lambda v: {"paths": {"command": v}}),
    "apps": ("a", lambda v: {"paths": {"apps": "/" + v}}),
    "etc": ("a", lambda v: {"paths": {"etc": "/" + v}}),
    "state": ("a", lambda v: {"paths": {"state": "/" + v}}),
}
MANAGERS = ("systemd", "supervisor", "gunicorn")


def line_counts(values: Values, manager: str, proxy: str) -> dict[str, list[int]]:
    """The numbers of lines of each target's files, and only of those that can be made."""
    merged: Values = {"apps": {"a": "a.py"}, **values}
    merged["service"] = {"manager": manager, **merged.get("service", {})}
    merged["proxy"] = proxy
    loaded = from_values(merged, "test")
    found = {}
    for name, target in TARGETS.items():
        try:
            plan = resolve_plan(loaded, layout=target.layout, regenerate=("app-server", "config"))
            if target.layout == "host" and not is_wanted(name, plan):
                continue
            # By every end of a line that any reader might know.
            found[name] = [len(file.text.splitlines()) for file in render(name, plan).values()]
        except OperatorError:
            continue
    return found


@cache
def harmless(place: str, manager: str, proxy: str) -> dict[str, list[int]]:
    """The same with a plain value in this place."""
    value, put = PLACES[place]
    return line_counts(put(value), manager, proxy)


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=examples(20), deadline=None)
@given(value=NASTY, manager=st.sampled_from(MANAGERS), proxy=st.sampled_from(("nginx", "apache")))
def test_no_value_adds_a_line_to_any_file(place: str, value: str, manager: str, proxy: str) -> None:
    try:
        found = line_counts(PLACES[place][1](value), manager, proxy)
    except OperatorError:
        return
    expected = harmless(place, manager, proxy)
    assert {name: lines for name, lines in found.items() if lines != expected.get(name)} == {}
