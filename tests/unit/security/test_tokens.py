"""Tokens: equal to bokeh's in both directions, and closed to everything else."""

from __future__ import annotations

import hmac
import json
import os
import sys
import time
import tracemalloc
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from bokeh.util import token as stock
from hypothesis import given
from hypothesis import strategies as st

from app_server.errors import ApplicationError, OperatorError, PeerError
from app_server.security.tokens import (
    MAX_PAYLOAD_BYTES,
    MAX_SESSION_ID_LENGTH,
    MAX_TOKEN_BYTES,
    Signer,
    Token,
    TokenError,
    _is_sealed,
    is_owner_mark,
    mint_session_id,
    mint_token,
    owner_mark,
    read_token,
    verify_session_id,
)

SECRET = b"a secret of the tests"
SIGNED = Signer(SECRET, signed=True)
OPEN = Signer()
EXPIRES_AT = 2_000_000_000
HEAD = {"session_id": "s", "session_expiry": 1}
NAMELESS = "the token names no usable session id"
PAYLOAD = {
    "headers": {"User-Agent": "tests", "Accept-Language": "de, en;q=0.5"},
    "cookies": {"who": "Ärger ☃"},
    "arguments": {"year": [b"2024", b"\xff\x00"], "empty": []},
    "depth": {"list": [1, 2.5, None, True, b""]},
}

signers = pytest.mark.parametrize("signer", [SIGNED, OPEN], ids=["signed", "unsigned"])


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def forge(head: object, *, signer: Signer = OPEN) -> str:
    """A token whose first part says `head`, signed when the signer signs."""
    part = b64(head if isinstance(head, bytes) else json.dumps(head).encode("utf-8"))
    return f"{part}.{signer.signature(part)}" if signer.signed else part


def packed(payload: bytes) -> dict[str, Any]:
    return {"session_id": "s", "session_expiry": EXPIRES_AT, "__bk__zlib_": b64(zlib.compress(payload))}


def reason(text: str, signer: Signer = OPEN) -> str:
    with pytest.raises(TokenError) as caught:
        _ = read_token(signer, text).payload
    assert caught.value.close_code == 1008
    return caught.value.what


# With bokeh.util.token


@signers
def test_stock_accepts_our_session_ids(signer: Signer) -> None:
    session_id = mint_session_id(signer)
    assert stock.check_session_id_signature(session_id, SECRET, signer.signed)
    assert len(session_id.partition(".")[0]) == 44


@signers
def test_we_accept_stock_session_ids(signer: Signer) -> None:
    assert verify_session_id(signer, stock.generate_session_id(SECRET, signer.signed))


@signers
@pytest.mark.parametrize("payload", [None, PAYLOAD], ids=["bare", "payload"])
def test_stock_reads_our_tokens(signer: Signer, payload: dict[str, Any] | None) -> None:
    session_id = mint_session_id(signer)
    text = mint_token(signer, session_id, expires_at=EXPIRES_AT, payload=payload)
    assert stock.check_token_signature(text, SECRET, signer.signed)
    assert stock.get_session_id(text) == session_id
    assert stock.get_token_payload(text) == {"session_expiry": EXPIRES_AT, **(payload or {})}


@signers
@pytest.mark.parametrize("payload", [None, PAYLOAD], ids=["bare", "payload"])
def test_we_read_stock_tokens(signer: Signer, payload: dict[str, Any] | None) -> None:
    session_id = stock.generate_session_id(SECRET, signer.signed)
    before = int(time.time())
    text = stock.generate_jwt_token(session_id, SECRET, signer.signed, payload, expiration=300)
    token = read_token(signer, text)
    assert token.session_id == session_id
    assert before + 300 <= token.expires_at <= time.time() + 300
    assert token.payload == stock.get_token_payload(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text().filter(lambda key: key not in ("session_id", "session_expiry")), json_values))
def test_any_payload_reads_alike_here_and_in_stock(payload: dict[str, Any]) -> None:
    text = mint_token(SIGNED, "abc." + SIGNED.signature("abc"), expires_at=EXPIRES_AT, payload=payload)
    ours = read_token(SIGNED, text).payload
    try:
        theirs = stock.get_token_payload(text)
    except Exception:
        return  # a dict of an application's own that looks like wrapped bytes: stock fails, we leave it alone
    if '"bytes"' not in json.dumps(payload, default=str):
        assert ours == theirs


