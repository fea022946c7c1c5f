"""A visitor with cookies: what a browser does with forms, redirects and cookies, without one."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from tests.support.client import Answer, Client, open_socket
from tests.support.waiting import patience

_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')


@dataclass
class Visitor:
    """Someone at an address; `source` is the loopback address that requests come from."""

    url: str
    source: str = "127.0.0.1"
    headers: dict[str, str] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    set_cookies: list[str] = field(default_factory=list)

    def ask(
        self, path: str, *, method: str = "GET", form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """The answer to one request; a redirect is not followed. Cookies are kept."""
        parts = urlsplit(urljoin(self.url, path))
        sent = {**self.headers, **(headers or {})}
        if self.cookies:
            sent["Cookie"] = self.cookie_header
        body = None
        if form is not None:
            body, sent["Content-Type"] = urlencode(form), "application/x-www-form-urlencoded"
        source, timeout_s = (self.source, 0), patience(10)
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=timeout_s, source_address=source)
        try:
            target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            connection.request(method, target, body, {"Host": parts.netloc, **sent})
            response = connection.getresponse()
            self.set_cookies = response.headers.get_all("Set-Cookie") or []
            self._keep()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def post(self, path: str, headers: Mapping[str, str] | None = None, **form: str) -> Answer:
        """The answer to a form that is sent there."""
        return self.ask(path, method="POST", form=form, headers=headers)

    def follow(self, path: str, most: int = 10) -> tuple[str, Answer]:
        """Where redirects lead to, and what is there."""
        address = urljoin(self.url, path)
        for _ in range(most):
            answer = self.ask(address)
            if answer.status not in (301, 302, 303, 307):
                return address, answer
            address = urljoin(address, answer.headers["location"])
        raise AssertionError(f"{path} leads in circles")

    def log_in(self, user: str, password: str, path: str = "/login", **more: str) -> Answer:
        """The answer to the form of our login page, filled in."""
        page = self.ask(path)
        hidden = {name: unescape(value) for name, value in _HIDDEN.findall(page.text)}
        return self.post(path.partition("?")[0], **{**hidden, "user": user, "password": password, **more})

    @property
    def cookie_header(self) -> str:
        """The cookies as a browser sends them."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    @contextmanager
    def client(self, app: str, token: str | None = None, *, query: str = "") -> Iterator[Client]:
        """A client of a session, with this visitor's cookies and headers on the handshake."""
        if token is None:
            page = self.ask(app + query)
            assert page.status == 200, (page.status, page.headers, page.text[-2000:])
            token = page.token
        sent = {**self.headers, **({"Cookie": self.cookie_header} if self.cookies else {})}
        with open_socket(
            self.url, app, token, query=query, additional_headers=sent, source_address=(self.source, 0)
        ) as opened:
            client = Client(opened)
            assert client.receive().msgtype == "ACK"
            assert client.pull().msgtype == "PULL-DOC-REPLY"
            yield client

    def seen(self, app: str, token: str | None = None, *, query: str = "") -> dict[str, Any]:
        """What an application that shows it has found out."""
        with self.client(app, token, query=query) as client:
            found: dict[str, Any] = json.loads(client.value("seen", "text"))
            return found

    def _keep(self) -> None:
        for line in self.set_cookies:
            for name, morsel in SimpleCookie(line).items():
                if morsel.value in ("", '""') or morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
