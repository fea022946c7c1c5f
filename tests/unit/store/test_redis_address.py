"""Addresses of Redis: what may be shown of them, and which ones are none."""

from __future__ import annotations

import pytest

from app_server.errors import OperatorError
from app_server.store.redis_address import Address, connect


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://localhost", "redis://localhost"),
        ("redis://:hidden@redis.example:6380/2", "redis://redis.example:6380/2"),
        ("rediss://user:hidden@redis.example/0?ssl_ca_certs=/ca.pem", "rediss://redis.example/0"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("unix://user:hidden@/run/redis.sock?db=1&password=hidden", "unix:///run/redis.sock"),
    ],
)
def test_the_password_is_not_shown(text: str, shown: str) -> None:
    address = Address.read(text, "--store")
    assert address.shown == shown
    assert "hidden" not in repr(address)


@pytest.mark.parametrize(
    "url", ["redis://u:hid%20den@h", "unix:///s?password=hid%20den", "redis://u@h?password=hid+den"]
)
def test_the_password_is_taken_out_of_what_others_say(url: str) -> None:
    address = Address.read(url, "--store")
    said = "ERR unknown command 'AUTH', with args beginning with: 'hid den'\nmore"
    assert address.without_secrets(said) == r"ERR unknown command 'AUTH', with args beginning with: '***'\nmore"


@pytest.mark.parametrize(
    "text",
    [
        "redis://:hid/den@host",
        "redis://:hidden@host:99999",
        "redis://user:hidden@[::1",
        "redis://u:12/den@host",
        "unix://u:hid/den@/run/x",
        "unix://",
    ],
)
def test_an_address_that_cannot_be_read_is_not_quoted(text: str) -> None:
    with pytest.raises(OperatorError) as caught:
        Address.read(text, "--store")
    assert str(caught.value) == (
        "--store: the address of Redis cannot be read. Write %40 for @, %2F for / and %3A for : in a password."
    )
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_messages_end_before_the_script_and_without_a_full_stop() -> None:
    said = "command not allowed when used memory > 'maxmemory'. script: da47, on @user_script:26."
    address = Address.read("redis://h", "--store")
    assert address.without_secrets(said) == "command not allowed when used memory > 'maxmemory'"


@pytest.mark.parametrize("text", ["redis://:hidden@host?no_such_option=1", "redis://:hidden@host?socket_timeout=soon"])
def test_options_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(OperatorError) as caught:
        connect(Address.read(text, "--store"), "--store")
    assert str(caught.value) == (
        "--store: redis://host is not an address of Redis."
        " See https://redis.readthedocs.io/en/stable/connections.html for its options."
    )
