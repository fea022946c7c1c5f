"""How the sessions of one application are saved and restored: what belongs to it beside their documents."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from app_server.apps import Application
from app_server.document.saving.recording import Recording
from app_server.document.served import ServedDocument
from app_server.engine.saving.bookmarks import SessionBookmarks
from app_server.engine.saving.plain import NotPlain, plain_json
from app_server.engine.saving.restoring import restore
from app_server.engine.saving.saver import Saver
from app_server.engine.saving.woken import Woken, opening_fields
from app_server.guests import Guest
from app_server.session.context import SessionContext
from app_server.session.naming import LogName
from app_server.session.session import Session

log = logging.getLogger(__name__)

CallHook = Callable[[Callable[[], Any], str], Awaitable[None]]
"""Calls a function that calls the hook of this name, awaits what it returns, and logs what it raises."""

_MOST_REASONS: Final = 20
"""How many reasons for which sessions are not saved are logged."""


class ApplicationSaving:
    """How the sessions of the application at this address are saved. The application itself may be loaded again."""

    def __init__(self, saver: Saver, url: str, name: LogName) -> None:
        self.saver = saver
        self._url = url
        self._name = name
        self._unsaved: set[str] = set()
        """Why sessions are not saved, as far as that was logged."""

    def opening(
        self, application: Application, context: SessionContext, document: ServedDocument, woken: Woken | None
    ) -> Mapping[str, Any] | None:
        """What is saved of the session's beginning; None if it is not to be saved."""
        if woken is not None and not woken.keeps:
            return None
        try:
            return opening_fields(context, self._url, document, application.sources)
        except NotPlain as error:
            why = str(error)
        if why not in self._unsaved and len(self._unsaved) < _MOST_REASONS:
            self._unsaved.add(why)
            log.warning("%s: sessions are not saved: %s", self._name, why)
        return None

    def restored(
        self,
        application: Application,
        guest: Guest,
        document: ServedDocument,
        context: SessionContext,
        woken: Woken | None,
        name: LogName,
    ) -> Recording:
        """What notes the document's changes from now on, when it has been given what was saved of the session."""
        guest.saves(document)
        recording = self.saver.recording(self._url, context.id, context.excluded)
        if woken is not None and woken.saved is not None and woken.opening is not None:
            policy = self.saver.policy.restoring(application.restore)
            changed = restore(document, woken.saved, woken.opening, application.sources, policy, name, guest)
            recording.resume(changed)
        return recording

    def bookmarks(self, application: Application, opened: Mapping[str, Any], recording: Recording) -> SessionBookmarks:
        """What makes links to a session that was opened so."""
        self.saver.bookmarks.count_once()
        return SessionBookmarks(self.saver.bookmarks, opened, recording, application.hooks.on_session_saved)

    async def asked(self, application: Application, call_hook: CallHook, session: Session) -> Any:
        """What the application's on_session_saved returns, if it is made of plain values."""
        found: list[Any] = []

        async def ask() -> None:
            value = application.hooks.on_session_saved(session.context)
            found.append(await value if inspect.isawaitable(value) else value)

        with session.document.at_work():
            await call_hook(ask, "on_session_saved")
        if not found:
            return None
        try:
            return json.loads(plain_json(found[0], self.saver.policy.own_bytes))
        except NotPlain as error:
            session.context.note_unsaved(f"what on_session_saved returns: {error}")
            return None
