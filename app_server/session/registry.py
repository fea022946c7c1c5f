"""The sessions of one application by id: each is built once, however many ask for it and however often.

absent -> BUILDING -> LIVING -> absent
             |
             +-> absent (the build failed; all that wait get its error, and the id is free again)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from app_server.session.session import Session

Waiter = Callable[[Session | None, BaseException | None], None]


@dataclass(eq=False, slots=True)
class Build:
    """A session that is being built; `waiters` are called with the session, or with what went wrong."""

    session_id: str
    waiters: list[Waiter] = field(default_factory=list)

    def over(self, session: Session | None, error: BaseException | None) -> None:
        """Call those that wait, once."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter(session, error)


class Registry:
    """The living sessions of one application, and those that are being built."""

    def __init__(self) -> None:
        self._living: dict[str, Session] = {}
        self._building: dict[str, Build] = {}

    def __len__(self) -> int:
        return len(self._living)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._living.values()))

    def get(self, session_id: str) -> Session | None:
        """The living session of this id."""
        return self._living.get(session_id)

    @property
    def builds(self) -> bool:
        """Whether any session is being built."""
        return bool(self._building)

    def building(self, session_id: str) -> Build | None:
        """The build of this id that is under way."""
        return self._building.get(session_id)

    def begin(self, session_id: str) -> Build:
        """Claim this id for a build; no other build may have it."""
        if session_id in self._living or session_id in self._building:
            raise RuntimeError(f"session {session_id[:8]}… is there already")
        build = self._building[session_id] = Build(session_id)
        return build

    def succeed(self, build: Build, session: Session) -> None:
        """The build has made this session, which lives from now on."""
        del self._building[build.session_id]
        self._living[build.session_id] = session
        build.over(session, None)

    def fail(self, build: Build, error: BaseException) -> None:
        """The build has failed; its id is free again."""
        del self._building[build.session_id]
        build.over(None, error)

    def remove(self, session: Session) -> bool:
        """Forget this session; False if it was forgotten before."""
        return self._living.pop(session.id, None) is not None

    def unused(self, now_s: float, lifetime_s: float) -> list[Session]:
        """The sessions that have had no client for longer than their lifetime."""
        return [
            session
            for session in self._living.values()
            if not session.connections
            and not session.expiration_blocked
            and (session.expiration_requested or now_s - session.unused_since_s > lifetime_s)
        ]
