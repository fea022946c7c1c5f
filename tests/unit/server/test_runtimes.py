"""The applications of a server, ready to have sessions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from app_server.apps import application_from_function
from app_server.document.served import new_document
from app_server.engine.isolated import IsolatedRuntime
from app_server.engine.lifecycle import Lifetimes
from app_server.engine.local import LocalRuntime, Snapshot
from app_server.engine.loop import EngineLoop
from app_server.engine.runtime import ApplicationRuntime
from app_server.engine.single import SingleSessionRuntime
from app_server.errors import InternalError
from app_server.http.auth_backend import AuthBackend
from app_server.observe.gauges import Gauges
from app_server.requests.state.pages import Pages
from app_server.requests.state.policy import Policy
from app_server.security.admission import Admission, Full
from app_server.server.runtimes import OwnSession, make_runtimes
from app_server.session.limits import MessageLimits
from app_server.settings import Settings
from tests.support.clock import SkippingLoop, skipping_loop
from tests.unit.engine.making import Observer


@pytest.fixture
def loop() -> Iterator[SkippingLoop]:
    with skipping_loop() as made:
        yield made


BUILT: list[str] = []
"""The title of each document that was built, in the order in which they were."""


def application(title: str) -> Any:
    """An application whose document has this title."""

    def fill(document: Any) -> None:
        BUILT.append(title)
        document.title = title

    return application_from_function(fill)


def policy_of(auth: AuthBackend | None = None, **given: Any) -> Policy:
    return Policy.of(Settings(**given), auth or AuthBackend(), 5006)


def made(loop: SkippingLoop, *routes: str, **more: Any) -> list[ApplicationRuntime]:
    """The runtimes of an application at each of these routes, whose title it has."""
    BUILT.clear()
    given = {"policy": policy_of(), "gauges": Gauges(), "admission": Admission(), "loop": EngineLoop(loop), **more}
    return list(make_runtimes({route: application(route) for route in routes}, **given))


def title(loop: SkippingLoop, runtime: ApplicationRuntime, session_id: str = "one") -> str:
    """The title of this session's document."""
    session = loop.run_until_complete(runtime.session(session_id, None, {}))
    return str(session.document.title)


def test_server_without_applications_has_no_runtimes(loop: SkippingLoop) -> None:
    assert made(loop) == []


def test_each_application_has_its_own_runtime_in_the_order_given(loop: SkippingLoop) -> None:
    runtimes = made(loop, "/b", "/a", "/")
    assert [runtime.url for runtime in runtimes] == ["/b", "/a", "/"]
    assert [type(runtime) for runtime in runtimes] == [LocalRuntime] * 3
    assert [title(loop, runtime) for runtime in runtimes] == ["/b", "/a", "/"]


def test_only_the_routes_named_are_isolated(loop: SkippingLoop) -> None:
    isolated, local = made(loop, "/isolated", "/local", isolated=("/isolated", "/elsewhere"))
    assert isinstance(isolated, IsolatedRuntime) and isinstance(local, LocalRuntime)
    with pytest.raises(InternalError, match="a session that has a process of its own was to be built in another one"):
        title(loop, isolated)
    assert title(loop, local) == "/local"
    assert BUILT == ["/local"]


def test_applications_share_the_limit_of_sessions(loop: SkippingLoop) -> None:
    first, second = made(loop, "/a", "/b", admission=Admission(1))
    title(loop, first)
    with pytest.raises(Full):
        title(loop, second)
    assert BUILT == ["/a"]


def test_each_application_is_counted_by_its_route(loop: SkippingLoop) -> None:
    gauges = Gauges()
    first, second = made(loop, "/a", "/b", gauges=gauges)
    for session_id in ("one", "two"):
        title(loop, first, session_id)
    assert (gauges.application("/a").built, gauges.application("/b").built) == (2, 0)
    assert second.gauges is gauges.application("/b")


@pytest.mark.parametrize("dev", [False, True])
def test_limits_and_lifetimes_are_those_of_the_settings(loop: SkippingLoop, dev: bool) -> None:
    policy = policy_of(
        websocket_max_message_size_bytes=12345, unused_session_lifetime_ms=2500, check_unused_sessions_ms=500, dev=dev
    )
    [runtime] = made(loop, "/a", policy=policy)
    assert runtime._limits == MessageLimits(12345, show_tracebacks=dev)
    assert runtime._lifecycle._lifetimes == Lifetimes(2.5, 0.5)


def test_unused_session_ends_after_the_time_that_the_settings_say(loop: SkippingLoop) -> None:
    policy = policy_of(unused_session_lifetime_ms=2000, check_unused_sessions_ms=500)
    [runtime] = made(loop, "/a", policy=policy)
    loop.run_until_complete(runtime.start())
    title(loop, runtime)
    loop.run_for(1.9)
    assert runtime.registry.get("one") is not None
    loop.run_for(1.2)
    assert runtime.registry.get("one") is None


def test_sessions_know_the_address_of_the_logout(loop: SkippingLoop) -> None:
    class WithLogout(AuthBackend):
        @property
        def logout_url(self) -> str | None:
            return "/logout"

    [runtime] = made(loop, "/a", policy=policy_of(WithLogout()))
    session = loop.run_until_complete(runtime.session("one", None, {}))
    assert session.context.logout_url == "/logout"


def own_session(observer: Observer, snapshot: Snapshot | None = None) -> OwnSession:
    policy = policy_of()
    return OwnSession("one", policy, Pages(policy.settings, []), snapshot, observer)


def test_process_of_one_session_builds_it_itself_even_if_its_route_is_isolated(loop: SkippingLoop) -> None:
    observer = Observer()
    [runtime] = made(loop, "/a", isolated=("/a",), session=own_session(observer))
    assert isinstance(runtime, SingleSessionRuntime) and not isinstance(runtime, IsolatedRuntime)
    assert title(loop, runtime) == "/a"
    assert [(what, session.id) for what, session in observer.seen] == [("begun", "one")]


def test_process_of_one_session_goes_on_with_its_snapshot(loop: SkippingLoop) -> None:
    document = new_document("one")
    document.title = "filled before the fork"
    [runtime] = made(loop, "/a", session=own_session(Observer(), Snapshot(document, None)))
    assert title(loop, runtime) == "filled before the fork"
    assert BUILT == []


def test_own_session_is_a_value() -> None:
    own = own_session(Observer())
    assert replace(own) == own and replace(own, session_id="two") != own
