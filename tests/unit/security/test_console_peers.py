"""Signatures by which consoles know each other."""

from __future__ import annotations

from app_server.security.console_peers import PeerSignatures, keys_of, signature

NONCE = "0123456789abcdef" * 2
KEYS = keys_of("a secret")


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_signed_request_is_accepted_once() -> None:
    signatures = PeerSignatures(KEYS, Clock())
    header = signature(KEYS[0], "/_peers", b"{}", 1000, NONCE)
    assert signatures.accepts(header, "/_peers", b"{}")
    assert not signatures.accepts(header, "/_peers", b"{}")


def test_another_body_path_key_or_time_is_not() -> None:
    clock = Clock()
    header = signature(KEYS[0], "/_peers", b"{}", 1000, NONCE)
    signatures = PeerSignatures(KEYS, clock)
    assert not signatures.accepts(header, "/_peers", b"[]")
    assert not signatures.accepts(header, "/other", b"{}")
    assert not PeerSignatures(keys_of("other"), clock).accepts(header, "/_peers", b"{}")
    assert not PeerSignatures((), clock).accepts(header, "/_peers", b"{}")
    clock.now_s = 1031.0
    assert not signatures.accepts(header, "/_peers", b"{}")
    assert not signatures.accepts("Basic abc", "/_peers", b"{}")
    assert not signatures.accepts("", "/_peers", b"{}")


def test_previous_key_is_still_good() -> None:
    both = keys_of("new secret\na secret\n")
    assert PeerSignatures(both, Clock()).accepts(signature(KEYS[0], "/_peers", b"", 1000, NONCE), "/_peers", b"")


def test_seen_signatures_are_forgotten_when_they_are_too_old() -> None:
    clock = Clock()
    signatures = PeerSignatures(KEYS, clock)
    for number in range(3):
        nonce = f"{number:032x}"
        assert signatures.accepts(signature(KEYS[0], "/p", b"", int(clock.now_s), nonce), "/p", b"")
        clock.now_s += 100


def test_without_a_secret_there_is_no_key() -> None:
    assert keys_of(None) == ()
