"""The rows of the table of sessions."""

from __future__ import annotations

import math
from typing import Any

from app_server.console.session_rows import patches, refs, rows


def entry(key: str, **more: Any) -> dict[str, Any]:
    usual = {
        "key": key, "id": f"{key}-12345", "application": "/sales", "user": "ann", "process": "worker-0-7", "pid": 7,
        "begun_s": 880.0, "last_s": 990.0, "connections": 1, "messages": 5, "p50_s": 0.002, "p99_s": 0.04,
        "slowest_s": 0.25, "slowest_where": "/srv/sales/main.py:12 update", "memory_bytes": None,
    }  # fmt: skip
    return {**usual, **more}


def instance(*sessions: object, name: str = "one", address: str = "") -> dict[str, Any]:
    return {"name": name, "address": address, "sessions": list(sessions)}


def test_session_is_shown_with_its_figures() -> None:
    (found,) = [rows([instance(entry("k1"))], 1000.0)]
    assert {name: column[0] for name, column in found.items() if name != "memory"} == {
        "ref": " worker-0-7 k1", "session": "k1-12345", "application": "/sales", "user": "ann", "instance": "one",
        "process": "7", "age": 2.0, "idle": 10.0, "pages": 1.0, "messages": 5.0, "p50": 2.0, "p99": 40.0,
        "slowest": 250.0, "where": "sales/main.py:12 update",
    }  # fmt: skip
    assert math.isnan(found["memory"][0])


def test_youngest_comes_first_and_what_is_not_wanted_is_left_out() -> None:
    sessions = instance(entry("old", begun_s=10.0), entry("new"), entry("ben", user="Ben"))
    assert [ref.split()[-1] for ref in rows([sessions], 1000.0)["ref"]] == ["new", "ben", "old"]
    assert rows([sessions], 1000.0, "BEN sales")["user"] == ["Ben"]
    assert rows([sessions], 1000.0, "nobody")["ref"] == []


def test_malformed_entries_of_another_instance_do_no_harm() -> None:
    malformed = instance("text", None, {"id": {"a": 1}, "begun_s": "x"})
    found = rows([malformed, {"sessions": "abc"}, {"fault": "away"}], 0.0)
    assert found["session"] == ["{'a': 1}"]
    assert math.isnan(found["age"][0])


def test_same_session_of_two_instances_is_two() -> None:
    found = refs([instance(entry("k")), instance(entry("k"), address="b:5007")])
    assert sorted(found) == [" worker-0-7 k", "b:5007 worker-0-7 k"]
    assert found["b:5007 worker-0-7 k"].shown == "session k-12345 of /sales (ann)"


def test_only_changed_cells_are_sent() -> None:
    before = rows([instance(entry("a"), entry("b"))], 1000.0)
    after = rows([instance(entry("a", messages=6), entry("b"))], 1000.0)
    assert patches(before, after) == {"messages": [(0, 6.0)]}
    assert patches(before, rows([instance(entry("a"), entry("b"))], 1001.0)) == {}
    assert patches(before, rows([instance(entry("b"))], 1000.0)) is None
