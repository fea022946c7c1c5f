"""Passwords in a file: hashed, checked, edited, and refused without a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_server.errors import OperatorError
from app_server.security.auth import passwords
from app_server.security.auth.passwords import COST, Cost, PasswordFile, PasswordHash, hash_password, password_fault
from app_server.security.auth.users import User

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
        ("# x\nann:hunter2\n", "users:2: what follows ann: is not a password hash"),
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
    ("null\0null", "the password contains characters that a keyboard cannot type"),
])  # fmt: skip
def test_password_has_to_be_of_some_use(password: str, fault: str | None) -> None:
    assert password_fault(password) == fault


@pytest.mark.parametrize(("password", "fault"), [
    ("x" * 7, "shorter than 8 characters"), ("x" * 8, None), ("x" * 1024, None), ("ä" * 512, None),
    ("ä" * 512 + "x", "longer than 1024 bytes"),
])  # fmt: skip
def test_shortest_and_longest_password_are_good(password: str, fault: str | None) -> None:
    assert password_fault(password) == (f"the password is {fault}" if fault else None)


@pytest.mark.parametrize(
    ("letter", "typed"), [("\ud7ff", True), ("\ud800", False), ("\udfff", False), ("\ue000", True)]
)
def test_surrogates_are_typed_by_no_keyboard(letter: str, typed: bool) -> None:
    assert (password_fault(f"password{letter}") is None) is typed


@pytest.mark.parametrize(("cost", "allowed"), [
    ("1$1$1", True), ("20$16$16", True), ("0$1$1", False), ("21$1$1", False), ("1$0$1", False), ("1$17$1", False),
    ("1$1$0", False), ("1$1$17", False),
])  # fmt: skip
def test_cost_of_a_hash_is_bounded(cost: str, allowed: bool) -> None:
    assert (PasswordHash.read(f"scrypt${cost}${'A' * 22}${'A' * 43}") is not None) is allowed


@pytest.mark.parametrize("salt_bytes", [17, 18, 19, 22, 33, 66])
def test_hash_with_a_salt_of_another_length_is_read(salt_bytes: int) -> None:
    hashed = hash_password("correct horse", cost=QUICK, random=lambda _: bytes(range(salt_bytes)))
    assert PasswordHash.read(str(hashed)) == hashed


def test_salt_is_random_and_of_16_bytes() -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    assert (hash_password("correct horse", cost=QUICK, random=random).salt, asked) == (bytes(16), [16])


def test_memory_of_a_guess_is_that_of_scrypt() -> None:
    assert COST.memory_bytes == 128 * 8 * (2**15 + 3 + 2)


def test_spaces_around_a_hash_do_not_matter_and_more_than_a_hash_is_none() -> None:
    hashed = quick("correct horse")
    assert PasswordFile.read(f"ann: {hashed} \n", "users").users == {"ann": hashed}
    for line in (f"ann:{hashed} more\n", f"ann:bob:{hashed}\n"):
        with pytest.raises(OperatorError, match="what follows ann: is not a password hash"):
            PasswordFile.read(line, "users")


def test_line_without_a_colon_is_no_user_although_it_is_a_name() -> None:
    with pytest.raises(OperatorError, match="users:1: the line does not begin with a user's name and a colon"):
        PasswordFile.read("ann\n", "users")


def test_user_who_is_there_twice_is_named() -> None:
    line = f"ann:{quick('correct horse')}\n"
    with pytest.raises(OperatorError) as caught:
        PasswordFile.read(line + line, "users")
    assert str(caught.value) == "users:2: ann is there twice. Leave one of them out."


def test_new_user_comes_last_and_a_comment_is_nobodys() -> None:
    hashed = quick("correct horse")
    users = PasswordFile.read(f"#ann:{hashed}\nbob:{hashed}", "users")
    assert users.with_user("ann", hashed) == f"#ann:{hashed}\nbob:{hashed}\nann:{hashed}\n"
    assert users.without_user("#ann") == users.without_user("ann") == f"#ann:{hashed}\nbob:{hashed}\n"


@pytest.mark.parametrize("written", ["ren\u00e9", "rene\u0301"])
@pytest.mark.parametrize("typed", ["ren\u00e9", "rene\u0301"])
def test_user_is_the_same_however_the_letters_of_the_name_are_composed(written: str, typed: str) -> None:
    users = PasswordFile.read(f"{written}:{quick('correct horse')}\n", "users")
    assert users.check(typed, "correct horse")
    assert users.fingerprint("ren\u00e9", lambda text: text) is not None
    changed = PasswordFile.read(users.with_user("ren\u00e9", quick("another horse")), "users")
    assert changed.check(typed, "another horse") and len(changed.lines) == 1
    assert users.without_user("ren\u00e9") == ""


def test_user_cannot_be_there_twice_by_another_composition() -> None:
    hashed = quick("correct horse")
    with pytest.raises(OperatorError, match="users:2: ren\u00e9 is there twice"):
        PasswordFile.read(f"ren\u00e9:{hashed}\nrene\u0301:{hashed}\n", "users")


def test_password_of_the_longest_size_is_checked() -> None:
    users = file_of(ann="ä" * 512)
    assert users.check("ann", "ä" * 512)
    assert not users.check("ann", "ä" * 512 + "x")


def test_fingerprint_is_made_of_name_and_hash() -> None:
    users = file_of(ann="correct horse")
    expected = f"ann\n{users.users['ann']}"
    assert users.fingerprint("ann", lambda text: text[::-1]) == expected[::-1][:16]


def test_password_that_no_keyboard_types_is_wrong_and_no_error() -> None:
    users = file_of(ann="correct horse")
    assert not users.check("ann", "correct horse\ud800") and not users.check("\ud800", "correct horse")


def test_last_column_has_the_users_groups() -> None:
    hashed = quick("correct horse")
    text = f"ann:{hashed}: staff,analysts, staff ,,\nbob:{hashed}:\ncyd:{hashed}\n"
    users = PasswordFile.read(text, "users")
    assert users.user("ann") == User("ann", groups=("staff", "analysts"))
    assert users.user("bob").groups == users.user("cyd").groups == users.user("eve").groups == ()


def test_user_with_a_new_password_keeps_the_groups_unless_others_are_given() -> None:
    hashed, other = quick("correct horse"), quick("another horse")
    users = PasswordFile.read(f"ann:{hashed}:staff\n", "users")
    assert users.with_user("ann", other) == f"ann:{other}:staff\n"
    assert users.with_user("ann", other, ("a", "b")) == f"ann:{other}:a,b\n"
    assert users.with_user("ann", other, ()) == f"ann:{other}\n"
    assert users.with_user("bob", other, ("a",)) == f"ann:{hashed}:staff\nbob:{other}:a\n"


def test_groups_do_not_log_anyone_out() -> None:
    hashed = quick("correct horse")
    marks = [PasswordFile.read(f"ann:{hashed}{column}\n", "users").fingerprint("ann", lambda text: text)
             for column in ("", ":staff")]  # fmt: skip
    assert marks[0] == marks[1]


def test_file_of_htpasswd_is_read_and_its_weak_hashes_are_known() -> None:
    users = PasswordFile.read(
        "ann:$apr1$saltsalt$EGVZDNN6gOqijy.tv9axG/\nbob:{SHA}L55TUjtiq8FBorTWAZ0jy6g129A=\n"
        f"cyd:$5$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/:staff\ndot:{quick('correct horse')}\n",
        "users",
    )
    for name in ("ann", "bob", "cyd", "dot"):
        assert users.check(name, "correct horse") and not users.check(name, "correct hors")
    assert not users.check("eve", "correct horse")
    assert users.weak == {"ann": "MD5", "bob": "SHA-1"}
    assert users.user("cyd").groups == ("staff",)
