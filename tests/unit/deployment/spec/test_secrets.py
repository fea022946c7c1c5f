"""Where secrets come from, and that they are not quoted."""

from __future__ import annotations

from typing import Any

import pytest

from app_server.deployment.spec import secrets
from tests.unit.deployment.spec.reading import fault, said


@pytest.mark.parametrize(
    ("kind", "value", "meant"),
    [
        (secrets.Secrets, {"secret_key": {"file": "/etc/key"}}, {"secret_key": {"file": "/etc/key"}}),
        (secrets.ApplicationSecrets, ".env", {"file": ".env"}),
        (secrets.ApplicationSecrets, {"credential": "apps"}, {"credential": "apps"}),
    ],
)
def test_bare_values(kind: Any, value: object, meant: dict[str, Any]) -> None:
    assert said(kind, value) == meant


def test_secret_that_was_written_into_the_file_is_not_quoted() -> None:
    where = "expected where the secret is, not the secret itself. Write it to a file, and set {file: PATH}"
    assert fault(secrets.Secrets, {"secret_key": "hunter2"}) == f"secret_key: {where}"
    assert fault(secrets.Secrets, "hunter2") == (
        ": expected a line for each secret, such as `secret_key: {file: PATH}`"
    )


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (secrets.Secret, {"file": "key"}, "file: expected a path that begins with / and has no '..', not 'key'"),
        (secrets.Secret, {"environment": "A-B"},
         "environment: expected the name of an environment variable, not 'A-B'"),
        (secrets.Secret, {"credential": "a/b"}, "credential: expected the name of a credential, not 'a/b'"),
        (secrets.ApplicationSecrets, "DB_PASSWORD=hunter2",
         "file: expected the path of a file, not a variable. Write the line to a file, and name that"),
        (secrets.ApplicationSecrets, {"file": "-x"}, "file: expected the path of a file, not '-x'"),
    ],
)  # fmt: skip
def test_what_is_no_source_is_refused(kind: Any, value: object, message: str) -> None:
    assert fault(kind, value) == message
