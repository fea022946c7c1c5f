"""Headers of requests that say in which trace they are sent."""

from __future__ import annotations

import pytest

from app_server.observe.otel.traceparent import Parent, read_parent, written

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"
PARENT = Parent(int(TRACE, 16), int(SPAN, 16), 1)


def test_well_formed_header_names_its_span() -> None:
    assert read_parent(GOOD) == PARENT
    assert written(PARENT.trace_id, PARENT.span_id, PARENT.flags) == GOOD


def test_flags_besides_sampled_are_not_taken_over() -> None:
    assert read_parent(f"00-{TRACE}-{SPAN}-fe") == Parent(PARENT.trace_id, PARENT.span_id, 0)


def test_later_version_may_say_more() -> None:
    assert read_parent(f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like") == PARENT


@pytest.mark.parametrize(
    "header",
    [
        None, "", "nonsense", f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01", f"{GOOD}-more", f"{GOOD}, {GOOD}", f"{GOOD}\n", f"00-{TRACE}-{SPAN}-1",
        f"cc-{TRACE}-{SPAN}-01-{'x' * 65536}", f"00-{'٣' * 32}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01\x00",
    ],
)  # fmt: skip
def test_broken_or_hostile_header_is_ignored(header: str | None) -> None:
    assert read_parent(header, "a=b") is None


def test_state_is_passed_on_as_it_came() -> None:
    parent = read_parent(GOOD, "rojo=00f067aa0ba902b7, ,tenant@vendor=t61rc WilkgMzE")
    assert parent is not None
    assert parent.state == (("rojo", "00f067aa0ba902b7"), ("tenant@vendor", "t61rc WilkgMzE"))


@pytest.mark.parametrize(
    "state",
    [None, "", "a=b,a=c", "A=b", "a=b,=c", "a=", "a=b\x07", ",".join(f"k{n}=v" for n in range(33)), f"a={'x' * 600}"],
)
def test_state_that_is_not_well_formed_is_dropped_and_the_parent_stays(state: str | None) -> None:
    assert read_parent(GOOD, state) == PARENT
