"""The open WebSocket: which origins may connect, how large tokens may be, and whether it stays open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app_server.doctor.finding import Finding, Hop, Remedy, Rule, Severity, apache, nginx, server
from app_server.doctor.seen.answers import FAILED_BEHIND, FOREIGN_ORIGIN, Answer
from app_server.doctor.seen.evidence import Evidence


def document_comes_whole(evidence: Evidence) -> Iterator[Finding]:
    """Documents of any size arrive."""
    failed = [socket for socket in evidence.sockets if socket.greeted and socket.pulled_bytes is None]
    if failed:
        yield Finding(
            "document-lost", Severity.ERROR, Hop.PROXY,
            f"the session's document did not arrive within {evidence.timeout_s:g} s"
            f" in {len(failed)} of {len(evidence.sockets)} tries",
            "The page stays blank.",
            (
                nginx("allow more time for large messages", "proxy_send_timeout 1h;", "proxy_read_timeout 1h;"),
                apache("allow more time for large messages", "ProxyTimeout 3600"),
                server("or the application is busy: its log may say why"),
            ),
        )  # fmt: skip


def foreign_origin_is_refused(evidence: Evidence) -> Iterator[Finding]:
    """Pages of other sites may not open sessions."""
    socket, script = evidence.foreign, evidence.foreign_script
    accepted = socket is not None and socket.accepted
    if not accepted and not _is_readable_by_anyone(script):
        return
    answer = socket.answer if socket is not None and accepted else script
    seen = answer.seen if answer is not None else None
    authority = evidence.page.answer.target.authority if evidence.page is not None else evidence.target.authority
    why = "Any page that a user opens can use the applications in that user's name."
    what = "a WebSocket" if accepted else "the script that embeds the application"
    if seen is not None and seen.origin in ("other", "none"):
        yield Finding(
            "foreign-origin-accepted", Severity.ERROR, Hop.PROXY,
            f"a page of {FOREIGN_ORIGIN} got {what}: the proxy does not forward the Origin unchanged", why,
            (
                nginx("remove the line", "proxy_set_header Origin …;"),
                apache("remove the lines", "RequestHeader set Origin …", "RequestHeader unset Origin"),
            ),
        )  # fmt: skip
    else:
        yield Finding(
            "foreign-origin-accepted", Severity.ERROR, Hop.SERVER, f"a page of {FOREIGN_ORIGIN} got {what}", why,
            (
                server("allow the host that people use, not *; on a Unix socket there is no narrower default",
                       f"--allow-websocket-origin={authority}"),
                nginx("and remove this line, if it exists", "add_header Access-Control-Allow-Origin …;"),
                apache("and remove this line, if it exists", "Header set Access-Control-Allow-Origin …"),
            ),
        )  # fmt: skip


def _is_readable_by_anyone(script: Answer | None) -> bool:
    if script is None or script.status != 200:
        return False
    return script.header("access-control-allow-origin") in ("*", FOREIGN_ORIGIN)


def large_tokens_fit(evidence: Evidence) -> Iterator[Finding]:
    """A handshake with a large token passes all hops."""
    large = evidence.large_token
    if large is None or large.accepted or large.answer.seen is not None:
        return
    if not any(socket.accepted or socket.answer.seen is not None for socket in evidence.sockets):
        return  # small ones do not pass either, which other rules report
    if large.answer.status in FAILED_BEHIND:
        return
    yield Finding(
        "header-buffers-small", Severity.ERROR, Hop.PROXY,
        f"a handshake with a token of {evidence.large_token_bytes / 1000:.0f} kB was answered {large.summary}",
        "Pages whose token contains many cookies or headers cannot connect; others can.",
        (
            nginx("in the http or server block", "large_client_header_buffers 4 32k;"),
            apache("in every <VirtualHost> at that address", "LimitRequestFieldSize 32768"),
        ),
    )  # fmt: skip


def silence_is_borne(evidence: Evidence) -> Iterator[Finding]:
    """A silent socket stays open."""
    idle = evidence.idle
    if idle is None or idle.ended is None:
        return
    if idle.close_code in (1001, 1012):
        yield Finding(
            "server-stopped", Severity.NOTE, Hop.SERVER,
            f"the server closed the socket after {idle.lasted_s:.1f} s ({idle.close_code})",
            "It was stopped or restarted meanwhile; run the doctor again.",
        )  # fmt: skip
        return
    pinged = f", although the server sent {idle.pings} pings" if idle.pings else ""
    yield Finding(
        "read-timeout", Severity.ERROR, Hop.PROXY,
        f"a socket was closed after {idle.lasted_s:.1f} s of silence{pinged}: {idle.ended}",
        "Pages lose their connection when they are not used.",
        _patience(idle.lasted_s),
    )  # fmt: skip


def _patience(lasted_s: float) -> tuple[Remedy, ...]:
    ping_ms = max(1000, int(lasted_s * 1000 / 2 // 1000 * 1000))
    return (
        nginx("in the location of the sockets", "proxy_read_timeout 1h;", "proxy_send_timeout 1h;"),
        apache("at each member of the balancer, or for all", "BalancerMember http://… timeout=3600",
               "ProxyTimeout 3600"),
        server("or, if you cannot change the proxy, ping more often", f"--keep-alive {ping_ms}"),
    )  # fmt: skip


def embedding_pages_are_let_in(evidence: Evidence) -> Iterator[Finding]:
    """Pages that embed the application get its script, its files and its socket."""
    for embedding in evidence.embeddings:
        script, socket = embedding.script, embedding.socket
        host = embedding.origin.partition("://")[2]
        allow = server("allow the embedding page's host", f"--allow-websocket-origin={host}")
        why = f"Pages of {embedding.origin} show nothing where the application should be."
        if script.status != 200:
            hop = Hop.SERVER if script.seen is not None else Hop.PROXY
            yield Finding(
                "embedding-refused", Severity.ERROR, hop,
                f"{script.target.path} was answered {script.summary} to a page of {embedding.origin}", why, (allow,),
            )  # fmt: skip
        elif script.header("access-control-allow-origin") not in (embedding.origin, "*"):
            yield Finding(
                "embedding-refused", Severity.ERROR, Hop.PROXY,
                f"{script.target.path} lacks Access-Control-Allow-Origin: {embedding.origin}", why,
                (allow, nginx("do not change the server's header", "proxy_hide_header Access-Control-Allow-Origin;"),
                 apache("do not change the server's header", "Header unset Access-Control-Allow-Origin")),
            )  # fmt: skip
        elif socket is not None and not socket.accepted:
            yield Finding(
                "embedding-refused", Severity.ERROR, Hop.SERVER,
                f"the socket of a page of {embedding.origin} was answered {socket.summary}", why, (allow,),
            )  # fmt: skip
        closed = [answer for answer in evidence.scripts if _is_for_own_pages(answer)]
        if closed:
            yield Finding(
                "embedding-files-refused", Severity.ERROR, Hop.PROXY,
                f"{closed[0].target.path} has Cross-Origin-Resource-Policy:"
                f" {closed[0].header('cross-origin-resource-policy')}", why,
                (
                    nginx("for the files", 'add_header Cross-Origin-Resource-Policy "cross-origin";'),
                    apache("for the files", 'Header set Cross-Origin-Resource-Policy "cross-origin"'),
                ),
            )  # fmt: skip


def _is_for_own_pages(answer: Answer) -> bool:
    return (answer.header("cross-origin-resource-policy") or "").lower() in ("same-origin", "same-site")


RULES: Final[tuple[Rule, ...]] = (
    document_comes_whole,
    foreign_origin_is_refused,
    large_tokens_fit,
    silence_is_borne,
    embedding_pages_are_let_in,
)
