"""The command `app-server`.

Each command has a module with `COMMAND`, which describes it, and `prepare(namespace, environ)`, which checks what was
typed and returns what runs it. An error up to there is one of usage: status 2. A later one is status 1, or 2 if a
server would fail at each start until its settings or files are corrected.
No module imports bokeh or Tornado before a command needs them, because help must appear at once.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence

from app_server.errors import AppServerError, OperatorError, TransientError

SERVERS = ("serve", "static")
"""The commands that service managers start again when they end."""

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
# What a shell reports for a program that SIGINT (2) has ended.
EXIT_INTERRUPTED = 128 + 2


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] | None = None) -> int:
    """The exit status of the command line `argv`, by default the process's own."""
    if argv is None and sys.argv[1:2] in (["config"], ["serve"]):
        # What a process imports stays. To look for garbage in it takes a tenth of the time; `serve` does so again once
        # it has imported all, and `config` ends with its output.
        gc.disable()
    from app_server.cli.commands import module_of
    from app_server.cli.parser import Answered, parse
    from app_server.cli.terminal import complain, say
    from app_server.observe.output import forgive_characters, replace_missing

    replace_missing()
    forgive_characters()
    argv = sys.argv[1:] if argv is None else argv
    environ = os.environ if environ is None else environ
    try:
        namespace = parse(argv, environ)
        run = module_of(namespace.command).prepare(namespace, environ)
    except Answered as answer:
        say(answer.text)
        return EXIT_OK
    except OperatorError as error:
        complain(error, environ)
        return EXIT_USAGE
    try:
        return int(run())
    except AppServerError as error:
        complain(error, environ)
        return status_of(error, namespace.command)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def status_of(error: AppServerError, command: str) -> int:
    """The exit status of a command that has failed."""
    # A service manager restarts the server for what may pass, but not for what a person has to correct.
    lasting = isinstance(error, OperatorError) and not isinstance(error, TransientError)
    return EXIT_USAGE if lasting and command in SERVERS else EXIT_FAILED
