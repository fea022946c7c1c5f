"""The allow-list of origins."""

from __future__ import annotations

import pytest
from bokeh.server.util import check_allowlist, create_hosts_allowlist
from hypothesis import given
from hypothesis import strategies as st

from app_server.errors import OperatorError
from app_server.security.origins import OriginPolicy


def allows(entry: str, origin: str | None) -> bool:
    return OriginPolicy.from_hosts([entry]).allows(origin)


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("example.com", "http://example.com"),
        ("example.com", "https://example.com"),
        ("example.com", "http://example.com:80"),
        ("example.com", "https://example.com:443"),
        ("example.com:80", "http://example.com"),
        ("example.com:443", "https://example.com"),
        ("example.com:5006", "http://example.com:5006"),
        ("Example.COM:5006", "http://eXample.com:5006"),
        ("*", "http://anywhere.at.all:1234"),
        ("*", "null"),
        ("*:5006", "https://anywhere.at.all:5006"),
        ("*:*", "https://anywhere.at.all:5006"),
        ("example.com:*", "http://example.com:1234"),
        ("*.example.com", "http://app.example.com"),
        ("192.168.*.*:5006", "http://192.168.0.7:5006"),
        ("localhost:5006", "http://localhost:5006"),
        ("[::1]:5006", "http://[::1]:5006"),
        ("[0:0::1]:5006", "http://[::1]:5006"),
        ("[2001:DB8::a]", "https://[2001:db8::a]"),
        ("bücher.example", "https://xn--bcher-kva.example"),
        ("my_host:5006", "http://my_host:5006"),
        ("localhost", "capacitor://localhost"),
    ],
)
def test_an_entry_lets_its_origin_in(entry: str, origin: str) -> None:
    assert allows(entry, origin)


@pytest.mark.parametrize(
    ("entry", "origin"),
    [
        ("example.com", "http://example.com:5006"),
        ("example.com:443", "http://example.com"),
        ("example.com:80", "https://example.com:8443"),
        ("example.com", "http://example.com.evil.net"),
        ("example.com", "http://evilexample.com"),
        ("*.example.com", "http://example.com"),
        ("*.example.com", "http://a.b.example.com"),
        ("*:5006", "http://example.com"),
        ("*:*", "null"),
        ("example.com", "null"),
        ("example.com", ""),
        ("example.com", "example.com"),
        ("example.com", "http://"),
        ("example.com", "http://user@example.com"),
        ("example.com", "http://example.com/path"),
        ("example.com", "http://example.com\\.evil.net"),
        ("example.com", "http://example.com:80 http://evil.net"),
        ("example.com:5006", "http://example.com:99999"),
        ("[::1]:5006", "http://[::2]:5006"),
        ("[::1]:5006", "http://::1:5006"),
        ("[::1]:5006", "http://[zz]:5006"),
        ("a.b", "http://a..b"),
    ],
)
def test_an_entry_keeps_other_origins_out(entry: str, origin: str) -> None:
    assert not allows(entry, origin)


def test_programs_without_an_origin_are_let_in_unless_they_are_not_wanted() -> None:
    assert OriginPolicy.from_hosts(["localhost:5006"]).allows(None)
    assert not OriginPolicy.from_hosts(["localhost:5006"], allow_missing=False).allows(None)


def test_an_empty_list_lets_no_page_in() -> None:
    policy = OriginPolicy.from_hosts([])
    assert not policy.allows("http://localhost")
    assert policy.allows(None)


NO_HOST = "has no valid host. A * means one whole label: *.example.com, 192.168.*.*."


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        ("", NO_HOST),
        (":5006", NO_HOST),
        ("[::1", NO_HOST),
        ("ex*.com", NO_HOST),
        ("http://example.com", "is a URL. Write only the host, such as example.com or example.com:5006."),
        ("example.com/a", "is a URL. Write only the host, such as example.com or example.com:5006."),
        ("[::1]:50:06", "has no valid port (50:06 after the colon). Write 1 to 65535, or *."),
        ("[::1]]:5006", "has something other than a port after the bracket. Write [::1]:5006."),
        ("host:none", "has no valid port (none after the colon). Write 1 to 65535, or *."),
        ("host:", "has no valid port (nothing after the colon). Write 1 to 65535, or *."),
        ("host:0", "has no valid port (0 after the colon). Write 1 to 65535, or *."),
        ("host:70000", "has no valid port (70000 after the colon). Write 1 to 65535, or *."),
        ("host:80:90", "has too many colons. Write an IPv6 address in brackets: [::1]:5006."),
        ("::1:5006", "has too many colons. Write an IPv6 address in brackets: [::1]:5006."),
        ("[::1]5006", "has something other than a port after the bracket. Write [::1]:5006."),
    ],
)
def test_an_entry_that_is_no_host_is_the_operators_error(entry: str, fault: str) -> None:
    with pytest.raises(OperatorError) as caught:
        OriginPolicy.from_hosts([entry])
    assert str(caught.value) == f"--allow-websocket-origin: {entry!r} {fault}"


