"""Settings that make no sense together."""

from __future__ import annotations

import pytest

from app_server.settings import (
    resolve_settings,
)
from tests.unit.settings.faulty import fault


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"console": ["0.0.0.0:5007"]},
            "--console: anyone who reaches this console could end sessions. "
            "Name the operators with --console-auth FILE, or give only a port, or unix:/PATH.",
        ),
        (
            {"console": ["/_console"]},
            "--console: anyone who reaches this console could end sessions. "
            "Name the operators with --console-auth FILE, or give only a port, or unix:/PATH.",
        ),
        (
            {"console_auth": [__file__]},
            "--console-auth: has no meaning without --console. Give --console too, such as --console 5007.",
        ),
        (
            {"console": ["5007"], "console_peers": ["a.org:5007"]},
            "--console-peers: consoles know each other by a secret key that all instances have. "
            "Set BOKEH_SECRET_KEY to what `app-server secret` prints.",
        ),
        (
            {"console": ["5007"], "dev": []},
            "--console: --dev reloads pages only without a console. Leave one of them out.",
        ),
        (
            {"unix_socket": ["/tmp/s"], "port": ["5006"]},
            "--unix-socket: a Unix socket has no port, but --port sets one. Leave one of them out.",
        ),
        (
            {"unix_socket": ["/tmp/s"], "address": ["localhost"]},
            "--unix-socket: a Unix socket has no address, but --address sets one. Leave one of them out.",
        ),
        (
            {"unix_socket": ["/tmp/s"], "ssl_certfile": [__file__]},
            "--unix-socket: a Unix socket has no ssl certfile, but --ssl-certfile sets one. Leave one of them out.",
        ),
        (
            {"include_headers": ["a"], "exclude_headers": ["b"]},
            "--exclude-headers: --include-headers already says which headers applications see. Leave one of them out.",
        ),
        (
            {"include_cookies": ["a"], "exclude_cookies": ["b"]},
            "--exclude-cookies: --include-cookies already says which cookies applications see. Leave one of them out.",
        ),
        (
            {"record": ["recordings/"], "websocket_compression_level": ["6"]},
            "--record: pages cannot be recorded if --websocket-compression-level compresses their messages. "
            "Leave one of them out.",
        ),
        (
            {"session_ids": ["signed"]},
            "--session-ids: signed sessions need a secret key. "
            "Set BOKEH_SECRET_KEY to what `app-server secret` prints.",
        ),
        ({"ssl_keyfile": [__file__]}, "--ssl-keyfile: a key without a certificate. Give --ssl-certfile too."),
        (
            {"num_procs": ["4"], "dev": []},
            "--dev: pages are only reloaded with one process. Leave it out, or --num-procs.",
        ),
        (
            {"auth_module": ["auth.py"], "basic_auth": ["users"]},
            "--basic-auth: --auth-module already says how people log in. Leave one of them out.",
        ),
        (
            {"auth_header": ["X-User"]},
            "--auth-header: without a list of trusted proxies, anyone could claim to be any user. "
            "Give their addresses with --auth-header-from, such as 127.0.0.1.",
        ),
        (
            {"auth_header_from": ["127.0.0.1"]},
            "--auth-header-from: has no meaning without --auth-header. Give --auth-header too.",
        ),
        (
            {"oidc_allow": ["groups=staff"]},
            "--oidc-allow: has no meaning without --oidc-issuer. Give --oidc-issuer too.",
        ),
        (
            {"oidc_issuer": ["https://id.example.org"]},
            "--oidc-issuer: OpenID Connect needs a client id. Give the one that the provider assigned with "
            "--oidc-client-id.",
        ),
        (
            {"oidc_issuer": ["https://id.example.org"], "oidc_client_id": ["plots"]},
            "--oidc-issuer: OpenID Connect needs the client's secret. Set APP_SERVER_OIDC_CLIENT_SECRET, or "
            "APP_SERVER_OIDC_CLIENT_SECRET_FILE to a file with it.",
        ),
        (
            {"basic_auth": ["users"]},
            "--basic-auth: logins are kept in signed cookies, which need a key. Set BOKEH_COOKIE_SECRET to what "
            "`app-server secret` prints, or BOKEH_COOKIE_SECRET_FILE to a file with it.",
        ),
        (
            {"access": ["/sales=user:ann"]},
            "--access: without a login, the server does not know who anyone is. Give one of --auth-module, "
            "--basic-auth, --auth-header, --oidc-issuer, --oauth-provider too.",
        ),
        (
            {"access": ["sales=group:staff"], "auth_header": ["X-User"], "auth_header_from": ["127.0.0.1"]},
            "--access: /sales=group:staff names a group, but no header says who is in it. Give the header in which "
            "the proxy names groups with --auth-header-groups.",
        ),
        (
            {"oauth_provider": ["github"]},
            "--oauth-provider: a provider needs a client id. Give the one that the provider assigned with "
            "--oauth-client-id.",
        ),
        (
            {"oauth_provider": ["github"], "oauth_client_id": ["x"]},
            "--oauth-provider: a provider needs the client's secret. Set APP_SERVER_OAUTH_CLIENT_SECRET, or "
            "APP_SERVER_OAUTH_CLIENT_SECRET_FILE to a file with it.",
        ),
        (
            {"authorize": ["who.py"], "auth_module": ["auth.py"]},
            "--authorize: --auth-module has a hook for that. Define authorize in auth.py.",
        ),
        (
            {"authorize": ["who.py"]},
            "--authorize: without a login, the server does not know who anyone is. Give one of --auth-module, "
            "--basic-auth, --auth-header, --oidc-issuer, --oauth-provider too.",
        ),
        (
            {"access_tokens": [], "auth_header": ["X-User"], "auth_header_from": ["127.0.0.1"]},
            "--access-tokens: only providers give access tokens. Give --oidc-issuer or --oauth-provider too.",
        ),
        (
            {"oauth_allow": ["groups=acme"]},
            "--oauth-allow: has no meaning without --oauth-provider. Give --oauth-provider too.",
        ),
        (
            {"auth_header_groups": ["X-Groups"]},
            "--auth-header-groups: has no meaning without --auth-header. Give --auth-header too.",
        ),
        (
            {"oidc_groups": ["roles"]},
            "--oidc-groups: has no meaning without --oidc-issuer. Give --oidc-issuer too.",
        ),
    ],
)
def test_contradiction_is_refused_with_what_to_do(flags: dict[str, list[str]], message: str) -> None:
    assert fault(flags) == message


