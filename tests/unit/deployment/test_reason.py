"""Why an application failed, out of what a server has written."""

from __future__ import annotations

import pytest

from app_server.deployment.reason import plain, reason_in

TRACEBACK = """\
Traceback (most recent call last):
  File "/apps/sales/main.py", line 4, in <module>
    table.total()
  File "/opt/packages/lib/python3.13/site-packages/kit/table.py", line 90, in total
    raise ValueError("no rows. None at all")
ValueError: no rows. None at all
"""
LINE = (
    "2026-11-28 19:14:52,665 ERROR /sales: sales/main.py:4: ValueError: no rows. None at all. "
    "Correct it, and restart the server; --dev does so by itself\n"
)
ACCESS = "2026-11-28 19:14:52,679 ERROR 500 GET /sales (127.0.0.1) 15.2 ms\n"
WANTED = "sales/main.py:4: ValueError: no rows. None at all"


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (LINE + TRACEBACK + ACCESS, WANTED),
        (TRACEBACK + ACCESS, WANTED),
        ("\x1b[2K\r" + LINE + "\x1b[2K" + ACCESS, WANTED),
        ("app-a1-1  | " + LINE + "app-a1-1  | " + ACCESS, WANTED),
        ("\x1b[36mapp-a1-1  | \x1b[0m" + LINE, WANTED),
        ('{"time": "x", "level": "ERROR", "message": "/sales: sales/main.py:4: ValueError: no rows. None at all"}\n'
         '{"time": "x", "level": "error", "message": "500 GET /sales (127.0.0.1) 15.2 ms"}\n', WANTED),
        ("app-server: bad.py:1: SyntaxError: invalid syntax\n", "bad.py:1: SyntaxError: invalid syntax"),
        # A class of the application's own need not be called Error.
        ("2026-11-28 19:14:52,665 ERROR /a: a.py:2: kit.Broken: gone\n" + ACCESS, "a.py:2: kit.Broken: gone"),
        ('Traceback:\n  File "/apps/bad.py", line 3\n    def (:\n        ^\nSyntaxError: invalid syntax\n',
         "bad.py:3: SyntaxError: invalid syntax"),
        ("2026-11-28 19:14:52,249 INFO Serving http://localhost\n" + ACCESS, None),
        ("", None),
    ],
)  # fmt: skip
def test_reason_is_the_exception_with_its_file_and_line(log: str, reason: str | None) -> None:
    assert reason_in(log) == reason


def test_escape_codes_are_taken_out() -> None:
    assert plain("\x1b[2K\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x1b\\link\x1b]8;;\x07 \x1b(B") == "red link "
