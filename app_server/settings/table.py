"""Every setting once: its default with the reason, its help, and what does not follow from its name and type.

The command line, `docs/settings.md` and `--help` are derived from the fields of `Settings`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import get_type_hints

from app_server.settings import parsers
from app_server.settings.console import console_peer, console_place
from app_server.settings.parsers import integer
from app_server.settings.setting import GROUPS, Arity, Setting, derive, setting
from app_server.settings.values import (
    Isolation,
    LogLevel,
    OAuthProvider,
    Otel,
    PageParts,
    Restore,
    SessionIds,
    Tasks,
    TokenPayload,
)

_OPEN = "anyone who can reach the server can open its pages"
_ALL_SEEN = "applications see all of them, as under `bokeh serve`"
_UNCOMPRESSED = "messages are not compressed: on a fast network compression costs more than it saves"


# fmt: off
@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one server, checked and complete; units are in the names, None means "not set".

    `Settings()` is a server with all defaults. Secrets are left out of `repr`. A field without a group belongs to the
    group of the field above it.
    """

    show: bool = setting(
        False, "open the applications in a browser",
        reason="servers usually start where no one is watching",
        group="Applications", common=True,
    )
    dev: bool = setting(
        False, "reload pages when the application's files change",
        reason="watching files takes time, and tracebacks are only for the application's author",
        metavar="[FILE ...]", common=True,
    )
    dev_watch: tuple[str, ...] = setting(
        (), "further files that --dev watches",
        reason="code, templates, themes and static files are watched anyway",
        arity=Arity.ANY, flag="--dev", metavar="FILE",
    )
    warm: bool = setting(
        False, "run each application once before the server is ready, so the first visitor does not wait for imports; "
        "with --isolation process it only finds faults",
        reason="each start takes longer, and an application may do more than fill a document",
        environment=("APP_SERVER_WARM",),
    )
    setup: str | None = setting(
        None, "run this Python file in each worker process before the applications",
        reason="most applications prepare themselves",
        metavar="FILE",
        environment=("APP_SERVER_SETUP",),
    )
    static_dirs: tuple[str, ...] = setting(
        (), "serve the files of these folders below /NAME/",
        reason="an application's own files are in the folder static/ beside its main.py",
        parse=parsers.static_dir, arity=Arity.SOME, metavar="NAME=FOLDER",
        environment=("APP_SERVER_STATIC_DIRS",),
    )
    glob: bool = setting(
        False, "expand *, ? and [ ] in file names",
        reason="most shells expand them already",
        common=True,
    )
    args: tuple[str, ...] = setting(
        (), "pass what follows to the applications as sys.argv",
        reason="most applications take no arguments",
        parse=str, arity=Arity.REST, metavar="ARG", common=True,
    )
    use_config: str | None = setting(
        None, "read settings from this YAML or TOML file, or none",
        reason="if it is left out, the server reads the nearest pyproject.toml with a table [tool.app-server]",
        parse=parsers.optional_file, metavar="FILE", common=True,
        environment=("APP_SERVER_USE_CONFIG",),
    )
    env_file: str | None = setting(
        None, "add the variables of this file to the environment",
        reason="a .env that lies around may be meant for another program",
        metavar="FILE", common=True,
        environment=("APP_SERVER_ENV_FILE",),
    )

    port: int = setting(
        5006, "listen on this port; 0 selects a free one",
        reason="the port where users of Bokeh expect a server",
        group="Network", parse=integer(0, 65535), metavar="PORT", common=True,
        environment=("BOKEH_DEFAULT_SERVER_PORT",), platform="PORT", keys=("default_server_port",),
    )
    address: str | None = setting(
        None, "listen only on this address, such as localhost",
        reason="the server listens on all addresses, as `bokeh serve` does, so it works in containers",
        metavar="ADDRESS", common=True,
        environment=("APP_SERVER_ADDRESS",), platform="HOST",
    )
    unix_socket: str | None = setting(
        None, "listen on a Unix socket instead of a port",
        reason="without a proxy, browsers need a port",
        parse=parsers.socket_path, metavar="PATH",
    )
    prefix: str = setting(
        "", "serve everything below this path",
        reason="most servers have a host of their own",
        parse=parsers.prefix, metavar="PATH", common=True,
    )
    allow_websocket_origin: tuple[str, ...] = setting(
        (), "a public host whose pages may connect",
        reason="only the server's own address: pages of other sites must not read a session",
        parse=parsers.origin, metavar="HOST[:PORT]", common=True,
        environment=("BOKEH_ALLOW_WS_ORIGIN",), keys=("allowed_ws_origin",),
    )
    use_xheaders: bool = setting(
        False, "trust a proxy's X-Forwarded-* and X-Real-Ip",
        reason="without a proxy in front, any client could forge them",
        common=True,
    )
    route: str | None = setting(
        None, "this instance's id; its pages carry /_i/ID/ for the load balancer",
        reason="a single instance needs no affinity",
        parse=parsers.route, metavar="ID",
        environment=("APP_SERVER_ROUTE",),
    )
    drain_s: float = setting(
        0.0, "how long sessions continue after SIGTERM, while new pages go to other instances",
        reason="a server that you stop by hand stops at once; behind a load balancer, 30 is a good value",
        environment=("APP_SERVER_DRAIN",), keys=("drain",),
    )
    drain_deadline_s: float = setting(
        10.0, "how long sessions may take to end when the server stops, after --drain",
        reason="container runtimes and supervisors kill a process after this time",
    )

    session_ids: SessionIds = setting(
        "unsigned", "how session ids are made",
        reason="a signature needs a key that you choose; with a login the default is signed",
        group="Sessions and signing", metavar="MODE", common=True,
        # Unsigned ids from another program are only for an embedded server.
        parse=parsers.choice("unsigned", "signed", "external-signed"),
        choices=("unsigned", "signed", "external-signed"),
        environment=("BOKEH_SIGN_SESSIONS",), keys=("sign_sessions",),
        readers={"BOKEH_SIGN_SESSIONS": parsers.sign_sessions, "sign_sessions": parsers.sign_sessions},
    )
    secret_key: str | None = setting(
        None, "the key that signs session ids and tokens; `app-server secret` makes one",
        reason="a default key would protect nothing; the key's file may have the previous key on a second line, whose "
        "signatures are still accepted",
        secret=True, lines=2,
        environment=("BOKEH_SECRET_KEY",),
    )
    session_token_expiration_s: int = setting(
        300, "how long a page's token can open a new session",
        reason="pages rarely take longer to connect, and a leaked token soon becomes useless",
        parse=integer(1), keys=("session_token_expiration",),
    )
    cookie_secret: str | None = setting(
        None, "the key that signs cookies",
        reason="without a key, cookies are not signed",
        flag="--cookie-secret", metavar="KEY", secret=True,
        environment=("BOKEH_COOKIE_SECRET",),
    )
    enable_xsrf_cookies: bool = setting(
        False, "require an XSRF cookie for PUT, POST and DELETE",
        reason="the server's own pages send no such requests",
        environment=("BOKEH_XSRF_COOKIES",), keys=("xsrf_cookies",),
    )
    token_payload: TokenPayload = setting(
        "auto", "whether a page's token contains its request",
        reason="with --route it does, because another instance may have to create the session; a single server keeps "
        "the request, and its tokens stay below 400 bytes",
        metavar="WHEN",
        environment=("APP_SERVER_TOKEN_PAYLOAD",),
    )

    store: str = setting(
        "off", "save sessions in this folder, or at this redis://, rediss:// or unix:// address",
        reason="what people do is written nowhere unless you ask for it",
        group="Saved sessions", flag="--store", metavar="WHERE", common=True,
        # An address may have a password.
        secret=True, environment=("APP_SERVER_STORE",),
    )
    store_ttl_s: int = setting(
        86400, "how long a saved session is kept after its last change",
        reason="a page that was left open in the evening goes on in the morning",
        parse=integer(1), environment=("APP_SERVER_STORE_TTL",), keys=("store_ttl",),
    )
    store_max_bytes: int = setting(
        64 * 1024 * 1024, "how much to save of one session; of a larger one, only its inputs are saved",
        reason="most documents take less than a megabyte, and a few must not fill the disk",
        parse=integer(4096), flag="--store-max-bytes", environment=("APP_SERVER_STORE_MAX_BYTES",),
    )
    store_max_bookmarks: int = setting(
        10_000, "how many bookmarks to keep; beyond that, applications cannot make more",
        reason="each is a whole document, and one application must not fill the disk",
        parse=integer(0), metavar="N", environment=("APP_SERVER_STORE_MAX_BOOKMARKS",),
    )
    store_encrypt: bool = setting(
        False, "encrypt saved sessions with the secret key",
        reason="the folder is readable only by the server, and encryption needs a key that you keep",
        environment=("APP_SERVER_STORE_ENCRYPT",),
    )
    store_optional: bool = setting(
        False, "start even if sessions cannot be saved",
        reason="a server that silently saves nothing would surprise you when you need it",
        environment=("APP_SERVER_STORE_OPTIONAL",),
    )
    restore: Restore = setting(
        "inputs", "what a saved session gets back: inputs calls the application's callbacks for changed inputs and "
        "then sets all values; values only sets them; off starts again",
        reason="callbacks work out what an application keeps in variables of its own",
        metavar="WHAT", environment=("APP_SERVER_RESTORE",),
    )

    auth_module: str | None = setting(
        None, "a Python file with hooks for logging in",
        reason=_OPEN,
        group="Logging in", metavar="FILE",
        environment=("BOKEH_AUTH_MODULE",),
    )
    basic_auth: str | None = setting(
        None, "let in the users of this file, which `app-server passwd` writes",
        reason=_OPEN,
        metavar="FILE",
        environment=("APP_SERVER_BASIC_AUTH",),
    )
    auth_header: str | None = setting(
        None, "let in the user that a proxy names in this header",
        reason=_OPEN,
        parse=parsers.header_name, metavar="NAME",
        environment=("APP_SERVER_AUTH_HEADER",),
    )
    auth_header_groups: str | None = setting(
        None, "the header in which the proxy names the user's groups, separated by commas",
        reason="not all proxies know groups",
        parse=parsers.header_name, metavar="NAME",
        environment=("APP_SERVER_AUTH_HEADER_GROUPS",),
    )
    auth_header_from: tuple[str, ...] = setting(
        (), "the proxies that may name a user: addresses, networks or 'unix', separated by commas",
        reason="any other client that reaches the port could claim to be any user",
        parse=parsers.network, metavar="NETWORK", commas=True,
        environment=("APP_SERVER_AUTH_HEADER_FROM",),
    )
    oidc_issuer: str | None = setting(
        None, "let in the users of this OpenID Connect provider",
        reason=_OPEN,
        parse=parsers.issuer, metavar="URL",
        environment=("APP_SERVER_OIDC_ISSUER",),
    )
    oidc_client_id: str | None = setting(
        None, "this server's client id at the provider",
        reason="the provider assigns it",
        metavar="ID",
        environment=("APP_SERVER_OIDC_CLIENT_ID",),
    )
    oidc_client_secret: str | None = setting(
        None, "this server's client secret at the provider",
        reason="the provider assigns it",
        secret=True,
        environment=("APP_SERVER_OIDC_CLIENT_SECRET",),
    )
    oidc_scope: str = setting(
        "openid profile email", "what to ask the provider about a user",
        reason="a name to show, and what --oidc-allow usually checks",
        parse=parsers.scope, metavar="SCOPES",
        environment=("APP_SERVER_OIDC_SCOPE",),
    )
    oidc_allow: tuple[str, ...] = setting(
        (), "let in only users with this claim, such as email=*@example.org; one match is enough",
        reason="all users of the provider; set this if anyone can open an account there",
        parse=parsers.claim_pattern, metavar="CLAIM=VALUE",
        environment=("APP_SERVER_OIDC_ALLOW",),
    )
    oidc_groups: str = setting(
        "groups", "the claim with a user's groups; a dot leads into a claim, as in realm_access.roles",
        reason="most providers call it that",
        parse=parsers.claim_name, metavar="CLAIM",
        environment=("APP_SERVER_OIDC_GROUPS",),
    )
    oidc_redirect_url: str | None = setting(
        None, "the public address of <prefix>/login/callback, as registered at the provider",
        reason="it follows from the request, unless a proxy rewrites the host",
        parse=parsers.https_url, metavar="URL",
        environment=("APP_SERVER_OIDC_REDIRECT_URL",),
    )
    oauth_provider: OAuthProvider | None = setting(
        None, "let in the users of an OAuth2 provider that is not an OpenID provider: github, or custom, which the "
        "addresses below describe",
        reason=_OPEN,
        parse=parsers.oauth_provider, metavar="NAME", environment=("APP_SERVER_OAUTH_PROVIDER",),
    )
    oauth_url: str | None = setting(
        None, "the address of a GitHub Enterprise",
        reason="GitHub is at https://github.com",
        parse=parsers.https_url, metavar="URL",
        environment=("APP_SERVER_OAUTH_URL",),
    )
    oauth_authorize_url: str | None = setting(
        None, "a custom provider's page where people log in",
        reason="the provider's documentation says it",
        parse=parsers.https_url, metavar="URL",
        environment=("APP_SERVER_OAUTH_AUTHORIZE_URL",),
    )
    oauth_token_url: str | None = setting(
        None, "a custom provider's address for tokens",
        reason="the provider's documentation says it",
        parse=parsers.https_url, metavar="URL",
        environment=("APP_SERVER_OAUTH_TOKEN_URL",),
    )
    oauth_user_url: str | None = setting(
        None, "a custom provider's address that says, as JSON, whose an access token is",
        reason="the provider's documentation says it",
        parse=parsers.https_url, metavar="URL",
        environment=("APP_SERVER_OAUTH_USER_URL",),
    )
    oauth_client_id: str | None = setting(
        None, "this server's client id at the provider",
        reason="the provider assigns it",
        metavar="ID", environment=("APP_SERVER_OAUTH_CLIENT_ID",),
    )
    oauth_client_secret: str | None = setting(
        None, "this server's client secret at the provider",
        reason="the provider assigns it",
        secret=True, environment=("APP_SERVER_OAUTH_CLIENT_SECRET",),
    )
    oauth_scope: str | None = setting(
        None, "what to ask the provider for",
        reason="read:org and user:email at GitHub, for groups and the e-mail address; nothing elsewhere",
        parse=parsers.plain_scope, metavar="SCOPES",
        environment=("APP_SERVER_OAUTH_SCOPE",),
    )
    oauth_user_id: str = setting(
        "id", "the field of a custom provider's user that never changes",
        reason="most providers call it that",
        parse=parsers.claim_name, metavar="FIELD",
        environment=("APP_SERVER_OAUTH_USER_ID",),
    )
    oauth_user_name: str = setting(
        "login", "the field of a custom provider's user with the name to show",
        reason="what GitHub and Gitea call it",
        parse=parsers.claim_name, metavar="FIELD",
        environment=("APP_SERVER_OAUTH_USER_NAME",),
    )
    oauth_groups: str = setting(
        "groups", "the field of a custom provider's user that lists groups; a dot leads into a field",
        reason="GitHub's organizations and teams are groups anyway",
        parse=parsers.claim_name, metavar="FIELD",
        environment=("APP_SERVER_OAUTH_GROUPS",),
    )
    oauth_allow: tuple[str, ...] = setting(
        (), "let in only users with this, such as groups=acme or groups=acme/analysts; one match is enough",
        reason="all users of the provider; set this, because anyone can open an account at GitHub",
        parse=parsers.claim_pattern, metavar="CLAIM=VALUE",
        environment=("APP_SERVER_OAUTH_ALLOW",),
    )
    oauth_redirect_url: str | None = setting(
        None, "the public address of <prefix>/login/callback, as registered at the provider",
        reason="it follows from the request, unless a proxy rewrites the host",
        parse=parsers.https_url, metavar="URL",
        environment=("APP_SERVER_OAUTH_REDIRECT_URL",),
    )
    access_tokens: bool = setting(
        False, "keep the access token that the provider gives for a user, and renew it, for applications: "
        "session_context.access_token()",
        reason="a token that no application needs can only be stolen",
        environment=("APP_SERVER_ACCESS_TOKENS",),
    )
    access: tuple[str, ...] = setting(
        (), "let only this user or group open this application, such as /sales=group:analysts; may be repeated. "
        "* in place of the route means all applications without rules",
        reason="everyone who is logged in may open all applications",
        parse=parsers.access_rule, metavar="ROUTE=user:NAME|group:NAME",
        environment=("APP_SERVER_ACCESS",),
    )
    authorize: str | None = setting(
        None, "a Python file whose authorize(user, path) says who may open which application",
        reason="everyone who is logged in may open all applications",
        metavar="FILE", environment=("APP_SERVER_AUTHORIZE",),
    )
    access_contact: str | None = setting(
        None, "whom to ask for access, for the page of a refusal: a name, an e-mail address or a URL",
        reason="only you know; until then, the page says: the site's operator",
        parse=parsers.contact, metavar="TEXT",
        environment=("APP_SERVER_ACCESS_CONTACT",),
    )
    login_lifetime_s: int = setting(
        43200, "how long a login lasts",
        reason="a little more than a working day, so people log in once a day",
        parse=integer(60, 31536000),
        environment=("APP_SERVER_LOGIN_LIFETIME",), keys=("login_lifetime",),
    )

    ssl_certfile: str | None = setting(
        None, "the certificate for HTTPS; may contain its private key",
        reason="TLS usually ends at a proxy",
        group="TLS", metavar="FILE", common=True,
        environment=("BOKEH_SSL_CERTFILE",),
    )
    ssl_keyfile: str | None = setting(
        None, "the certificate's private key",
        reason="it may be in the certificate's file",
        metavar="FILE", common=True,
        environment=("BOKEH_SSL_KEYFILE",),
    )
    ssl_password: str | None = setting(
        None, "the password of the private key",
        reason="most keys have none",
        secret=True,
        environment=("BOKEH_SSL_PASSWORD",),
    )

    include_headers: tuple[str, ...] | None = setting(
        None, "show applications only these request headers",
        reason=_ALL_SEEN,
        group="What applications see", arity=Arity.SOME, metavar="NAME",
    )
    exclude_headers: tuple[str, ...] | None = setting(
        None, "hide these request headers from applications",
        reason=_ALL_SEEN,
        arity=Arity.SOME, metavar="NAME",
    )
    include_cookies: tuple[str, ...] | None = setting(
        None, "show applications only these cookies",
        reason=_ALL_SEEN,
        arity=Arity.SOME, metavar="NAME",
    )
    exclude_cookies: tuple[str, ...] | None = setting(
        None, "hide these cookies from applications",
        reason=_ALL_SEEN,
        arity=Arity.SOME, metavar="NAME",
    )

    request_timeout_s: float = setting(
        30.0, "how long a client may take to send a request, including its TLS handshake; 0 sets no limit",
        reason="even the slowest line carries a few kilobytes in that time; a slower client holds a connection that "
        "others may need",
        group="Limits",
        environment=("APP_SERVER_REQUEST_TIMEOUT",), keys=("request_timeout",),
    )
    idle_timeout_s: float = setting(
        75.0, "close a connection that sends no request, or reads no answer, for this long; 0 disables it. WebSockets "
        "stay open",
        reason="longer than proxies keep connections open (nginx 60 s), so they never use one that is closing",
        environment=("APP_SERVER_IDLE_TIMEOUT",), keys=("idle_timeout",),
    )
    keep_alive_ms: int = setting(
        37000, "how often to ping each browser; 0 disables it",
        reason="proxies close a connection after 60 s of silence",
        keys=("keep_alive",),
    )
    check_unused_sessions_ms: int = setting(
        17000, "how often to look for sessions without a browser",
        reason="a little longer than a session lives unused, so the first look usually finds it",
        parse=integer(1), keys=("check_unused_sessions",),
    )
    unused_session_lifetime_ms: int = setting(
        15000, "how long a session lives without a browser",
        reason="a browser that lost its connection is back within seconds",
        parse=integer(1), keys=("unused_session_lifetime",),
    )
    max_sessions: int = setting(
        0, "how many sessions the process may have; 0 sets no limit",
        reason="only the application's author knows what a session costs",
        environment=("APP_SERVER_MAX_SESSIONS",),
    )
    max_sessions_per_address: int = setting(
        0, "how many sessions one address may have; 0 sets no limit",
        reason="a whole office or university may share one address",
        environment=("APP_SERVER_MAX_SESSIONS_PER_ADDRESS",),
    )
    max_sessions_per_user: int = setting(
        0, "how many sessions one logged-in user may have; 0 sets no limit",
        reason="most people keep some tabs open, and a login may be shared by a team",
        environment=("APP_SERVER_MAX_SESSIONS_PER_USER",),
    )
    max_jobs: int = setting(
        4, "how many jobs of applications the process runs at once; others are queued",
        reason="more of them than there are cores only slow each other down, and the sessions too",
        parse=integer(1, 1024), environment=("APP_SERVER_MAX_JOBS",),
    )
    max_queued_jobs: int = setting(
        100, "how many jobs may be queued; beyond that, applications cannot submit more",
        reason="who waits behind a hundred others would rather know that the server is busy",
        environment=("APP_SERVER_MAX_QUEUED_JOBS",),
    )
    max_jobs_per_user: int = setting(
        0, "how many jobs one user may have, running and queued; without a login, one session; 0 sets no limit",
        reason="users take turns anyway, and only the application's author knows how many jobs a click submits",
        environment=("APP_SERVER_MAX_JOBS_PER_USER",),
    )
    websocket_max_message_size_bytes: int = setting(
        20 * 1024 * 1024, "the largest message to accept from a browser",
        reason="20 MiB are enough for a large upload, and too little to exhaust memory",
        parse=integer(1), keys=("websocket_max_message_size",),
    )
    websocket_compression_level: int | None = setting(
        None, "compress messages at this zlib level, 0 to 9",
        reason=_UNCOMPRESSED,
        parse=integer(0, 9), metavar="LEVEL",
    )
    websocket_compression_mem_level: int | None = setting(
        None, "compress messages with this zlib memory level, 1 to 9",
        reason=_UNCOMPRESSED,
        parse=integer(1, 9), metavar="LEVEL",
    )

    log_level: LogLevel = setting(
        "info", "how much to log",
        reason="addresses, sessions and faults, but not every message",
        group="Logging", metavar="LEVEL", common=True,
        environment=("BOKEH_PY_LOG_LEVEL",), keys=("py_log_level",),
        # "none" is the stock command's word for "the default"; "warn" and "fatal" are in its documentation.
        parse=parsers.choice("trace", "debug", "info", "warning", "error", "critical",
                             none="info", warn="warning", fatal="critical"),
    )
    log_format: str = setting(
        "%(asctime)s %(levelname)s %(message)s",
        "the format of a line, as in Python's logging; also takes application, session, request_id",
        reason="the time, the severity, and the message",
        parse=parsers.log_format, metavar="FORMAT",
    )
    log_file: str | None = setting(
        None, "append the log to a file instead of stderr",
        reason="service managers and containers collect stderr",
        metavar="FILE", common=True,
    )
    log_json: bool = setting(
        False, "write each line of the log as a JSON object",
        reason="people usually read the log; set this if a program collects it",
        environment=("APP_SERVER_LOG_JSON",),
    )
    stats_log_frequency_ms: int = setting(
        15000, "how often to log the number of sessions; 0 disables it",
        reason="often enough to notice growing load",
        keys=("stats_log_frequency",),
    )
    mem_log_frequency_ms: int = setting(
        0, "how often to log the memory in use; 0 disables it",
        reason="it only matters when you look for a leak",
        keys=("mem_log_frequency",),
    )

    metrics: bool = setting(
        False, "serve /metrics for Prometheus, except to requests through a proxy",
        reason="strangers need not know how many people use which application",
        group="Monitoring",
        environment=("APP_SERVER_METRICS",),
    )
    allow_load_tests: bool = setting(
        False, "say in the headers of pages that `app-server load` may test this server",
        reason="a load test disturbs the people who use the server, and only its operator may want that",
        environment=("APP_SERVER_ALLOW_LOAD_TESTS",),
    )
    record: str | None = setting(
        None, "write down what people do in pages, for `app-server load --play`: to this file, or into this folder a "
        "file for each page; passwords and uploads are left out",
        reason="what people do is written nowhere unless you ask for it",
        metavar="FILE|FOLDER", environment=("APP_SERVER_RECORD",),
    )
    otel: Otel = setting(
        "off", "send traces, metrics or both to an OpenTelemetry collector, which OTEL_EXPORTER_OTLP_ENDPOINT names",
        reason="what people do is sent nowhere unless you ask for it",
        metavar="WHAT", environment=("APP_SERVER_OTEL",),
    )
    otel_user: bool = setting(
        False, "name the user who is logged in in traces",
        reason="who uses which application is personal data",
        environment=("APP_SERVER_OTEL_USER",),
    )
    block_limit_s: float = setting(
        5.0, "log a stack trace when the event loop is blocked this long; 0 disables it",
        reason="every session waits meanwhile, and after this time people think the application is broken",
        environment=("APP_SERVER_BLOCK_LIMIT",), keys=("block_limit",),
    )
    console: str | None = setting(
        None, "serve a console for operators at this port of the machine itself, at HOST:PORT, on unix:/PATH, or at a "
        "path of the site such as /_console",
        reason="it shows who uses what, and can end sessions",
        parse=console_place, metavar="WHERE",
        environment=("APP_SERVER_CONSOLE",),
    )
    console_auth: str | None = setting(
        None, "let in only the operators of this file, which `app-server passwd` writes",
        reason="who can log in to the machine can use a console that only the machine reaches; any other one needs it",
        metavar="FILE",
        environment=("APP_SERVER_CONSOLE_AUTH",),
    )
    console_audit: str | None = setting(
        None, "append what operators do to this file, a JSON object in each line",
        reason="the log has it anyway",
        metavar="FILE",
        environment=("APP_SERVER_CONSOLE_AUDIT",),
    )
    console_peers: tuple[str, ...] = setting(
        (), "the consoles of the other instances, which this one shows too, separated by commas",
        reason="a single instance has none",
        parse=console_peer, metavar="ADDRESS", commas=True,
        environment=("APP_SERVER_CONSOLE_PEERS",),
    )

    index: str | None = setting(
        None, "a template for the index page",
        reason="the server has its own",
        group="Pages", metavar="FILE",
    )
    disable_index: bool = setting(
        False, "serve no index page at /",
        reason="visitors want to see which applications there are",
    )
    disable_index_redirect: bool = setting(
        False, "do not redirect / to the only application",
        reason="an index with one entry is a needless click",
    )
    ico_path: str | None = setting(
        None, "the site's icon, a .ico file; 'none' for no icon",
        reason="the server has its own, because browsers ask for one anyway",
        parse=parsers.icon, metavar="FILE",
        environment=("BOKEH_ICO_PATH",),
    )
    page_parts: PageParts = setting(
        "needed", "which parts of BokehJS a page loads before it is drawn: those that its document needs, or all",
        reason="most documents need a third of BokehJS, and the rest is loaded after the first drawing",
        metavar="WHICH",
        environment=("APP_SERVER_PAGE_PARTS",),
    )

    num_procs: int = setting(
        1, "the number of worker processes; 0 starts one per core",
        reason="one process needs the least memory, and is enough until its core is busy",
        group="Processes", parse=integer(0, 1024), common=True,
        environment=("APP_SERVER_NUM_PROCS",),
    )
    num_threads: int | None = setting(
        None, "run the callbacks of Panel applications in this many threads; 0 takes as many as Python chooses",
        reason="a callback that computes in the event loop never meets another one halfway",
        parse=integer(0, 1024), metavar="N",
        environment=("APP_SERVER_NUM_THREADS",),
    )
    tasks: Tasks = setting(
        "one", "which worker processes run what pn.state.schedule_task has scheduled: one of them, or every one",
        reason="a report is to be sent once; every process has a cache of its own, though",
        metavar="WHICH",
        environment=("APP_SERVER_TASKS",),
    )
    hang_timeout_s: float = setting(
        0.0, "replace a worker process that hangs for this long; 0 disables it",
        reason="some callbacks are slow on purpose, and replacing the process ends all of its sessions",
    )
    start_timeout_s: float = setting(
        300.0, "replace a new worker process that takes longer than this to start; 0 disables it",
        reason="an application may take minutes to load, but one that hangs must not delay the others",
    )
    isolation: Isolation = setting(
        "none", "whether each session gets its own process; snapshot starts it as a copy of one with the application "
        "loaded",
        reason="sessions in one process need the least memory and may share Python objects",
        metavar="HOW", common=True,
        environment=("APP_SERVER_ISOLATION",),
    )
    session_memory_mb: int = setting(
        0, "kill the process of an isolated session that uses more memory than this; 0 sets no limit",
        reason="only the application's author knows what it needs",
        parse=integer(0, 10**7),
    )
    session_cpu_s: float = setting(
        0.0, "kill the process of an isolated session that uses more CPU time than this; 0 sets no limit",
        reason="a page that is open all day computes all day",
    )
    callback_limit_s: float = setting(
        0.0, "kill the process of an isolated session if a callback takes longer than this; 0 sets no limit",
        reason="some callbacks are slow on purpose",
    )
# fmt: on


@cache
def all_settings() -> tuple[Setting, ...]:
    """Every setting in the order of its groups."""
    kinds = get_type_hints(Settings)
    found, group = [], GROUPS[0]
    for item in fields(Settings):
        group = item.metadata.get("group", group)
        found.append(derive(item.name, kinds[item.name], item.default, item.metadata, group))
    return tuple(found)
