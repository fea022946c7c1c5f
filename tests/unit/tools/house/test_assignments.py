"""Assignments to attributes of our objects from outside their classes are found; those that are fine are not."""

from __future__ import annotations

import textwrap

import pytest

from tools.house.assignments import Assignment, find_assignments, judge
from tools.house.sources import Source

PATH = "app_server/room/file.py"


def found(text: str) -> list[Assignment]:
    """What is found in a file."""
    return find_assignments([Source(PATH, textwrap.dedent(text))])


@pytest.mark.parametrize(
    ("statement", "target"),
    [
        ("session.wake = act", "session.wake"),
        ("session.count += 1", "session.count"),
        ("session.wake: Act = act", "session.wake"),
        ("del session.wake", "session.wake"),
        ("a, (session.wake, b) = act", "session.wake"),
        ("for session.wake in act: pass", "session.wake"),
        ("setattr(session, 'wake', act)", "setattr(session, 'wake', act)"),
        ("delattr(session, 'wake')", "delattr(session, 'wake')"),
        ("find(act).wake = act", "find(act).wake"),
        ("self.session.wake = act", "self.session.wake"),
    ],
)
def test_assignment_from_outside_is_found(statement: str, target: str) -> None:
    text = f"class Runtime:\n    def begin(self, session, act):\n        {statement}\n"
    assert found(text) == [Assignment(PATH, 3, target)]


def test_self_is_no_object_of_ones_own_outside_a_class() -> None:
    assert [each.target for each in found("def patched(self): self.wake = None")] == ["self.wake"]


@pytest.mark.parametrize(
    "text",
    [
        """
        class Session:
            def begin(self):
                self.a, self.b = 1, 2
                def later():
                    self.c += 1
        """,
        """
        class Session:
            @classmethod
            def restored(cls):
                session = cls()
                session.count = 1
                other = object.__new__(cls)
                other.count = 1
                cls.made = Session.last = session
        """,
        """
        import ssl, sys
        from tornado.web import RequestHandler
        def prepare(handler: RequestHandler, context: "ssl.SSLContext", maybe: ssl.SSLContext | None):
            sys.stdout = None
            handler.name = context.options = maybe.options = 1
            made = ssl.create_default_context()
            made.check_hostname = False
            with RequestHandler() as other:
                other.name = 1
        """,
        """
        def fail():
            try: pass
            except OSError as error:
                error.errno = 1
                raise
        """,
        "def because(error, cause): error.__cause__ = cause",
        "def read(session): session.wake(); session['wake'] = 1; wake = session.wake",
    ],
)
def test_assignment_that_is_fine_is_not_found(text: str) -> None:
    assert found(text) == []


def test_name_is_fine_only_in_the_function_that_binds_it() -> None:
    text = """
    import ssl
    def make():
        context = ssl.SSLContext()
        context.options = 1
    def change(context):
        context.options = 1
    """
    assert [each.line for each in found(text)] == [7]


def test_what_the_list_does_not_allow_is_a_fault() -> None:
    wake = Assignment(PATH, 3, "session.wake")
    assert judge([wake], {PATH: {"session.wake": "why"}}) == []
    [fault] = judge([wake], {})
    assert str(fault) == (
        "app_server/room/file.py:3: session.wake is assigned from outside its class;"
        " pass it to the constructor, or call a method."
    )


def test_entry_of_the_list_that_allows_nothing_is_a_fault() -> None:
    [fault] = judge([], {PATH: {"session.wake": "why"}})
    assert str(fault) == (
        "tools/house/assignments.toml: app_server/room/file.py: session.wake is assigned nowhere. Remove the entry."
    )