# What reading gives


@signers
def test_a_minted_token_reads_back(signer: Signer) -> None:
    session_id = mint_session_id(signer)
    text = mint_token(signer, session_id, expires_at=EXPIRES_AT, payload=PAYLOAD)
    token = read_token(signer, text)
    assert (token.session_id, token.expires_at, token.raw) == (session_id, EXPIRES_AT, text)
    assert token.payload == {"session_expiry": EXPIRES_AT, **PAYLOAD}


def test_an_expired_token_still_names_its_session() -> None:
    token = read_token(OPEN, mint_token(OPEN, "abc", expires_at=100))
    assert token.session_id == "abc"
    assert not token.expired(99.9)
    assert token.expired(100)


def test_session_ids_take_their_randomness_from_the_caller() -> None:
    assert mint_session_id(OPEN, choose=lambda letters: letters[0]) == "a" * 44


def test_minting_many_session_ids_repeats_none() -> None:
    assert len({mint_session_id(OPEN) for _ in range(500)}) == 500


def test_the_secret_stays_out_of_representations() -> None:
    token = read_token(SIGNED, mint_token(SIGNED, mint_session_id(SIGNED), expires_at=1, payload=PAYLOAD))
    assert "secret" not in repr(SIGNED) + repr(token).replace("session_id", "")
    assert token.raw not in repr(token)


def test_an_applications_own_dict_named_bytes_stays_text() -> None:
    text = mint_token(OPEN, "abc", expires_at=1, payload={"size": {"bytes": "12 MB!"}, "n": {"bytes": 7}})
    payload = read_token(OPEN, text).payload
    assert payload["size"] == {"bytes": "12 MB!"}
    assert payload["n"] == {"bytes": 7}


def test_signing_without_a_secret_is_the_operators_error() -> None:
    with pytest.raises(OperatorError, match="^BOKEH_SECRET_KEY: sessions should be signed, but there is no"):
        Signer(None, signed=True)


# What is refused


def test_an_unsigned_token_is_refused_where_tokens_are_signed() -> None:
    assert reason(mint_token(OPEN, "abc", expires_at=1), SIGNED) == "the token is not signed"


def test_a_token_signed_with_another_secret_is_refused() -> None:
    other = Signer(b"another", signed=True)
    text = mint_token(other, mint_session_id(other), expires_at=1)
    assert reason(text, SIGNED) == "the token is not signed with this server's secret"


def test_a_signed_token_for_an_unsigned_session_id_is_refused() -> None:
    text = mint_token(SIGNED, "abc", expires_at=1)
    assert reason(text, SIGNED) == "the token's session id is not signed with this server's secret"


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ([1], "the token is not a JSON object"),
        (b"{", "the token is not JSON"),
        (b"\xff\xfe\xfd", "the token is not JSON"),
        (b"[" * 20_000, "the token is not JSON"),
        (b"9" * 20_000, "the token is not JSON"),
        ({}, "the token names no usable session id"),
        ({"session_id": 7, "session_expiry": 1}, NAMELESS),
        ({"session_id": "", "session_expiry": 1}, NAMELESS),
        ({"session_id": "a\nb", "session_expiry": 1}, NAMELESS),
        ({"session_id": "\ud800", "session_expiry": 1}, NAMELESS),
        ({"session_id": "x" * (MAX_SESSION_ID_LENGTH + 1), "session_expiry": 1}, NAMELESS),
        ({"session_id": "s"}, "the token does not say when it expires"),
        ({"session_id": "s", "session_expiry": "1"}, "the token does not say when it expires"),
        ({"session_id": "s", "session_expiry": True}, "the token does not say when it expires"),
        ({"session_id": "s", "session_expiry": 1e9}, "the token does not say when it expires"),
        ({"session_id": "s", "session_expiry": 10**40}, "the token does not say when it expires"),
        ({**HEAD, "__bk__zlib_": 5}, "the token's payload is not text"),
        ({**HEAD, "__bk__zlib_": "!!!"}, "the payload is not base64url"),
        ({**HEAD, "__bk__zlib_": "AAAA"}, "the payload is not compressed correctly"),
        (packed(b"[1]"), "the payload is not a JSON object"),
        (packed(b"no"), "the payload is not JSON"),
        (packed(b'{"a":' * 100_000), "the payload is not JSON"),
    ],
)
def test_a_malformed_token_is_refused_with_its_reason(head: object, why: str) -> None:
    assert reason(forge(head)) == why


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "the token is not JSON"),
        ("a", "the token is not base64url"),
        ("a b", "the token is not base64url"),
        ("tökén", "the token is not ASCII"),
        ("A" * 70_000, "the token has 70000 characters, more than the 65536 allowed"),
    ],
)
def test_text_that_is_no_token_is_refused(text: str, why: str) -> None:
    assert reason(text) == why


