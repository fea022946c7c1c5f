from __future__ import annotations

import pytest

from app_server.security.hostnames import ascii_host, bracketed
from app_server.security.origins import OriginPolicy

# What Chromium's and Firefox's `new URL("https://" + host).hostname` give.
IN_BROWSERS = {
    "faß.de": "xn--fa-hia.de",
    "FAẞ.de": "xn--fa-hia.de",
    "fass.de": "fass.de",
    "βόλος.com": "xn--nxasmm1c.com",
    "βόλοσ.com": "xn--nxasmq6b.com",
    "Bücher.Example": "xn--bcher-kva.example",
    "bu\u0308cher.example": "xn--bcher-kva.example",
    "日本語。ＪＰ": "xn--wgv71a119e.jp",
    "☃.net": "xn--n3h.net",
    "i❤.ws": "xn--i-7iq.ws",
    "نامه\u200cای.com": "xn--mgba3gch31f060k.com",
    "xn--fa-hia.de": "xn--fa-hia.de",
    "my_host.intra": "my_host.intra",
}


@pytest.mark.parametrize(("host", "expected"), IN_BROWSERS.items())
def test_name_is_written_as_in_browsers(host: str, expected: str) -> None:
    assert ascii_host(host) == expected


@pytest.mark.parametrize("host", ["a\u2028b.de", "\ud800.de"])
def test_what_browsers_refuse_is_no_name(host: str) -> None:
    with pytest.raises(ValueError, match="is not a host name"):
        ascii_host(host)


@pytest.mark.parametrize(
    ("entry", "origin", "allowed"),
    [
        ("faß.de", "https://xn--fa-hia.de", True),
        ("faß.de", "https://fass.de", False),
        ("fass.de", "https://xn--fa-hia.de", False),
        ("*.faß.de:8443", "https://a.xn--fa-hia.de:8443", True),
        ("βόλος.com", "https://xn--nxasmm1c.com", True),
        ("βόλος.com", "https://xn--nxasmq6b.com", False),
    ],
)
def test_origin_is_that_of_the_name_that_was_written(entry: str, origin: str, allowed: bool) -> None:
    assert OriginPolicy.from_hosts([entry]).allows(origin) is allowed


def test_name_of_ascii_is_only_lowered() -> None:
    assert ascii_host("*.EXAMPLE.com") == "*.example.com"
    assert ascii_host("") == ""


def test_label_of_ascii_beside_another_stays() -> None:
    assert ascii_host("App.Bücher.example") == "app.xn--bcher-kva.example"


def test_what_is_no_name_is_shown_with_its_fault() -> None:
    with pytest.raises(ValueError, match=r"^'a\\u2028b\.de' is not a host name: .+"):
        ascii_host("a\u2028b.de")


@pytest.mark.parametrize(
    ("host", "spelled"), [("example.org", "example.org"), ("127.0.0.1", "127.0.0.1"), ("::1", "[::1]")]
)
def test_ipv6_address_has_brackets_in_a_url(host: str, spelled: str) -> None:
    assert bracketed(host) == spelled
