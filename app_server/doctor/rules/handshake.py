"""The WebSocket's handshake: whether it reaches the server and is accepted, and the session greets it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from app_server.doctor.finding import Finding, Hop, Rule, Severity, apache, nginx, remedy, server
from app_server.doctor.seen.answers import FAILED_BEHIND, Answer, Handshake
from app_server.doctor.seen.evidence import Evidence

_UPGRADE: Final = (
    nginx("in the http block", "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }"),
    nginx("in every location that forwards to the server", "proxy_http_version 1.1;",
          "proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $connection_upgrade;"),
    apache("at each member of the balancer, or after the ProxyPass", "BalancerMember http://… upgrade=websocket"),
)  # fmt: skip


def upgrade_is_passed_on(evidence: Evidence) -> Iterator[Finding]:
    """The Upgrade header reaches the server."""
    lost = [socket for socket in evidence.sockets if _has_lost_upgrade(socket)]
    if lost:
        answer = lost[0].answer
        yield Finding(
            "upgrade-lost", Severity.ERROR, Hop.PROXY,
            f"the handshake at {answer.target.path} was answered {answer.summary}:"
            " the Upgrade header did not reach the server"
            + _share(lost, evidence.sockets),
            "BokehJS cannot connect, and the page stays empty.", _UPGRADE,
        )  # fmt: skip


def _has_lost_upgrade(socket: Handshake) -> bool:
    if socket.accepted:
        return False
    seen = socket.answer.seen
    if seen is not None:
        return seen.upgrade == "none"
    return socket.answer.status in (400, 426)


def own_origin_is_let_in(evidence: Evidence) -> Iterator[Finding]:
    """The application's own page may connect."""
    refused = [socket for socket in evidence.sockets if _is_refused_for_origin(socket, evidence)]
    if not refused or evidence.page is None:
        return
    target, seen = evidence.page.answer.target, refused[0].answer.seen
    if seen is not None and seen.origin in ("other", "none"):
        yield Finding(
            "origin-changed", Severity.ERROR, Hop.PROXY,
            f"the handshake with the Origin {target.origin} was refused: the server saw another Origin",
            "BokehJS cannot connect.",
            (
                nginx("remove the line", "proxy_set_header Origin …;"),
                apache("remove the line", "RequestHeader set Origin …"),
            ),
        )  # fmt: skip
        return
    yield Finding(
        "origin-refused", Severity.ERROR, Hop.SERVER,
        f"the handshake with the page's own origin, {target.origin}, was answered {refused[0].summary}",
        "BokehJS cannot connect. The server's log names the origin.",
        (server("allow the host that people use", f"--allow-websocket-origin={target.authority}"),),
    )  # fmt: skip


def _is_refused_for_origin(socket: Handshake, evidence: Evidence) -> bool:
    """Whether the server says so; one that does not know the doctor refuses with 403 for little else."""
    if socket.accepted or socket.answer.status != 403 or _has_lost_upgrade(socket):
        return False
    seen = socket.answer.seen
    return seen.refused == "origin" if seen is not None else not evidence.knows_doctor


def socket_is_open_to_its_page(evidence: Evidence) -> Iterator[Finding]:
    """Visitors who may see the page may open its socket."""
    denied = [socket for socket in evidence.sockets if _is_denied(socket, evidence)]
    if not denied:
        return
    answer = denied[0].answer
    share = _share(denied, evidence.sockets)
    seen = answer.seen
    path = answer.target.path
    if seen is not None:
        yield Finding(
            "socket-denied", Severity.ERROR, Hop.SERVER,
            f"the server shows the page, but refuses its socket at {path} with {answer.status}{share}"
            + (f" ({seen.refused})" if seen.refused != "none" else ""),
            "BokehJS cannot connect.",
            (
                server("the socket's request needs the same proof of identity as the page (a cookie, a header of the"
                       " proxy); the log gives the reason"),
                nginx("set the header of the logged-in user in the socket's location too",
                      "proxy_set_header X-Forwarded-User $…;"),
                apache("set the header of the logged-in user for the socket's path too",
                       "RequestHeader set X-Forwarded-User …"),
            ),
        )  # fmt: skip
        return
    yield Finding(
        "socket-denied", Severity.ERROR, Hop.PROXY,
        f"the proxy shows the page, but refuses its socket at {path} with {answer.status}{share}",
        "BokehJS cannot connect, and cannot ask for a password.",
        (
            nginx("apply the rules of the page's location to the socket's too (allow, deny, auth_basic,"
                  " auth_request)", f"location {_folder_of(path)} {{ … }}"),
            apache("apply the rules of the page to the socket too", f'<Location "{_folder_of(path)}">',
                   "    Require …", "</Location>"),
            remedy("firewall", "a web application firewall may not support WebSockets: exempt this path"),
        ),
    )  # fmt: skip