def test_a_payload_that_is_cut_off_is_refused() -> None:
    compressed = zlib.compress(b'{"a": 1}')
    for damaged in (compressed[:-5], compressed + b"more"):
        head = {**HEAD, "__bk__zlib_": b64(damaged)}
        assert reason(forge(head)) == "the payload is incomplete, or has something after its end"


def test_a_zip_bomb_is_refused_within_bounded_memory() -> None:
    bomb = forge(packed(b" " * (30 * 1024 * 1024)))
    assert len(bomb) < 65536
    token = read_token(OPEN, bomb)
    tracemalloc.start()
    with pytest.raises(TokenError, match="the payload unpacks to more than the 1048576 bytes allowed"):
        _ = token.payload
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * MAX_PAYLOAD_BYTES


def test_the_payload_stays_packed_until_it_is_looked_at() -> None:
    head = {**HEAD, "__bk__zlib_": "not base64url!"}
    assert read_token(OPEN, forge(head)).session_id == "s"


@pytest.mark.parametrize(
    ("session_id", "why"),
    [("", "empty"), ("abc", "no signature"), ("abc.", "empty signature"), ("abc.☃", "not ASCII"), ("a\0.x", "a zero")],
)
def test_a_session_id_not_signed_by_us_is_refused(session_id: str, why: str) -> None:
    assert not verify_session_id(SIGNED, session_id), why


def test_every_changed_character_breaks_the_signature() -> None:
    text = mint_token(SIGNED, mint_session_id(SIGNED), expires_at=EXPIRES_AT)
    for index, letter in enumerate(text):
        changed = text[:index] + ("B" if letter != "B" else "C") + text[index + 1 :]
        with pytest.raises(TokenError):
            read_token(SIGNED, changed)


# What minting refuses


def test_a_payload_that_names_the_session_id_is_the_applications_error() -> None:
    with pytest.raises(ApplicationError, match="process_request: the token's payload may not name session_id"):
        mint_token(OPEN, "abc", expires_at=1, payload={"session_id": "other"})


def test_a_payload_that_is_no_json_is_the_applications_error() -> None:
    with pytest.raises(ApplicationError) as caught:
        mint_token(OPEN, "abc", expires_at=1, payload={"user": object()})
    assert str(caught.value) == (
        "process_request: the token's payload cannot be written as JSON: a object is not JSON. "
        "Return a dict of plain values: text, numbers, bytes, lists and dicts of these."
    )


def test_a_payload_too_large_to_be_read_again_is_not_minted() -> None:
    with pytest.raises(ApplicationError, match="the token's payload has 2000012 bytes, more than the 1048576"):
        mint_token(OPEN, "abc", expires_at=1, payload={"text": " " * 2_000_000 + "."})


def test_a_token_too_long_to_travel_is_not_minted() -> None:
    noise = os.urandom(60_000).hex()
    with pytest.raises(ApplicationError, match="^the session's token would have [0-9]+ bytes, more than the 65536"):
        mint_token(OPEN, "abc", expires_at=1, payload={"text": noise})


# Fuzzing: nothing but TokenError comes out, whatever goes in


@given(st.text() | st.binary().map(b64), st.sampled_from([SIGNED, OPEN]))
def test_arbitrary_text_never_raises_anything_else(text: str, signer: Signer) -> None:
    _read_all(signer, text)


@given(
    st.dictionaries(
        st.sampled_from(["session_id", "session_expiry", "__bk__zlib_"]) | st.text(),
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers())),
    ),
    st.sampled_from([SIGNED, OPEN]),
)
def test_arbitrary_heads_never_raise_anything_else(head: dict[str, object], signer: Signer) -> None:
    _read_all(signer, forge(head, signer=signer))


