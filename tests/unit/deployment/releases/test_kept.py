"""Which releases there are, what they are called, and which one was served before."""

from __future__ import annotations

import pytest

from app_server.deployment.releases.kept import (
    KeptRelease,
    check_name,
    find,
    next_number,
    of_history,
    refuse_used,
    served_before,
    way_back,
    worth_keeping,
)
from app_server.deployment.rollout.history import Entry
from app_server.errors import OperatorError


def done(action: str, release: str, **more: str) -> Entry:
    """Something that was done with compose."""
    known = {"at": "2026-11-29T14:03:12+0100", "by": "ann", "target": "compose", "result": "done"}
    return Entry(**{**known, **more}, action=action, release=release)  # type: ignore[arg-type]


def before(entries: list[Entry], ids: list[int], current: int | None) -> str | None:
    """The release that was served before the current one."""
    return served_before(entries, "compose", of_history(entries, "compose", ids, current))


def test_release_has_the_name_the_time_and_the_revision_of_its_last_roll_out() -> None:
    entries = [
        done("deploy", "1", name="winter", revision="aaaaaaaaaaaa"),
        done("deploy", "2", name="failed", result="failed"),
        done("deploy", "2", name="spring", revision="4f2a9c1d03be-dirty", by="bob"),
        done("deploy", "2", name="elsewhere", target="swarm"),
        done("rollback", "1"),
    ]
    at = "2026-11-29T14:03:12+0100"
    assert of_history(entries, "compose", [1, 2, 3], 1) == [
        KeptRelease("1", "winter", at, "ann", "aaaaaaaaaaaa", True),
        KeptRelease("2", "spring", at, "bob", "4f2a9c1d03be-dirty"),
        KeptRelease("3"),
    ]


KNOWN = [
    KeptRelease("1", "winter", revision="aaaaaaaaaaaa"),
    KeptRelease("2", "spring", revision="4f2a9c1d03be-dirty"),
    KeptRelease("3", revision="4f2a9c1d03be", is_current=True),
    KeptRelease("4"),
]


@pytest.mark.parametrize(
    ("wanted", "number"),
    [("2", "2"), ("spring", "2"), ("aaaaaaa", "1"), ("4f2a9c1d03be-dirty", "2"), ("4", "4"), ("winter", "1")],
)
def test_release_is_found_by_number_name_or_revision(wanted: str, number: str) -> None:
    assert find(KNOWN, wanted).id == number


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ("9", "--rollback: no release is called '9'. There are 1 (winter), 2 (spring), 3, 4."),
        ("sprin", "--rollback: no release is called 'sprin'. Did you mean spring?"),
        ("aaaaaa", "--rollback: no release is called 'aaaaaa'. There are 1 (winter), 2 (spring), 3, 4."),
        ("4f2a9c1", "--rollback: releases 2 (spring), 3 are of revision 4f2a9c1. Name the release by its number."),
    ],
)
def test_release_that_is_not_there_is_one_line(wanted: str, error: str) -> None:
    with pytest.raises(OperatorError) as caught:
        find(KNOWN, wanted)
    assert str(caught.value) == error


def test_release_that_runs_is_not_gone_back_to() -> None:
    with pytest.raises(OperatorError) as caught:
        way_back(KNOWN, "3", None)
    assert str(caught.value) == "--rollback: release 3 is the one that runs"
    assert way_back(KNOWN, "spring", "1") == KNOWN[1]
    assert way_back(KNOWN, "", "1") == KNOWN[0]
    assert way_back(KNOWN, "", None) is None and way_back(KNOWN, "", "9") is None


def test_way_back_leads_past_what_was_taken_back() -> None:
    entries = [done("deploy", "1"), done("deploy", "2"), done("deploy", "3")]
    assert before(entries, [1, 2, 3], 3) == "2"
    entries.append(done("rollback", "2"))
    assert before(entries, [1, 2, 3], 2) == "1"
    entries.append(done("deploy", "4"))
    assert before(entries, [1, 2, 3, 4], 4) == "2"
    assert before(entries, [1, 3, 4], 4) == "1"
    entries += [done("rollback", "1"), done("rollback", "3")]
    assert before(entries, [1, 2, 3, 4], 3) == "1"
    assert before(entries, [3, 4], 3) is None


def test_way_back_of_older_versions_is_the_nearest_number() -> None:
    assert before([], [1, 3, 4], 4) == "3"
    assert before([], [1], 1) is None and before([], [], None) is None
    # Those have used numbers again.
    again = [done("deploy", "1"), done("deploy", "2"), done("rollback", "1"), done("deploy", "2")]
    assert before(again, [1, 2], 2) == "1"
    assert before([done("deploy", "1", target=""), done("deploy", "2")], [1, 2], 2) == "1"


def test_release_before_the_current_one_is_kept_however_old_it_is() -> None:
    entries = [done("deploy", str(number)) for number in range(1, 6)]
    entries += [done("rollback", "1"), done("deploy", "6")]
    assert worth_keeping(entries, "compose", range(1, 7), 6, 3) == {1, 4, 5, 6}
    assert worth_keeping([], "compose", [1, 2, 3], 1, 1) == {1, 3}


def test_number_is_used_once() -> None:
    assert next_number([], "compose", []) == 1
    assert next_number([done("deploy", "7"), done("deploy", "9", target="swarm")], "compose", [1, 2]) == 8
    assert next_number([done("deploy", "4f2a", target="")], "compose", [3]) == 4


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("a b", "--name: 'a b' cannot be the name of a release."
         " Use letters, digits, dots, dashes and underscores, such as v1.4."),
        ("-x", "--name: '-x' cannot be the name of a release."
         " Use letters, digits, dots, dashes and underscores, such as v1.4."),
        ("12", "--name: '12' means something else. Choose a word, such as v1.4."),
        ("swarm", "--name: 'swarm' means something else. Choose a word, such as v1.4."),
    ],
)  # fmt: skip
def test_name_that_cannot_be_one_is_refused(name: str, error: str) -> None:
    with pytest.raises(OperatorError) as caught:
        check_name(name, ["swarm"])
    assert str(caught.value) == error
    check_name("v1.4+build_2-rc", ["swarm"])


def test_name_belongs_to_one_release() -> None:
    with pytest.raises(OperatorError) as caught:
        refuse_used("spring", KNOWN)
    assert str(caught.value) == "--name: release 2 is called 'spring' already. Choose another name."
    refuse_used("", KNOWN)
    refuse_used("summer", KNOWN)
