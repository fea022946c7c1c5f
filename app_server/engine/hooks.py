"""Calls to an application's hooks, which may fail without harm to anything else."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

from app_server.engine.containment import is_fault
from app_server.engine.running import Job, Noted, Running
from app_server.session.limits import FAULTS
from app_server.session.naming import LogName

log = logging.getLogger(__name__)


async def call_hook(call: Callable[[], Any], hook: str, application: LogName, running: Running) -> BaseException | None:
    """Call a hook and await what it returns; what it raises is logged, and returned."""
    name = LogName(f"{application}, in the hook {hook}", application=application.application)
    try:
        await Noted(running, Job(name), _called(call))
    except FAULTS as error:
        if not is_fault(error):
            raise
        log.exception("%s: the hook %s raised an exception", application, hook)
        return error
    return None


async def _called(call: Callable[[], Any]) -> None:
    result = call()
    if inspect.isawaitable(result):
        await result
