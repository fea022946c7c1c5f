from __future__ import annotations

from app_server.errors import PeerError, in_one_line


def test_what_a_client_wrote_is_one_printable_line_in_an_error() -> None:
    error = PeerError("no model 'x\n2026-01-01 ERROR forged\r\x1b[31m\x9b1m\u2028\ud800'")
    assert str(error) == r"no model 'x\n2026-01-01 ERROR forged\r\x1b[31m\x9b1m\u2028\ud800'"
    assert str(error).isprintable()


def test_text_that_is_printable_stays_as_it_is() -> None:
    assert in_one_line("Größe: 5 µm, 漢字 😀") == "Größe: 5 µm, 漢字 😀"