def _is_denied(socket: Handshake, evidence: Evidence) -> bool:
    if socket.accepted or _has_lost_upgrade(socket) or _is_refused_for_origin(socket, evidence):
        return False
    return socket.answer.status in (401, 403, 407)


def socket_has_its_path(evidence: Evidence) -> Iterator[Finding]:
    """Requests for the socket's path reach the server at that path."""
    lost = [socket for socket in evidence.sockets if not socket.accepted and _is_elsewhere(socket.answer)]
    if not lost:
        return
    answer = lost[0].answer
    path, folder = answer.target.path, _folder_of(answer.target.path)
    location = answer.header("location")
    what = f"{answer.status} to {location!r}" if location else str(answer.status)
    seen = answer.seen
    if seen is not None and seen.path == "same":
        yield Finding(
            "socket-path", Severity.ERROR, Hop.SERVER,
            f"the server has no socket at {path}: it answered {what}{_share(lost, evidence.sockets)}",
            "BokehJS cannot connect.",
            (server("start every instance with the same applications and the same --prefix"),),
        )  # fmt: skip
        return
    yield Finding(
        "socket-path", Severity.ERROR, Hop.PROXY,
        f"the handshake at {path} was answered {what}{_share(lost, evidence.sockets)}"
        + (": the server received another path" if seen is not None else ", but not by the application server"),
        "BokehJS cannot connect.",
        (
            nginx("forward everything below the page to the server, without a URI after the address",
                  f"location {folder} {{ proxy_pass http://127.0.0.1:5006; }}"),
            apache("forward everything below the page to the server, at the same path",
                   f"ProxyPass {folder} http://127.0.0.1:5006{folder}"),
        ),
    )  # fmt: skip


def _is_elsewhere(answer: Answer) -> bool:
    return answer.status in (200, 204, 404, 405, 410) or 300 <= answer.status < 400


def _folder_of(path: str) -> str:
    """The path below which the socket of this path is, with all else of its application or its route."""
    return path.rpartition("/")[0] + "/"


def _share(some: Sequence[Handshake], sockets: Sequence[Handshake]) -> str:
    return f" in {len(some)} of {len(sockets)} tries" if len(some) < len(sockets) else ""


def proxy_has_room(evidence: Evidence) -> Iterator[Finding]:
    """The proxy's limits on one visitor do not hit the socket."""
    limited = [socket for socket in evidence.sockets if _is_limited(socket)]
    if limited:
        yield Finding(
            "socket-limited", Severity.ERROR, Hop.PROXY,
            f"the handshake at {limited[0].answer.target.path} was answered 429: too many requests"
            + _share(limited, evidence.sockets),
            "BokehJS cannot connect while others with the same address are connected.",
            (
                nginx("limit sockets separately from pages, and allow more", "limit_req zone=… burst=20 nodelay;",
                      "limit_conn … 100;"),
                apache("limit sockets separately from pages, and allow more (mod_qos, mod_evasive, a firewall)"),
            ),
        )  # fmt: skip


def _is_limited(socket: Handshake) -> bool:
    return not socket.accepted and socket.answer.status == 429 and socket.answer.seen is None


_BEFORE_THE_GREETING: Final[tuple[Rule, ...]] = (
    upgrade_is_passed_on,
    own_origin_is_let_in,
    socket_is_open_to_its_page,
    socket_has_its_path,
    proxy_has_room,
)


def socket_greets(evidence: Evidence) -> Iterator[Finding]:
    """After the handshake, the session sends its greeting."""
    if any(finding for rule in _BEFORE_THE_GREETING for finding in rule(evidence)):
        return
    sockets = evidence.sockets
    failed = [socket for socket in sockets if not socket.greeted and socket.answer.status not in FAILED_BEHIND]
    if not failed:
        return
    share, first = _share(failed, sockets), failed[0]
    if first.close_code == 1008:
        yield Finding(
            "token-refused", Severity.ERROR, Hop.SERVER, f"the page's own token was refused{share}: {first.summary}",
            "BokehJS cannot connect.",
            (server("give every instance the same key, created once with `app-server secret`", "BOKEH_SECRET_KEY=…"),),
        )  # fmt: skip
    elif first.close_code == 1011:
        yield Finding(
            "application-failed", Severity.ERROR, Hop.SERVER, f"the session cannot be built{share}: {first.summary}",
            "The application does not start.", (server("its log has the traceback"),),
        )  # fmt: skip
    else:
        yield Finding(
            "socket-failed", Severity.ERROR, Hop.PROXY,
            f"the socket at {first.answer.target.path} does not open{share}: {first.summary}",
            "BokehJS cannot connect.",
            (
                *(_UPGRADE if first.answer.failure is not None else ()),
                nginx("error_log may say why"),
                apache("ErrorLog may say why"),
                server("its log may say why"),
            ),
        )  # fmt: skip


RULES: Final[tuple[Rule, ...]] = (*_BEFORE_THE_GREETING, socket_greets)
