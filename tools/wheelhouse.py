"""`app-server wheelhouse` for a bare Python: collect what hosts install, with the Python of a host, from a clone.

    python tools/wheelhouse.py DIR

Needs pip, and nothing that is installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app_server.cli import main

if __name__ == "__main__":
    sys.exit(main(["wheelhouse", *sys.argv[1:]]))
