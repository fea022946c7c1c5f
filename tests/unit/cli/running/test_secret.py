"""`app-server secret`."""

from __future__ import annotations

import pytest

from app_server.cli import EXIT_OK, main
from app_server.cli.running.secret import ALPHABET, new_secret


def test_secret_is_44_letters_and_digits_and_never_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["secret"], {}) == EXIT_OK
    printed = capsys.readouterr().out.removesuffix("\n")
    assert len(printed) == 44 and set(printed) <= set(ALPHABET)
    assert len({new_secret() for _ in range(100)}) == 100