def test_signing_by_variable_needs_a_key_too() -> None:
    assert fault(environ={"BOKEH_SIGN_SESSIONS": "yes"}) == (
        "BOKEH_SIGN_SESSIONS: signed sessions need a secret key. "
        "Set BOKEH_SECRET_KEY to what `app-server secret` prints."
    )


def test_bokeh_default_port_is_no_contradiction_to_a_unix_socket() -> None:
    assert resolve_settings({"unix_socket": ["/tmp/s"]}, {"BOKEH_DEFAULT_SERVER_PORT": "80"}).unix_socket == "/tmp/s"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            {"oauth_provider": ["custom"]},
            "--oauth-provider: a custom provider needs --oauth-authorize-url. Give --oauth-authorize-url too.",
        ),
        (
            {"oauth_provider": ["github"], "oauth_user_url": ["https://x.example/me"]},
            "--oauth-user-url: is known for GitHub. Give --oauth-url for a GitHub Enterprise.",
        ),
        (
            {
                "oauth_provider": ["custom"], "oauth_authorize_url": ["https://x.example/a"],
                "oauth_token_url": ["https://x.example/t"], "oauth_user_url": ["https://x.example/me"],
                "oauth_url": ["https://x.example"],
            },
            "--oauth-url: is for a GitHub Enterprise. Give --oauth-authorize-url, --oauth-token-url, --oauth-user-url.",
        ),
        (
            {"oauth_provider": ["github"]},
            "--oauth-provider: logins are kept in signed cookies, which need a key. Set BOKEH_COOKIE_SECRET to what "
            "`app-server secret` prints, or BOKEH_COOKIE_SECRET_FILE to a file with it.",
        ),
    ],
)  # fmt: skip
def test_provider_needs_its_addresses_and_only_those(flags: dict[str, list[str]], message: str) -> None:
    environ = {"APP_SERVER_OAUTH_CLIENT_SECRET": "x"}
    assert fault({**flags, "oauth_client_id": ["x"]}, environ) == message
