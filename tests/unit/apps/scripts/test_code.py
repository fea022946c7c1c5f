from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path

import pytest
from bokeh.document import Document
from bokeh.io import curdoc

from app_server.apps import as_application, load_application
from app_server.errors import ApplicationError, OperatorError
from tests.unit.apps.making import MENDED, Write

REPORT = """
    import os, sys
    from bokeh.io import curdoc
    curdoc().template_variables.update(
        name=__name__, file=__file__, argv=list(sys.argv), cwd=os.getcwd(), path=list(sys.path),
        registered=sys.modules[__name__].__dict__ is globals(),
    )
"""


def test_curdoc_is_the_document_that_is_built(write: Write, document: Document) -> None:
    folder = write({"app.py": "from bokeh.io import curdoc\ncurdoc().title = 'mine'\n"})
    load_application(folder / "app.py").build(document)
    assert document.title == "mine"
    assert curdoc() is not document


def test_script_sees_its_file_and_its_arguments(write: Write, document: Document) -> None:
    script = write({"app.py": REPORT}) / "app.py"
    load_application(script, ["--level", "3"]).build(document)
    seen = document.template_variables
    assert seen["file"] == str(script)
    assert seen["argv"] == [str(script), "--level", "3"]
    assert seen["path"][0] == str(script.parent)
    assert seen["cwd"] == os.getcwd()


def test_each_run_has_a_module_of_its_own(write: Write) -> None:
    application = load_application(write({"app.py": REPORT}) / "app.py")
    documents = [Document(), Document()]
    for document in documents:
        application.build(document)
    names = [document.template_variables["name"] for document in documents]
    assert len(set(names)) == 2
    # Panel and many applications tell by this prefix that they are served.
    assert all(name.startswith("bokeh_app_") for name in names)
    assert all(document.template_variables["registered"] for document in documents)
    for document in documents:
        document.modules.destroy()
    assert not set(names) & set(sys.modules)


def test_process_state_is_put_back_after_a_run(write: Write, document: Document, tmp_path: Path) -> None:
    script = """
        import os, sys
        os.chdir({folder!r})
        sys.path.append("/nowhere")
        sys.argv = ["other"]
        if {fails}:
            raise ValueError("late")
    """
    folder = str(tmp_path / "elsewhere")
    write(
        {
            "elsewhere/empty": "",
            "good.py": script.format(folder=folder, fails=False),
            "bad.py": script.format(folder=folder, fails=True),
        }
    )
    before = (os.getcwd(), sys.path, list(sys.path), sys.argv, list(sys.argv))
    load_application(tmp_path / "good.py").build(document)
    assert (os.getcwd(), sys.path, list(sys.path), sys.argv, list(sys.argv)) == before
    with pytest.raises(ApplicationError):
        load_application(tmp_path / "bad.py").build(document)
    after = (os.getcwd(), sys.path, list(sys.path), sys.argv, list(sys.argv))
    assert after == before
    assert after[1] is before[1] and after[3] is before[3]


def test_helper_module_beside_the_script_is_imported(write: Write, document: Document) -> None:
    folder = write(
        {
            "app.py": "from bokeh.io import curdoc\nfrom helper_beside import title\ncurdoc().title = title()\n",
            "helper_beside.py": "def title(): return 'helped'\n",
        }
    )
    load_application(folder / "app.py").build(document)
    assert document.title == "helped"


def test_future_imports_of_the_server_do_not_reach_the_script(write: Write, document: Document) -> None:
    script = """
        from bokeh.io import curdoc
        def f(x: int): ...
        curdoc().template_variables["annotation"] = f.__annotations__["x"]
    """
    load_application(write({"app.py": script}) / "app.py").build(document)
    assert document.template_variables["annotation"] is int


def test_script_may_define_dataclasses_with_postponed_annotations(write: Write, document: Document) -> None:
    script = """
        from __future__ import annotations
        from dataclasses import dataclass
        from typing import ClassVar
        from bokeh.io import curdoc
        @dataclass
        class Point:
            origin: ClassVar[int] = 0
            x: float
        curdoc().title = repr(Point(1.0))
    """
    load_application(write({"app.py": script}) / "app.py").build(document)
    assert document.title == "Point(x=1.0)"


