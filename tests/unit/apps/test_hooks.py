from __future__ import annotations

import inspect
import sys
from typing import Any

import pytest
from bokeh.document import Document

from app_server.apps import Application, load_application
from app_server.errors import ApplicationError
from tests.unit.apps.making import MENDED, Write


def with_hooks(write: Write, hooks: str, name: str = "app_hooks.py") -> Application:
    return load_application(write({"sales/main.py": "", f"sales/{name}": hooks}) / "sales")


@pytest.mark.parametrize("name", ["app_hooks.py", "server_lifecycle.py"])
async def test_hooks_are_called_with_their_context(write: Write, name: str) -> None:
    source = """
        import sys
        seen = []
        def on_server_loaded(server_context): seen.append(("loaded", server_context))
        def on_server_unloaded(context): seen.append(("unloaded", context))
        async def on_session_created(session_context): seen.append(("created", session_context))
        on_session_destroyed = lambda session_context: session_context.append(seen)
    """
    hooks = with_hooks(write, source, name).hooks
    result: list[Any] = []
    hooks.on_server_loaded(1)
    created = hooks.on_session_created(2)
    assert inspect.isawaitable(created)
    await created
    hooks.on_server_unloaded(3)
    hooks.on_session_destroyed(result)
    assert result == [[("loaded", 1), ("created", 2), ("unloaded", 3)]]


def test_hooks_module_runs_once_with_the_folder_importable(write: Write) -> None:
    write({"sales/hooks_helper.py": "runs = []\n"})
    source = """
        import sys
        import hooks_helper
        hooks_helper.runs.append((sys.argv[1:], sys.modules[__name__].__dict__ is globals()))
        def on_server_loaded(server_context): server_context.extend(hooks_helper.runs)
    """
    folder = write({"sales/main.py": "", "sales/app_hooks.py": ""})
    write({"sales/app_hooks.py": source})
    application = load_application(folder / "sales", ["x"])
    seen: list[Any] = []
    application.prepare()
    application.build(Document())
    application.hooks.on_server_loaded(seen)
    assert seen == [(["x"], True)]
    assert str(folder / "sales") not in sys.path


def test_module_without_hooks_does_nothing(write: Write) -> None:
    hooks = with_hooks(write, "x = 1\n").hooks
    assert hooks.on_server_loaded(None) is None
    assert hooks.on_session_destroyed(None) is None


def test_extra_arguments_with_defaults_are_allowed(write: Write) -> None:
    source = "def on_server_loaded(context, verbose=False, *rest, **options): context.append(verbose)\n"
    seen: list[bool] = []
    with_hooks(write, source).hooks.on_server_loaded(seen)
    assert seen == [False]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "\ndef on_session_created(): pass\n",
            ":2: on_session_created() cannot be called with one argument. "
            "Write it as def on_session_created(session_context)",
        ),
        (
            "\n\ndef on_server_loaded(a, b): pass\n",
            ":3: on_server_loaded(a, b) cannot be called with one argument. "
            "Write it as def on_server_loaded(server_context)",
        ),
        (
            "on_server_unloaded = 3\n",
            ": on_server_unloaded is not a function but int. Write it as def on_server_unloaded(server_context)",
        ),
        (
            "async def process_request(request): return {}\n",
            ":1: process_request is async, but its result is needed at once. Write it as def process_request(request)",
        ),
        ("x = 1\nprint(y)\n", f":2: NameError: name 'y' is not defined. {MENDED}"),
    ],
)
def test_faulty_hooks_are_a_clear_error(write: Write, source: str, message: str) -> None:
    application = with_hooks(write, source)
    with pytest.raises(ApplicationError) as caught:
        application.prepare()
    assert application.path is not None
    assert str(caught.value) == f"{application.path}/app_hooks.py{message}"
    with pytest.raises(ApplicationError):
        application.build(Document())


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("on_sever_loaded", "on_server_loaded"),
        ("on_server_unload", "on_server_unloaded"),
        ("on_session_create", "on_session_created"),
        ("on_session_destroy", "on_session_destroyed"),
        ("process_requests", "process_request"),
    ],
)
def test_mistyped_hook_is_named_with_its_line(
    write: Write, caplog: pytest.LogCaptureFixture, name: str, meant: str
) -> None:
    application = with_hooks(write, f"x = 1\ndef {name}(context): pass\n")
    application.prepare()
    assert caplog.messages == [
        f"{application.path}/app_hooks.py:2: {name} is not a hook, and is never called by the server. "
        f"Did you mean {meant}?"
    ]


def test_functions_beside_hooks_are_not_mentioned(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    with_hooks(write, "def on_server_loaded(c): pass\ndef on_server_loaded2(c): pass\ndef load(): pass\n").prepare()
    assert caplog.messages == []


def test_process_request_adds_to_the_token(write: Write) -> None:
    application = with_hooks(write, "def process_request(request): return {'user': request.upper()}\n")
    assert application.process_request("ada") == {"user": "ADA"}


def test_process_request_that_returns_no_dict_is_named(write: Write) -> None:
    application = with_hooks(write, "\ndef process_request(request): return None\n")
    with pytest.raises(ApplicationError) as caught:
        application.process_request("ada")
    assert str(caught.value) == (
        f"{application.path}/app_hooks.py:2: process_request returned NoneType, not a dict. "
        "Return {} if there is nothing to add"
    )


def test_failing_process_request_names_its_line(write: Write) -> None:
    application = with_hooks(write, "def process_request(request):\n    return {'user': request.user}\n")
    with pytest.raises(ApplicationError) as caught:
        application.process_request("ada")
    assert caught.value.where == f"{application.path}/app_hooks.py:2"
    assert caught.value.what == "AttributeError: 'str' object has no attribute 'user'"


def test_process_request_counts_in_app_hooks_alone(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    source = "def process_request(request): return {'user': 'ada'}\n"
    application = with_hooks(write, source, "server_lifecycle.py")
    assert application.process_request("ada") == {}
    assert caplog.messages == [
        f"{application.path}/server_lifecycle.py: process_request is only called in app_hooks.py. Rename the file"
    ]


def test_error_of_a_hook_can_be_put_to_its_line(write: Write) -> None:
    application = with_hooks(write, "def on_server_loaded(context):\n    context / 0\n")
    try:
        application.hooks.on_server_loaded(1)
    except ZeroDivisionError as error:
        found = application.error_from(error)
    assert str(found) == f"{application.path}/app_hooks.py:2: ZeroDivisionError: division by zero. {MENDED}"
