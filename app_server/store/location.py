"""The store that `--store` names."""

from __future__ import annotations

import os
import re
from typing import Final

from app_server import system
from app_server.errors import OperatorError, did_you_mean
from app_server.store.base import Store

_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_REDIS: Final = ("redis", "rediss", "unix")

_SWITCHES: Final = frozenset({"on", "true", "yes", "1", "false", "no", "none", "0"})
"""What other settings take; a folder of such a name is hardly meant."""


def open_store(text: str, *, ttl_s: float, max_bytes: int, where: str = "--store") -> Store | None:
    """The store: a folder's path, redis://, rediss:// or unix://; None for `off`. Call its `check` before using it.

    A session that has no owner expires `ttl_s` seconds after it was last written; `max_bytes` limits each. `where` is
    the setting that errors name. Raises OperatorError for any other text, or if its package is missing.
    """
    if text == "off":
        return None
    scheme = _SCHEME.match(text)
    if scheme is None:
        hint = "Name a Redis (redis://HOST), or leave it out: sessions then end with the server."
        system.require(system.has_private_folders(), "folders of one user", where=where, hint=hint)
        from app_server.store.folder import FolderStore

        return FolderStore(_folder(text, where), ttl_s=ttl_s, max_bytes=max_bytes, where=where)
    if scheme[1].lower() not in _REDIS:
        # Not the whole address: it may have a password.
        raise OperatorError(
            f"sessions cannot be saved in {scheme[1]}://",
            where=where,
            hint=did_you_mean(scheme[1].lower(), _REDIS) or "Name a folder, redis://, rediss:// or unix://.",
        )
    from app_server.store.redis import open_redis

    return open_redis(text, ttl_s=ttl_s, max_bytes=max_bytes, where=where)


def _folder(text: str, where: str) -> str:
    if not text.strip() or "\0" in text:
        raise OperatorError("no folder is named", where=where, hint="Name a folder for saved sessions, or `off`.")
    if text.lower() in _SWITCHES:
        raise OperatorError(
            f"{text!r} does not say where",
            where=where,
            hint=f"Name a folder for saved sessions, or `off`. A folder of this name is ./{text}.",
        )
    return os.path.abspath(os.path.expanduser(text))
