"""Several instances: each session stays with one, and all of them answer."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from typing import Final

from app_server.doctor.finding import Finding, Hop, Rule, Severity, apache, nginx, server
from app_server.doctor.seen.answers import FAILED_BEHIND, Answer
from app_server.doctor.seen.evidence import Evidence
from app_server.doctor.seen.pages import Opening

SLOW_S: Final = 2.0
"""A proxy's time limit for connecting is mostly 2 s and more; an application that takes as long does so each time."""

_SLOW_TIMES: Final = 4.0


def sessions_stay(evidence: Evidence) -> Iterator[Finding]:
    """The socket of a page reaches the instance that created the page."""
    known = [pair for opening in evidence.openings for pair in opening.known_pairs]
    strayed = [pair for pair in known if pair[0] != pair[1]]
    if not strayed:
        return
    routed = all(opening.page.route is not None for opening in evidence.openings if opening.page.token)
    yield Finding(
        "affinity-missing", Severity.ERROR, Hop.PROXY if routed else Hop.SERVER,
        f"in {len(strayed)} of {len(known)} tries, the socket reached another instance than the page",
        "The application runs twice for each visitor, and the second run lacks what the first one prepared.",
        (
            server("give each instance a name, which the addresses of its pages' sockets contain", "--route a"),
            nginx("forward each name to its instance, and to others only while it is down",
                  "upstream app_a { server 127.0.0.1:5101; server 127.0.0.1:5102 backup; }",
                  "location ^~ /_i/a/ { proxy_pass http://app_a; }"),
            apache("forward each name to its member", "BalancerMember http://127.0.0.1:5101 route=a upgrade=websocket",
                   "RewriteRule ^/_i/([A-Za-z0-9_-]{1,32})/(.*)$ balancer://app/$2?_i=$1 [P,QSA]",
                   "ProxySet stickysession=_i"),
        )[int(routed):],
    )  # fmt: skip


def routes_are_distinct(evidence: Evidence) -> Iterator[Finding]:
    """No two instances have the same name."""
    named: dict[str, set[str]] = {}
    for opening in evidence.openings:
        instance, route = opening.instances[0], opening.page.route
        if instance is not None and route is not None:
            named.setdefault(route, set()).add(instance)
    for route, instances in named.items():
        if len(instances) > 1:
            yield Finding(
                "route-shared", Severity.ERROR, Hop.SERVER,
                f"{len(instances)} instances have the name {route!r}",
                "The proxy cannot tell them apart and forwards sockets to the wrong one.",
                (server("give each a different name", "--route …"),),
            )  # fmt: skip


def all_are_there(evidence: Evidence) -> Iterator[Finding]:
    """Every page opens, and as many instances answer as there should be."""
    answers = [*evidence.failed_pages, *(answer for opening in evidence.openings for answer in _answers(opening))]
    # A proxy that prefers idle instances may send no page to one that hangs: another request keeps it busy.
    answers += [answer for answers in evidence.repeated if answers[-1].seen is not None for answer in answers]
    failed = [answer for answer in answers if _is_unanswered(answer)]
    works = any(opening.page.token for opening in evidence.openings)
    remedies = (
        server("start the missing instance; its log says why it ended", "app-server serve --port …"),
        nginx("make another instance answer meanwhile", "proxy_next_upstream error timeout http_503;",
              "proxy_next_upstream_tries 3;", "proxy_next_upstream_timeout 10s;", "proxy_connect_timeout 2s;"),
        apache("make another instance answer meanwhile",
               "BalancerMember http://… connectiontimeout=2 retry=5 upgrade=websocket"),
    )  # fmt: skip
    expected = evidence.instances_expected
    if failed and works:
        yield Finding(
            "instance-down", Severity.ERROR, Hop.SERVER,
            f"{len(failed)} of {len(answers)} requests of the same kind got no answer from an instance"
            f" ({failed[0].summary}), the others did",
            "Some visitors get no page.", remedies,
        )  # fmt: skip
    elif expected is not None and works and evidence.knows_doctor and len(evidence.instances) < expected:
        yield Finding(
            "instance-down", Severity.ERROR, Hop.SERVER,
            f"{len(evidence.instances)} of {expected} instances answered, in {len(evidence.openings)} tries",
            "The others carry the load; if they fail, none is left.", remedies[:1],
        )  # fmt: skip


def _answers(opening: Opening) -> list[Answer]:
    return [opening.page.answer, *([opening.socket.answer] if opening.socket is not None else [])]


def _is_unanswered(answer: Answer) -> bool:
    silent = answer.failure is not None and answer.failure.kind in ("timeout", "closed", "refused")
    return answer.seen is None and (silent or answer.status in FAILED_BEHIND)


def none_is_slow(evidence: Evidence) -> Iterator[Finding]:
    """No visitor waits much longer than others."""
    times = [opening.whole_s for opening in evidence.openings if opening.socket is not None and opening.socket.greeted]
    if len(times) < 3:
        return
    usual_s = median(times)
    slow = [time_s for time_s in times if time_s > SLOW_S and time_s > _SLOW_TIMES * usual_s]
    if slow:
        yield Finding(
            "opening-slow", Severity.WARNING, Hop.PROXY,
            f"{len(slow)} of {len(times)} pages took up to {max(slow):.1f} s, the others about {usual_s:.1f} s",
            "Some visitors wait for an instance that does not answer before another one is tried.",
            (
                server("an instance hangs or is overloaded: its log may say why"),
                nginx("give up earlier", "proxy_connect_timeout 2s;"),
                apache("give up earlier", "BalancerMember http://… connectiontimeout=2"),
            ),
        )  # fmt: skip


RULES: Final[tuple[Rule, ...]] = (sessions_stay, routes_are_distinct, all_are_there, none_is_slow)
