"""All that the probes saw of one deployment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property

from app_server.doctor.address import Target
from app_server.doctor.seen.answers import OUR_SERVERS, Answer, Failure, Handshake, Idle, Reach, Tls
from app_server.doctor.seen.pages import Embedding, Opening, Page


@dataclass(frozen=True)
class Evidence:
    """All that was seen of one deployment. What was not tried, or did not apply, is None or empty.

    `repeated` are requests that had to be repeated, each with all its answers; the last one is also in its own field.
    `own_scripts` are the embedding scripts that two browsers got, one after the other; `names_session` is true if the
    doctor was given the name of a session.
    """

    target: Target
    now: float = 0.0
    instances_expected: int | None = None
    reach: tuple[Reach, ...] = ()
    name_failure: Failure | None = None
    tls: Tls | None = None
    plain: Answer | None = None
    redirects: tuple[Answer, ...] = ()
    failed_pages: tuple[Answer, ...] = ()
    repeated: tuple[tuple[Answer, ...], ...] = ()
    page: Page | None = None
    scripts: tuple[Answer, ...] = ()
    scripts_again: tuple[Answer, ...] = ()
    own_static: Answer | None = None
    beside_static: Answer | None = None
    extensions: Answer | None = None
    missing: Answer | None = None
    honest: Answer | None = None
    spoofed: Answer | None = None
    trickle: Answer | None = None
    nonsense: Answer | None = None
    openings: tuple[Opening, ...] = ()
    foreign: Handshake | None = None
    foreign_script: Answer | None = None
    own_scripts: tuple[Answer, ...] = ()
    names_session: bool = False
    large_token: Handshake | None = None
    large_token_bytes: int = 0
    idle: Idle | None = None
    embeddings: tuple[Embedding, ...] = ()
    proxy_given: str | None = None
    timeout_s: float = 10.0

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """Every answer there is."""
        return tuple(self._answers())

    def _answers(self) -> Iterator[Answer]:
        found: list[object] = [getattr(self, field.name) for field in fields(self)]
        while found:
            thing = found.pop(0)
            if isinstance(thing, Answer):
                yield thing
            elif isinstance(thing, Page | Handshake):
                found.append(thing.answer)
            elif isinstance(thing, Opening):
                found += [thing.page, thing.socket, thing.again]
            elif isinstance(thing, Embedding):
                found += [thing.script, thing.socket]
            elif isinstance(thing, tuple):
                found += thing

    @cached_property
    def server_names(self) -> tuple[str, ...]:
        """The answers' Server headers, without the application server's own."""
        names = (answer.header("server") for answer in self.answers)
        return tuple(dict.fromkeys(name for name in names if name and not name.lower().startswith(OUR_SERVERS)))

    @cached_property
    def proxy(self) -> str | None:
        """nginx or apache, as given or as the answers show; None if unknown."""
        if self.proxy_given:
            return self.proxy_given
        for name in self.server_names:
            for known in ("nginx", "apache"):
                if known in name.lower():
                    return known
        return None

    @property
    def tls_failure(self) -> Failure | None:
        """Why TLS fails: in the handshake, or, with TLS 1.3, when the first request comes (RFC 8446, section 4.4.2)."""
        if self.tls is None or self.tls.failure is not None:
            return self.tls.failure if self.tls is not None else None
        failure = self.page.answer.failure if self.page is not None else None
        return failure if failure is not None and failure.kind.startswith("tls") else None

    @property
    def is_reached(self) -> bool:
        """Whether anything listens there."""
        return self.name_failure is None and not (self.reach and all(place.failure for place in self.reach))

    @cached_property
    def knows_doctor(self) -> bool:
        """Whether the application server answered the doctor in any answer."""
        return any(answer.seen is not None for answer in self.answers)

    @cached_property
    def instances(self) -> tuple[str, ...]:
        """The instances that answered, each once."""
        return tuple(dict.fromkeys(answer.seen.instance for answer in self.answers if answer.seen is not None))

    @cached_property
    def sockets(self) -> tuple[Handshake, ...]:
        """The sockets that were opened for the application's own pages."""
        return tuple(opening.socket for opening in self.openings if opening.socket is not None)
