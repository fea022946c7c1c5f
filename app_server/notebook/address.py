"""Where the notebook's page is, and how that page finds a server in the kernel: pure decisions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import SplitResult, urlsplit

from app_server.errors import OperatorError
from app_server.security.hostnames import bracketed

NotebookUrl: TypeAlias = "str | Callable[[int | None], str]"

DEFAULT_URL = "http://localhost:8888"
"""Jupyter's default address."""

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""The names of this machine: with any of them in the address bar it is the same notebook."""


@dataclass(frozen=True)
class NotebookPlace:
    """Where a notebook is: the hosts that its page can have, and how the page reaches a port of the kernel.

    `origins` are `HOST[:PORT]`. `address` is what the server should listen on, None for every interface.
    """

    origins: tuple[str, ...]
    address: str | None
    url_of: Callable[[int], str] | None
    """A proxy's address for a port, as full address or as path on the notebook's host; None without a proxy."""

    def application_url(self, port: int, scheme: str, prefix: str) -> str:
        """Where the notebook's page finds the application, without a slash at the end."""
        if self.url_of is not None:
            return self.url_of(port).rstrip("/") + prefix
        host, _ = _host_and_port(urlsplit(f"//{self.origins[0]}"))
        return f"{scheme}://{host}:{port}{prefix}"


def place_of(notebook_url: NotebookUrl | None, environ: Mapping[str, str]) -> NotebookPlace:
    """The place that this describes; OperatorError if it is not an address.

    A callable gets a port and returns the address by which a proxy leads there; with None, that of the notebook. None
    is Jupyter's usual address, or the proxy of a JupyterHub that says so in JUPYTER_BOKEH_EXTERNAL_URL.
    """
    if notebook_url is None:
        external = environ.get("JUPYTER_BOKEH_EXTERNAL_URL")
        notebook_url = proxied(external, environ.get("JUPYTERHUB_SERVICE_PREFIX", "/")) if external else DEFAULT_URL
    if callable(notebook_url):
        return NotebookPlace(_origins(_split(notebook_url(None))), "localhost", notebook_url)
    origins = _origins(_split(notebook_url))
    return NotebookPlace(origins, "localhost" if len(origins) > 1 else None, None)


def proxied(notebook_url: str = DEFAULT_URL, base_url: str | None = None) -> Callable[[int | None], str]:
    """The `notebook_url` of `show` for a notebook server with jupyter-server-proxy.

    `base_url` is the path under which Jupyter is, by default that of `notebook_url`. The page looks for the
    application on its own host, so one more proxy in front does no harm.
    """
    parts = _split(notebook_url)
    base = (parts.path if base_url is None else base_url).strip("/")

    def url_of(port: int | None) -> str:
        return f"{parts.scheme}://{parts.netloc}" if port is None else f"{f'/{base}' if base else ''}/proxy/{port}"

    return url_of


def _split(url: str) -> SplitResult:
    """The parts of this address; `HOST:PORT` without a scheme means http."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        hint = f"Give it as in the browser's address bar, such as {DEFAULT_URL}."
        raise OperatorError(f"{url!r} is not an address of a notebook", where="notebook_url", hint=hint)
    return parts


def _host_and_port(parts: SplitResult) -> tuple[str, str]:
    """The host, an IPv6 address in brackets, and `:PORT` or nothing."""
    host = parts.hostname or ""
    return bracketed(host), "" if parts.port is None else f":{parts.port}"


def _origins(parts: SplitResult) -> tuple[str, ...]:
    host, port = _host_and_port(parts)
    if (parts.scheme, parts.port) in (("http", 80), ("https", 443)):
        port = ""  # as in the address bar
    others = tuple(name for name in LOOPBACK if name != host) if host in LOOPBACK else ()
    return tuple(f"{name}{port}" for name in (host, *others))
