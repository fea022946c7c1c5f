"""What of a request an application may see, and how that travels from the page to the socket inside the token.

The page's request and the socket's request may reach different processes; an application sees the page's in both.
So what passes the filters is put into the token as `payload()` and comes back through `from_payload()`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from http.cookies import Morsel
from typing import Any, Protocol

from app_server.security.tokens import TokenError

# Arguments with this prefix tell the server which session and which page is meant; they are not for the application.
_OUR_ARGUMENTS = "bokeh-"
_OUR_HEADERS = frozenset({"bokeh-session-id"})
_OUR_COOKIES = ("app_server_login", "app_server_form", "app_server_tokens")
"""What the names of our logins' cookies begin with. A browser sends those of another port of the host, too: they may be
of the console, or of another server, and who has one is logged in there."""


class RequestLike(Protocol):
    """The part of an HTTP request that is read here: Tornado's request has all of it."""

    @property
    def method(self) -> str | None: ...
    @property
    def uri(self) -> str | None: ...
    @property
    def path(self) -> str: ...
    @property
    def query(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def protocol(self) -> str: ...
    @property
    def host(self) -> str: ...
    @property
    def remote_ip(self) -> str | None: ...
    @property
    def arguments(self) -> Mapping[str, list[bytes]]: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def cookies(self) -> Mapping[str, Morsel[str]]: ...


@dataclass(frozen=True)
class VisibleRequest:
    """A request as `curdoc().session_context.request` shows it: named and shaped like Tornado's, filtered."""

    arguments: dict[str, list[bytes]] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "GET"
    uri: str = "/"
    path: str = "/"
    query: str = ""
    version: str = "HTTP/1.1"
    protocol: str = "http"
    host: str = "localhost"
    remote_ip: str | None = None
    route_params: dict[str, str] = field(default_factory=dict)
    """What the path has in place of the placeholders in the application's route."""
    app_path: str = ""
    """The application's own path, if its route has placeholders."""

    @property
    def host_name(self) -> str:
        """The host without its port."""
        name, colon, port = self.host.rpartition(":")
        return name if colon and port.isdigit() else self.host

    @property
    def query_arguments(self) -> dict[str, list[bytes]]:
        """The same as `arguments`: a page is requested with a query and no body."""
        return self.arguments

    def full_url(self) -> str:
        """The address as the browser sent it."""
        return f"{self.protocol}://{self.host}{self.uri}"

    def payload(self) -> dict[str, Any]:
        """What the token must contain for `from_payload` to give the same arguments, cookies and headers again."""
        rebuilt = _cookie_header(self.cookies)
        headers = {name: value for name, value in self.headers.items() if name != "Cookie" or value != rebuilt}
        return {"headers": headers, "cookies": self.cookies, "arguments": self.arguments}

    @classmethod
    def from_request(cls, request: RequestLike, passed: RequestFilter) -> VisibleRequest:
        """What the filter lets an application see of the request."""
        cookies = {name: morsel.value for name, morsel in request.cookies.items() if passed.passes_cookie(name)}
        headers = {name: value for name, value in request.headers.items() if passed.passes_header(name)}
        if any(map(passed.hides_cookie, request.cookies)):
            headers.pop("Cookie", None)
        _restore_cookie_header(headers, cookies)
        return cls(
            arguments=_without_ours(request.arguments),
            cookies=cookies,
            headers=headers,
            method=request.method or "GET",
            uri=request.uri or request.path,
            path=request.path,
            query=request.query,
            version=request.version,
            protocol=request.protocol,
            host=request.host,
            remote_ip=request.remote_ip,
        )

    def as_json(self) -> dict[str, Any]:
        """All of the request as plain values, for `from_json`; ISO 8859-1 has a character for each byte."""
        arguments = {name: [value.decode("latin-1") for value in values] for name, values in self.arguments.items()}
        return {**{each.name: getattr(self, each.name) for each in fields(self)}, "arguments": arguments}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> VisibleRequest:
        """What `as_json` gave. Raises TypeError, ValueError or KeyError for other values."""
        known = {each.name: values[each.name] for each in fields(cls) if each.name in values}
        arguments = {name: [value.encode("latin-1") for value in given] for name, given in values["arguments"].items()}
        return cls(**{**known, "arguments": arguments})

    def with_arguments_of(self, payload: Mapping[str, Any]) -> VisibleRequest:
        """This request, with the arguments of an unsigned token if it has none itself.

        Anyone can make such a token, and give whatever arguments they like in an address too. Headers and cookies can
        identify a user, and are never taken from such a token. Raises TokenError for a malformed payload.
        """
        if self.arguments or "arguments" not in payload:
            return self
        return replace(self, arguments=_read_arguments(payload["arguments"]))

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any], arrived: VisibleRequest) -> VisibleRequest:
        """The request that arrived, with the arguments, cookies and headers that a signed token's payload remembers.

        What the payload leaves out stays as it arrived: a Python client mints bare tokens and puts the arguments into
        the socket's address. Raises TokenError when the payload has another shape.
        """
        cookies = _text_dict(payload["cookies"], "cookies") if "cookies" in payload else arrived.cookies
        headers = _text_dict(payload["headers"], "headers") if "headers" in payload else arrived.headers
        arguments = _read_arguments(payload["arguments"]) if "arguments" in payload else arrived.arguments
        if "cookies" in payload and "headers" in payload:
            _restore_cookie_header(headers, cookies)
        return replace(arrived, arguments=arguments, cookies=cookies, headers=headers)


