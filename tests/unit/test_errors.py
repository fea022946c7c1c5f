from __future__ import annotations

import signal

import pytest

import app_server
from app_server.errors import (
    OperatorError,
    OperatorErrors,
    PeerError,
    TooLargeError,
    TransientError,
    from_keyboard,
    in_one_line,
    likely,
)


def test_what_a_client_wrote_is_one_printable_line_in_an_error() -> None:
    error = PeerError("no model 'x\n2026-01-01 ERROR forged\r\x1b[31m\x9b1m\u2028\ud800'")
    assert str(error) == r"no model 'x\n2026-01-01 ERROR forged\r\x1b[31m\x9b1m\u2028\ud800'"
    assert str(error).isprintable()


def test_text_that_is_printable_stays_as_it_is() -> None:
    assert in_one_line("Größe: 5 µm, 漢字 😀") == "Größe: 5 µm, 漢字 😀"


def test_an_error_says_where_what_and_what_to_do_as_far_as_it_knows() -> None:
    assert str(OperatorError("it is taken")) == "it is taken"
    assert str(OperatorError("it is taken", where="--port")) == "--port: it is taken"
    assert str(TransientError("it is taken", where="--port", hint="Wait.")) == "--port: it is taken. Wait."


def test_faults_of_one_file_are_told_together() -> None:
    faults = [OperatorError("is wrong", where="a"), OperatorError("is missing", where="b")]
    error = OperatorErrors(faults)
    assert str(error) == "a: is wrong; b: is missing" and error.faults == tuple(faults)


def test_a_message_that_is_too_large_says_how_much_of_it_was_seen() -> None:
    cut, whole = TooLargeError(1000, 20_000), TooLargeError(1000, 20_000, whole=True)
    assert (cut.size, whole.size) == ("at least 20,000 bytes", "20,000 bytes")
    assert str(cut) == "a message is larger than 1000 bytes" and cut.close_code == 1009


def test_a_long_text_is_cut_before_its_escapes() -> None:
    assert in_one_line("\n" * 10, 3) == r"\n\n\n…"


def test_a_mistyped_word_is_guessed_and_a_foreign_one_is_not() -> None:
    known = ["num_procs", "port", "prefix"]
    assert likely("num_proc", known) == "num_procs" and likely("prefx", known) == "prefix"
    assert likely("zebra", known) is None and likely("prefx", known, alike=1) is None


@pytest.mark.parametrize(
    ("error", "handler", "claim"),
    [
        (KeyboardInterrupt(), signal.default_int_handler, True),
        (KeyboardInterrupt(), signal.SIG_IGN, False),
        (SystemExit(), signal.default_int_handler, False),
    ],
)
def test_an_interrupt_is_of_the_keyboard_where_nothing_handles_the_signal(
    error: BaseException, handler: signal.Handlers, claim: bool
) -> None:
    before = signal.signal(signal.SIGINT, handler)
    try:
        assert from_keyboard(error) is claim
    finally:
        signal.signal(signal.SIGINT, before)


def test_the_package_hands_out_its_server_and_nothing_that_is_not_there() -> None:
    from app_server.embedded.server import Server

    assert app_server.Server is Server
    with pytest.raises(AttributeError, match="module 'app_server' has no attribute 'Sever'"):
        _ = app_server.Sever
