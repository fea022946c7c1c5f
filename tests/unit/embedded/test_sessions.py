"""Sessions are found by the routes and ids that a program names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from app_server.embedded.sessions import session_of, sessions_of
from app_server.engine.runtime import ApplicationRuntime
from tests.support.clock import skipping_loop
from tests.unit.engine.making import runtime_of


@pytest.fixture
def runtime() -> Iterator[ApplicationRuntime]:
    """An application with the sessions "one" and "other"."""
    with skipping_loop() as loop:
        made = runtime_of(loop)
        for session_id in ("one", "other"):
            loop.run_until_complete(made.session(session_id, None, {}))
        yield made


def test_sessions_are_those_of_a_route_or_all(runtime: ApplicationRuntime) -> None:
    served = [runtime.url, "/empty"]
    assert {session.id for session in sessions_of([runtime], served)} == {"one", "other"}
    assert {session.id for session in sessions_of([runtime], served, f"{runtime.url}/")} == {"one", "other"}
    assert sessions_of([runtime], served, "/empty") == []
    assert session_of([runtime], served, runtime.url, "other").id == "other"


def test_what_is_not_there_is_named(runtime: ApplicationRuntime) -> None:
    with pytest.raises(ValueError, match=f"^{runtime.url} has no session of this id$"):
        session_of([runtime], [runtime.url], runtime.url, "third")
    with pytest.raises(ValueError, match=f"^no application is served at /else; there are {runtime.url}, /empty$"):
        sessions_of([runtime], [runtime.url, "/empty"], "/else")
    with pytest.raises(ValueError, match="^no application is served at /else; there are none$"):
        sessions_of([], [], "/else")
