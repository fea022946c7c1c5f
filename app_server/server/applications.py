"""The applications that the command names."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from app_server.apps import Application, broken_application, empty_application, load_application, route_for, split_route
from app_server.auth.access import check_access
from app_server.errors import ApplicationError, OperatorError
from app_server.server.once.setup import check_setup, set_up
from app_server.settings import Settings

log = logging.getLogger(__name__)


def load_applications(paths: Sequence[str], settings: Settings, *, broken_too: bool = False) -> dict[str, Application]:
    """The applications of these words, PATH or ROUTE=PATH, by their routes; none of their code has run.

    Raises OperatorError, also for a rule of `--access` that is for none of them, or ApplicationError. With
    `broken_too`, one that does not load raises it when it is run.
    """
    applications = _load_applications(paths, settings, broken_too=broken_too)
    check_access(settings, applications)
    check_setup(settings)
    return applications


def _load_applications(paths: Sequence[str], settings: Settings, *, broken_too: bool) -> dict[str, Application]:
    if not paths:
        return {"/": empty_application()}
    applications: dict[str, Application] = {}
    given: dict[str, str] = {}
    for word in paths:
        route, path = split_route(word)
        application = _load_application(path, settings, route, broken_too=broken_too)
        if application.route in applications:
            other = given[application.route]
            hint = f"Rename one, or give it another address: /NAME={path}"
            raise OperatorError(f"would be served at {application.route}, as {other} is", where=word, hint=hint)
        applications[application.route] = application
        given[application.route] = word
    return applications


def _load_application(path: str, settings: Settings, route: str | None, *, broken_too: bool) -> Application:
    """The application of this path; in development, one that does not load is served too, as a page with the reason."""
    try:
        application = load_application(path, settings.args, dev=settings.dev, route=route)
        if settings.dev:
            application.prepare()
        return application
    except ApplicationError as error:
        if not (settings.dev or broken_too):
            raise
        if settings.dev:
            log.error("%s", error)
        return broken_application(route or route_for(path), Path(path).absolute(), error, [Path(path).absolute()])


def prepare(settings: Settings, applications: Mapping[str, Application], isolated: Collection[str] = ()) -> None:
    """Run what runs once in a process: the setup file, then what the applications have.

    Call it after a fork, for it may start threads and open connections.
    """
    set_up(settings, applications.values())
    for route, application in applications.items():
        if route not in isolated:
            application.prepare()
