"""What `app-server json` and `app-server html` share: run each application once, and write its document to a file."""

from __future__ import annotations

import argparse
import os
import stat
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.cli.command import Flag, Word, switch
from app_server.cli.terminal import paint_for, say
from app_server.errors import ApplicationError, OperatorError
from app_server.files import write_atomically
from app_server.settings import Arity

if TYPE_CHECKING:
    from app_server.document.pages.themes import Document

Render = Callable[["Document"], str]

STDOUT = "-"

WORDS = (Word(name="files", metavar="FILE_OR_DIR", help="a script, notebook or directory", many=True),)
FLAGS = (
    Flag(names=("-o", "--output"), metavar="FILE", arity=Arity.REPEATED, default="NAME in the current folder",
         help="the file to write, once for each application; - for stdout"),
    switch("--force", "overwrite a file that this command did not write"),
    Flag(names=("--args",), metavar="ARG", arity=Arity.REST, help="pass what follows to the applications as sys.argv"),
)  # fmt: skip

# How many callbacks a warning names.
MOST_NAMED = 5
# How long an application's threads may still run when everything is written; some never end.
LAST_THREADS_S = 0.5


@dataclass(frozen=True)
class Job:
    """An application's path and where its document goes."""

    path: str
    output: str


def plan(namespace: argparse.Namespace, extension: str) -> list[Job]:
    """The jobs. OperatorError if two would write the same file, or one would overwrite another file."""
    if not namespace.files:
        hint = f"For example: app-server {extension} myapp.py"
        raise OperatorError("no application", hint=hint)
    outputs = list(getattr(namespace, "output", []))
    if len(outputs) > len(namespace.files):
        what = f"given {len(outputs)} times for {len(namespace.files)} applications"
        raise OperatorError(what, where="--output", hint="Give it once for each, in their order.")
    named = [*outputs, *(default_output(path, extension) for path in namespace.files[len(outputs) :])]
    jobs = [Job(path, output) for path, output in zip(namespace.files, named, strict=True)]
    seen: dict[str, str] = {}
    for job in jobs:
        path = os.path.realpath(job.output)
        if job.output != STDOUT and path in seen:
            what = f"both {seen[path]} and {job.path} would be written there"
            raise OperatorError(what, where=job.output, hint="Give --output once for each application.")
        seen[path] = job.path
        check_output(job.output, force="force" in namespace)
    return jobs


def default_output(path: str, extension: str) -> str:
    """`myapp.html` for `somewhere/myapp.py` and `somewhere/myapp/`, in the current folder."""
    return f"{Path(os.path.abspath(path)).stem or 'index'}.{extension}"


def check_output(output: str, *, force: bool) -> None:
    """Raise OperatorError if the file cannot be written or, unless forced, if this command did not write it."""
    if output == STDOUT:
        return
    path = Path(os.path.realpath(output))
    if not path.parent.is_dir():
        raise OperatorError(f"there is no folder {path.parent}", where=output)
    try:
        status = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise OperatorError(f"cannot be looked at: {error.strerror}", where=output) from None
    if not stat.S_ISREG(status.st_mode):
        raise OperatorError("exists, and is not a file", where=output, hint="Choose another --output.")
    if not force and not is_ours(path):
        what = "exists, and this command did not write it"
        raise OperatorError(what, where=output, hint="Choose another --output, or overwrite it with --force.")


def is_ours(path: Path) -> bool:
    """Whether the file is empty, or one that this command has written."""
    from app_server.document.pages import standalone

    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    return not text.strip() or standalone.is_ours(text)


def run(jobs: Sequence[Job], argv: Sequence[str], render: Render, environ: Mapping[str, str], *, force: bool) -> int:
    """Run the applications and write their documents; 0. What fails ends it; what was written before stays."""
    threads = set(threading.enumerate())
    for job in jobs:
        document = built(job.path, argv)
        warn_of_callbacks(job, document, environ)
        text = render(document)
        if job.output == STDOUT:
            say(text.removesuffix("\n"))
        else:
            check_output(job.output, force=force)  # building may have taken a while
            write_whole(job.output, text)
            print(f"{job.path}: {job.output} ({len(text.encode()):,} bytes)", file=sys.stderr)
    if any(thread.is_alive() and not thread.daemon for thread in set(threading.enumerate()) - threads):
        end_soon()
    return 0


def built(path: str, argv: Sequence[str]) -> Document:
    """The same as `build`, with errors that do not advise to restart a server."""
    from app_server.apps.faults import ADVICE

    try:
        return build(path, argv)
    except ApplicationError as error:
        hint = None if error.hint == ADVICE else error.hint
        raise ApplicationError(error.what, where=error.where, hint=hint) from error.__cause__


def build(path: str, argv: Sequence[str]) -> Document:
    """The document of the application at this path, run as for a visitor without arguments."""
    # Here and not above: they bring bokeh along, which takes a second.
    from app_server.apps import load_application
    from app_server.document.engine import install
    from app_server.document.pages.standalone import new_document
    from app_server.security.visible_request import VisibleRequest
    from app_server.session.context import ApplicationContext, SessionContext

    install()
    application = load_application(path, argv)
    application.prepare()
    document = new_document()
    server_context = ApplicationContext(application.route, lambda: []).server_context
    context = SessionContext("standalone", server_context, document, VisibleRequest(path=application.route), {})
    document.attach_context(context)
    with document.at_work():
        application.build(document)
        document.validate()
    if not document.roots:
        hint = "Add something to show with curdoc().add_root(...)."
        raise ApplicationError("the application leaves its document empty", where=path, hint=hint)
    return document


def warn_of_callbacks(job: Job, document: Document, environ: Mapping[str, str]) -> None:
    """Warn on stderr of callbacks that do not run without a server."""
    from app_server.document.pages.standalone import python_callbacks

    found = python_callbacks(document)
    if not found:
        return
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    named = ", ".join(found[:MOST_NAMED]) + more
    paint = paint_for(sys.stderr, environ)
    about = "Python callbacks do not run without a server; JavaScript callbacks (CustomJS) do."
    print(f"{paint('fault', 'app-server:')} warning: {job.path}: {named}: {about}", file=sys.stderr, flush=True)


def write_whole(path: str, text: str) -> None:
    """Replace the file in one step; a crash leaves the old one."""
    try:
        write_atomically(Path(path), text)
    except OSError as error:
        raise OperatorError(f"cannot be written: {error.strerror}", where=path) from None


def end_soon() -> None:
    """End the process even if a thread of an application still runs."""
    watchdog = threading.Timer(LAST_THREADS_S, os._exit, (0,))
    watchdog.daemon = True
    watchdog.start()
