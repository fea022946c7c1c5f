"""The file of --authorize is run, and if it does not fit, the error names the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.auth.authorizing import authorizer_for
from app_server.errors import OperatorError
from app_server.settings import Settings


def test_without_the_setting_there_is_no_hook() -> None:
    assert authorizer_for(Settings()) is None


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1\n", "{path}: defines no authorize(user, path). See docs/authentication.md."),
        ("\nauthorize = 3\n", "{path}:2: authorize is not a function. See docs/authentication.md."),
        ("def authorize(:\n", "{path}:1: not Python: invalid syntax"),
        ("\nraise ValueError('no')\n", "{path}:2: the authentication module failed: ValueError: no"),
    ],
)
def test_file_that_does_not_fit_is_an_error(source: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "who.py"
    path.write_text(source)
    with pytest.raises(OperatorError) as caught:
        authorizer_for(Settings(authorize=str(path), auth_header="X-User"))
    assert str(caught.value) == message.format(path=path)


async def test_hook_is_asked_with_user_and_path(tmp_path: Path) -> None:
    path = tmp_path / "who.py"
    path.write_text("def authorize(user, path):\n    return (user, path) == ('ann', '/a')\n")
    authorizer = authorizer_for(Settings(authorize=str(path), auth_header="X-User"))
    assert authorizer is not None
    assert await authorizer("ann", "/a") and not await authorizer("ann", "/b")
