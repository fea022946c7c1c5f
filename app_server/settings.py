"""Every setting once: its default with the reason, unit, flag, environment variables, key and help.

The command line, `docs/settings.md` and `--help` are derived from the fields of `Settings`. A value is looked for
in this order: the flag, the environment, the file named by `--use-config`, the default. Every source hands over
text, the same parser reads it, and an error names the flag, the variable or the line of the file that it came from.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import math
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from app_server.errors import OperatorError, likely

SessionIds = Literal["unsigned", "signed", "external", "external-signed"]
SIGNED_IDS: tuple[SessionIds, ...] = ("signed", "external-signed")
EXTERNAL_IDS: tuple[SessionIds, ...] = ("external", "external-signed")
"""Other programs make these, and the server none; unsigned ones only for a server inside a program."""
TokenPayload = Literal["auto", "always", "never"]
Isolation = Literal["none", "process", "snapshot"]
ISOLATIONS: tuple[Isolation, ...] = ("none", "process", "snapshot")
LogLevel = Literal["trace", "debug", "info", "warning", "error", "critical"]

GROUPS = ("Applications", "Network", "Sessions and signing", "Logging in", "TLS", "What applications see", "Limits",
          "Logging", "Monitoring", "Pages", "Processes")  # fmt: skip

# Settings that bokeh itself reads from its environment; a file for `--use-config` may carry them too.
BOKEH_OWN_KEYS = frozenset(
    "browser compression_level default_server_host ignore_filename minified nodejs_path "
    "perform_error_diagnostics pretty resources rootdir serialize_include_defaults simple_ids validate_doc "
    "validation_level version".split()
)
# A variable of this name and ending holds the path of a file with the secret, as container runtimes mount them.
FILE_ENDING = "_FILE"
# The largest number of milliseconds, seconds or bytes that a setting takes; far beyond use, short of any overflow.
LARGEST = 10**12
# sockaddr_un.sun_path holds 108 bytes with its final zero on Linux, 104 elsewhere; we bind on the former.
LONGEST_SOCKET_PATH_BYTES = 107
LONGEST_QUOTE = 60


class Arity(Enum):
    """How many words a flag takes."""

    SWITCH = "none: its presence means yes"
    OPTIONAL = "none or one"
    ONE = "one"
    REPEATED = "one, and the flag may be given again"
    SOME = "one or more"
    ANY = "none or more"
    REST = "all that follow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known of one field of `Settings` besides its type.

    `flag` is None for what has no place on a command line (secrets), `environment` holds the variables by
    precedence, `keys` the further names that the configuration file accepts besides the field's own. With `commas` a
    word after the flag may hold several values, as a variable's may anyway.
    `lines` is how many lines the file of a secret may have.
    `parse` turns one word into a value and raises ValueError with a phrase that completes "expected …"; `readers`
    holds another parser for a variable or key that says the same in other words.
    """

    name: str = ""
    default: Any = None
    help: str
    reason: str
    group: str
    parse: Callable[[str], Any]
    arity: Arity = Arity.ONE
    flag: str | None = None
    metavar: str = ""
    unit: str = ""
    environment: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    common: bool = False
    secret: bool = False
    lines: int = 1
    commas: bool = False
    readers: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)


def _setting(default: object, help: str, *, secret: bool = False, **about: Any) -> Any:
    """A field of `Settings` that carries its `Setting`, all but name and default."""
    return field(default=default, repr=not secret, metadata={"setting": Setting(help=help, secret=secret, **about)})


def _text(word: str) -> str:
    if not word or "\0" in word:
        raise ValueError("some text")
    return word


def _switch(word: str) -> bool:
    meaning = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
    if word.strip().lower() not in meaning:
        raise ValueError("yes or no")
    return meaning[word.strip().lower()]


def _integer(low: int, high: int = LARGEST) -> Callable[[str], int]:
    """A parser of whole numbers from low to high, both included."""
    expected = f"a whole number from {low} to {high}" if high < LARGEST else f"a whole number, at least {low}"

    def parse(word: str) -> int:
        # The length is checked first, since int() refuses very long numbers in its own words.
        if not re.fullmatch(r"[+-]?[0-9]{1,15}", word.strip()) or not low <= int(word) <= high:
            raise ValueError(expected)
        return int(word)

    return parse


