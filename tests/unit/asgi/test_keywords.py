"""The keywords of `BokehASGI`, and what the environment asks for in vain."""

from __future__ import annotations

from typing import Any

import pytest

from app_server.asgi.keywords import INSTEAD_OF, settings_of
from app_server.errors import OperatorError
from app_server.settings import Settings, all_settings


def test_settings_are_those_of_every_server() -> None:
    settings, in_vain = settings_of({"prefix": "plots/", "max_sessions": 3, "sign_sessions": None}, {})
    assert (settings.prefix, settings.max_sessions, in_vain) == ("/plots", 3, [])


def test_environment_asks_in_vain_for_what_the_asgi_server_decides() -> None:
    environ = {"BOKEH_DEFAULT_SERVER_PORT": "7000", "APP_SERVER_ROUTE": "west", "BOKEH_ALLOW_WS_ORIGIN": "a.example"}
    settings, in_vain = settings_of({}, environ)
    assert in_vain == ["port", "route"]
    assert (settings.port, settings.route, settings.allow_websocket_origin) == (Settings().port, None, ("a.example",))


def test_login_that_would_be_left_out_is_refused() -> None:
    with pytest.raises(OperatorError) as caught:
        settings_of({}, {"APP_SERVER_AUTH_HEADER": "X-User", "APP_SERVER_AUTH_HEADER_FROM": "127.0.0.1"})
    assert str(caught.value) == (
        "auth_header: cannot be used with ASGI. The ASGI server hides who its peer is. Let middleware set"
        " scope['user'], or give an auth_policy."
    )


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"ssl_certfile": "x"}, "ssl_certfile: BokehASGI has no such keyword. The ASGI server does TLS"),
        ({"use_xheaders": True}, "use_xheaders: BokehASGI has no such keyword. The ASGI server reads these headers"),
        ({"isolation": "process"}, "isolation: BokehASGI has no such keyword. The ASGI server starts the processes"),
        ({"prefix": "/a/../b"}, "prefix: expected a path such as /tools, without spaces, "),
    ],
)
def test_what_has_no_meaning_is_refused(keywords: dict[str, Any], said: str) -> None:
    with pytest.raises(OperatorError) as caught:
        settings_of(keywords, {})
    assert str(caught.value).startswith(said), str(caught.value)


def test_absolute_url_is_taken_as_by_the_stock_class() -> None:
    assert settings_of({"absolute_url": "http://somewhere"}, {})[0] == settings_of({}, {})[0]


def test_hints_are_for_settings_that_exist() -> None:
    known = {setting.name for setting in all_settings()}
    assert set(INSTEAD_OF) - known == {"auth_provider", "http_server_kwargs"}


def test_there_is_one_way_to_log_in() -> None:
    login = {
        "oidc_issuer": "https://id.example",
        "oidc_client_id": "a",
        "oidc_client_secret": "b",
        "cookie_secret": "c",
    }
    assert settings_of(login, {})[0].oidc_issuer == "https://id.example"
    with pytest.raises(OperatorError) as caught:
        settings_of(login, {}, object())
    assert str(caught.value) == (
        "oidc_issuer: cannot be combined with auth_policy. Choose one of the two ways to log in."
    )


def test_sessions_of_a_policys_users_are_signed() -> None:
    assert settings_of({}, {}, object())[0].session_ids == "signed"
    assert settings_of({}, {})[0].session_ids == "unsigned"
    assert settings_of({"sign_sessions": False}, {}, object())[0].session_ids == "unsigned"


def test_rules_of_access_need_no_login_of_ours() -> None:
    assert settings_of({"access": "/app=user:ann"}, {})[0].access == ("/app=user:ann",)
