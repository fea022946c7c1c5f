"""What the system says of a folder, as a store says it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from app_server.errors import OperatorError
from app_server.store.errors import Busy, Unavailable

_SCARCE: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


@contextmanager
def available(path: str) -> Iterator[None]:
    """A block that uses the folder at this path: an OSError or OperatorError of it comes out as Unavailable."""
    try:
        yield
    except OperatorError as error:
        raise Unavailable(error.what, where=error.where, hint=error.hint) from None
    except OSError as error:
        if error.errno in _SCARCE:
            hint = "Each session needs an open file: raise the limit (ulimit -n, or LimitNOFILE in systemd)."
            raise Busy(f"{error.strerror}", where=path, hint=hint) from None
        raise Unavailable(f"{error.strerror}", where=path) from None
