"""What a program says of itself to open a session."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from bokeh.util.token import check_session_id_signature, check_token_signature, generate_session_id, get_session_id

from app_server.client.address import parse_address
from app_server.client.errors import ClientError
from app_server.client.opening import Identity, Opening, Signer, identify, request_headers, signer_of
from app_server.errors import OperatorError
from app_server.security.tokens import read_token

SECRET = "a secret for these tests alone, long enough"
NOW_S = 1_700_000_000.5
PLAIN = parse_address("http://localhost/a")


def test_environment_of_a_server_that_signs_makes_a_client_that_signs() -> None:
    signer = signer_of({"BOKEH_SECRET_KEY": SECRET, "BOKEH_SIGN_SESSIONS": "yes"})
    identity = identify(None, None, signer)
    assert check_session_id_signature(identity.session_id, secret_key=SECRET.encode(), signed=True)
    assert check_token_signature(identity.token(NOW_S), secret_key=SECRET.encode(), signed=True)


@pytest.mark.parametrize("environ", [{}, {"BOKEH_SIGN_SESSIONS": "no", "BOKEH_SECRET_KEY": SECRET}])
def test_nothing_is_signed_unless_asked_for(environ: dict[str, str]) -> None:
    assert not signer_of(environ).signed


def test_secret_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET + "\n")
    signer = signer_of({"BOKEH_SECRET_KEY_FILE": str(tmp_path / "key"), "BOKEH_SIGN_SESSIONS": "yes"})
    assert signer.secret == SECRET.encode()


def test_signing_without_a_secret_is_the_operators_error() -> None:
    with pytest.raises(OperatorError, match="BOKEH_SECRET_KEY"):
        signer_of({"BOKEH_SIGN_SESSIONS": "yes"})


def test_other_settings_of_a_server_do_not_matter_to_a_client() -> None:
    assert signer_of({"BOKEH_SSL_CERTFILE": "/nowhere", "BOKEH_XSRF_COOKIES": "perhaps"}) == Signer()


def test_token_is_good_for_five_minutes() -> None:
    token = Identity("abc", Signer()).token(NOW_S)
    assert get_session_id(token) == "abc"
    assert read_token(Signer(), token).expires_at == 1_700_000_300


def test_token_that_was_given_names_the_session_and_needs_no_secret() -> None:
    given = Identity(str(generate_session_id(SECRET.encode(), True)), Signer(SECRET.encode(), True)).token(NOW_S)
    identity = identify(None, given, Signer())
    assert identity.token(NOW_S + 1000) == given
    assert identity.session_id == get_session_id(given)


def test_token_and_id_of_two_sessions_contradict_each_other() -> None:
    with pytest.raises(ClientError, match="session_id: the token is that of another session. Give one of the two."):
        identify("other", Identity("abc", Signer()).token(NOW_S), Signer())


def test_unreadable_token_is_refused() -> None:
    with pytest.raises(ClientError, match="token: the token cannot be read: the token is not JSON"):
        identify(None, "abcd", Signer())


def test_secrets_are_not_told_by_repr() -> None:
    opening = Opening(PLAIN, Identity("abc", Signer(SECRET.encode(), True), "a.token"), {"Authorization": "hush"})
    assert not any(word in repr(opening) for word in (SECRET, "a.token", "hush"))


def test_cookies_join_those_of_a_header() -> None:
    assert request_headers(PLAIN, {"cookie": "a=1", "X": "y"}, {"b": "2", "c": "3"}) == {
        "X": "y",
        "Cookie": "a=1; b=2; c=3",
    }


def test_header_of_the_caller_counts_before_the_password_of_the_address() -> None:
    address = parse_address("http://ada:love@localhost/a")
    assert request_headers(address, None, None) == {"Authorization": "Basic YWRhOmxvdmU="}
    assert request_headers(address, {"Authorization": "Bearer x"}, None) == {"Authorization": "Bearer x"}


@pytest.mark.parametrize(
    ("headers", "cookies", "message"),
    [
        ({"X": "a\r\nEvil: b"}, None, "X: a header holds a line feed"),
        (None, {"a": "b; evil=1"}, "cookies: a cookie holds a separator or a line feed. Quote its value."),
    ],
)
def test_header_that_would_break_the_request_is_refused(
    headers: dict[str, str] | None, cookies: dict[str, str] | None, message: str
) -> None:
    with pytest.raises(ClientError) as refused:
        request_headers(PLAIN, headers, cookies)
    assert str(refused.value) == message


def test_certificates_are_checked_unless_told_otherwise() -> None:
    address, identity = parse_address("https://localhost/a"), Identity("abc", Signer())
    checked, unchecked = Opening(address, identity).tls(), Opening(address, identity, verify=False).tls()
    assert checked is not None and unchecked is not None
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert (unchecked.verify_mode, unchecked.check_hostname) == (ssl.CERT_NONE, False)
    own = ssl.create_default_context()
    assert Opening(address, identity, verify=own).tls() is own
    assert Opening(PLAIN, identity).tls() is None


def test_file_that_holds_no_certificates_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    path.write_text("no certificate")
    with pytest.raises(ClientError, match="cannot be read as certificates") as refused:
        Opening(parse_address("https://localhost/a"), Identity("abc", Signer()), verify=str(path)).tls()
    assert refused.value.where == str(path)
