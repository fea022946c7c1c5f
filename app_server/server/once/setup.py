"""The file of `--setup`, and what else each process does before its applications run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from app_server.apps import Application
from app_server.apps.faults import CodePlace, application_error
from app_server.apps.running import process_state
from app_server.apps.scripts.program import Program, read_program
from app_server.errors import AppServerError, from_keyboard
from app_server.guests import guest_for
from app_server.settings import Settings
from app_server.sources.imports import read_sources

MODULE = "app_server_setup"
"""What the setup file's module is called: unlike an application's, it stays, and so do its functions."""


def set_up(settings: Settings, applications: Iterable[Application]) -> None:
    """Give the applications' libraries their threads, and run the setup file, in this process.

    ApplicationError if it raises something, OperatorError if it cannot be read.
    """
    guests = {guest_for(application.imports) for application in applications}
    if settings.setup is not None:
        place = _place(settings.setup)
        program = read_program(Path(place.main), place)
        # What it imports is to be served by us before it is used.
        guests.add(guest_for(_imports(program)))
    if settings.num_threads is not None:
        for guest in guests:
            guest.use_threads(settings.num_threads)
    if settings.setup is not None:
        _run(program, place)


def check_setup(settings: Settings) -> None:
    """Raise ApplicationError or OperatorError if the setup file does not parse, before any process has started."""
    if settings.setup is not None:
        place = _place(settings.setup)
        read_program(Path(place.main), place)


def _place(given: str) -> CodePlace:
    path = Path(os.path.abspath(given))
    return CodePlace(path.parent, os.path.dirname(given), str(path))


def _imports(program: Program) -> frozenset[str]:
    """The top-level modules that the file imports, and the modules beside it do."""
    return read_sources({program.path: program.imported}, program.path.parent).imports


def _run(program: Program, place: CodePlace) -> None:
    module = ModuleType(MODULE)
    module.__dict__.update(program.names, __file__=str(program.path))
    sys.modules[MODULE] = module
    try:
        with process_state(program.path.parent, [str(program.path)]):
            program.run(module)
    except AppServerError:
        raise
    except BaseException as error:
        if from_keyboard(error):
            raise
        raise application_error(error, place) from error
