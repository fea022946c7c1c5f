"""The words of deploy.yaml: what each type takes, up to its limits, and what it says of all else."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app_server.deployment.spec import base
from app_server.deployment.spec.base import LIST, Model, choice, number, quoted, seconds, whole


class Door(Model):
    """A block for tests."""

    short: ClassVar[str | None] = "width"

    width: Annotated[int, whole(1, 9)] = 3
    colors: Annotated[tuple[base.Name, ...], LIST] = ()


class Locked(Model):
    """A block whose value must not be quoted."""

    refusal: ClassVar[str | None] = "names where the key is"

    key: base.FilePath | None = None


class Plain(Model):
    """A block that no bare value stands for."""

    width: base.Port = 1


def read(kind: Any, value: object) -> Any:
    """What the type makes of a value from YAML."""
    return TypeAdapter(kind).validate_python(value)


def fault(kind: Any, value: object) -> str:
    """What the type says of a value that it does not take."""
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    return caught.value.errors()[0]["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize("word", ["yes", "true", "on", "YES", "On", True])
def test_words_for_yes(word: object) -> None:
    assert read(base.Flag, word) is True


@pytest.mark.parametrize("word", ["no", "false", "off", "NO", "Off", False])
def test_words_for_no(word: object) -> None:
    assert read(base.Flag, word) is False


@pytest.mark.parametrize("word", ["1", "0", "y", "", "yes ", "none", 1])
def test_what_is_neither_yes_nor_no(word: object) -> None:
    assert fault(base.Flag, word) == f"expected yes or no, not {str(word)!r}"


@pytest.mark.parametrize("word", ["1", "65535", 80])
def test_limits_of_a_whole_number_are_included(word: object) -> None:
    assert read(base.Port, word) == int(str(word))


@pytest.mark.parametrize("word", ["0", "65536", "-1", "080", "0x50", "8_0", "1e3", "80.0", "+80", " 80", "٨٠", "80\n"])
def test_what_is_no_port(word: str) -> None:
    assert fault(base.Port, word) == f"expected a whole number from 1 to 65535, not {word!r}"


def test_whole_numbers_without_an_upper_limit_end_somewhere_all_the_same() -> None:
    kind = Annotated[int, whole(-5)]
    assert read(kind, "-5") == -5 and read(kind, str(base.LARGEST)) == base.LARGEST
    assert fault(kind, "-6") == "expected a whole number, at least -5, not '-6'"
    assert fault(kind, str(base.LARGEST + 1)) == f"expected a whole number, at least -5, not '{base.LARGEST + 1}'"


@pytest.mark.parametrize(("word", "value"), [("0.1", 0.1), ("75", 75.0), ("0.100000", 0.1), ("007", 7.0), (3, 3.0)])
def test_durations(word: object, value: float) -> None:
    assert read(Annotated[float, seconds(0.1, 75)], word) == value


@pytest.mark.parametrize("word", ["0.09", "75.000001", "5s", "1m", "-1", "1e1", "inf", "nan", ".5", "5.", "1.0000000"])
def test_what_is_no_duration(word: str) -> None:
    expected = f"expected a number of seconds from 0.1 to 75, not {word!r}"
    assert fault(Annotated[float, seconds(0.1, 75)], word) == expected


def test_numbers_without_an_upper_limit() -> None:
    assert read(Annotated[float, number(0.5)], "999999999999.5") == 999999999999.5
    assert fault(Annotated[float, number(0.5)], "0.4") == "expected a number, at least 0.5, not '0.4'"
    assert fault(Annotated[float, seconds(1)], "0") == "expected a number of seconds, at least 1, not '0'"


@given(st.integers(1, 65535))
def test_every_port_is_read_as_it_is_written(port: int) -> None:
    assert read(base.Port, str(port)) == port


@pytest.mark.parametrize("word", ["none", "None", "no", "off", "FALSE", False])
def test_words_for_nothing(word: object) -> None:
    assert read(Annotated[Literal["nginx", "none"], choice()], word) == "none"


@pytest.mark.parametrize("word", ["no", "none", "off", False])
def test_no_is_a_word_only_of_choices_that_can_be_nothing(word: object) -> None:
    shown = "no" if word is False else word
    assert fault(Annotated[Literal["text", "json"], choice()], word) == f"expected one of text, json, not {shown!r}"


def test_choices_take_any_case() -> None:
    assert read(Annotated[Literal["text", "json"], choice()], "JSON") == "json"


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
    assert read(base.Host, word) == host


@pytest.mark.parametrize(
    "word",
    [
        "", "a b", "a..b", ".a", "-a.org", "a-.org", "a.-b", "a/b", "a:80", "http://a", "*.a.org", "a;b", "1.2.3",
        "256.0.0.1", "1", "fe80::1%eth0", "a" * 64, "a\n", "a" * 63 + "." + ".".join(["b" * 63] * 3),
    ],
)  # fmt: skip
def test_what_is_no_host(word: str) -> None:
    assert fault(base.Host, word) == f"expected a host's name or address, not {quoted(word)}"


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
    assert read(base.Origin, word) == origin


@pytest.mark.parametrize(
    "word",
    ["https://a.org/path", "https://a.org?x", "https://a.org#x", "ftp://a.org", "https://me@a.org", "https://",
     "a.org:99999", "https://[::1", "*", "https://*.a.org", ""],
)  # fmt: skip
def test_what_is_no_origin(word: str) -> None:
    expected = f"expected an origin such as https://www.example.org, without a path, not {word!r}"
    assert fault(base.Origin, word) == expected


@pytest.mark.parametrize(
    ("word", "network"),
    [("10.0.0.0/8", "10.0.0.0/8"), ("10.0.0.1", "10.0.0.1/32"), ("2001:DB8::/32", "2001:db8::/32"),
     ("::1", "::1/128"), ("0.0.0.0/0", "0.0.0.0/0")],
)  # fmt: skip
def test_networks(word: str, network: str) -> None:
    assert read(base.Network, word) == network


@pytest.mark.parametrize("word", ["10.0.0.1/8", "10.0.0.0/33", "10.0.0", "fe80::%eth0/64", "private", "", "8"])
def test_what_is_no_network(word: str) -> None:
    assert fault(base.Network, word) == f"expected an address or a network such as 10.0.0.0/8, not {word!r}"


@pytest.mark.parametrize(
    ("word", "url"),
    [
        ("https://a.org", "https://a.org"),
        ("http://127.0.0.1:4180/oauth2/auth?x=1", "http://127.0.0.1:4180/oauth2/auth?x=1"),
        ("https://Bücher.example:8443/Pfad", "https://xn--bcher-kva.example:8443/Pfad"),
    ],
)
def test_urls(word: str, url: str) -> None:
    assert read(base.Url, word) == url
    assert read(base.UrlOrPath, word) == url


@pytest.mark.parametrize(
    "word",
    ["/path", "a.org", "ftp://a.org", "https://a.org#x", "https://me@a.org", "https://a.org/a b", "https://a.org/\"",
     "https://a.org/$x", "https://a.org/{x}", "https://a.org:0", "https://a.org:70000", "https:///x"],
)  # fmt: skip
def test_what_is_no_url(word: str) -> None:
    assert fault(base.Url, word) == f"expected an address that begins with http:// or https://, not {word!r}"


def test_a_path_of_the_site_is_taken_where_either_is_meant() -> None:
    assert read(base.UrlOrPath, "/oauth2/sign_in") == "/oauth2/sign_in"
    assert read(base.UrlOrPath, "/" + "a" * 200) == "/" + "a" * 200
    expected = "expected an address that begins with http:// or https://, or a path, not "
    for word in ("sign_in", "/a b", "/a?b", "/" + "a" * 201):
        assert fault(base.UrlOrPath, word) == expected + quoted(word)


ACCEPTED = [
    (base.Name, ["a", "a_b-9", "a" * 32]),
    (base.AppName, ["A", "my_App-9", "a" * 24]),
    (base.User, ["_apt", "www-data", "a" * 32]),
    (base.Line, ["x", "ä ö", "a" * 1000]),
    (base.Word, ["", "ä ö", "a" * 1000]),
    (base.FilePath, ["app.py", "/a/b", "a b", "a" * 4000, "../a"]),
    (base.AbsolutePath, ["/a", "/a b/c", "/a..b", "/" + "a" * 4000]),
    (base.UrlPath, ["", "/", "/tools", "/a/b.c_d~e-f/"]),
    (base.HeaderName, ["X-Frame-Options", "a" * 100]),
    (base.HeaderValue, ["x", "default-src 'self'; a \"b\"", "x" * 2002]),
    (base.Version, ["1.26", "1.26.3", "1.2.3.4", "2024.1"]),
    (base.ProxyVersion, ["detect", "1.26.3"]),
    (base.Variable, ["A", "_a1", "a" * 100]),
    (base.Image, ["a", "registry.example.org:5000/app:1.2", "a@sha256:" + "0" * 64]),
    (base.Constraint, ["node.labels.apps == yes", "node.role==manager", "engine.labels.os != a/b"]),
    (base.Email, ["me@example.org", "a+b@c"]),
    (base.SshServer, ["gateway", "me@gateway", "me@10.0.0.1:2222", "me@[::1]:65535", "[fe80::1]"]),
    (base.Mode, ["640", "0640", "0777"]),
]
REFUSED = [
    (base.Name, "a name of a-z, 0-9, '_' and '-' that begins with a letter, at most 32",
     ["", "A", "9a", "-a", "a.b", "a" * 33, "a\n"]),
    (base.AppName, "a name of letters, digits, '_' and '-' that begins with a letter, at most 24",
     ["", "9", "_a", "a.b", "ä", "a" * 25]),
    (base.User, "the name of a system user", ["", "Root", "9a", "a b", "a" * 33, "a$"]),
    (base.Line, "text on one line without control characters",
     ["", "a\nb", "a\tb", "a\x00", "a\x85", "a\u2028b", "\ufeffa", "a" * 1001]),
    (base.Word, "text without line breaks and control characters", ["a\nb", "a\x7f", "a" * 1001]),
    (base.FilePath, "the path of a file", ["", "-rf", " a", "a ", "a\nb", "a" * 4001]),
    (base.AbsolutePath, "a path that begins with / and has no '..'",
     ["", "/", "a", "~/a", "/a/../b", "/..", "/a ", "/a\nb", "/" + "a" * 4001]),
    (base.UrlPath, "a path such as /tools, of letters, digits and '/._~-'",
     ["tools", "//", "/a//b", "/a b", "/..", "/a/./b", "/a?b", "/a%20b", "/ä"]),
    (base.HeaderName, "the name of a header, such as X-Frame-Options", ["", "X Y", "X:", "X_Y", "a" * 101]),
    (base.HeaderValue, "a header's value: printable ASCII", ["", " a", "a ", "a\r\nb", "ä", "x" * 2003]),
    (base.Version, "a version such as 1.26.3", ["1", "detect", "1.26.", "v1.2", "1.2.3.4.5", "12345.1"]),
    (base.ProxyVersion, "a version such as 1.26.3, or detect", ["1", "newest", "Detect"]),
    (base.Variable, "the name of an environment variable", ["", "9A", "A-B", "A=B", "a" * 101]),
    (base.Image, "the name of an image, such as registry.example.org/app:1.2",
     ["", "App", "-a", "a b", "a:", "a@sha256:0", "a" * 253]),
    (base.Constraint, "a constraint of Swarm's, such as `node.labels.apps == yes`",
     ["node.labels.a = b", "service.a == b", "node. == b", "node.a == b c", "node.a  == b"]),
    (base.Email, "an e-mail address", ["me", "@a", "me@", "a b@c", "me@a@b", "a" * 65 + "@b"]),
    (base.SshServer, "USER@HOST or HOST, perhaps with :PORT",
     ["", "-oProxyCommand=x", "me@-x", "Me@a", "a:0", "a:65536", "a:022", "me@a b", "::1", "me@a;b"]),
    (base.Mode, "permissions such as 0640", ["64", "0o640", "1640", "888", "rw-", "00640"]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "word"), [(kind, word) for kind, words in ACCEPTED for word in words])
def test_text_is_taken_as_it_is_written(kind: Any, word: str) -> None:
    assert read(kind, word) == word


@pytest.mark.parametrize(
    ("kind", "expected", "word"), [(kind, expected, word) for kind, expected, words in REFUSED for word in words]
)
def test_other_text_is_refused_with_what_was_expected(kind: Any, expected: str, word: str) -> None:
    assert fault(kind, word) == f"expected {expected}, not {quoted(word)}"


def test_numbers_and_switches_are_text_where_text_is_wanted() -> None:
    assert [read(base.Word, value) for value in (5, 1.5, True, False)] == ["5", "1.5", "yes", "no"]


@pytest.mark.parametrize(("value", "shown"), [({}, "a block with keys"), ([1], "a list"), ((), "a list")])
def test_a_block_or_a_list_is_no_word(value: object, shown: str) -> None:
    assert fault(base.Port, value) == f"expected a whole number from 1 to 65535, not {shown}"


def test_a_long_value_is_quoted_in_part_and_on_one_line() -> None:
    assert quoted("a" * 60) == repr("a" * 60)
    assert quoted("a" * 61) == repr("a" * 60) + "..."
    assert quoted("a\nb\x1b") == r"'a\nb\x1b'"


def test_a_single_value_is_a_list_of_one() -> None:
    assert read(Door, {"colors": "red"}).colors == ("red",)
    assert read(Door, {"colors": ["red", "blue"]}).colors == ("red", "blue")
    assert fault(Door, {"colors": {"a": 1}}) == "expected a value or a list of values, not a block with keys"


def test_a_bare_value_stands_for_the_short_field() -> None:
    assert read(Door, "5") == Door(width=5)
    assert fault(Door, "10") == "expected a whole number from 1 to 9, not '10'"


def test_nothing_and_a_key_without_a_value_mean_the_default() -> None:
    assert read(Door, None) == read(Door, {"width": None}) == Door(width=3)


def test_keys_of_the_authors_own_are_skipped_and_others_refused() -> None:
    assert read(Door, {"x-note": [1], "width": "4"}).width == 4
    assert fault(Door, {"widht": "4"}) == "Extra inputs are not permitted"


def test_a_value_that_is_no_block_is_quoted_unless_it_may_be_a_secret() -> None:
    assert fault(Plain, "word") == "expected lines of the form `key: value`, not 'word'"
    assert fault(Plain, ["a"]) == "expected lines of the form `key: value`, not a list"
    assert fault(Locked, "hunter2") == "names where the key is"


def test_schema_takes_the_bare_value_and_keys_of_the_authors_own() -> None:
    schema = TypeAdapter(Door).json_schema()
    bare, block = schema["anyOf"]
    assert (bare["type"], bare["minimum"], bare["maximum"]) == ("integer", 1, 9)
    assert block["patternProperties"] == {"^x-": {}} and block["additionalProperties"] is False


def test_schema_of_a_choice_that_can_be_nothing_takes_false() -> None:
    assert TypeAdapter(Annotated[Literal["nginx", "none"], choice()]).json_schema() == {
        "enum": ["nginx", "none", False]
    }
    assert TypeAdapter(Annotated[Literal["text", "json"], choice()]).json_schema() == {"enum": ["text", "json"]}
