"""One good configuration for nginx and one for Apache, and twelve ways to break each by changing a few words.

Behind them stand three instances named a, b and c; a fault of the application server's own is planted by an instance
that was started wrongly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from app_server.doctor.options import SHORT_IDLE_S

HOST = "app.test"
ROUTES = ("a", "b", "c")


@dataclass(frozen=True)
class Ports:
    """Where the proxy listens, with and without TLS, and where the instances do."""

    https: int
    http: int
    instances: Mapping[str, int]


@dataclass(frozen=True)
class Fault:
    """A planted fault: what the doctor calls it, what is changed in each proxy's text, and what stands behind.

    `behind` is the kind of server behind the proxy: well, one that was started wrongly, or one that is missing. The
    doctor leaves a socket idle for `idle_s`, not for long if the fault has nothing to do with silence, and asks for the
    pages of `embedder` where there is one.
    """

    finding: str
    nginx: Mapping[str, str] = field(default_factory=dict)
    apache: Mapping[str, str] = field(default_factory=dict)
    behind: str = "well"
    idle_s: float = 1.0
    embedder: str | None = None

    @property
    def proxy(self) -> str:
        """The proxy for a fault that is planted in only one."""
        return "apache" if self.apache and not self.nginx else "nginx"


def nginx_site(ports: Ports) -> str:
    """What is in nginx's http block."""
    servers = {route: f"server 127.0.0.1:{port}" for route, port in ports.instances.items()}
    pools = "".join(
        f"upstream board_{route} {{ {servers[route]}; "
        + " ".join(f"{other} backup;" for name, other in servers.items() if name != route)
        + " }\n"
        for route in servers
    )
    routes = "".join(f"    location ^~ /_i/{route}/ {{ proxy_pass http://board_{route}; }}\n" for route in servers)
    return f"""
types {{ text/javascript js; text/css css; }}
map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
upstream board {{ least_conn; {" ".join(f"{server};" for server in servers.values())} }}
{pools}
server {{
    listen 127.0.0.1:{ports.http};
    return 308 https://{HOST}:{ports.https}$request_uri;
}}
server {{
    listen 127.0.0.1:{ports.https} ssl;
    server_name {HOST};
    ssl_certificate fullchain.pem;
    ssl_certificate_key key.pem;
    ssl_protocols TLSv1.2 TLSv1.3;
    large_client_header_buffers 4 32k;
    add_header Strict-Transport-Security "max-age=63072000" always;

    proxy_http_version 1.1;
    proxy_set_header Host {HOST}:{ports.https};
    proxy_set_header X-Forwarded-Host {HOST}:{ports.https};
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Scheme "";
    proxy_set_header Forwarded "";
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $connection_upgrade;
    proxy_buffering off;
    proxy_connect_timeout 2s;
    proxy_read_timeout 1h;
    proxy_send_timeout 1h;
    proxy_next_upstream error timeout http_503;

    location ^~ /tools/static/extensions/ {{ proxy_pass http://board; }}
    location ^~ /tools/static/ {{
        alias static/;
        gzip on;
        gzip_types text/javascript text/css;
        expires 1y;
    }}
{routes}
    location /tools/ {{ proxy_pass http://board; }}
}}
"""


def apache_site(ports: Ports) -> str:
    """What is in Apache's configuration."""
    members = "".join(
        f"        BalancerMember http://127.0.0.1:{port} route={route} upgrade=websocket timeout=3600 retry=5\n"
        for route, port in ports.instances.items()
    )
    return f"""
Listen 127.0.0.1:{ports.http}
Listen 127.0.0.1:{ports.https}
<VirtualHost 127.0.0.1:{ports.http}>
    ServerName {HOST}
    Redirect 308 / https://{HOST}:{ports.https}/
</VirtualHost>
<VirtualHost 127.0.0.1:{ports.https}>
    ServerName {HOST}
    SSLEngine on
    SSLCertificateFile fullchain.pem
    SSLCertificateKeyFile key.pem
    SSLProtocol -all +TLSv1.2 +TLSv1.3
    LimitRequestFieldSize 32768
    Header always set Strict-Transport-Security "max-age=63072000"
    RequestHeader unset X-Forwarded-For early
    RequestHeader unset X-Real-IP early
    RequestHeader unset X-Scheme early
    RequestHeader unset Forwarded early
    RequestHeader set X-Forwarded-Proto "https"
    ProxyRequests Off
    ProxyPreserveHost On
    ProxyTimeout 3600
    <Proxy balancer://board>
{members}        ProxySet lbmethod=bybusyness stickysession=_i
    </Proxy>
    RewriteEngine On
    RewriteRule ^/_i/([A-Za-z0-9_-]{{1,32}})/(.*)$ balancer://board/_i/$1/$2?_i=.$1 [P,QSA]
    ProxyPass /tools/static/extensions/ balancer://board/tools/static/extensions/
    ProxyPass /tools/static/ !
    ProxyPass /tools/ balancer://board/tools/
    Alias /tools/static/ ${{FOLDER}}/static/
    <Directory ${{FOLDER}}/static>
        Require all granted
        AddOutputFilterByType DEFLATE text/javascript application/javascript text/css
        Header set Cache-Control "public, max-age=31536000, immutable"
    </Directory>
</VirtualHost>
"""