def test_script_is_read_once(write: Write, document: Document) -> None:
    script = write({"app.py": "from bokeh.io import curdoc\ncurdoc().title = 'first'\n"}) / "app.py"
    application = load_application(script)
    script.unlink()
    application.build(document)
    assert document.title == "first"


def test_coding_line_is_obeyed(tmp_path: Path, document: Document) -> None:
    script = tmp_path / "app.py"
    text = "# -*- coding: latin-1 -*-\nfrom bokeh.io import curdoc\ncurdoc().title = 'größe'\n"
    script.write_bytes(text.encode("latin-1"))
    load_application(script).build(document)
    assert document.title == "größe"


def test_failing_script_names_the_line_and_the_cause(write: Write, document: Document) -> None:
    script = write({"app.py": "import os\n\ndef f():\n    return x\n\nf()\n"}) / "app.py"
    with pytest.raises(ApplicationError) as caught:
        load_application(script).build(document)
    assert str(caught.value) == f"{script}:4: NameError: name 'x' is not defined. {MENDED}"
    assert isinstance(caught.value.__cause__, NameError)


def test_paths_in_errors_are_written_as_they_were_given(
    write: Write, document: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write({"apps/app.py": "1 / 0\n", "apps/sales/main.py": "import far_helper\n"})
    write({"apps/sales/far_helper.py": "\n\nopen('lost.csv')\n"})
    monkeypatch.chdir(folder)
    errors = []
    for path in ("apps/app.py", "apps/sales/"):
        with pytest.raises(ApplicationError) as caught:
            load_application(path).build(document)
        errors.append(str(caught.value))
    assert errors == [
        f"apps/app.py:1: ZeroDivisionError: division by zero. {MENDED}",
        "apps/sales/far_helper.py:3: FileNotFoundError: [Errno 2] No such file or directory: 'lost.csv'. "
        "A relative path starts at the server's working directory; build it from Path(__file__).parent",
    ]


def test_error_inside_a_library_names_the_line_that_called_it(write: Write, document: Document) -> None:
    script = write({"app.py": "from bokeh.plotting import figure\n\nfigure(no_such_property=1)\n"}) / "app.py"
    with pytest.raises(ApplicationError) as caught:
        load_application(script).build(document)
    assert caught.value.where == f"{script}:3"
    assert caught.value.what.startswith("AttributeError: unexpected attribute 'no_such_property' to figure")


def test_helper_that_does_not_parse_is_named_itself(write: Write, document: Document) -> None:
    folder = write({"app.py": "import broken_helper\n", "broken_helper.py": "x = 1\ny = = 2\n"})
    application = load_application(folder / "app.py")
    with pytest.raises(ApplicationError) as caught:
        application.build(document)
    assert str(caught.value) == f"{folder}/broken_helper.py:2: SyntaxError: invalid syntax. {MENDED}"


def test_missing_module_says_what_to_install(write: Write, document: Document) -> None:
    script = write({"app.py": "import nowhere_to_be_found.deep\n"}) / "app.py"
    with pytest.raises(ApplicationError) as caught:
        load_application(script).build(document)
    assert str(caught.value) == (
        f"{script}:1: ModuleNotFoundError: No module named 'nowhere_to_be_found'. "
        "Install nowhere_to_be_found where the server runs, or put it beside the application"
    )


@pytest.mark.parametrize(
    ("call", "what"),
    [
        ("sys.exit()", "the application called sys.exit()"),
        ("sys.exit(3)", "the application called sys.exit(3)"),
        ("sys.exit('enough')", "the application called sys.exit('enough')"),
    ],
)
def test_exit_of_an_application_is_an_error_of_its_own(write: Write, document: Document, call: str, what: str) -> None:
    script = write({"app.py": f"import sys\n{call}\n"}) / "app.py"
    with pytest.raises(ApplicationError) as caught:
        load_application(script).build(document)
    assert str(caught.value) == (
        f"{script}:2: {what}. A server must outlive its sessions: return, or raise an error that says what is wrong"
    )
    assert isinstance(caught.value.__cause__, SystemExit)


@pytest.mark.parametrize("name", ["BaseException", "GeneratorExit", "StopIteration", "AssertionError"])
def test_whatever_is_raised_becomes_an_application_error(write: Write, document: Document, name: str) -> None:
    script = write({"app.py": f"raise {name}\n"}) / "app.py"
    with pytest.raises(ApplicationError) as caught:
        load_application(script).build(document)
    assert str(caught.value) == f"{script}:1: {name}. {MENDED}"
    assert type(caught.value.__cause__).__name__ == name


def test_keyboard_interrupt_passes_and_state_is_put_back(write: Write, document: Document) -> None:
    script = write({"app.py": "import sys\nsys.path.append('/nowhere')\nraise KeyboardInterrupt\n"}) / "app.py"
    with pytest.raises(KeyboardInterrupt):
        load_application(script).build(document)
    assert "/nowhere" not in sys.path


def test_error_that_cannot_be_printed_is_still_reported(write: Write, document: Document) -> None:
    script = "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError\n\nraise Odd\n"
    path = write({"app.py": script}) / "app.py"
    with pytest.raises(ApplicationError) as caught:
        load_application(path).build(document)
    assert (caught.value.where, caught.value.what) == (f"{path}:5", "Odd")


def test_only_the_first_line_of_a_long_message_is_reported(write: Write, document: Document) -> None:
    path = write({"app.py": "raise ValueError('first.\\nsecond')\n"}) / "app.py"
    with pytest.raises(ApplicationError) as caught:
        load_application(path).build(document)
    assert caught.value.what == "ValueError: first"


def test_traceback_begins_with_the_authors_code(write: Write, document: Document) -> None:
    script = write({"app.py": "def f():\n    1 / 0\n\nf()\n"}) / "app.py"
    with pytest.raises(ApplicationError) as caught:
        load_application(script).build(document)
    cause = caught.value.__cause__
    assert cause is not None and cause.__traceback__ is not None
    assert cause.__traceback__.tb_frame.f_code.co_filename == str(script)


def test_failed_run_leaves_the_application_usable(write: Write, tmp_path: Path) -> None:
    script = "from pathlib import Path\nif not (Path(__file__).parent / 'ready').exists(): raise OSError('not yet')\n"
    application = load_application(write({"app.py": script}) / "app.py")
    with pytest.raises(ApplicationError):
        application.build(Document())
    (tmp_path / "ready").touch()
    application.build(Document())


def test_syntax_error_is_found_when_loading(write: Write) -> None:
    script = write({"app.py": "x = 1\nif x\n    pass\n"}) / "app.py"
    with pytest.raises(ApplicationError) as caught:
        load_application(script)
    assert str(caught.value) == f"{script}:2: SyntaxError: expected ':'. {MENDED}"
    assert isinstance(caught.value.__cause__, SyntaxError)


def test_null_byte_is_found_when_loading(write: Write) -> None:
    script = write({"app.py": "x = 1\0\n"}) / "app.py"
    with pytest.raises(ApplicationError) as caught:
        load_application(script)
    assert str(caught.value).startswith(f"{script}")
    assert "null bytes" in caught.value.what


def test_missing_path_is_one_clear_line(tmp_path: Path) -> None:
    for name in ("app.py", "app.ipynb", "app"):
        with pytest.raises(OperatorError) as caught:
            load_application(tmp_path / name)
        assert str(caught.value) == (
            f"{tmp_path / name}: there is no such file or folder. "
            "Name a .py script, an .ipynb notebook, an .md file, or a folder with a main.py or main.ipynb"
        )


def test_file_of_another_kind_is_refused(write: Write) -> None:
    path = write({"app.txt": ""}) / "app.txt"
    with pytest.raises(OperatorError) as caught:
        load_application(path)
    assert str(caught.value) == (
        f"{path}: is neither a script nor a notebook. "
        "Name a .py script, an .ipynb notebook, an .md file, or a folder with a main.py or main.ipynb"
    )


def test_script_has_no_hooks_and_no_static_folder(write: Write) -> None:
    folder = write({"app.py": "", "static/a.css": "", "app_hooks.py": "1 / 0"})
    application = load_application(folder / "app.py")
    assert application.static_path is None
    assert application.path == folder / "app.py"
    assert application.route == "/app"
    assert application.hooks.on_server_loaded(None) is None
    assert application.process_request(None) == {}


def test_lone_main_of_an_application_folder_is_warned_of(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    script = write({"sales/main.py": "", "sales/theme.yaml": "", "plain/main.py": ""}) / "sales/main.py"
    load_application(script)
    load_application(script.parents[1] / "plain/main.py")
    assert caplog.messages == [
        f"{script}: serving only this file. To use the theme, the template and the hooks beside it, serve its folder"
    ]


def test_nothing_runs_when_loading(write: Write, tmp_path: Path) -> None:
    touch = "from pathlib import Path\nPath(__file__).with_suffix('.ran').touch()\n"
    write({"app.py": touch, "dir/main.py": touch, "dir/__init__.py": touch, "dir/app_hooks.py": touch})
    load_application(tmp_path / "app.py")
    as_application(str(tmp_path / "dir"))
    assert not list(tmp_path.rglob("*.ran"))


def test_script_says_how_its_sessions_are_kept_apart_before_it_runs(write: Write) -> None:
    folder = write({"app.py": "__isolation__ = 'process'\nraise RuntimeError\n", "plain.py": "pass\n"})
    assert load_application(folder / "app.py").isolation == "process"
    assert load_application(folder / "plain.py").isolation is None


def test_script_says_what_its_saved_sessions_get_back_before_it_runs(write: Write) -> None:
    folder = write({"app.py": "__restore__ = 'values'\nraise RuntimeError\n", "plain.py": "pass\n"})
    assert load_application(folder / "app.py").restore == "values"
    assert load_application(folder / "plain.py").restore is None


def test_unknown_isolation_is_an_error_with_its_line(write: Write) -> None:
    folder = write({"app.py": "\n__isolation__ = 'room'\n"})
    with pytest.raises(ApplicationError) as caught:
        load_application(folder / "app.py")
    assert str(caught.value) == (
        f"{folder / 'app.py'}:2: __isolation__ is 'room'. Write one of 'none', 'process', 'snapshot'"
    )


@pytest.mark.parametrize(
    ("given", "meant"),
    [("helo.py", "hello.py"), ("hello", "hello.py"), ("Hello.py", "hello.py"), ("dash", "dash.ipynb"),
     ("saels", "sales")],
)  # fmt: skip
def test_name_that_was_likely_meant_is_proposed(write: Write, given: str, meant: str) -> None:
    folder = write({"hello.py": "", "dash.ipynb": "{}", "sales/main.py": "", "helo.txt": ""})
    with pytest.raises(OperatorError) as refused:
        load_application(folder / given)
    assert str(refused.value) == f"{folder}/{given}: there is no such file or folder. Did you mean {folder}/{meant}?"


def test_only_script_of_a_folder_is_proposed(write: Write) -> None:
    folder = write({"sales/hello.py": "", "sales/__init__.py": "", "sales/app_hooks.py": "", "sales/notes.txt": ""})
    with pytest.raises(OperatorError) as refused:
        load_application(folder / "sales")
    hint = f"Rename its hello.py to main.py, or name {folder}/sales/hello.py"
    assert str(refused.value) == f"{folder}/sales: the folder has neither main.py nor main.ipynb. {hint}"


def test_file_that_does_not_parse_is_shown_without_the_frames_of_the_server(write: Write) -> None:
    with pytest.raises(ApplicationError) as caught:
        load_application(write({"app.py": "x = = 1\n"}) / "app.py")
    cause = caught.value.__cause__
    assert isinstance(cause, SyntaxError) and cause.__traceback__ is None
    assert "x = = 1" in "".join(traceback.format_exception(cause))


def test_address_without_a_slash_is_explained(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(write({"powers.py": ""}))
    with pytest.raises(OperatorError) as refused:
        load_application("reports=powers.py")
    hint = "An address begins with a slash: /reports=powers.py"
    assert str(refused.value) == f"reports=powers.py: there is no such file or folder. {hint}"
