"""A header is believed from those who were named."""

from __future__ import annotations

import pytest

from app_server.security.auth.peers import TrustedPeers, user_named

PEERS = TrustedPeers.from_words(["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(("peer", "trusted"), [
    ("127.0.0.1", True), ("127.0.0.2", False), ("10.9.9.9", True), ("11.0.0.1", False), ("fd00::1", True),
    ("fd00::1%eth0", True), ("::1", False), ("::ffff:10.0.0.1", True), ("::ffff:11.0.0.1", False), ("unix", False),
    ("", False), ("localhost", False),
])  # fmt: skip
def test_peer_is_trusted_by_its_address(peer: str, trusted: bool) -> None:
    assert PEERS.trusts(peer) is trusted


def test_unix_socket_is_trusted_when_it_is_named() -> None:
    peers = TrustedPeers.from_words(["unix"])
    assert peers.trusts("unix")
    assert not peers.trusts("127.0.0.1")


@pytest.mark.parametrize(("values", "user"), [
    (["ann"], "ann"), ([" ann "], "ann"), (["ann", "bob"], None), (["ann", "ann"], None), ([], None), ([""], None),
    (["a\0b"], None), (["änn".encode().decode("latin-1")], "änn"), (["änn"], "änn"),
])  # fmt: skip
def test_header_names_one_user_or_nobody(values: list[str], user: str | None) -> None:
    assert user_named(values) == user


def test_words_are_networks_of_one_or_of_many() -> None:
    peers = TrustedPeers.from_words(iter(["192.0.2.1", "2001:db8::/32", "unix"]))
    assert [str(network) for network in peers.networks] == ["192.0.2.1/32", "2001:db8::/32"]
    assert peers.unix
    assert TrustedPeers(()).unix is False


def test_name_in_letters_of_latin_1_is_taken_as_it_came() -> None:
    assert user_named(["\xe4nn "]) == "änn"
    assert user_named(["€"]) == "€"
    assert user_named([" "]) is None
