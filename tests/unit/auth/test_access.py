"""Rules are compared with what is served, and with the users of the password file."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.auth.access import check_access
from app_server.errors import OperatorError
from app_server.security.auth.passwords import Cost, hash_password
from app_server.settings import Settings

HASH = hash_password("correct horse", cost=Cost(2, 1, 1))


@pytest.mark.parametrize(
    ("rule", "hint"), [("/slaes=user:ann", "Did you mean /sales?"), ("/x=user:ann", "There is: /board, /sales.")]
)
def test_rule_for_an_application_that_is_not_served_is_an_error(rule: str, hint: str) -> None:
    with pytest.raises(OperatorError) as caught:
        check_access(Settings(auth_header="X-User", access=(rule,)), ["/sales", "/board"])
    route = rule.partition("=")[0]
    assert str(caught.value) == f"--access: no application is served at {route}. {hint}"


def test_route_is_compared_as_the_server_writes_it() -> None:
    check_access(Settings(auth_header="X-User", access=("/sales%2dregion=user:ann", "*=user:bob")), ["/sales-region"])


def test_user_or_group_that_the_password_file_does_not_have_is_reported(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "users"
    path.write_text(f"ann:{HASH}:staff, analysts\nbob:{HASH}\n")
    path.chmod(0o600)
    rules = ("/a=group:staff", "/a=group:staf", "/a=user:ann", "/a=user:eve")
    check_access(Settings(basic_auth=str(path), access=rules), ["/a"])
    assert [record.getMessage() for record in caplog.records] == [
        f"--access /a=group:staf lets no one in: no user is in this group ({path})",
        f"--access /a=user:eve lets no one in: this user does not exist ({path})",
    ]