@given(st.binary(max_size=400))
def test_arbitrary_packed_payloads_never_raise_anything_else(data: bytes) -> None:
    for body in (data, zlib.compress(data)):
        _read_all(OPEN, forge({**HEAD, "__bk__zlib_": b64(body)}))


@given(st.integers(0, 400), st.integers(0, 255))
def test_a_damaged_token_never_raises_anything_else(position: int, value: int) -> None:
    text = bytearray(mint_token(OPEN, "abc", expires_at=EXPIRES_AT, payload=PAYLOAD), "ascii")
    text[position % len(text)] = value
    _read_all(OPEN, text.decode("latin-1"))


def _read_all(signer: Signer, text: str) -> Token | None:
    try:
        token = read_token(signer, text)
        assert isinstance(token.payload, dict)
    except PeerError as error:
        assert isinstance(error, TokenError)
        return None
    return token


def test_signatures_of_the_previous_secret_are_accepted_and_new_ones_are_made_with_the_current() -> None:
    before = Signer(b"old secret", signed=True)
    after = Signer(b"new secret", signed=True, previous=b"old secret")
    session_id = mint_session_id(before)
    token = mint_token(before, session_id, expires_at=2**40, owner=owner_mark(before, "ada"))
    read = read_token(after, token)
    assert read.session_id == session_id
    assert read.owner is not None and is_owner_mark(after, "ada", read.owner)
    assert not is_owner_mark(after, "eve", read.owner)
    with pytest.raises(TokenError):
        read_token(Signer(b"new secret", signed=True), token)
    with pytest.raises(TokenError):
        read_token(before, mint_token(after, mint_session_id(after), expires_at=2**40))


# Tokens that name a session and its user, and nothing of the request


def test_token_without_a_payload_is_small_and_says_so() -> None:
    session_id = mint_session_id(SIGNED)
    text = mint_token(SIGNED, session_id, expires_at=1_800_000_000, owner=owner_mark(SIGNED, "ann"))
    token = read_token(SIGNED, text)
    assert len(text) < 400
    assert not token.carries_request
    assert token.payload == {"session_expiry": 1_800_000_000}
    assert read_token(SIGNED, mint_token(SIGNED, session_id, expires_at=1, payload={"headers": {}})).carries_request


def test_owner_is_told_apart_without_being_told() -> None:
    mark = owner_mark(SIGNED, "ann")
    assert mark == owner_mark(SIGNED, "ann") and len(mark) == 16
    assert mark not in (owner_mark(SIGNED, "bob"), owner_mark(Signer(b"other"), "ann"))
    assert "ann" not in mark
    token = read_token(SIGNED, mint_token(SIGNED, mint_session_id(SIGNED), expires_at=1, owner=mark))
    assert token.owner == mark
    assert "owner" not in token.payload


def test_mark_of_an_owner_is_no_signature_of_another_text() -> None:
    assert owner_mark(SIGNED, "ann") not in (SIGNED.signature("ann")[:16], SIGNED.signature("ownerann")[:16])
    assert is_owner_mark(SIGNED, "ann", SIGNED.signature("owner ann")[:16])


def test_token_of_nobody_has_no_owner() -> None:
    assert read_token(SIGNED, mint_token(SIGNED, mint_session_id(SIGNED), expires_at=1)).owner is None
    assert read_token(OPEN, forge({**HEAD, "owner": 7})).owner is None


def test_mark_that_somebody_made_up_is_no_ones() -> None:
    for mark in ("\ud800", "é", "", "a" * 100_000, owner_mark(SIGNED, "ann")[:-1]):
        assert not is_owner_mark(SIGNED, "ann", mark)


# Tokens that are not signed, and whose payload is


SEALED = Signer(seal=b"a key of the tests")


def sealed_head(signer: Signer = SEALED, **changes: object) -> dict[str, Any]:
    """What a sealed token says, as somebody changed it."""
    part = mint_token(signer, "abc", expires_at=EXPIRES_AT, payload=PAYLOAD, owner="mark")
    head: dict[str, Any] = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return {**head, **changes}


def test_payload_is_trusted_when_this_server_wrote_it() -> None:
    token = read_token(SEALED, mint_token(SEALED, "abc", expires_at=EXPIRES_AT, payload=PAYLOAD))
    assert token.trusted
    assert token.payload == {"session_expiry": EXPIRES_AT, **PAYLOAD}
    assert read_token(SIGNED, mint_token(SIGNED, mint_session_id(SIGNED), expires_at=1)).trusted


