"""The settings of the server that shows the console."""

from __future__ import annotations

from app_server.server.console.settings import console_settings
from app_server.settings import Settings

SITE = Settings(
    prefix="/tools", port=5006, auth_module="x.py", store="folder", metrics=True, num_procs=4, isolation="process",
    secret_key="site key", cookie_secret="site cookies", route="a", allow_websocket_origin=("apps.example.org",),
)  # fmt: skip


def of(where: str, **more: object) -> Settings:
    from dataclasses import replace

    return console_settings(replace(SITE, console=where, **more))  # type: ignore[arg-type]


def test_console_has_its_own_address_login_and_keys() -> None:
    own = of("5007", console_auth="operators")
    assert (own.address, own.port, own.prefix, own.route) == ("localhost", 5007, "", None)
    assert (own.basic_auth, own.auth_module) == ("operators", None)
    assert (own.store, own.num_procs, own.isolation) == ("off", 1, "none")
    assert own.secret_key not in (None, SITE.secret_key) and own.cookie_secret not in (None, SITE.cookie_secret)
    assert of("5007").secret_key == of("5007").secret_key


def test_console_at_a_path_has_the_addresses_of_the_site() -> None:
    own = of("/_console", console_auth="operators")
    assert (own.prefix, own.route, own.port) == ("/tools/_console", "a", 5006)
    assert own.allow_websocket_origin == ("apps.example.org",)


def test_pages_of_the_site_may_not_use_a_console_without_a_login() -> None:
    assert of("5007").allow_websocket_origin == ()
    assert "apps.example.org" not in of("unix:/run/c").allow_websocket_origin
    assert "localhost:*" in of("unix:/run/c").allow_websocket_origin
    assert "apps.example.org" in of("0.0.0.0:5007", console_auth="f").allow_websocket_origin


def test_keys_are_those_of_this_run_if_the_site_has_none() -> None:
    own = console_settings(Settings(console="5007"))
    assert own == console_settings(Settings(console="5007")), "another process of this run has the same"
    assert own.cookie_secret and own.secret_key and own.cookie_secret != own.secret_key
