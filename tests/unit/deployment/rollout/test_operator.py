"""Who runs a command."""

from __future__ import annotations

import getpass
import os

import pytest

from app_server.deployment.rollout.operator import operator


@pytest.mark.parametrize("error", [KeyError("getpwuid(): uid not found"), OSError("No username set")])
def test_user_without_a_name_has_a_number(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def nobody() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert operator() == f"user {os.getuid()}"
