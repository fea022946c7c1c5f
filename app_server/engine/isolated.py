"""The runtime of an application whose sessions have processes of their own, in a process that takes connections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app_server.engine.runtime import ApplicationRuntime
from app_server.engine.saving.woken import Woken
from app_server.engine.warmup import Visit
from app_server.errors import InternalError
from app_server.security.visible_request import VisibleRequest
from app_server.session.session import Session


class IsolatedRuntime(ApplicationRuntime):
    """Runs none of the application's code; its only sessions are those that `stand_in` makes."""

    async def session(
        self,
        session_id: str,
        request: VisibleRequest | None,
        token_payload: Mapping[str, Any],
        user: Any = None,
        address: str = "",
        *,
        fresh: bool = False,
        copy_of: Woken | None = None,
    ) -> Session:
        """The stand-in of this id; InternalError if there is none."""
        living = self.registry.get(session_id)
        if living is None:
            raise InternalError("a session that has a process of its own was to be built in another one")
        return living

    async def warm_up(self, visit: Visit, limit_s: float) -> None:
        """The process that forks the sessions runs the application."""

    def check_admission(self, session_id: str, address: str, owner: str = "") -> None:
        """Sessions are admitted when their processes are started."""

    def process_request(self, request: Any) -> Mapping[str, Any]:
        """The application sees the request in the process of its session."""
        return {}

    async def _hook(self, name: str, context: object) -> None:
        """The application's hooks run in the processes that its code runs in."""