FAULTS = {
    "healthy": Fault("", idle_s=SHORT_IDLE_S),
    "no upgrade header": Fault(
        "upgrade-lost",
        {"    proxy_set_header Upgrade $http_upgrade;\n    proxy_set_header Connection $connection_upgrade;\n": ""},
        {" upgrade=websocket": ""},
    ),
    "wrong origin": Fault("origin-refused", behind="wrong origin"),
    "missing prefix": Fault("prefix-missing", behind="missing prefix"),
    "Host lost": Fault(
        "host-lost",
        {f"    proxy_set_header Host {HOST}:HTTPS;\n": ""},
        {"ProxyPreserveHost On": "ProxyPreserveHost Off"},
    ),
    "buffering on": Fault(
        "buffering-on",
        {"proxy_buffering off;": "proxy_buffering on;"},
        # Apache flushes what it has when the server pauses; a filter that waits for whole lines does not.
        {"ProxyRequests Off": "ProxyRequests Off\n    SetOutputFilter SUBSTITUTE\n    Substitute s|intern|public|"},
    ),
    "read timeout of 5 s": Fault(
        "read-timeout",
        {"proxy_read_timeout 1h;": "proxy_read_timeout 5s;"},
        # Of the two ends' time limits the longer one counts.
        {"timeout=3600": "timeout=5", "ProxyTimeout 3600": "ProxyTimeout 5\n    Timeout 5"},
        idle_s=SHORT_IDLE_S,
    ),
    "static captured": Fault(
        "static-captured",
        {"location ^~ /tools/static/ {\n        alias static/;": "location ^~ /tools/static {\n        alias static;"},
        {
            "ProxyPass /tools/static/ !": "ProxyPassMatch ^/tools/static !",
            "Alias /tools/static/ ${FOLDER}/static/": "AliasMatch ^/tools/static/?(.*)$ ${FOLDER}/static/$1",
        },
    ),
    "TLS chain incomplete": Fault(
        "tls-chain-incomplete", {"fullchain.pem": "certificate.pem"}, {"fullchain.pem": "certificate.pem"}
    ),
    "header buffers small": Fault(
        "header-buffers-small",
        {"    large_client_header_buffers 4 32k;\n": ""},
        {"    LimitRequestFieldSize 32768\n": ""},
    ),
    "no affinity": Fault(
        "affinity-missing",
        {f"    location ^~ /_i/{route}/ {{ proxy_pass http://board_{route}; }}\n": "" for route in ROUTES[1:]}
        | {"location ^~ /_i/a/ { proxy_pass http://board_a; }": "location ^~ /_i/ { proxy_pass http://board; }"},
        {"RewriteRule ^/_i/([A-Za-z0-9_-]{1,32})/(.*)$ balancer://board/_i/$1/$2?_i=.$1 [P,QSA]":
         "ProxyPass /_i/ balancer://board/_i/"},
    ),
    "xheaders off behind TLS": Fault("xheaders-off", behind="xheaders off"),
    "an instance down": Fault("instance-down", behind="one missing"),
}  # fmt: skip


HSTS = '    add_header Strict-Transport-Security "max-age=63072000" always;\n'
CSP = "add_header Content-Security-Policy"
# As the generated configuration has it.
CATCH_ALL = f"server_name other.{HOST};\n    ssl_reject_handshake on;"

