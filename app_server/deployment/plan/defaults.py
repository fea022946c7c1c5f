"""Default ports, paths and names, which the deployment file can change."""

from __future__ import annotations

FIRST_PORT = 5100
# Where Bokeh's users look for a server without a proxy.
DIRECT_PORT = 5006
# Inside containers: each instance's port, and the proxy's, which needs no privilege there.
CONTAINER_PORT = 5006
CONTAINER_HTTP_PORT = 8080
CONTAINER_HTTPS_PORT = 8443
# The versions of Debian 13, which our images are based on.
CONTAINER_PROXIES = {"nginx": (1, 26, 3), "apache": (2, 4, 65)}
CONTAINER_SOCKETS = "/run/app-server"
# The proxy's own volume: its root may be read-only, and the site stays closed when its container is replaced.
CONTAINER_CLOSED = "/var/lib/app-server"
# Where the instances' containers have the volume of saved sessions.
CONTAINER_STORE = "/var/lib/app-server/sessions"
# Where compose's proxy and certbot have the volume of certificates by ACME.
CONTAINER_CERTIFICATES = "/run/certificates"
VALKEY_PORT = 6379
# How long sessions go on that would begin again elsewhere, and connections of a proxy that is reloaded.
DRAIN_S = 30
# What a stop may take beyond the drain: hooks of sessions, threads of applications.
AFTER_DRAIN_S = 15
VARIABLES = {
    "secret_key": "BOKEH_SECRET_KEY",
    "cookie_secret": "BOKEH_COOKIE_SECRET",
    "oidc_client_secret": "APP_SERVER_OIDC_CLIENT_SECRET",
    "oauth_client_secret": "APP_SERVER_OAUTH_CLIENT_SECRET",
    "ssl_password": "BOKEH_SSL_PASSWORD",
    "store": "APP_SERVER_STORE",
}
"""The environment variables of the server's secrets; with _FILE at the end they name a file."""
APPLICATION_SECRETS = "variables"
"""What the file with the applications' secrets is called among the server's."""
APPLICATION_SECRETS_VARIABLE = "APP_SERVER_ENV"
"""With _FILE at the end it names that file: the server adds its variables to the environment (--env-file)."""
