"""What `serve --check` refuses before it runs an application."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from app_server.errors import OperatorError
from app_server.server.warming.check import check_applications, check_settings
from app_server.settings import Settings

OIDC = {"oidc_issuer": "https://login.example.org", "oidc_client_id": "a", "oidc_client_secret": "b"}
OAUTH = {"oauth_provider": "github", "oauth_client_id": "a", "oauth_client_secret": "b"}


@pytest.mark.parametrize(
    ("module", "setting", "values"),
    [
        ("redis", "--store", {"store": "redis://store.example.org"}),
        ("authlib.oidc.core", "--oidc-issuer", OIDC),
        ("authlib.oidc.core", "--oauth-provider", OAUTH),
        ("prometheus_client", "--metrics", {"metrics": True}),
        ("opentelemetry.sdk.trace", "--otel", {"otel": "traces"}),
    ],
)
def test_setting_whose_package_is_missing_is_refused_and_accepted_with_it(
    monkeypatch: pytest.MonkeyPatch, module: str, setting: str, values: dict[str, Any]
) -> None:
    settings = Settings(**values, cookie_secret="c" * 40)
    # The store at this address does not answer: it is not asked.
    check_settings(settings)
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(OperatorError, match="nstall") as raised:
        check_settings(settings)
    assert setting in str(raised.value)


def test_no_application_is_run_with_such_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    app = tmp_path / "app.py"
    app.write_text("raise SystemExit('it was run')\n", encoding="utf-8")
    with pytest.raises(OperatorError, match="nstall"):
        check_applications(Settings(store="redis://store.example.org"), [str(app)])


def test_file_of_users_that_is_missing_is_refused(tmp_path: Path) -> None:
    users = tmp_path / "users"
    with pytest.raises(OperatorError, match="users: cannot be read"):
        check_settings(Settings(basic_auth=str(users), cookie_secret="c" * 40))
