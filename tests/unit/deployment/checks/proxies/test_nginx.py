"""What a trial of nginx's site is given."""

from __future__ import annotations

import pytest

from app_server.deployment.checks.proxies import nginx


def test_port_without_tls_holds_no_443(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = iter(([34430, 34431], [14431, 20001], [20000, 44300]))
    monkeypatch.setattr(nginx, "free_ports", lambda count: next(offered))
    assert nginx._ports() == [20000, 44300]
