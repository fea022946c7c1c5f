"""Builds the manual: `python -m tools.manual` makes build/manual, as `make docs` does.

docs/conf.py is Sphinx's configuration; the modules here are its extensions, and what makes the pictures.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
