"""`python -m app_server` is the command `app-server`."""

from __future__ import annotations

import sys

from app_server.cli import main

if __name__ == "__main__":
    sys.exit(main())