@dataclass(frozen=True)
class RequestFilter:
    """Which headers and cookies pass: the included ones if they are listed, otherwise all but the excluded.

    Header names are compared without case, cookie names as they are. What is hidden never passes: it proves to the
    server who the user is. Hidden header names are given in lower case; a hidden cookie also hides those whose names
    begin with its own.
    """

    include_headers: Collection[str] | None = None
    exclude_headers: Collection[str] | None = None
    include_cookies: Collection[str] | None = None
    exclude_cookies: Collection[str] | None = None
    hidden_headers: Collection[str] = ()
    hidden_cookies: Collection[str] = ()

    def passes_header(self, name: str) -> bool:
        """Whether an application may see this header."""
        lower = name.lower()
        if lower in _OUR_HEADERS or lower in self.hidden_headers:
            return False
        if lower == "cookie":
            # The raw header would show excluded cookies. Unless included explicitly, it is rewritten from the rest.
            return lower in _lowered(self.include_headers) and not self.hidden_cookies
        if self.include_headers is None:
            return lower not in _lowered(self.exclude_headers)
        return lower in _lowered(self.include_headers)

    def passes_cookie(self, name: str) -> bool:
        """Whether an application may see this cookie."""
        if self.hides_cookie(name):
            return False
        if self.include_cookies is None:
            return name not in (self.exclude_cookies or ())
        return name in self.include_cookies

    def hides_cookie(self, name: str) -> bool:
        """Whether this cookie says who the user is, to this server or to another one of ours on the same host."""
        return name.startswith((*_OUR_COOKIES, *self.hidden_cookies))


def _lowered(names: Collection[str] | None) -> set[str]:
    return {name.lower() for name in names or ()}


def _without_ours(arguments: Mapping[str, list[bytes]]) -> dict[str, list[bytes]]:
    return {name: list(values) for name, values in arguments.items() if not name.startswith(_OUR_ARGUMENTS)}


def _cookie_header(cookies: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def _restore_cookie_header(headers: dict[str, str], cookies: Mapping[str, str]) -> None:
    if cookies and "Cookie" not in headers:
        headers["Cookie"] = _cookie_header(cookies)


def _text_dict(value: Any, name: str) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise TokenError(f"the token's {name} are not names and texts")
    return dict(value)


def _read_arguments(value: Any) -> dict[str, list[bytes]]:
    if not isinstance(value, dict):
        raise TokenError("the token's arguments are not names and lists of values")
    return _without_ours({name: _argument_values(values) for name, values in value.items()})


def _argument_values(values: Any) -> list[bytes]:
    if not isinstance(values, list):
        raise TokenError("the token's arguments are not names and lists of values")
    # Tokens made by hand contain text; applications expect bytes.
    found = [item.encode("utf-8", "replace") if isinstance(item, str) else item for item in values]
    if not all(isinstance(item, bytes) for item in found):
        raise TokenError("the token's arguments are not names and lists of values")
    return found