def test_order_of_the_names_in_a_sealed_token_does_not_matter() -> None:
    head = sealed_head()
    assert len(head["seal"]) == 22
    assert read_token(SEALED, forge(dict(reversed(head.items())))).trusted


CHANGES: dict[str, dict[str, Any]] = {
    "session": {"session_id": "abd"}, "time": {"session_expiry": EXPIRES_AT + 1}, "owner": {"owner": "other"},
    "more": {"more": 1}, "payload": packed(b'{"headers": {}}'), "empty": {"seal": ""}, "null": {"seal": None},
    "number": {"seal": 7}, "surrogate": {"seal": "\ud800"}, "no ASCII": {"seal": "\u00e9" * 22},
}  # fmt: skip


@pytest.mark.parametrize("changes", CHANGES.values(), ids=list(CHANGES))
def test_changed_token_is_read_and_not_trusted(changes: dict[str, Any]) -> None:
    assert not read_token(SEALED, forge(sealed_head(**changes))).trusted


def test_seal_of_another_key_is_not_trusted() -> None:
    other = Signer(seal=b"another key")
    assert read_token(other, forge(sealed_head(other))).trusted
    assert not read_token(other, forge(sealed_head())).trusted
    assert not read_token(OPEN, forge(sealed_head())).trusted


def test_token_that_is_signed_or_carries_nothing_has_no_seal() -> None:
    signed = Signer(SECRET, signed=True, seal=b"a key of the tests")
    for text in (
        mint_token(signed, mint_session_id(signed), expires_at=1, payload=PAYLOAD),
        mint_token(SEALED, "abc", expires_at=1),
        mint_token(OPEN, "abc", expires_at=1, payload=PAYLOAD),
    ):
        assert b"seal" not in urlsafe_b64decode(text.partition(".")[0] + "==")
    assert not read_token(SEALED, mint_token(SEALED, "abc", expires_at=1)).trusted


def test_values_nested_as_deep_as_python_reads_them_are_a_token_or_none() -> None:
    limit = sys.getrecursionlimit()
    for depth in range(limit - 60, limit + 5):
        nested = b"[" * depth + b"]" * depth
        try:
            token = read_token(SEALED, forge(b'{"session_id":"s","session_expiry":1,"seal":"x","a":' + nested + b"}"))
        except TokenError as error:
            assert error.what == "the token is not JSON"
        else:
            assert not token.trusted
    deeper: list[Any] = []
    for _ in range(100_000):
        deeper = [deeper]
    assert not _is_sealed(SEALED, {"seal": "x", "a": deeper})


# Where things end


def test_session_id_of_the_greatest_length_is_one() -> None:
    longest = "x" * MAX_SESSION_ID_LENGTH
    assert verify_session_id(OPEN, longest) and verify_session_id(OPEN, "x")
    assert not verify_session_id(OPEN, longest + "x") and not verify_session_id(OPEN, "")
    assert read_token(OPEN, forge({"session_id": longest, "session_expiry": 1})).session_id == longest


@pytest.mark.parametrize("expires_at", [2**53, -(2**53), 0])
def test_token_may_expire_at_any_time_that_a_double_holds(expires_at: int) -> None:
    assert read_token(OPEN, forge({"session_id": "s", "session_expiry": expires_at})).expires_at == expires_at


def test_token_that_expires_later_than_a_double_holds_is_refused() -> None:
    for expires_at in (2**53 + 1, -(2**53) - 1):
        head = {"session_id": "s", "session_expiry": expires_at}
        assert reason(forge(head)) == "the token does not say when it expires"


def test_token_and_payload_may_be_as_large_as_their_limits() -> None:
    text = mint_token(OPEN, "abc", expires_at=1, payload={"a": "b"})
    size = len(b'{"a":"b"}')
    assert read_token(OPEN, text, max_bytes=len(text), max_payload_bytes=size).payload["a"] == "b"
    with pytest.raises(
        TokenError, match=f"the token has {len(text)} characters, more than the {len(text) - 1} allowed"
    ):
        read_token(OPEN, text, max_bytes=len(text) - 1)
    with pytest.raises(TokenError, match=f"the payload unpacks to more than the {size - 1} bytes allowed"):
        _ = read_token(OPEN, text, max_payload_bytes=size - 1).payload


