"""What can be sent to a process, and what of it cannot."""

from __future__ import annotations

import pickle
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from app_server.jobs.errors import NotSendable
from app_server.jobs.running import packing
from app_server.jobs.running.packing import pack, pack_result
from tests.unit.jobs.making import in_steps

SCRIPT = """
import threading
from dataclasses import dataclass

factor = 3
lock = threading.Lock()


@dataclass
class Point:
    x: int


def triple(n):
    return factor * n


def guarded(n):
    with lock:
        return n


def moved(point):
    return Point(point.x + 1)
"""


@pytest.fixture
def script() -> Iterator[Any]:
    """The module of a session's script, which no other process can import."""
    module = ModuleType("bokeh_app_fedcba9876543210")
    sys.modules[module.__name__] = module
    exec(SCRIPT, module.__dict__)
    yield module
    del sys.modules[module.__name__]


def read_elsewhere(packed: bytes, module: ModuleType) -> Any:
    """What another process reads: there is no such module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, module.__name__)
        return pickle.loads(packed)


def test_function_of_a_script_is_sent_with_what_it_uses(script: Any) -> None:
    function, args, kwargs = read_elsewhere(pack(script.triple, (14,), {}), script)
    assert function is not script.triple and function(*args, **kwargs) == 42


def test_function_of_a_module_is_sent_by_its_name() -> None:
    packed = pack(in_steps, (), {"steps": 1})
    assert pickle.loads(packed) == (in_steps, (), {"steps": 1}) and len(packed) < 200


def test_modules_are_sent_by_their_names_again_afterwards(script: Any) -> None:
    import cloudpickle

    pack(script.triple, (14,), {})
    assert script.__name__ not in cloudpickle.list_registry_pickle_by_value()


def test_class_of_a_script_is_the_same_one_when_it_comes_back(script: Any) -> None:
    function, args, _ = read_elsewhere(pack(script.moved, (script.Point(1),), {}), script)
    assert pickle.loads(pack_result(function(*args), "moved")) == script.Point(2)


def test_argument_that_cannot_be_sent_is_named_with_its_place() -> None:
    with pytest.raises(NotSendable) as caught:
        pack(in_steps, ({"a": [1, {"lock": threading.Lock()}]},), {})
    assert str(caught.value) == (
        "in_steps: the argument steps['a'][1]['lock'] cannot be sent to a process, because it is a _thread.lock:"
        " cannot pickle '_thread.lock' object. Pass plain data, or submit it with where=\"thread\""
    )


def test_global_variable_that_cannot_be_sent_is_named(script: Any) -> None:
    with pytest.raises(NotSendable) as caught:
        pack(script.guarded, (1,), {})
    assert caught.value.what == (
        "the global variable lock cannot be sent to a process, because it is a _thread.lock: cannot pickle"
        " '_thread.lock' object"
    )


def test_variable_of_an_outer_function_that_cannot_be_sent_is_named() -> None:
    lock = threading.Lock()

    def guarded() -> object:
        return lock

    with pytest.raises(NotSendable, match="the variable lock cannot be sent to a process"):
        pack(guarded, (), {})


def test_attribute_that_cannot_be_sent_is_named() -> None:
    class Holder:
        def __init__(self) -> None:
            self.held = [threading.Lock()]

    with pytest.raises(NotSendable, match=r"its result\.held\[0\] cannot be sent back"):
        pack_result(Holder(), "compute")


def test_result_that_cannot_be_sent_is_named_with_what_to_do() -> None:
    with pytest.raises(NotSendable) as caught:
        pack_result({"rows": (row for row in "ab")}, "compute")
    assert str(caught.value) == (
        "compute: its result['rows'] cannot be sent back, because it is a generator: cannot pickle 'generator' object."
        " Return plain data, or arrays and data frames"
    )


def test_document_cannot_be_sent() -> None:
    from app_server.document.served import new_document

    with pytest.raises(NotSendable, match="the argument steps"):
        pack(in_steps, (new_document("one"),), {})


def test_search_for_what_cannot_be_sent_is_bounded() -> None:
    looked = 0

    def send(value: Any) -> bytes:
        nonlocal looked
        looked += 1
        raise TypeError("never")

    packing.find_culprit({"it": [[[[[[[[list(range(5000))]]]]]]]]}, send)
    assert looked <= 1000


def test_without_cloudpickle_only_what_can_be_imported_is_sent(script: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    assert pickle.loads(pack(in_steps, (1,), {})) == (in_steps, (1,), {})
    for function in (script.triple, lambda: 1):
        with pytest.raises(NotSendable) as caught:
            pack(function, (), {})
        assert caught.value.what == (
            "is a function of the application's own file, which takes the package cloudpickle to be sent to a process"
        )
        assert "[jobs]" in str(caught.value.hint)
