"""The document that a guest works on."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from app_server.guests import working_guest_document


def test_without_panel_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "panel.io.state", raising=False)
    assert working_guest_document() is None


def test_panel_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "panel.io.state", SimpleNamespace(state=SimpleNamespace(curdoc="it")))  # type: ignore[arg-type]
    assert working_guest_document() == "it"
