"""Helpers for the tests of settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.settings import resolve_settings


def fault(flags: dict[str, list[str]] | None = None, environ: dict[str, str] | None = None) -> str:
    """The whole message of the error that these settings meet."""
    with pytest.raises(OperatorError) as caught:
        resolve_settings(flags or {}, environ or {})
    return str(caught.value)


def config(folder: Path, text: str) -> str:
    """The path of a configuration file."""
    path = folder / "settings.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def refusal(act: Callable[[], object]) -> str:
    """The message of the OperatorError that this raises."""
    with pytest.raises(OperatorError) as caught:
        act()
    return str(caught.value)
