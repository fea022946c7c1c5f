"""The route of an application, by its path."""

from __future__ import annotations

import pytest

from app_server.apps import routes as served
from app_server.deployment.routes import route_for, segment_route


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("myapp.py", "/myapp"), ("apps/myapp.ipynb", "/myapp"), ("myapp/", "/myapp"), ("./a/../b.py", "/b"),
        ("my other.py", "/my%20other"), ("été.py", "/%C3%A9t%C3%A9"), ("v1.2", "/v1.2"), ("a.b.py", "/a.b"),
    ],
)  # fmt: skip
def test_route_is_the_name_without_its_ending(path: str, route: str) -> None:
    assert route_for(path) == route


@pytest.mark.parametrize("path", ["a.py", "x/b.ipynb", "c", "c.d/", "./e f.py", "/g/h.tar.py", "i.txt"])
def test_routes_are_those_of_serve(path: str) -> None:
    assert route_for(path) == served.route_for(path)
    assert segment_route(path) == served.segment_route(path)