def _seconds(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = math.nan
    if not 0 <= value <= LARGEST:
        raise ValueError("a number of seconds, at least 0")
    return value


def _choice(*choices: str, **synonyms: str) -> Callable[[str], str]:
    """A parser of one of the words, whatever their case; synonyms map further words to them."""

    def parse(word: str) -> str:
        found = synonyms.get(word.lower(), word.lower())
        if found not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return found

    return parse


def _exactly(*choices: str) -> Callable[[str], str]:
    """A parser of one of the words, for bokeh, which knows them in this case only."""

    def parse(word: str) -> str:
        if word not in choices:
            raise ValueError(f"one of {', '.join(choices)}")
        return word

    return parse


def _sign_sessions(word: str) -> SessionIds:
    return "signed" if _switch(word) else "unsigned"


def _origin(word: str) -> str:
    """`host`, `host:port` or a pattern with `*`, as the Host header would carry it."""
    host = word.strip()
    if not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s/:@\[\]?#,]+)(:([0-9]{1,5}|\*))?", host):
        raise ValueError("HOST or HOST:PORT, without http:// and without a path")
    return host


def _prefix(word: str) -> str:
    """ "" or a path that starts with a slash and does not end with one."""
    path = word.strip().strip("/")
    if re.search(r"[\s?#%\\]|//", path) or {".", ".."} & set(path.split("/")):
        raise ValueError("a path such as /tools, without spaces, '?', '#', '%' or '..'")
    # Percent-encoded, as it is in the addresses that pages are given.
    return "/" + quote(path, safe="/!$&'()*+,;=:@") if path else ""


def _route(word: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", word):
        raise ValueError("1 to 32 letters, digits, '_' or '-'")
    return word


def _network(word: str) -> str:
    """An address, a network, or "unix" for the peer of a Unix socket; written the one way that ipaddress writes it."""
    if word.strip().lower() == "unix":
        return "unix"
    try:
        return str(ipaddress.ip_network(word.strip(), strict=True))
    except ValueError:
        raise ValueError("an address or a network such as 127.0.0.1 or 10.0.0.0/8, or 'unix'") from None


def _header_name(word: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{1,100}", word):
        raise ValueError("the name of a header, such as X-Forwarded-User")
    return word


def _https_url(word: str) -> str:
    """An address without query and fragment, over TLS unless it never leaves this machine."""
    expected = "an https:// address without '?' and '#' (http:// for this machine alone)"
    try:
        parts = urlsplit(word)
        plain = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
        fits = (parts.scheme == "https" or plain) and parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        fits = None
    if not fits or not word.isprintable() or set(word) & set("?# \\"):
        raise ValueError(expected)
    return word


def _claim_pattern(word: str) -> str:
    if not re.fullmatch(r"[^=\s]{1,100}=.{1,300}", word):
        raise ValueError("CLAIM=VALUE, such as email=*@example.org")
    return word


def _scope(word: str) -> str:
    """Scopes with one space between them; without "openid" a provider would answer plain OAuth."""
    scopes = word.split()
    if "openid" not in scopes or not word.isascii() or not word.isprintable() or set(word) & set('"\\'):
        raise ValueError("scopes with spaces between them, 'openid' among them")
    return " ".join(scopes)


def _icon(word: str) -> str | None:
    """None for the icon that the server brings, "none" for having none."""
    if word.lower() in ("default", "none"):
        return "none" if word.lower() == "none" else None
    if not word.endswith(".ico"):
        raise ValueError("the path of a .ico file, 'default' or 'none'")
    return word


def _socket_path(word: str) -> str:
    if not word or "\0" in word or len(os.fsencode(word)) > LONGEST_SOCKET_PATH_BYTES:
        raise ValueError(f"a path of at most {LONGEST_SOCKET_PATH_BYTES} bytes")
    return word


def _log_format(word: str) -> str:
    record = {"msg": "", "levelname": "INFO", "name": "x", "application": "", "session": "", "request_id": ""}
    try:
        # The second step finds what the first does not, such as %(levelname)d.
        logging.Formatter(word).format(logging.makeLogRecord(record))
    except (ValueError, TypeError, KeyError):
        raise ValueError("a format of Python's logging, such as '%(asctime)s %(message)s'") from None
    return word


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one server, checked and complete; units are in the names, None means "not set".

    `Settings()` is a server with all defaults. Secrets are left out of `repr`.
    """

    # Applications
    show: bool = _setting(
        False,
        "open the applications in a browser",
        reason="a server is mostly started where nobody watches",
        group="Applications",
        parse=_switch,
        arity=Arity.SWITCH,
        flag="--show",
        common=True,
    )
    dev: bool = _setting(
        False,
        "reload pages when the application's files change",
        reason="watching files costs time and shows tracebacks, which only an author should see",
        group="Applications",
        parse=_switch,
        arity=Arity.SWITCH,
        flag="--dev",
        metavar="[FILE ...]",
        common=True,
    )
    dev_watch: tuple[str, ...] = _setting(
        (),
        "further files that --dev watches",
        reason="code, templates, themes and static files are watched anyway",
        group="Applications",
        parse=_text,
        arity=Arity.ANY,
        flag="--dev",
        metavar="FILE",
    )
    glob: bool = _setting(
        False,
        "expand *, ? and [ ] in the file names",
        reason="most shells have done so already",
        group="Applications",
        parse=_switch,
        arity=Arity.SWITCH,
        flag="--glob",
        common=True,
    )
    args: tuple[str, ...] = _setting(
        (),
        "hand what follows to the applications' sys.argv",
        reason="an application that wants arguments is given them on purpose",
        group="Applications",
        parse=str,
        arity=Arity.REST,
        flag="--args",
        metavar="ARG",
        common=True,
    )
    use_config: str | None = _setting(
        None,
        "read settings from a YAML file",
        reason="no file is read that nobody named",
        group="Applications",
        parse=_text,
        flag="--use-config",
        metavar="FILE",
        common=True,
    )

    # Network
    port: int = _setting(
        5006,
        "listen on this port; 0 takes any free one",
        reason="the port where Bokeh's users look for a server",
        group="Network",
        parse=_integer(0, 65535),
        flag="--port",
        metavar="PORT",
        common=True,
        environment=("BOKEH_DEFAULT_SERVER_PORT",),
        keys=("default_server_port",),
    )
    address: str | None = _setting(
        None,
        "listen on this address only, such as localhost",
        reason="the same as the stock server, so that containers and remote machines answer",
        group="Network",
        parse=_text,
        flag="--address",
        metavar="ADDRESS",
        common=True,
    )
    unix_socket: str | None = _setting(
        None,
        "listen on a Unix socket instead of a port",
        reason="a port is what browsers reach without a proxy",
        group="Network",
        parse=_socket_path,
        flag="--unix-socket",
        metavar="PATH",
    )
    prefix: str = _setting(
        "",
        "serve everything below this path",
        reason="a server of its own has the whole host",
        group="Network",
        parse=_prefix,
        flag="--prefix",
        metavar="PATH",
        common=True,
    )
    allow_websocket_origin: tuple[str, ...] = _setting(
        (),
        "a public host whose pages may connect",
        reason="only the server's own address, so that no foreign page can read a session",
        group="Network",
        parse=_origin,
        arity=Arity.REPEATED,
        flag="--allow-websocket-origin",
        metavar="HOST[:PORT]",
        common=True,
        environment=("BOKEH_ALLOW_WS_ORIGIN",),
        keys=("allowed_ws_origin",),
    )
    use_xheaders: bool = _setting(
        False,
        "trust a proxy's X-Forwarded-* and X-Real-Ip",
        reason="without a proxy in front anybody could forge them",
        group="Network",
        parse=_switch,
        arity=Arity.SWITCH,
        flag="--use-xheaders",
        common=True,
    )
    route: str | None = _setting(
        None,
        "this instance's id; pages carry /_i/ID/ so that a balancer finds it again",
        reason="a single instance needs no affinity",
        group="Network",
        parse=_route,
        flag="--route",
        metavar="ID",
        environment=("APP_SERVER_ROUTE",),
    )
    drain_s: float = _setting(
        0.0,
        "let sessions go on for so long after SIGTERM, while new pages are sent elsewhere",
        reason="a server that somebody stops by hand stops at once; behind a balancer 30 are good",
        group="Network",
        parse=_seconds,
        flag="--drain",
        metavar="SECONDS",
        unit="s",
        environment=("APP_SERVER_DRAIN",),
        keys=("drain",),
    )
    drain_deadline_s: float = _setting(
        10.0,
        "how long sessions may take to end when the server stops, after --drain",
        reason="what container runtimes and supervisors wait before they kill",
        group="Network",
        parse=_seconds,
        flag="--drain-deadline",
        metavar="SECONDS",
        unit="s",
    )

    # Sessions and signing
    session_ids: SessionIds = _setting(
        "unsigned",
        "how session ids are made",
        reason="a signature needs a key that you choose; with a login the default is signed",
        group="Sessions and signing",
        parse=_choice("unsigned", "signed", "external-signed"),
        flag="--session-ids",
        metavar="MODE",
        environment=("BOKEH_SIGN_SESSIONS",),
        keys=("sign_sessions",),
        readers={"BOKEH_SIGN_SESSIONS": _sign_sessions, "sign_sessions": _sign_sessions},
        choices=("unsigned", "signed", "external-signed"),
        common=True,
    )
    secret_key: str | None = _setting(
        None,
        "the key that signs session ids and tokens; `app-server secret` makes one",
        reason="a key that everybody knows signs nothing; its file may have a second line with the key before it, "
        "whose signatures are still accepted",
        group="Sessions and signing",
        parse=_text,
        environment=("BOKEH_SECRET_KEY",),
        secret=True,
        lines=2,
    )
    session_token_expiration_s: int = _setting(
        300,
        "how long a page's token can open a new session",
        reason="a page is rarely slower to connect, and a leaked token soon worth nothing",
        group="Sessions and signing",
        parse=_integer(1),
        flag="--session-token-expiration",
        metavar="SECONDS",
        unit="s",
        keys=("session_token_expiration",),
    )
    cookie_secret: str | None = _setting(
        None,
        "the key of signed cookies",
        reason="without one no cookie is signed",
        group="Sessions and signing",
        parse=_text,
        flag="--cookie-secret",
        metavar="KEY",
        environment=("BOKEH_COOKIE_SECRET",),
        secret=True,
    )
    enable_xsrf_cookies: bool = _setting(
        False,
        "demand an XSRF cookie for PUT, POST and DELETE",
        reason="the server's own pages send none of them",
        group="Sessions and signing",
        parse=_switch,
        arity=Arity.SWITCH,
        flag="--enable-xsrf-cookies",
        environment=("BOKEH_XSRF_COOKIES",),
        keys=("xsrf_cookies",),
    )
    token_payload: TokenPayload = _setting(
        "auto",
        "whether a page's token carries its request",
        reason="with --route another instance may have to build the session, so it does; a single server keeps the "
        "request, and its tokens stay below 400 bytes",
        group="Sessions and signing",
        parse=_choice("auto", "always", "never"),
        flag="--token-payload",
        metavar="WHEN",
        environment=("APP_SERVER_TOKEN_PAYLOAD",),
        choices=("auto", "always", "never"),
    )

    # Logging in
    auth_module: str | None = _setting(
        None,
        "a Python file with hooks for logging in",
        reason="pages are open to whoever reaches them unless told otherwise",
        group="Logging in",
        parse=_text,
        flag="--auth-module",
        metavar="FILE",
        environment=("BOKEH_AUTH_MODULE",),
    )
    basic_auth: str | None = _setting(
        None,
        "let in the users of this file, which `app-server passwd` writes",
        reason="pages are open to whoever reaches them unless told otherwise",
        group="Logging in",
        parse=_text,
        flag="--basic-auth",
        metavar="FILE",
        environment=("APP_SERVER_BASIC_AUTH",),
    )
    auth_header: str | None = _setting(
        None,
        "let in the user whom a proxy names in this header",
        reason="pages are open to whoever reaches them unless told otherwise",
        group="Logging in",
        parse=_header_name,
        flag="--auth-header",
        metavar="NAME",
        environment=("APP_SERVER_AUTH_HEADER",),
    )
    auth_header_from: tuple[str, ...] = _setting(
        (),
        "the proxies that may name a user: addresses, networks or 'unix', with commas between them",
        reason="whoever else reaches the port could claim to be anybody",
        group="Logging in",
        parse=_network,
        arity=Arity.REPEATED,
        flag="--auth-header-from",
        metavar="NETWORK",
        environment=("APP_SERVER_AUTH_HEADER_FROM",),
        commas=True,
    )
    oidc_issuer: str | None = _setting(
        None,
        "let in the users of this OpenID Connect provider",
        reason="pages are open to whoever reaches them unless told otherwise",
        group="Logging in",
        parse=_https_url,
        flag="--oidc-issuer",
        metavar="URL",
        environment=("APP_SERVER_OIDC_ISSUER",),
    )
    oidc_client_id: str | None = _setting(
        None,
        "the name under which the provider knows this server",
        reason="the provider chooses it",
        group="Logging in",
        parse=_text,
        flag="--oidc-client-id",
        metavar="ID",
        environment=("APP_SERVER_OIDC_CLIENT_ID",),
    )
    oidc_client_secret: str | None = _setting(
        None,
        "the secret that the provider gave to this server",
        reason="the provider chooses it",
        group="Logging in",
        parse=_text,
        environment=("APP_SERVER_OIDC_CLIENT_SECRET",),
        secret=True,
    )
    oidc_scope: str = _setting(
        "openid profile email",
        "what the provider is asked to tell of a user",
        reason="a name to greet people with, and what --oidc-allow mostly looks at",
        group="Logging in",
        parse=_scope,
        flag="--oidc-scope",
        metavar="SCOPES",
        environment=("APP_SERVER_OIDC_SCOPE",),
    )
    oidc_allow: tuple[str, ...] = _setting(
        (),
        "let in only whom the provider says this of, such as email=*@example.org; one match is enough",
        reason="all users of the provider; give this where anybody can open an account there",
        group="Logging in",
        parse=_claim_pattern,
        arity=Arity.REPEATED,
        flag="--oidc-allow",
        metavar="CLAIM=VALUE",
        environment=("APP_SERVER_OIDC_ALLOW",),
    )
    oidc_redirect_url: str | None = _setting(
        None,
        "the public address of <prefix>/login/callback, as the provider knows it",
        reason="it follows from the request; a proxy that rewrites the host makes this necessary",
        group="Logging in",
        parse=_https_url,
        flag="--oidc-redirect-url",
        metavar="URL",
        environment=("APP_SERVER_OIDC_REDIRECT_URL",),
    )
    login_lifetime_s: int = _setting(
        43200,
        "how long a login lasts",
        reason="a working day and a bit, so that nobody logs in twice in one",
        group="Logging in",
        parse=_integer(60, 31536000),
        flag="--login-lifetime",
        metavar="SECONDS",
        unit="s",
        environment=("APP_SERVER_LOGIN_LIFETIME",),
        keys=("login_lifetime",),
    )

    # TLS
    ssl_certfile: str | None = _setting(
        None,
        "the certificate for HTTPS, perhaps with its key",
        reason="TLS mostly ends at a proxy",
        group="TLS",
        parse=_text,
        flag="--ssl-certfile",
        metavar="FILE",
        common=True,
        environment=("BOKEH_SSL_CERTFILE",),
    )
    ssl_keyfile: str | None = _setting(
        None,
        "the certificate's private key",
        reason="it may be in the certificate's file",
        group="TLS",
        parse=_text,
        flag="--ssl-keyfile",
        metavar="FILE",
        common=True,
        environment=("BOKEH_SSL_KEYFILE",),
    )
    ssl_password: str | None = _setting(
        None,
        "the password of the private key",
        reason="most keys have none",
        group="TLS",
        parse=_text,
        environment=("BOKEH_SSL_PASSWORD",),
        secret=True,
    )

    # What applications see
    include_headers: tuple[str, ...] | None = _setting(
        None,
        "show applications these request headers only",
        reason="applications have always seen all",
        group="What applications see",
        parse=_text,
        arity=Arity.SOME,
        flag="--include-headers",
        metavar="NAME",
    )
    exclude_headers: tuple[str, ...] | None = _setting(
        None,
        "hide these request headers from applications",
        reason="applications have always seen all",
        group="What applications see",
        parse=_text,
        arity=Arity.SOME,
        flag="--exclude-headers",
        metavar="NAME",
    )
    include_cookies: tuple[str, ...] | None = _setting(
        None,
        "show applications these cookies only",
        reason="applications have always seen all",
        group="What applications see",
        parse=_text,
        arity=Arity.SOME,
        flag="--include-cookies",
        metavar="NAME",
    )
    exclude_cookies: tuple[str, ...] | None = _setting(
        None,
        "hide these cookies from applications",
        reason="applications have always seen all",
        group="What applications see",
        parse=_text,
        arity=Arity.SOME,
        flag="--exclude-cookies",
        metavar="NAME",
    )

    # Limits
    request_timeout_s: float = _setting(
        30.0,
        "how long a client may take to send a request, its TLS handshake included; 0 sets no limit",
        reason="the slowest line carries a few kilobytes in that time; a client that takes longer holds a connection"
        " which others may need",
        group="Limits",
        parse=_seconds,
        flag="--request-timeout",
        metavar="SECONDS",
        unit="s",
        environment=("APP_SERVER_REQUEST_TIMEOUT",),
        keys=("request_timeout",),
    )
    idle_timeout_s: float = _setting(
        75.0,
        "close a connection that waits for its next request, or takes nothing of an answer, for so long; 0 never"
        " does. WebSockets stay open",
        reason="longer than proxies keep connections open (nginx 60 s), which then never use one that is being closed",
        group="Limits",
        parse=_seconds,
        flag="--idle-timeout",
        metavar="SECONDS",
        unit="s",
        environment=("APP_SERVER_IDLE_TIMEOUT",),
        keys=("idle_timeout",),
    )
    keep_alive_ms: int = _setting(
        37000,
        "how often to ping each browser; 0 never does",
        reason="proxies drop a connection after 60 s of silence",
        group="Limits",
        parse=_integer(0),
        flag="--keep-alive",
        metavar="MS",
        unit="ms",
        keys=("keep_alive",),
    )
    check_unused_sessions_ms: int = _setting(
        17000,
        "how often to look for sessions without a browser",
        reason="a little longer than a session lives unused, so that one look mostly does",
        group="Limits",
        parse=_integer(1),
        flag="--check-unused-sessions",
        metavar="MS",
        unit="ms",
        keys=("check_unused_sessions",),
    )
    unused_session_lifetime_ms: int = _setting(
        15000,
        "how long a session lives without a browser",
        reason="a browser that lost its connection is back within seconds",
        group="Limits",
        parse=_integer(1),
        flag="--unused-session-lifetime",
        metavar="MS",
        unit="ms",
        keys=("unused_session_lifetime",),
    )
    max_sessions: int = _setting(
        0,
        "how many sessions the process may have; 0 sets no limit",
        reason="what a session costs is known to the application's author alone",
        group="Limits",
        parse=_integer(0),
        flag="--max-sessions",
        metavar="N",
        environment=("APP_SERVER_MAX_SESSIONS",),
    )
    max_sessions_per_address: int = _setting(
        0,
        "how many of them one address may have; 0 sets no limit",
        reason="a whole office or university may stand behind one address",
        group="Limits",
        parse=_integer(0),
        flag="--max-sessions-per-address",
        metavar="N",
        environment=("APP_SERVER_MAX_SESSIONS_PER_ADDRESS",),
    )
    websocket_max_message_size_bytes: int = _setting(
        20 * 1024 * 1024,
        "the largest message taken from a browser",
        reason="20 MiB hold a large upload and no attack on memory",
        group="Limits",
        parse=_integer(1),
        flag="--websocket-max-message-size",
        metavar="BYTES",
        unit="bytes",
        keys=("websocket_max_message_size",),
    )
    websocket_compression_level: int | None = _setting(
        None,
        "compress messages at this zlib level, 0 to 9",
        reason="messages are not compressed: on a fast network it costs more than it saves",
        group="Limits",
        parse=_integer(0, 9),
        flag="--websocket-compression-level",
        metavar="LEVEL",
    )
    websocket_compression_mem_level: int | None = _setting(
        None,
        "compress messages with this zlib memory, 1 to 9",
        reason="messages are not compressed: on a fast network it costs more than it saves",
        group="Limits",
        parse=_integer(1, 9),
        flag="--websocket-compression-mem-level",
        metavar="LEVEL",
    )

    # Logging
    log_level: LogLevel = _setting(
        "info",
        "how much to log",
        reason="addresses, sessions and faults, not every message",
        group="Logging",
        flag="--log-level",
        metavar="LEVEL",
        environment=("BOKEH_PY_LOG_LEVEL",),
        keys=("py_log_level",),
        choices=("trace", "debug", "info", "warning", "error", "critical"),
        common=True,
        # "none" is the stock command's word for "the default"; "warn" and "fatal" are in its documentation.
        parse=_choice(
            "trace", "debug", "info", "warning", "error", "critical", none="info", warn="warning", fatal="critical"
        ),
    )
    log_format: str = _setting(
        "%(asctime)s %(levelname)s %(message)s",
        "the format of a line, in the terms of Python's logging; application, session, request_id are known too",
        reason="the time and how bad it is, then what happened",
        group="Logging",
        parse=_log_format,
        flag="--log-format",
        metavar="FORMAT",
    )
    log_file: str | None = _setting(
        None,
        "append the log to a file instead of stderr",
        reason="whatever runs the server collects stderr",
        group="Logging",
        parse=_text,
        flag="--log-file",
        metavar="FILE",
        common=True,
    )
    log_json: bool = _setting(
        False,
        "write each line of the log as a JSON object",
        reason="a person reads it first; where a program collects it, say so",
        group="Logging",
        parse=_switch,
        arity=Arity.SWITCH,
        flag="--log-json",
        environment=("APP_SERVER_LOG_JSON",),
    )
    stats_log_frequency_ms: int = _setting(
        15000,
        "how often to log the number of sessions; 0 never does",
        reason="often enough to see a crowd coming",
        group="Logging",
        parse=_integer(0),
        flag="--stats-log-frequency",
        metavar="MS",
        unit="ms",
        keys=("stats_log_frequency",),
    )
    mem_log_frequency_ms: int = _setting(
        0,
        "how often to log the memory in use; 0 never does",
        reason="it is of interest only when one looks for a leak",
        group="Logging",
        parse=_integer(0),
        flag="--mem-log-frequency",
        metavar="MS",
        unit="ms",
        keys=("mem_log_frequency",),
    )

    # Monitoring
    metrics: bool = _setting(
        False,
        "answer /metrics for Prometheus, to requests that no proxy has passed on",
        reason="strangers need not know how many people use which application",
        group="Monitoring",
        parse=_switch,
        arity=Arity.SWITCH,
        flag="--metrics",
        environment=("APP_SERVER_METRICS",),
    )
    block_limit_s: float = _setting(
        5.0,
        "log what keeps the loop from coming round for so long; 0 never does",
        reason="everybody waits meanwhile; nobody waits longer without thinking that it is broken",
        group="Monitoring",
        parse=_seconds,
        flag="--block-limit",
        metavar="SECONDS",
        unit="s",
        environment=("APP_SERVER_BLOCK_LIMIT",),
        keys=("block_limit",),
    )

    # Pages
    index: str | None = _setting(
        None,
        "a template for the index page",
        reason="the server brings one",
        group="Pages",
        parse=_text,
        flag="--index",
        metavar="FILE",
    )
    disable_index: bool = _setting(
        False,
        "have no index page at /",
        reason="visitors want to see what there is",
        group="Pages",
        parse=_switch,
        arity=Arity.SWITCH,
        flag="--disable-index",
    )
    disable_index_redirect: bool = _setting(
        False,
        "do not lead / to the only application",
        reason="an index of one page is a needless click",
        group="Pages",
        parse=_switch,
        arity=Arity.SWITCH,
        flag="--disable-index-redirect",
    )
    ico_path: str | None = _setting(
        None,
        "the site's icon, a .ico file; 'none' has none",
        reason="the server brings an icon, since browsers ask for one anyway",
        group="Pages",
        parse=_icon,
        flag="--ico-path",
        metavar="FILE",
        environment=("BOKEH_ICO_PATH",),
    )

    # Processes
    num_procs: int = _setting(
        1,
        "the number of worker processes; 0 is one for each core",
        reason="one process needs the least memory, and is enough until its core is busy",
        group="Processes",
        parse=_integer(0, 1024),
        flag="--num-procs",
        metavar="N",
        common=True,
        environment=("APP_SERVER_NUM_PROCS",),
    )
    hang_timeout_s: float = _setting(
        0.0,
        "end a worker process that has not moved for so long, and start another; 0 never does",
        reason="a callback may be meant to take its time, and ending the process ends its other sessions too",
        group="Processes",
        parse=_seconds,
        flag="--hang-timeout",
        metavar="SECONDS",
        unit="s",
    )
    start_timeout_s: float = _setting(
        300.0,
        "end a new worker process that does not come to serving within so long; 0 waits for ever",
        reason="an application may import and load for minutes, and one that hangs must not hold up the others",
        group="Processes",
        parse=_seconds,
        flag="--start-timeout",
        metavar="SECONDS",
        unit="s",
    )
    isolation: Isolation = _setting(
        "none",
        "whether each session gets its own process; snapshot starts it as a copy of one with the application loaded",
        reason="sessions in one process need the least memory and may share Python objects",
        group="Processes",
        parse=_choice(*ISOLATIONS),
        choices=ISOLATIONS,
        flag="--isolation",
        metavar="HOW",
        environment=("APP_SERVER_ISOLATION",),
        common=True,
    )
    session_memory_mb: int = _setting(
        0,
        "the memory that a session with a process of its own may take; more ends it, 0 is no limit",
        reason="what an application needs is known to its author alone",
        group="Processes",
        parse=_integer(0, 10**7),
        flag="--session-memory",
        metavar="MEGABYTES",
        unit="MB",
    )
    session_cpu_s: float = _setting(
        0.0,
        "the processor time that a session with a process of its own may use; more ends it, 0 is no limit",
        reason="a page that is open all day computes all day",
        group="Processes",
        parse=_seconds,
        flag="--session-cpu",
        metavar="SECONDS",
        unit="s",
    )
    callback_limit_s: float = _setting(
        0.0,
        "how long a callback may take in a session with a process of its own; more ends it, 0 is no limit",
        reason="a callback may be meant to take its time",
        group="Processes",
        parse=_seconds,
        flag="--callback-limit",
        metavar="SECONDS",
        unit="s",
    )


@cache
def all_settings() -> tuple[Setting, ...]:
    """Every setting in the order of its groups, each with its name and default."""
    found = [replace(item.metadata["setting"], name=item.name, default=item.default) for item in fields(Settings)]
    return tuple(sorted(found, key=lambda setting: GROUPS.index(setting.group)))


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody chose, and where: a flag, a variable, or a line of the configuration file."""

    value: Any
    where: str


def from_flags(flags: Mapping[str, Sequence[str]]) -> dict[str, Given]:
    """The settings that a command line gives, read from the words after each flag.

    `flags` maps a field's name to its words, none for a switch; a name that is missing was not given.
    """
    by_name = {setting.name: setting for setting in all_settings()}
    chosen: dict[str, Given] = {}
    for name, words in flags.items():
        setting = by_name[name]
        where = setting.flag or name
        if setting.commas:
            words = [part for word in words for part in _words(setting, word)]
        chosen[name] = Given(True if setting.arity is Arity.SWITCH else _parse(setting, words, where), where)
        if name == "dev_watch":
            # One flag, two settings: --dev [FILE ...]
            chosen["dev"] = Given(True, where)
    return chosen


def from_environment(environ: Mapping[str, str]) -> dict[str, Given]:
    """The settings that the environment gives; an empty variable counts as not set.

    A secret's variable has a twin ending in _FILE, which names a file that holds the secret.
    """
    chosen: dict[str, Given] = {}
    for setting in all_settings():
        for variable in setting.environment:
            text = environ.get(variable, "")
            if text.strip() and setting.name not in chosen:
                chosen[setting.name] = Given(_parse(setting, _words(setting, text), variable, variable), variable)
            twin = variable + FILE_ENDING
            if setting.secret and environ.get(twin, "").strip():
                if setting.name in chosen:
                    raise OperatorError(f"{variable} gives the secret too", where=twin, hint="Leave one of them out.")
                secret = _secret_of(environ[twin], twin, setting.lines)
                chosen[setting.name] = Given(_parse(setting, [secret], twin), twin)
    return chosen


def _secret_of(path: str, where: str, most: int = 1) -> str:
    """What a file holds that has a secret in one line, or in at most `most` lines."""
    for fault in _unreadable(path, where):
        raise fault
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise OperatorError(f"{path} is not a readable text", where=where) from None
    if not text or len(text.splitlines()) > most:
        # What is there is not told: it may be a secret all the same.
        lines = "one line" if most == 1 else f"one to {most} lines"
        raise OperatorError(f"{path} does not hold {lines} with the secret", where=where)
    return text


def from_config(path: str) -> dict[str, Given]:
    """The settings of a YAML file with one `key: value` a line; OperatorError names file, line and key at fault.

    Keys are the names of the fields or those that the stock server reads; a null is as good as no line. Keys that
    are bokeh's own (`minified`, `resources` …) are accepted, see `bokeh_environment`.
    """
    known = {name: setting for setting in all_settings() for name in (setting.name, *setting.keys)}
    del known["use_config"]
    chosen: dict[str, Given] = {}
    for entry in _entries(path):
        where = f"{path}:{entry.line}: {entry.key}"
        if entry.key in BOKEH_OWN_KEYS:
            if isinstance(entry.value, str):
                _read_for_bokeh(_variable_of(entry.key), entry.value, where)
            continue
        if entry.key not in known:
            raise OperatorError("is not a setting", where=where, hint=_nearest(entry.key, known))
        setting = known[entry.key]
        if setting.name in chosen:
            raise OperatorError("is given twice", where=where, hint=f"See {chosen[setting.name].where}.")
        if entry.value is not None:
            words = _words(setting, entry.value) if isinstance(entry.value, str) else entry.value
            chosen[setting.name] = Given(_parse(setting, words, where, entry.key), where)
    return chosen


_BOKEH_VARIABLES: Mapping[str, Callable[[str], Any]] = {
    "BOKEH_COMPRESSION_LEVEL": _integer(0, 9),
    "BOKEH_DEV": _switch,
    "BOKEH_IGNORE_FILENAME": _switch,
    "BOKEH_LOG_LEVEL": _exactly("trace", "debug", "info", "warn", "error", "fatal"),
    "BOKEH_MINIFIED": _switch,
    "BOKEH_PERFORM_ERROR_DIAGNOSTICS": _switch,
    "BOKEH_PRETTY": _switch,
    "BOKEH_RESOURCES": _exactly("server", "server-dev", "cdn", "inline"),
    "BOKEH_SERIALIZE_INCLUDE_DEFAULTS": _switch,
    "BOKEH_SIMPLE_IDS": _switch,
    "BOKEH_VALIDATE_DOC": _switch,
    "BOKEH_VALIDATION_LEVEL": _exactly("none", "errors", "all"),
}
"""What bokeh itself reads from the environment while it serves; it would fail in the middle of a page otherwise."""


def _read_for_bokeh(variable: str, text: str, where: str) -> None:
    """Raise OperatorError for a value that bokeh could not read."""
    try:
        _BOKEH_VARIABLES.get(variable, str)(text)
    except ValueError as error:
        raise OperatorError(f"expected {error}, not {_shortened(text)}", where=where) from None


def _variable_of(key: str) -> str:
    return {"version": "BOKEH_CDN_VERSION"}.get(key, f"BOKEH_{key.upper()}")


def without_effect(environ: Mapping[str, str]) -> list[str]:
    """A line for each variable of bokeh's that is set and changes nothing here."""
    given = {name for name, text in environ.items() if name.startswith("BOKEH_") and text.strip()}
    lines = []
    if "BOKEH_CDN_VERSION" in given and environ.get("BOKEH_RESOURCES") != "cdn":
        lines.append("BOKEH_CDN_VERSION has no effect without BOKEH_RESOURCES=cdn")
    if "BOKEH_ROOTDIR" in given:
        lines.append("BOKEH_ROOTDIR has no effect: it is for pages that are files")
    if "BOKEH_PRETTY" in given and _switch(environ["BOKEH_PRETTY"]):
        lines.append("BOKEH_PRETTY has no effect: messages are sent without line breaks")
    return [*lines, *_mistyped(sorted(name for name, text in environ.items() if text.strip()))]


_PREFIXES = ("APP_SERVER_", "BOKEH_")

_READ_ELSEWHERE = frozenset(
    "APP_SERVER_APPS APP_SERVER_FAILURES APP_SERVER_LISTEN APP_SERVER_RUNTIME_DIR BOKEH_CHROMEDRIVER_PATH "
    "BOKEH_DOCS_CDN BOKEH_DOCS_VERSION".split()
)
"""Variables with these prefixes that are no settings of the server: of its other commands, its images and bokeh."""


def _mistyped(names: Iterable[str]) -> Iterator[str]:
    """A line for each variable that is not read, and that resembles one which is."""
    own = {variable for setting in all_settings() for variable in setting.environment}
    own |= {variable + FILE_ENDING for setting in all_settings() if setting.secret for variable in setting.environment}
    known = own | _READ_ELSEWHERE | set(_BOKEH_VARIABLES) | {_variable_of(key) for key in BOKEH_OWN_KEYS}
    for name in names:
        prefix = next((prefix for prefix in _PREFIXES if name.startswith(prefix)), None)
        if prefix is None or name in known:
            continue
        # The prefix, which all share, must not make two names alike.
        rest = name.removeprefix(prefix)
        other = next(there + rest for there in _PREFIXES if there != prefix)
        kin = [variable.removeprefix(prefix) for variable in known if variable.startswith(prefix)]
        near = likely(rest, kin, alike=0.8)
        if meant := other if other in own else near and prefix + near:
            yield f"{name} is not a variable of this server, and has no effect. Did you mean {meant}?"


def bokeh_environment(path: str) -> dict[str, str]:
    """The variables that bokeh reads for the keys of a configuration file that are its own, not the server's."""
    return {
        _variable_of(entry.key): entry.value
        for entry in _entries(path)
        if entry.key in BOKEH_OWN_KEYS and isinstance(entry.value, str)
    }


def resolve_settings(flags: Mapping[str, Sequence[str]], environ: Mapping[str, str]) -> Settings:
    """The settings by precedence: flag, environment, configuration file, default.

    `flags` is as for `from_flags`. Files that a setting names are looked at. OperatorError says what is wrong with
    the first faulty value, and which flag, variable or line gave it.
    """
    flagged = from_flags(flags)
    config = from_config(flagged["use_config"].value) if "use_config" in flagged else {}
    chosen = {**config, **from_environment(environ), **flagged}
    for variable in _BOKEH_VARIABLES:
        if environ.get(variable, "").strip():
            _read_for_bokeh(variable, environ[variable], variable)
    for fault in _contradictions(chosen):
        raise fault
    for fault in _missing_files(chosen):
        raise fault
    return _signed_behind_a_login(Settings(**{name: given.value for name, given in chosen.items()}), chosen)


def with_signing_key(settings: Settings, make_key: Callable[[], str]) -> Settings:
    """The settings with a key of this run if sessions are to be signed and no key was given."""
    if settings.session_ids not in SIGNED_IDS or settings.secret_key:
        return settings
    return replace(settings, secret_key=make_key())


def _signed_behind_a_login(settings: Settings, chosen: Mapping[str, Given]) -> Settings:
    """The settings with signed sessions if there is a login and nothing else was asked for.

    Without a key for signatures they are made with one that is worked out from the key of the login's cookies, which
    all instances share. Without either the key stays None, for `with_signing_key`.
    """
    if "session_ids" in chosen or not any(name in chosen for name in WAYS_TO_LOG_IN):
        return settings
    key = settings.secret_key
    if key is None and settings.cookie_secret is not None:
        key = hmac.new(settings.cookie_secret.encode("utf-8"), b"session ids and tokens", "sha256").hexdigest()
    return replace(settings, session_ids="signed", secret_key=key)


def _parse(setting: Setting, words: Sequence[str], where: str, source: str = "") -> Any:
    """The value of the words that `source`, a variable or key with perhaps a reader of its own, gives for a setting."""
    read = setting.readers.get(source, setting.parse)
    several = setting.arity not in (Arity.ONE, Arity.SWITCH)
    if not several and len(words) != 1:
        raise OperatorError(f"expected one value, not {len(words)}", where=where)
    values = []
    for word in words:
        try:
            values.append(read(word))
        except ValueError as error:
            # A secret's value stays out of the message, and so out of logs.
            but = "" if setting.secret else f", not {_shortened(word)}"
            raise OperatorError(f"expected {error}{but}", where=where) from None
    return tuple(values) if several else values[0]


def _shortened(word: str) -> str:
    """A word as an error quotes it, which stays one readable line."""
    return repr(word) if len(word) <= LONGEST_QUOTE else f"{word[:LONGEST_QUOTE]!r}..."


def _words(setting: Setting, text: str) -> list[str]:
    """The words of a text that is one value, or several with commas between them."""
    if setting.arity in (Arity.ONE, Arity.SWITCH, Arity.REST):
        return [text]
    return [word for part in text.split(",") if (word := part.strip())]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of a configuration file: its values as they are written there, None for null."""

    key: str
    line: int
    value: str | list[str] | None


def _entries(path: str) -> Iterator[_Entry]:
    # Read as nodes and not as values, for their lines, and so that `no` or 0755 stay what was written.
    import yaml

    try:
        root = yaml.compose(Path(path).read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise OperatorError(f"{path} cannot be read: {error.strerror}", where="--use-config") from error
    except UnicodeDecodeError as error:
        raise OperatorError(f"{path} is not UTF-8 text", where="--use-config") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else path
        raise OperatorError(f"not YAML: {getattr(error, 'problem', None) or error}", where=where) from error
    if root is None:
        return
    if not isinstance(root, yaml.MappingNode):
        raise OperatorError("expected lines of the form `key: value`", where=f"{path}:{root.start_mark.line + 1}")
    for key, value in root.value:
        line = key.start_mark.line + 1
        if isinstance(value, yaml.ScalarNode):
            yield _Entry(str(key.value), line, None if value.tag == "tag:yaml.org,2002:null" else value.value)
        elif isinstance(value, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in value.value):
            yield _Entry(str(key.value), line, [item.value for item in value.value])
        else:
            raise OperatorError("expected a value or a list of values", where=f"{path}:{line}: {key.value}")


def _nearest(key: str, known: Mapping[str, Setting]) -> str:
    found = likely(key, known)
    return f"Did you mean {found}?" if found else "docs/settings.md lists them."


def _contradictions(chosen: Mapping[str, Given]) -> Iterator[OperatorError]:
    """What cannot be meant together, or not yet."""
    if "unix_socket" in chosen:
        for name in ("port", "address", "ssl_certfile", "ssl_keyfile"):
            # The variable for the port is a default for all of bokeh, not a wish for this server.
            if name in chosen and chosen[name].where != "BOKEH_DEFAULT_SERVER_PORT":
                yield OperatorError(
                    f"a Unix socket has no {name.replace('_', ' ')}, but {chosen[name].where} gives one",
                    where=chosen["unix_socket"].where,
                    hint="Leave one of them out.",
                )
    if "ssl_keyfile" in chosen and "ssl_certfile" not in chosen:
        yield OperatorError(
            "a key without a certificate", where=chosen["ssl_keyfile"].where, hint="Give --ssl-certfile too."
        )
    for kind in ("headers", "cookies"):
        if f"include_{kind}" in chosen and f"exclude_{kind}" in chosen:
            yield OperatorError(
                f"{chosen[f'include_{kind}'].where} already says which {kind} applications see",
                where=chosen[f"exclude_{kind}"].where,
                hint="Leave one of them out.",
            )
    if "session_ids" in chosen and chosen["session_ids"].value in SIGNED_IDS and "secret_key" not in chosen:
        yield OperatorError(
            "signed sessions need a secret key",
            where=chosen["session_ids"].where,
            hint="Set BOKEH_SECRET_KEY to what `app-server secret` prints.",
        )
    if "num_procs" in chosen and chosen["num_procs"].value != 1 and "dev" in chosen and chosen["dev"].value:
        yield OperatorError(
            "reloading pages works with one process alone",
            where=chosen["dev"].where,
            hint=f"Leave it out, or {chosen['num_procs'].where}.",
        )
    if "isolation" in chosen and chosen["isolation"].value != "none" and "dev" in chosen and chosen["dev"].value:
        yield OperatorError(
            "reloading pages works without isolation alone",
            where=chosen["dev"].where,
            hint=f"Leave it out, or {chosen['isolation'].where}.",
        )
    if "log_json" in chosen and chosen["log_json"].value and "log_format" in chosen:
        where, hint = chosen["log_format"].where, "Leave one of them out."
        yield OperatorError(f"{chosen['log_json'].where} already says what a line is", where=where, hint=hint)
    yield from _login_contradictions(chosen)


# How people can be asked who they are; any of these may be chosen, but one alone.
WAYS_TO_LOG_IN = ("auth_module", "basic_auth", "auth_header", "oidc_issuer")


def _login_contradictions(chosen: Mapping[str, Given]) -> Iterator[OperatorError]:
    """What is wrong or missing about logging in. Nothing of it is ignored, for then everybody would be let in."""
    ways = [chosen[name] for name in WAYS_TO_LOG_IN if name in chosen]
    for other in ways[1:]:
        hint = "Leave one of them out."
        yield OperatorError(f"{ways[0].where} already says how people log in", where=other.where, hint=hint)
    if "auth_header" in chosen and not ("auth_header_from" in chosen and chosen["auth_header_from"].value):
        yield OperatorError(
            "without a list of trusted proxies anybody could claim to be anybody",
            where=chosen["auth_header"].where,
            hint="Give their addresses with --auth-header-from, such as 127.0.0.1.",
        )
    for name, needed in (("auth_header_from", "auth_header"), *((name, "oidc_issuer") for name in _OIDC_ONLY)):
        # A secret alone does no harm: the same environment may be that of several servers.
        if name in chosen and needed not in chosen:
            flag = f"--{needed.replace('_', '-')}"
            yield OperatorError(f"has no meaning without {flag}", where=chosen[name].where, hint=f"Give {flag} too.")
    if "oidc_issuer" in chosen:
        where = chosen["oidc_issuer"].where
        if "oidc_client_id" not in chosen:
            hint = "Give the one that the provider chose with --oidc-client-id."
            yield OperatorError("OpenID Connect needs a client id", where=where, hint=hint)
        if "oidc_client_secret" not in chosen:
            yield OperatorError(
                "OpenID Connect needs the client's secret",
                where=where,
                hint="Set APP_SERVER_OIDC_CLIENT_SECRET, or APP_SERVER_OIDC_CLIENT_SECRET_FILE to a file with it.",
            )
    for name in ("basic_auth", "oidc_issuer"):
        if name in chosen and "cookie_secret" not in chosen:
            yield OperatorError(
                "logins are kept in signed cookies, which need a key",
                where=chosen[name].where,
                hint="Set BOKEH_COOKIE_SECRET to what `app-server secret` prints,"
                " or BOKEH_COOKIE_SECRET_FILE to a file with it.",
            )


_OIDC_ONLY = ("oidc_client_id", "oidc_scope", "oidc_allow", "oidc_redirect_url")


def _missing_files(chosen: Mapping[str, Given]) -> Iterator[OperatorError]:
    """The files that settings name but that cannot be read."""
    for name in ("ssl_certfile", "ssl_keyfile", "auth_module", "basic_auth", "index", "ico_path"):
        if name in chosen and not (name == "ico_path" and chosen[name].value in (None, "none")):
            yield from _unreadable(chosen[name].value, chosen[name].where)
    if "dev_watch" in chosen:
        for path in chosen["dev_watch"].value:
            yield from _unreadable(path, chosen["dev_watch"].where)


def _unreadable(path: str, where: str) -> Iterator[OperatorError]:
    try:
        mode = os.stat(path).st_mode
    except PermissionError:
        folder = closed_folder(path)
        hint = f"Give it the permission to enter {folder}." if folder else None
        yield OperatorError(f"{path} cannot be reached by this user", where=where, hint=hint)
    except (FileNotFoundError, NotADirectoryError):
        yield OperatorError(f"{path} does not exist", where=where)
    except OSError as error:
        yield OperatorError(f"{path} cannot be read: {error.strerror}", where=where)
    else:
        if not stat.S_ISREG(mode):
            yield OperatorError(f"{path} is not a file", where=where)
        elif not os.access(path, os.R_OK, effective_ids=True):
            yield OperatorError(f"{path} cannot be read by this user", where=where)


def closed_folder(path: str) -> str | None:
    """The uppermost folder on the way to this path that this user may not enter; None if there is none."""
    folders = reversed(Path(os.path.abspath(path)).parents)
    return next((str(folder) for folder in folders if not os.access(folder, os.X_OK, effective_ids=True)), None)
