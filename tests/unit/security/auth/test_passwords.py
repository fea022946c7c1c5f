"""Passwords in a file: hashed, checked, edited, and told nothing of when they are wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.errors import OperatorError
from app_server.security.auth import passwords
from app_server.security.auth.passwords import COST, Cost, PasswordFile, PasswordHash, hash_password, password_fault

QUICK = Cost(log2_n=2, r=1, p=1)


def quick(password: str) -> PasswordHash:
    return hash_password(password, cost=QUICK)


def file_of(**users: str) -> PasswordFile:
    text = "".join(f"{name}:{quick(password)}\n" for name, password in users.items())
    return PasswordFile.read(text, "users")


def test_default_cost_is_that_of_owasp() -> None:
    hashed = hash_password("correct horse")
    assert str(hashed).startswith("scrypt$15$8$3$")
    assert hashed.matches("correct horse")
    assert not hashed.matches("correct horsE")


def test_hash_comes_back_from_its_text() -> None:
    hashed = quick("correct horse")
    again = PasswordHash.read(str(hashed))
    assert again == hashed
    assert again is not None and again.matches("correct horse")


def test_same_password_has_another_hash_each_time() -> None:
    assert str(quick("correct horse")) != str(quick("correct horse"))


def test_key_is_not_shown() -> None:
    hashed = quick("correct horse")
    assert str(hashed.key) not in repr(hashed)


def test_letters_count_as_the_same_however_they_are_composed() -> None:
    assert quick("caf\u00e9 au lait").matches("cafe\u0301 au lait")


@pytest.mark.parametrize(
    "text",
    ["", "x", "plain password", "$2y$05$abcdefghijklmnopqrstuu", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
     "scrypt$99$8$1$" + "A" * 22 + "$" + "A" * 43, "scrypt$15$0$1$" + "A" * 22 + "$" + "A" * 43,
     "scrypt$15$8$1$" + "A" * 25 + "$" + "A" * 43, "scrypt$15$8$1$" + "A" * 22 + "$" + "A" * 42],
)  # fmt: skip
def test_other_texts_are_no_hashes(text: str) -> None:
    assert PasswordHash.read(text) is None


@given(st.text(max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    assert PasswordHash.read(text) is None
    try:
        PasswordFile.read(text, "users")
    except OperatorError:
        pass


def test_file_knows_its_users_and_nobody_else() -> None:
    users = file_of(ann="correct horse", bob="battery staple")
    assert users.check("ann", "correct horse")
    assert not users.check("ann", "battery staple")
    assert not users.check("cyd", "correct horse")
    assert not users.check("ann", "x" * 100_000)


def test_unknown_user_costs_as_much_as_a_known_one(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = []
    monkeypatch.setattr(passwords, "_derive", lambda password, salt, cost: costs.append(cost) or bytes(32))
    users = file_of(ann="correct horse")
    costs.clear()
    assert not users.check("nobody", "correct horse")
    assert costs == [QUICK]
    assert not PasswordFile({}).check("nobody", "correct horse")
    assert costs == [QUICK, COST]


def test_comments_and_order_survive_a_change() -> None:
    old = file_of(ann="correct horse", bob="battery staple")
    text = "# ours\n\n" + "\n".join(old.lines) + "\n"
    changed = PasswordFile.read(text, "users").with_user("ann", quick("another horse"))
    assert [line.partition(":")[0] for line in changed.splitlines()] == ["# ours", "", "ann", "bob"]
    assert PasswordFile.read(changed, "users").check("ann", "another horse")
    without = PasswordFile.read(changed, "users").without_user("ann")
    assert [line.partition(":")[0] for line in without.splitlines()] == ["# ours", "", "bob"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# x\nann:hunter2\n", "users:2: what stands behind ann: is no hash of ours"),
        ("hunter2\n", "users:1: the line does not begin with a user's name and a colon"),
        (":scrypt\n", "users:1: the line does not begin with a user's name and a colon"),
    ],
)
def test_faulty_line_is_named(text: str, message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        PasswordFile.read(text, "users")
    assert str(caught.value) == f"{message}. `app-server passwd FILE USER` writes such lines."


def test_user_may_be_there_once() -> None:
    line = f"ann:{quick('correct horse')}\n"
    with pytest.raises(OperatorError, match="users:2: ann is there twice"):
        PasswordFile.read(line + line, "users")


def test_fingerprint_changes_with_the_password() -> None:
    def tag(text: str) -> str:
        return f"{hash(text) & 0xFFFFFFFFFFFFFFFF:016x}"

    users = file_of(ann="correct horse")
    changed = PasswordFile.read(users.with_user("ann", quick("another horse")), "users")
    assert users.fingerprint("ann", tag) == users.fingerprint("ann", tag)
    assert users.fingerprint("ann", tag) != changed.fingerprint("ann", tag)
    assert users.fingerprint("bob", tag) is None


@pytest.mark.parametrize(("password", "fault"), [
    ("correct horse", None), ("short", "the password is shorter than 8 characters"),
    ("x" * 1025, "the password is longer than 1024 bytes"),
    ("null\0null", "the password holds characters that no keyboard types"),
])  # fmt: skip
def test_password_has_to_be_of_some_use(password: str, fault: str | None) -> None:
    assert password_fault(password) == fault