def test_payload_that_can_be_read_again_is_minted() -> None:
    text = "x" * (MAX_PAYLOAD_BYTES - len('{"text":""}'))
    assert read_token(OPEN, mint_token(OPEN, "abc", expires_at=1, payload={"text": text})).payload["text"] == text
    with pytest.raises(ApplicationError) as caught:
        mint_token(OPEN, "abc", expires_at=1, payload={"text": text + "x"})
    assert str(caught.value) == (
        "process_request: the token's payload has 1048577 bytes, more than the 1048576 allowed. "
        "Return less from process_request; keep large data on the server under a key."
    )


def test_token_that_just_travels_is_minted() -> None:
    limit = MAX_TOKEN_BYTES
    short = mint_token(OPEN, "", expires_at=1)
    session_id = "x" * ((limit - len(short)) * 3 // 4)
    text = mint_token(OPEN, session_id, expires_at=1)
    assert limit - 4 < len(text) <= limit
    with pytest.raises(ApplicationError) as caught:
        mint_token(OPEN, session_id + "xxx", expires_at=1)
    assert str(caught.value) == (
        f"the session's token would have {len(text) + 4} bytes, more than the 65536 allowed. Return less from"
        " process_request, or leave headers and cookies out with --exclude-headers and --exclude-cookies."
    )


def test_payload_too_deep_for_json_is_the_applications_error() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(ApplicationError, match="^process_request: the token's payload cannot be written as JSON"):
        mint_token(OPEN, "abc", expires_at=1, payload={"deep": deep})


@pytest.mark.parametrize("size", range(1, 6))
def test_bytes_of_every_length_come_back(size: int) -> None:
    payload = {"a": bytes(range(250, 250 + size)), "b": [{"bytes": "x", "more": 1}]}
    assert read_token(OPEN, mint_token(OPEN, "abc", expires_at=1, payload=payload)).payload == {
        "session_expiry": 1, **payload,
    }  # fmt: skip


def test_names_of_our_own_stay_out_of_the_payload_and_those_of_an_application_do_not() -> None:
    own = {"owner": "the application's", "seal": 1}
    for signer in (SIGNED, OPEN, SEALED):
        session_id = mint_session_id(signer)
        text = mint_token(signer, session_id, expires_at=EXPIRES_AT, payload=own, owner="mark")
        token = read_token(signer, text)
        assert (token.owner, token.payload) == ("mark", {"session_expiry": EXPIRES_AT, **own})
    head = {**packed(b'{"session_id":3,"a":4}'), "owner": "mark", "seal": "x"}
    assert read_token(OPEN, forge(head)).payload == {"session_expiry": EXPIRES_AT, "a": 4}


def test_base64_may_be_padded() -> None:
    text = mint_token(OPEN, "abcd", expires_at=1)
    assert read_token(OPEN, text + "=" * (-len(text) % 4)).session_id == "abcd"


def test_what_is_missing_to_sign_sessions_is_told_with_what_to_do() -> None:
    for secret in (None, b""):
        with pytest.raises(OperatorError) as caught:
            Signer(secret, signed=True)
        assert str(caught.value) == (
            "BOKEH_SECRET_KEY: sessions should be signed, but there is no secret. Make one with `app-server secret`"
            " and set it for every process that makes or reads tokens."
        )


def test_secret_that_is_not_there_signs_as_an_empty_one() -> None:
    assert OPEN.accepted == (b"",) and OPEN.signature("a") == Signer(b"").signature("a")
    assert Signer(b"new", previous=b"old").accepted == (b"new", b"old")
    assert Signer(previous=b"old").accepted == (b"", b"old")


def test_signature_is_an_hmac_of_the_text() -> None:
    for signer, secret in ((OPEN, b""), (SIGNED, SECRET)):
        assert signer.signature("ä") == b64(hmac.digest(secret, "ä".encode(), "sha256"))
        assert signer.matches("ä", signer.signature("ä"))


@pytest.mark.parametrize("text", ["eX", "eXX=", "X", "eyJ9X"])
def test_letter_at_the_end_is_part_of_a_token(text: str) -> None:
    with pytest.raises(TokenError):
        read_token(OPEN, text)
    good = mint_token(OPEN, "abcd", expires_at=1)
    with pytest.raises(TokenError):
        read_token(OPEN, f"{good}X")
