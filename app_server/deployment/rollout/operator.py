"""The person who runs a command."""

from __future__ import annotations

import getpass
import os

def operator() -> str:
    """The name of the user, or its number for one that the system has no name for."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # OSError from Python 3.13 on
        return f"user {os.getuid()}"