def test_the_hint_for_a_refused_origin_names_the_setting() -> None:
    policy = OriginPolicy.from_hosts(["localhost:5006"])
    assert policy.hint("https://app.example.com:8443") == (
        "To let its pages connect, start with --allow-websocket-origin=app.example.com:8443"
        " or set BOKEH_ALLOW_WS_ORIGIN=app.example.com:8443."
    )
    assert policy.hint("null") == (
        "Only --allow-websocket-origin=* allows such an origin, and then every other one too."
    )


labels = st.sampled_from(["a", "b", "example", "com", "192", "0"])
hosts = st.lists(labels, min_size=1, max_size=4).map(".".join)
patterns = st.lists(labels | st.just("*"), min_size=1, max_size=4).map(".".join)
ports = st.none() | st.sampled_from([80, 81, 5006])


@given(patterns, ports | st.just("*"), hosts, ports)
def test_http_origins_match_as_with_the_stock_server(
    pattern: str, pattern_port: int | str | None, host: str, port: int | None
) -> None:
    entry = pattern if pattern_port is None else f"{pattern}:{pattern_port}"
    netloc = host if port is None else f"{host}:{port}"
    # Stock matches any port, but does not let one ask for it.
    entries = [entry] if pattern_port == "*" else create_hosts_allowlist([entry], None)
    assert allows(entry, f"http://{netloc}") == check_allowlist(netloc, entries)


@given(st.text())
def test_no_origin_header_raises(origin: str) -> None:
    policy = OriginPolicy.from_hosts(["localhost:5006"])
    assert policy.allows(origin) in (True, False)
    assert policy.allows("http://" + origin) in (True, False)
    assert policy.hint(origin)


@given(st.text())
def test_no_entry_raises_anything_but_an_operators_error(entry: str) -> None:
    try:
        OriginPolicy.from_hosts([entry])
    except OperatorError as error:
        assert error.hint


@pytest.mark.parametrize(
    ("entry", "origin", "allowed"),
    [
        ("example.com:80", "https://example.com", True),
        ("example.com:80", "https://example.com:443", True),
        ("example.com:443", "https://example.com:80", False),
        ("example.com:80", "https://example.com:80", True),
        ("example.com:443", "wss://example.com", True),
        ("example.com:443", "ws://example.com", False),
        ("example.com:65535", "http://example.com:65535", True),
        ("example.com:1", "http://example.com:1", True),
        ("a" * 63 + ".com", "http://" + "a" * 63 + ".com", True),
        ("example.com", " http://example.com ", True),
        (" example.com ", "http://example.com", True),
        ("*.*", "http://example.com", True),
        ("*.*", "http://localhost", False),
        ("[::1]", "http://[::1]", True),
        ("[::1]:*", "http://[::1]:5006", True),
    ],
)
def test_ports_and_labels_of_an_origin(entry: str, origin: str, allowed: bool) -> None:
    assert allows(entry, origin) is allowed


@pytest.mark.parametrize(
    "entry", ["a" * 64 + ".com", "host:65536", "host:000080", "host:١", "host:-1", "a..b", "[]", "*a"]
)
def test_entry_beyond_the_limits_is_no_host(entry: str) -> None:
    with pytest.raises(OperatorError):
        OriginPolicy.from_hosts([entry])


def test_several_entries_let_each_of_their_origins_in() -> None:
    policy = OriginPolicy.from_hosts(["a.example", "b.example:5006"])
    assert [policy.allows(f"http://{host}") for host in ("a.example", "b.example:5006", "b.example", "c.example")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert OriginPolicy.from_hosts(["a.example", " * "]).allow_any


def test_star_lets_programs_without_an_origin_in_too() -> None:
    assert OriginPolicy.from_hosts(["*"], allow_missing=False).allows(None)


@pytest.mark.parametrize(("origin", "host"), [
    ("https://app.example.com", "app.example.com"), (" HTTP://App:80 ", "app:80"), ("http://[::1]:5006", "[::1]:5006"),
])  # fmt: skip
def test_hint_names_the_host_as_the_setting_wants_it(origin: str, host: str) -> None:
    assert OriginPolicy().hint(origin) == (
        f"To let its pages connect, start with --allow-websocket-origin={host} or set BOKEH_ALLOW_WS_ORIGIN={host}."
    )


def test_without_an_origin_only_a_star_helps() -> None:
    hint = "Only --allow-websocket-origin=* allows such an origin, and then every other one too."
    assert OriginPolicy().hint(None) == OriginPolicy().hint("") == hint


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://example.com", "example.com", True),
        ("https://example.com", "example.com", True),
        ("https://example.com", "Example.com:443", True),
        ("http://example.com:5006", "example.com:5006", True),
        ("https://example.com:8443", "example.com:8443", True),
        ("http://[::1]:5006", "[0::1]:5006", True),
        ("http://example.com:5006", "example.com", False),
        ("http://example.com", "example.com:5006", False),
        ("http://evil.example", "example.com", False),
        ("http://example.com.evil.example", "example.com", False),
        ("null", "example.com", False),
        ("http://example.com", "", False),
        ("http://example.com", "example.com/evil", False),
        ("http://example.com", "evil@example.com", False),
    ],
)
def test_pages_of_the_address_that_was_asked_for_are_the_servers_own(origin: str, host: str, same: bool) -> None:
    assert OriginPolicy(same_host=True).allows(origin, host) is same
    assert not OriginPolicy().allows(origin, host)
