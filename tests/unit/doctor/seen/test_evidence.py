"""What can be read from all that the probes saw."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app_server.doctor.seen.answers import Failure, Handshake, Reach, Tls
from app_server.doctor.seen.evidence import Evidence
from app_server.doctor.seen.pages import Embedding, Opening, Page
from tests.unit.doctor.making import BARE, HOME, SEEN, TIMEOUT, answer, healthy


def test_every_answer_is_found_wherever_it_is() -> None:
    answers = [replace(BARE, status=status) for status in range(100, 112)]
    evidence = Evidence(
        HOME, plain=answers[0], redirects=(answers[1],), page=Page(answers[2]), foreign=Handshake(answers[3]),
        openings=(
            Opening(Page(answers[4]), Handshake(answers[5]), (Handshake(answers[9]),)), Opening(Page(answers[6])),
        ),
        repeated=((answers[10], answers[11]),),
        embeddings=(Embedding("https://a.test", answers[7], Handshake(answers[8])),),
    )  # fmt: skip
    assert sorted(each.status for each in evidence.answers) == list(range(100, 112))
    assert Evidence(HOME).answers == ()


@pytest.mark.parametrize(
    ("names", "given", "proxy"),
    [
        (("nginx/1.26.3",), None, "nginx"),
        (("Apache/2.4.62 (Debian)",), None, "apache"),
        (("App-Server", "TornadoServer/6.5"), None, None),
        (("cloudflare",), None, None),
        (("cloudflare", "openresty/nginx"), None, "nginx"),
        (("nginx",), "apache", "apache"),
        ((), None, None),
    ],
)
def test_proxy_is_told_by_the_answers(names: tuple[str, ...], given: str | None, proxy: str | None) -> None:
    scripts = tuple(replace(BARE, headers=(("server", name),)) for name in names)
    evidence = Evidence(HOME, scripts=scripts, proxy_given=given)
    assert evidence.proxy == proxy
    assert not any(name.lower().startswith(("app-server", "tornado")) for name in evidence.server_names)


def test_deployment_is_reached_where_one_address_answers() -> None:
    assert Evidence(HOME).is_reached and healthy().is_reached
    assert Evidence(HOME, reach=(Reach("192.0.2.1", TIMEOUT), Reach("192.0.2.2"))).is_reached
    assert not Evidence(HOME, reach=(Reach("192.0.2.1", TIMEOUT),)).is_reached
    assert not Evidence(HOME, name_failure=Failure("name", "x")).is_reached


def test_failure_of_tls_may_come_with_the_first_request() -> None:
    failure = Failure("tls-client", "certificate required")
    assert Evidence(HOME).tls_failure is None
    assert Evidence(HOME, tls=Tls(failure=failure)).tls_failure == failure
    late = Page(replace(BARE, failure=failure))
    assert Evidence(HOME, tls=Tls(), page=late).tls_failure == failure
    assert Evidence(HOME, tls=Tls(), page=Page(replace(BARE, failure=TIMEOUT))).tls_failure is None
    assert Evidence(HOME, page=late).tls_failure is None


def test_instances_come_once_in_their_order() -> None:
    two = replace(SEEN, instance="two")
    evidence = Evidence(HOME, scripts=(answer(seen=two), answer(seen=SEEN), answer(seen=two), answer(seen=None)))
    assert evidence.instances == ("two", "one") and evidence.knows_doctor
    assert not Evidence(HOME, scripts=(answer(seen=None),)).knows_doctor
