"""What each type of words accepts, and how it refuses the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.deployment.spec import words
from app_server.deployment.spec.readers import quoted
from tests.unit.deployment.spec.typed import fault, read


@pytest.mark.parametrize("word", ["1", "65535", 80])
def test_limits_of_a_whole_number_are_included(word: object) -> None:
    assert read(words.Port, word) == int(str(word))


@pytest.mark.parametrize("word", ["0", "65536", "-1", "080", "0x50", "8_0", "1e3", "80.0", "+80", " 80", "٨٠", "80\n"])
def test_what_is_no_port(word: str) -> None:
    assert fault(words.Port, word) == f"expected a whole number from 1 to 65535, not {word!r}"


@given(st.integers(1, 65535))
def test_every_port_is_read_as_it_is_written(port: int) -> None:
    assert read(words.Port, str(port)) == port


@pytest.mark.parametrize(
    ("word", "host"),
    [
        ("Tools.Example.ORG", "tools.example.org"),
        ("localhost", "localhost"),
        ("_dmarc.example.org", "_dmarc.example.org"),
        ("a" * 63, "a" * 63),
        (".".join(["a" * 63] * 3 + ["b" * 61]), ".".join(["a" * 63] * 3 + ["b" * 61])),
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8:0::1]", "2001:db8::1"),
        ("::1", "::1"),
    ],
)
def test_hosts(word: str, host: str) -> None:
    assert read(words.Host, word) == host


@pytest.mark.parametrize(
    "word",
    [
        "", "a b", "a..b", ".a", "-a.org", "a-.org", "a.-b", "a/b", "a:80", "http://a", "*.a.org", "a;b", "1.2.3",
        "256.0.0.1", "1", "fe80::1%eth0", "a" * 64, "a\n", "a" * 63 + "." + ".".join(["b" * 63] * 3),
    ],
)  # fmt: skip
def test_what_is_no_host(word: str) -> None:
    assert fault(words.Host, word) == f"expected a host's name or address, not {quoted(word)}"


@pytest.mark.parametrize(
    ("word", "origin"),
    [
        ("www.example.org", "https://www.example.org"),
        ("HTTPS://WWW.example.org:443/", "https://www.example.org"),
        ("http://a.org:80", "http://a.org"),
        ("http://a.org:443", "http://a.org:443"),
        ("a.org:8443", "https://a.org:8443"),
        ("http://[::1]:5006", "http://[::1]:5006"),
    ],
)
def test_origins(word: str, origin: str) -> None:
    assert read(words.Origin, word) == origin


@pytest.mark.parametrize(
    "word",
    ["https://a.org/path", "https://a.org?x", "https://a.org#x", "ftp://a.org", "https://me@a.org", "https://",
     "a.org:99999", "https://[::1", "*", "https://*.a.org", ""],
)  # fmt: skip
def test_what_is_no_origin(word: str) -> None:
    expected = f"expected an origin such as https://www.example.org, without a path, not {word!r}"
    assert fault(words.Origin, word) == expected


@pytest.mark.parametrize(
    ("word", "network"),
    [("10.0.0.0/8", "10.0.0.0/8"), ("10.0.0.1", "10.0.0.1/32"), ("2001:DB8::/32", "2001:db8::/32"),
     ("::1", "::1/128"), ("0.0.0.0/0", "0.0.0.0/0")],
)  # fmt: skip
def test_networks(word: str, network: str) -> None:
    assert read(words.Network, word) == network


@pytest.mark.parametrize("word", ["10.0.0.1/8", "10.0.0.0/33", "10.0.0", "fe80::%eth0/64", "private", "", "8"])
def test_what_is_no_network(word: str) -> None:
    assert fault(words.Network, word) == f"expected an address or a network such as 10.0.0.0/8, not {word!r}"


@pytest.mark.parametrize(
    ("word", "url"),
    [
        ("https://a.org", "https://a.org"),
        ("http://127.0.0.1:4180/oauth2/auth?x=1", "http://127.0.0.1:4180/oauth2/auth?x=1"),
        ("https://Bücher.example:8443/Pfad", "https://xn--bcher-kva.example:8443/Pfad"),
    ],
)
def test_urls(word: str, url: str) -> None:
    assert read(words.Url, word) == url
    assert read(words.UrlOrPath, word) == url


@pytest.mark.parametrize(
    "word",
    ["/path", "a.org", "ftp://a.org", "https://a.org#x", "https://me@a.org", "https://a.org/a b", "https://a.org/\"",
     "https://a.org/$x", "https://a.org/{x}", "https://a.org:0", "https://a.org:70000", "https:///x"],
)  # fmt: skip
def test_what_is_no_url(word: str) -> None:
    assert fault(words.Url, word) == f"expected an address that begins with http:// or https://, not {word!r}"


def test_a_path_of_the_site_is_taken_where_either_is_meant() -> None:
    assert read(words.UrlOrPath, "/oauth2/sign_in") == "/oauth2/sign_in"
    assert read(words.UrlOrPath, "/" + "a" * 200) == "/" + "a" * 200
    expected = "expected an address that begins with http:// or https://, or a path, not "
    for word in ("sign_in", "/a b", "/a?b", "/" + "a" * 201):
        assert fault(words.UrlOrPath, word) == expected + quoted(word)


ACCEPTED = [
    (words.Name, ["a", "a_b-9", "a" * 32]),
    (words.AppName, ["A", "my_App-9", "a" * 24]),
    (words.User, ["_apt", "www-data", "a" * 32]),
    (words.Line, ["x", "ä ö", "a" * 1000]),
    (words.Word, ["", "ä ö", "a" * 1000]),
    (words.FilePath, ["app.py", "/a/b", "a b", "a" * 4000, "../a"]),
    (words.AbsolutePath, ["/a", "/a b/c", "/a..b", "/" + "a" * 4000]),
    (words.UrlPath, ["", "/", "/tools", "/a/b.c_d~e-f/"]),
    (words.HeaderName, ["X-Frame-Options", "a" * 100]),
    (words.HeaderValue, ["x", "default-src 'self'; a \"b\"", "x" * 2002]),
    (words.Version, ["1.26", "1.26.3", "1.2.3.4", "2024.1"]),
    (words.ProxyVersion, ["detect", "1.26.3"]),
    (words.Variable, ["A", "_a1", "a" * 100]),
    (words.Image, ["a", "registry.example.org:5000/app:1.2", "a@sha256:" + "0" * 64]),
    (words.Constraint, ["node.labels.apps == yes", "node.role==manager", "engine.labels.os != a/b"]),
    (words.Email, ["me@example.org", "a+b@c"]),
    (words.SshServer, ["gateway", "me@gateway", "me@10.0.0.1:2222", "me@[::1]:65535", "[fe80::1]"]),
    (words.Mode, ["640", "0640", "0777"]),
]

REFUSED = [
    (words.Name, "a name of a-z, 0-9, '_' and '-' that begins with a letter, at most 32",
     ["", "A", "9a", "-a", "a.b", "a" * 33, "a\n"]),
    (words.AppName, "a name of letters, digits, '_' and '-' that begins with a letter, at most 24",
     ["", "9", "_a", "a.b", "ä", "a" * 25]),
    (words.User, "the name of a system user", ["", "Root", "9a", "a b", "a" * 33, "a$"]),
    (words.Line, "text on one line without control characters",
     ["", "a\nb", "a\tb", "a\x00", "a\x85", "a\u2028b", "\ufeffa", "a" * 1001]),
    (words.Word, "text without line breaks and control characters", ["a\nb", "a\x7f", "a" * 1001]),
    (words.FilePath, "the path of a file", ["", "-rf", " a", "a ", "a\nb", "a" * 4001]),
    (words.AbsolutePath, "a path that begins with / and has no '..'",
     ["", "/", "a", "~/a", "/a/../b", "/..", "/a ", "/a\nb", "/" + "a" * 4001]),
    (words.UrlPath, "a path such as /tools, of letters, digits and '/._~-'",
     ["tools", "//", "/a//b", "/a b", "/..", "/a/./b", "/a?b", "/a%20b", "/ä"]),
    (words.HeaderName, "the name of a header, such as X-Frame-Options", ["", "X Y", "X:", "X_Y", "a" * 101]),
    (words.HeaderValue, "a header's value: printable ASCII", ["", " a", "a ", "a\r\nb", "ä", "x" * 2003]),
    (words.Version, "a version such as 1.26.3", ["1", "detect", "1.26.", "v1.2", "1.2.3.4.5", "12345.1"]),
    (words.ProxyVersion, "a version such as 1.26.3, or detect", ["1", "newest", "Detect"]),
    (words.Variable, "the name of an environment variable", ["", "9A", "A-B", "A=B", "a" * 101]),
    (words.Image, "the name of an image, such as registry.example.org/app:1.2",
     ["", "App", "-a", "a b", "a:", "a@sha256:0", "a" * 253]),
    (words.Constraint, "a constraint of Swarm's, such as `node.labels.apps == yes`",
     ["node.labels.a = b", "service.a == b", "node. == b", "node.a == b c", "node.a  == b"]),
    (words.Email, "an e-mail address", ["me", "@a", "me@", "a b@c", "me@a@b", "a" * 65 + "@b"]),
    (words.SshServer, "USER@HOST or HOST, perhaps with :PORT",
     ["", "-oProxyCommand=x", "me@-x", "Me@a", "a:0", "a:65536", "a:022", "me@a b", "::1", "me@a;b"]),
    (words.Mode, "permissions such as 0640", ["64", "0o640", "1640", "888", "rw-", "00640"]),
]  # fmt: skip


def test_numbers_and_switches_are_text_where_text_is_wanted() -> None:
    assert [read(words.Word, value) for value in (5, 1.5, True, False)] == ["5", "1.5", "yes", "no"]


@pytest.mark.parametrize(("value", "shown"), [({}, "a block with keys"), ([1], "a list"), ((), "a list")])
def test_a_block_or_a_list_is_no_word(value: object, shown: str) -> None:
    assert fault(words.Port, value) == f"expected a whole number from 1 to 65535, not {shown}"


@pytest.mark.parametrize(
    "word",
    ["off", "valkey", "/var/lib/sessions", "/data/all of them", "redis://redis.example.org:6379/0", "unix:///run/r"],
)
def test_places_of_saved_sessions(word: str) -> None:
    assert read(words.StorePlace, word) == word


@pytest.mark.parametrize("word", ["saved", "./saved", "~/saved", "saved/sessions", "../saved", "/srv/../saved", ""])
def test_relative_folder_is_not_a_place_of_saved_sessions(word: str) -> None:
    expected = "off, valkey, a folder's absolute path, or an address such as redis://redis.example.org:6379"
    assert fault(words.StorePlace, word) == f"expected {expected}, not {quoted(word)}"
