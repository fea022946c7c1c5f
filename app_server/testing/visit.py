"""Who opens a page, and with what request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, TypeAlias
from urllib.parse import urlencode

from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

Arguments: TypeAlias = Mapping[str, "str | Sequence[str]"]


@dataclass(frozen=True, kw_only=True)
class Visit:
    """Who opens a page: `user` is what `session_context.user` says, None for someone who has not logged in."""

    user: Any = None
    arguments: Arguments = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def request(self, path: str) -> HTTPServerRequest:
        """The request for the page at this path."""
        query = urlencode(self.arguments, doseq=True)
        headers = HTTPHeaders({"Host": "localhost:5006", "Accept": "text/html", **self.headers})
        if self.cookies:
            headers["Cookie"] = SimpleCookie(dict(self.cookies)).output(attrs=[], header="", sep=";").strip()
        line = RequestStartLine("GET", f"{path}?{query}" if query else path, "HTTP/1.1")
        return HTTPServerRequest(start_line=line, headers=headers)
