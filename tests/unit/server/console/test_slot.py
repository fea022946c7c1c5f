"""Where a console cannot listen, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.errors import TransientError
from app_server.http.listeners import bind
from app_server.server.console.slot import ConsoleSlot
from app_server.settings import Settings
from tests.support.ports import free_port


def complaint(console: str) -> str:
    with pytest.raises(TransientError) as caught:
        ConsoleSlot(Settings(console=console), 1)
    return str(caught.value)


def test_folder_of_a_socket_that_is_missing_is_to_be_created(tmp_path: Path) -> None:
    said = f"--console: the folder {tmp_path}/sub does not exist. Create it first, or choose another --console."
    assert complaint(f"unix:{tmp_path}/sub/console.sock") == said


def test_port_that_is_taken_is_to_be_freed() -> None:
    port = free_port()
    taken = bind(Settings(port=port, address="127.0.0.1"))
    said = f"--console: port {port} is in use. Stop what listens there, or choose another --console."
    assert complaint(f"127.0.0.1:{port}") == said
    for each in taken:
        each.close()
