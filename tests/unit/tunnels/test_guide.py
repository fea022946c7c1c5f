"""What a tunnel asks people to type."""

from __future__ import annotations

from app_server.tunnels.description import Tunnel, TunnelEnd
from app_server.tunnels.guide import server_command

REMOTE = Tunnel(name="remote", destination=TunnelEnd("remote.host", "user"))


def test_server_allows_the_port_that_browsers_see() -> None:
    assert server_command(REMOTE, "a.py", 5006) == "app-server serve a.py --address localhost"
    assert server_command(REMOTE, "a.py", 80).endswith(" --allow-websocket-origin localhost:80")
