"""PORT and HOST: when they apply, when they do not, and what is said about them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.settings import Settings, resolve_settings, used_or_not
from app_server.settings.platform import from_platform
from tests.unit.settings.faulty import config


def listening(environ: Mapping[str, str], **flags: str) -> tuple[int, str | None]:
    settings = resolve_settings({name: [word] for name, word in flags.items()}, environ, on_platform=True)
    return settings.port, settings.address


def test_platform_chooses_port_and_address() -> None:
    assert listening({"PORT": "8080"}) == (8080, None)
    assert listening({"PORT": " 8080 ", "HOST": "0.0.0.0"}) == (8080, "0.0.0.0")
    assert listening({"PORT": "8080", "HOST": "[::]"}) == (8080, "::")


def test_flags_and_other_variables_have_precedence() -> None:
    assert listening({"PORT": "8080"}, port="5010") == (5010, None)
    assert listening({"PORT": "8080", "BOKEH_DEFAULT_SERVER_PORT": "5011"}) == (5011, None)
    assert listening({"PORT": "8080", "HOST": "0.0.0.0"}, address="127.0.0.1") == (8080, "127.0.0.1")
    assert listening({"PORT": "8080", "HOST": "0.0.0.0", "APP_SERVER_ADDRESS": "::1"}) == (8080, "::1")


def test_platform_has_precedence_over_the_file(tmp_path: Path) -> None:
    path = config(tmp_path, "port: 5012\naddress: 127.0.0.1\n")
    assert listening({"PORT": "8080", "HOST": "0.0.0.0"}, use_config=path) == (8080, "0.0.0.0")


@pytest.mark.parametrize("name", ["build-7", "laptop.local", "localhost", "x86_64-conda-linux-gnu", ""])
def test_name_of_the_machine_is_no_address(name: str) -> None:
    assert listening({"PORT": "8080", "HOST": name}) == (8080, None)


def test_host_without_a_port_has_no_effect() -> None:
    assert listening({"HOST": "127.0.0.1"}) == (5006, None)
    assert listening({"HOST": "127.0.0.1", "PORT": ""}) == (5006, None)
    # Whoever states the port knows of no platform.
    assert listening({"HOST": "127.0.0.1", "PORT": "8080"}, port="5010") == (5010, None)


def test_only_the_command_reads_them() -> None:
    assert resolve_settings({}, {"PORT": "8080", "HOST": "127.0.0.1"}) == Settings()


@pytest.mark.parametrize("word", ["0", "65536", "http", "tcp://10.0.0.1:80", "-1"])
def test_bad_port_is_an_error_that_names_the_variable(word: str) -> None:
    with pytest.raises(OperatorError) as caught:
        listening({"PORT": word})
    assert str(caught.value) == (
        f"PORT: expected a whole number from 1 to 65535, not {word!r}. "
        "Hosting platforms set this variable. Unset it, or give --port, which has precedence."
    )
    assert listening({"PORT": word}, port="5010") == (5010, None)


def test_unix_socket_needs_no_port(tmp_path: Path) -> None:
    socket = str(tmp_path / "s")
    environ = {"PORT": "8080", "HOST": "0.0.0.0"}
    settings = resolve_settings({"unix_socket": [socket]}, environ, on_platform=True)
    assert (settings.unix_socket, settings.port, settings.address) == (socket, 5006, None)
    in_file = config(tmp_path, f"unix_socket: {socket}\n")
    assert resolve_settings({"use_config": [in_file]}, environ, on_platform=True).unix_socket == socket


def test_where_the_values_come_from_is_kept() -> None:
    found = from_platform({"PORT": "1", "HOST": "::1"}, {})
    assert {name: given.where for name, given in found.items()} == {"port": "PORT", "address": "HOST"}


def test_log_says_what_applies() -> None:
    assert list(used_or_not({}, Settings())) == []
    assert list(used_or_not({"PORT": "80"}, Settings(unix_socket="/s"))) == []
    assert list(used_or_not({"PORT": "80"}, Settings(port=80))) == ["listening on port 80, as PORT says"]
    assert list(used_or_not({"PORT": "080"}, Settings(port=80))) == ["listening on port 080, as PORT says"]
    assert list(used_or_not({"PORT": "80"}, Settings())) == [
        "PORT asks for port '80', but a flag or another variable says 5006"
    ]
    assert list(used_or_not({"PORT": "80", "HOST": "web-1"}, Settings(port=80))) == [
        "listening on port 80, as PORT says",
        "HOST has no effect: 'web-1' is not an IP address",
    ]
