"""Where the console listens, and where those of other instances are."""

from __future__ import annotations

import pytest

from app_server.settings.console import ConsolePeer, ConsolePlace
from tests.unit.settings.faulty import fault

EXPECTED = "a port, HOST:PORT, unix:/PATH, or a path below the site such as /_console"


@pytest.mark.parametrize(
    ("word", "place", "private"),
    [
        ("5007", ConsolePlace(host="localhost", port=5007), True),
        ("127.0.0.1:5007", ConsolePlace(host="127.0.0.1", port=5007), True),
        ("[::1]:5007", ConsolePlace(host="::1", port=5007), True),
        ("0.0.0.0:5007", ConsolePlace(host="0.0.0.0", port=5007), False),
        ("ops.example.org:5007", ConsolePlace(host="ops.example.org", port=5007), False),
        ("unix:/run/console.sock", ConsolePlace(unix_socket="/run/console.sock"), True),
        ("/_console", ConsolePlace(path="/_console"), False),
        ("/ops/console/", ConsolePlace(path="/ops/console"), False),
    ],
)
def test_place_of_the_console_is_read(word: str, place: ConsolePlace, private: bool) -> None:
    assert ConsolePlace.read(word) == place
    assert place.is_private is private


@pytest.mark.parametrize(
    "word", ["myapp.py", "/", "/a/../b", "/a b", "::1:5007", "localhost:", "99999", "unix:run", ":5"]
)
def test_what_is_no_place_is_refused(word: str) -> None:
    assert fault({"console": [word]}) == f"--console: expected {EXPECTED}, not {word!r}"


@pytest.mark.parametrize(
    ("word", "peer"),
    [
        ("10.0.0.2:5007", ConsolePeer("10.0.0.2:5007", host="10.0.0.2", port=5007)),
        ("unix:/run/b.sock", ConsolePeer("unix:/run/b.sock", unix_socket="/run/b.sock")),
        ("https://a.org/_console", ConsolePeer("https://a.org/_console", "a.org", 443, path="/_console", tls=True)),
        ("http://a.org:5006/", ConsolePeer("http://a.org:5006/", "a.org", 5006)),
    ],
)
def test_other_consoles_are_read(word: str, peer: ConsolePeer) -> None:
    assert ConsolePeer.read(word) == peer


@pytest.mark.parametrize("word", ["5007", "http://u@a.org/", "https://a.org/?x", "ftp://a.org", "http://a.org:x/"])
def test_what_is_no_other_console_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        ConsolePeer.read(word)