# Further ways, each behind one proxy.
MORE = {
    "prefix taken away": Fault(
        "prefix-stripped",
        {"location /tools/ { proxy_pass http://board; }": "location /tools/ { proxy_pass http://board/; }"},
        behind="missing prefix",
    ),
    "Host without its port": Fault(
        "host-port-lost", {f"proxy_set_header Host {HOST}:HTTPS;": "proxy_set_header Host $host;"}
    ),
    "forged address": Fault("forgery-believed", {"    proxy_set_header X-Real-IP $remote_addr;\n": ""}),
    "forged scheme": Fault("forgery-believed", {'    proxy_set_header X-Scheme "";\n': ""}),
    "scheme lost": Fault("scheme-lost", {"    proxy_set_header X-Forwarded-Proto $scheme;\n": ""}),
    "address lost": Fault(
        "client-lost",
        {"X-Forwarded-For $remote_addr": 'X-Forwarded-For ""', "X-Real-IP $remote_addr": 'X-Real-IP ""'},
    ),
    "any origin": Fault("foreign-origin-accepted", behind="any origin"),
    "application's files captured": Fault(
        "static-captured", {"    location /tools/ {": "    location ~ /static/ { return 404; }\n    location /tools/ {"}
    ),
    "extensions captured": Fault(
        "extensions-captured", {"    location ^~ /tools/static/extensions/ { proxy_pass http://board; }\n": ""}
    ),
    "files uncompressed": Fault("static-uncompressed", {"gzip on;": "gzip off;"}),
    "files not kept": Fault("static-uncached", {"        expires 1y;\n": ""}),
    "page kept": Fault(
        "page-cached",
        {"location /tools/ {": "location /tools/ { proxy_hide_header Cache-Control; expires 10m;"},
    ),
    "outdated TLS": Fault(
        "tls-old",
        {"TLSv1.2 TLSv1.3;": "TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;\n    ssl_ciphers ALL:@SECLEVEL=0;"},
    ),
    "HSTS missing": Fault(
        "hsts-missing", {'    add_header Strict-Transport-Security "max-age=63072000" always;\n': ""}
    ),
    "redirect missing": Fault(
        "redirect-missing", {f"return 308 https://{HOST}:HTTPS$request_uri;": "return 200 hello;"}
    ),
    "site of another name": Fault("tls-name-unknown", {f"server_name {HOST};": CATCH_ALL}),
    "certificate wanted of visitors": Fault(
        "tls-client-certificate",
        apache={"SSLEngine on": "SSLEngine on\n    SSLVerifyClient require\n    SSLCACertificateFile fullchain.pem"},
    ),
    "cache that ignores no-store": Fault(
        "session-shared",
        {
            "upstream board {": "proxy_cache_path cache keys_zone=pages:1m;\nupstream board {",
            "    location /tools/ {": "    location = /tools/board { proxy_pass http://board; proxy_cache pages;"
            " proxy_buffering on; proxy_ignore_headers Cache-Control; proxy_cache_valid 1h; }\n    location /tools/ {",
        },
    ),
    "cache for scripts by their names": Fault(
        "session-shared",
        {
            "upstream board {": "proxy_cache_path cache keys_zone=pages:1m;\nupstream board {",
            "    location /tools/ {": "    location ~ /autoload.js$ { proxy_pass http://board; proxy_cache pages;"
            " proxy_buffering on; proxy_ignore_headers Cache-Control Vary; proxy_cache_valid 200 1h; }\n"
            "    location /tools/ {",
        },
    ),
    "policy that allows nothing": Fault("csp-blocks", {HSTS: f"{HSTS}    {CSP} \"default-src 'none'\" always;\n"}),
    "policy without the page's scripts": Fault("csp-blocks", {HSTS: f"{HSTS}    {CSP} \"default-src 'self'\";\n"}),
    "policy without text that becomes a script": Fault(
        "csp-narrow", {HSTS: f"{HSTS}    {CSP} \"default-src 'self' 'unsafe-inline'\";\n"}
    ),
    "page as a file": Fault("page-type", {HSTS: f"{HSTS}    add_header Content-Disposition attachment;\n"}),
    "socket behind a password": Fault(
        "socket-denied",
        {
            "location ^~ /_i/a/ {": "location ~ ^/_i/[bc]/ { return 401; }\n    location ^~ /_i/a/ {",
            "location ^~ /_i/b/": "location /_i/b/",
            "location ^~ /_i/c/": "location /_i/c/",
        },
    ),
    "socket denied": Fault(
        "socket-denied", {f"location ^~ /_i/{route}/ {{": f"location ^~ /_i/{route}/ {{ deny all;" for route in ROUTES}
    ),
    "socket at no place": Fault(
        "socket-path",
        {f"    location ^~ /_i/{route}/ {{ proxy_pass http://board_{route}; }}\n": "" for route in ROUTES},
    ),
    "socket led to the login": Fault(
        "socket-path", {f"proxy_pass http://board_{route};": "return 302 /login;" for route in ROUTES}
    ),
    "sockets limited": Fault(
        "socket-limited", {f"proxy_pass http://board_{route};": "return 429;" for route in ROUTES}
    ),
    "nobody behind": Fault("server-down", behind="nobody"),
    "no other instance asked": Fault(
        "instance-down",
        {"proxy_next_upstream error timeout http_503;": "proxy_next_upstream off;"},
        behind="one missing",
    ),
    "read timeout of 9 s": Fault("read-timeout", {"proxy_read_timeout 1h;": "proxy_read_timeout 9s;"}, idle_s=12.0),
    "read timeout of 20 s, short look": Fault(
        "", {"proxy_read_timeout 1h;": "proxy_read_timeout 20s;"}, idle_s=SHORT_IDLE_S
    ),
    "embedded by a page that may": Fault("", embedder=f"https://{HOST}:4711"),
    "embedded by a page that may not": Fault("embedding-refused", embedder="https://site.test"),
}


def planted(text: str, changes: Mapping[str, str], ports: Ports) -> str:
    """The text with these changes; AssertionError where one of them would change nothing."""
    for old, new in changes.items():
        old = old.replace("HTTPS", str(ports.https)) if ":HTTPS" in old else old
        assert old in text, f"there is no {old!r} to be changed"
        text = text.replace(old, new)
    return text
