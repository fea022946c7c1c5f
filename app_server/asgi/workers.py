"""Whether an ASGI server was started with several workers, which share no sessions; read from its command line."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from app_server.errors import OperatorError
from app_server.settings import Settings

_VARIABLES: Final = ("WEB_CONCURRENCY", "UVICORN_WORKERS", "GRANIAN_WORKERS")
_PROGRAMS: Final = ("gunicorn", "uvicorn", "hypercorn", "granian", "fastapi")
_OPTION: Final = re.compile(r"(?:--workers=|-w=?)(\d+)")

AFFINITY: Final = (
    "A page and its socket may reach different workers, which then build the session twice. Use one worker, or "
    "`app-server serve --num-procs`, or a proxy that keeps each visitor at one worker, and a store."
)


def workers_asked_for(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """How many workers the command line or the environment of the ASGI server asks for; 1 if they say nothing.

    The last word applies, and the command line before the environment.
    """
    words = [*_split(environ.get("GUNICORN_CMD_ARGS", "")), *(argv[1:] if _is_server(argv) else [])]
    said = [environ.get(name, "") for name in reversed(_VARIABLES)]
    for word, following in zip(words, [*words[1:], ""], strict=False):
        found = _OPTION.fullmatch(word)
        said.append(found[1] if found else following if word in ("--workers", "-w") else "")
    counts = [int(number) for number in said if number.isascii() and number.isdigit()]
    return max(counts[-1], 1) if counts else 1


def _is_server(argv: Sequence[str]) -> bool:
    """Whether this is the command line of an ASGI server: `uvicorn …`, or `python -m uvicorn …`."""
    parts = argv[0].split("/") if argv else []
    if parts[-1:] == ["__main__.py"]:
        parts.pop()
    return parts[-1:] != [] and parts[-1] in _PROGRAMS


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


def check_workers(count: int, settings: Settings) -> str | None:
    """What to log if there are several workers. OperatorError if each would refuse the pages of the others."""
    if count == 1:
        return None
    if settings.secret_key is None:
        raise OperatorError(
            f"{count} workers would each sign tokens with a key of their own",
            where="secret_key",
            hint="Set BOKEH_SECRET_KEY to what `app-server secret` prints, or use one worker.",
        )
    if settings.store != "off":
        return None
    return f"{count} workers share no sessions. {AFFINITY}"
