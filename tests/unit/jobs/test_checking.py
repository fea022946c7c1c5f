"""What cannot be a job is refused where it is submitted."""

from __future__ import annotations

from functools import partial
from inspect import Parameter, signature
from typing import Any

import pytest

from app_server.jobs.api import submit
from app_server.jobs.checking import OWN_KEYWORDS, check, label_of
from app_server.jobs.errors import JobError
from app_server.jobs.session_jobs import Order


async def later() -> None:
    """Asynchronous."""


def steps() -> Any:
    """A generator."""
    yield 1


class Later:
    """Asynchronous when it is called."""

    async def __call__(self) -> None: ...


def greet(name: str) -> str:
    """Has a parameter that `submit` has too."""
    return name


def add(one: int, other: int) -> int:
    """Plain."""
    return one + other


@pytest.mark.parametrize(
    ("function", "args", "message"),
    [
        (
            42, (),
            "submit: 42 is not a function. Pass the function and its arguments",
        ),
        (
            later, (),
            "later: is async; a job does not await. Pass a plain function; asynchronous work can run in a callback:"
            " curdoc().add_next_tick_callback",
        ),
        (
            partial(steps), (),
            "steps: is a generator function, whose call does no work. Call progress() in place of yield, and return the"
            " result",
        ),
        (Later(), (), "Later: is async; a job does not await. Pass a plain function; asynchronous work can run in a"
         " callback: curdoc().add_next_tick_callback"),
        (greet, (), "greet: cannot be called so: missing a required argument: 'name'. submit takes name= itself;"
         " pass it to the function by functools.partial"),
        (add, (1,), "add: cannot be called so: missing a required argument: 'other'"),
    ],
)  # fmt: skip
def test_what_is_no_work_is_refused(function: Any, args: tuple[Any, ...], message: str) -> None:
    with pytest.raises(JobError) as caught:
        check(function, args, {})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (Order(name=""), "app_server.jobs: name='' is not a name. Pass a string that is not empty"),
        (Order(name=["a"]), "app_server.jobs: name=['a'] is not a name. Pass a string that is not empty"),
        (Order(keep_s="5"), "submit: keep_s='5' is not a time. Pass a number of seconds"),
        (Order(timeout_s=float("nan")), "submit: timeout_s=nan is not a time. Pass a number of seconds"),
        (Order(timeout_s=-1), "submit: timeout_s=-1 is not a time. Pass a number of seconds"),
    ],
)
def test_name_and_times_that_are_none_are_refused(order: Any, message: str) -> None:
    with pytest.raises(JobError) as caught:
        order.check()
    assert str(caught.value) == message


def test_own_keywords_are_those_of_submit() -> None:
    named = {each.name for each in signature(submit).parameters.values() if each.kind is Parameter.KEYWORD_ONLY}
    assert named == OWN_KEYWORDS


def test_time_without_end_is_one() -> None:
    Order(name="a", keep_s=float("inf"), timeout_s=10**12).check()


@pytest.mark.parametrize(
    ("function", "args"), [(add, (1, 2)), (partial(add, 1), (2,)), (max, (1, 2)), (dict, ()), (Any.__class__, (1,))]
)
def test_functions_partials_classes_and_builtins_can_be_submitted(function: Any, args: tuple[Any, ...]) -> None:
    check(function, args, {})


def test_label_is_what_a_reader_calls_the_function() -> None:
    assert [label_of(each) for each in (add, partial(partial(add, 1), 2), len)] == ["add", "add", "len"]
    assert label_of(type("Fit", (), {"__call__": lambda self: 1})()) == "Fit"
