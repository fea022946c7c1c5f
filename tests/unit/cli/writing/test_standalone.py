"""`json` and `html`: an application's document in a file, written whole or not at all, and over nothing of others."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from bokeh.document import Document

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app_server.cli.writing.standalone import default_output
from tests.support.bokehjs import VERSION
from tests.support.server import REPOSITORY

QUIET = """
import sys
from bokeh.io import curdoc, show
from bokeh.models import CustomJS, Div
from bokeh.plotting import figure
import numpy as np

arguments = curdoc().session_context.request.arguments
div = Div(text=" ".join(["</script>", *sys.argv[1:]]), name="div")
div.js_on_change("text", CustomJS(code="1"))
plot = figure(name="plot")
plot.line(np.linspace(0, 1, 50), np.linspace(0, 1, 50))
show(plot)
curdoc().add_root(div)
curdoc().add_root(plot)
curdoc().title = "Quiet & calm"
"""
CALLING = """
from bokeh.io import curdoc
from bokeh.models import Button, Slider

for model in (Slider(start=0, end=1, value=0), Slider(start=0, end=1, value=0)):
    model.on_change("value", lambda attr, old, new: None)
    curdoc().add_root(model)
button = Button()
button.on_click(lambda: None)
curdoc().add_root(button)
curdoc().add_periodic_callback(lambda: None, 100)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with applications, to be in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quiet.py").write_text(QUIET, encoding="utf-8")
    (tmp_path / "calling.py").write_text(CALLING, encoding="utf-8")
    (tmp_path / "empty.py").write_text("", encoding="utf-8")
    (tmp_path / "broken.py").write_text("x = 1 / 0\n", encoding="utf-8")
    (tmp_path / "dressed" / "templates").mkdir(parents=True)
    (tmp_path / "dressed" / "main.py").write_text(QUIET, encoding="utf-8")
    template = "<html><head>{{ bokeh_css }}{{ bokeh_js }}</head><body>{{ embed(roots.div) }}{{ plot_script }}</body>"
    index = "{% from macros import embed %}" + template + "<p>{{ title }}</p></html>"
    (tmp_path / "dressed" / "templates" / "index.html").write_text(index, encoding="utf-8")
    return tmp_path


def fault(capsys: pytest.CaptureFixture[str], *argv: str, status: int = EXIT_USAGE) -> str:
    """What the command complains about."""
    capsys.readouterr()
    assert main(argv, {}) == status
    return capsys.readouterr().err.removeprefix("app-server: ").removesuffix("\n")


def test_json_is_the_document_and_always_the_same(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["json", "quiet.py"], {}) == EXIT_OK
    first = (folder / "quiet.json").read_text(encoding="utf-8")
    assert capsys.readouterr().err == f"quiet.py: quiet.json ({len(first):,} bytes)\n"
    content = json.loads(first)
    assert (content["title"], len(content["roots"])) == ("Quiet & calm", 2)
    assert content["generator"] == "app-server"
    document = Document.from_json(content)
    assert document.get_model_by_name("div").text == "</script>"  # type: ignore[union-attr]
    assert main(["json", "quiet.py"], {}) == EXIT_OK
    assert (folder / "quiet.json").read_text(encoding="utf-8") == first


def test_arguments_reach_the_application_and_stdout_the_reader(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["json", "quiet.py", "--indent", "2", "-o", "-", "--args", "with", "-x"], {}) == EXIT_OK
    captured = capsys.readouterr()
    assert captured.out.startswith('{\n  "generator":"app-server",\n')
    assert "</script> with -x" in str(json.loads(captured.out))
    assert captured.err == ""
    assert sorted(path.name for path in folder.iterdir()) == [
        "broken.py", "calling.py", "dressed", "empty.py", "quiet.py",
    ]  # fmt: skip


def test_page_has_everything_in_itself_and_is_always_the_same(folder: Path) -> None:
    assert main(["html", "quiet.py"], {}) == EXIT_OK
    page = (folder / "quiet.html").read_text(encoding="utf-8")
    assert len(page) > 500_000
    assert "<title>Quiet &amp; calm</title>" in page
    assert '<script src="' not in page and "<link" not in page
    assert page.endswith("<!-- Written by app-server html. -->\n")
    assert main(["html", "quiet.py"], {}) == EXIT_OK
    assert (folder / "quiet.html").read_text(encoding="utf-8") == page


def test_page_takes_bokehjs_from_where_it_is_told(folder: Path) -> None:
    assert main(["html", "quiet.py", "--resources", "cdn", "-o", "cdn.html"], {}) == EXIT_OK
    assert f'src="https://cdn.bokeh.org/bokeh/release/bokeh-{VERSION}.' in (folder / "cdn.html").read_text("utf-8")
    assert main(["html", "quiet.py", "--resources", "server", "-o", "server.html"], {}) == EXIT_OK
    assert 'src="http://localhost:5006/static/js/bokeh.min.js"' in (folder / "server.html").read_text("utf-8")
    words = ["html", "quiet.py", "--resources", "server", "--server-url", "https://js.example/bokeh", "-o", "own.html"]
    assert main(words, {}) == EXIT_OK
    own = (folder / "own.html").read_text("utf-8")
    assert 'src="https://js.example/bokeh/static/js/bokeh.min.js"' in own
    assert "bokeh-tables" not in own, "what the document does not need is left out"


def test_page_of_a_folder_has_its_template(folder: Path) -> None:
    assert main(["html", "dressed", "--resources", "cdn"], {}) == EXIT_OK
    page = (folder / "dressed.html").read_text(encoding="utf-8")
    assert "<p>Quiet & calm</p>" in page
    assert main(["html", "dressed/", "--resources", "cdn"], {}) == EXIT_OK


def test_several_applications_have_a_file_each(folder: Path) -> None:
    assert main(["html", "quiet.py", "-o", "a.html", "dressed", "--resources", "cdn"], {}) == EXIT_OK
    assert (folder / "a.html").is_file() and (folder / "dressed.html").is_file()


def test_python_callbacks_are_warned_of(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["json", "calling.py", "-o", "-"], {}) == EXIT_OK
    assert capsys.readouterr().err == (
        "app-server: warning: calling.py: a periodic callback, Button on button_click, Slider.value: "
        "Python callbacks do not run without a server; JavaScript callbacks (CustomJS) do.\n"
    )


def test_file_of_others_is_overwritten_only_by_force(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = folder / "quiet.json"
    ours.write_text('{"precious": true}', encoding="utf-8")
    ours.chmod(0o640)
    assert fault(capsys, "json", "quiet.py") == (
        "quiet.json: exists, and this command did not write it. Choose another --output, or overwrite it with --force."
    )
    assert ours.read_text(encoding="utf-8") == '{"precious": true}'
    assert main(["json", "quiet.py", "--force"], {}) == EXIT_OK
    assert "generator" in ours.read_text(encoding="utf-8")
    assert stat.S_IMODE(ours.stat().st_mode) == 0o640
    (folder / "bytes.html").write_bytes(b"\xff\xfe")
    assert "this command did not write it" in fault(capsys, "html", "quiet.py", "-o", "bytes.html")


def test_place_that_cannot_be_written_is_told_before_anything_runs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "broken.py").write_text("raise SystemExit('it ran')", encoding="utf-8")
    no_folder = fault(capsys, "json", "broken.py", "-o", "none/x.json")
    assert no_folder == f"none/x.json: there is no folder {folder}/none"
    assert fault(capsys, "json", "broken.py", "-o", "dressed", "--force") == (
        "dressed: exists, and is not a file. Choose another --output."
    )
    assert fault(capsys, "json", "quiet.py", "broken.py", "-o", "x", "-o", "./x") == (
        "./x: both quiet.py and broken.py would be written there. Give --output once for each application."
    )
    assert fault(capsys, "json", "quiet.py", "-o", "x", "-o", "y") == (
        "--output: given 2 times for 1 applications. Give it once for each, in their order."
    )


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["json"], "no application. For example: app-server json myapp.py"),
        (["html"], "no application. For example: app-server html myapp.py"),
        (["json", "quiet.py", "--indent", "x"], "--indent: expected a whole number from 0 to 16, not 'x'"),
        (["html", "quiet.py", "--resources", "x"], "--resources: expected one of inline, cdn, server, not 'x'"),
        (
            ["html", "quiet.py", "--server-url", "http://x/"],
            "--server-url: has no meaning without --resources server. Give --resources server too.",
        ),
        (
            ["html", "quiet.py", "--resources", "server", "--server-url", 'http://x/">'],
            "--server-url: expected an address such as http://localhost:5006/, not 'http://x/\">'",
        ),
        (
            ["html", "quiet.py", "--indent", "2"],
            "--indent: unknown argument. See `app-server html --help` for all flags.",
        ),
    ],
)
def test_usage_faults_are_told(folder: Path, capsys: pytest.CaptureFixture[str], argv: list[str], message: str) -> None:
    assert fault(capsys, *argv) == message


def test_application_that_fails_leaves_no_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = fault(capsys, "html", "broken.py", status=EXIT_FAILED)
    # Without the advice to start a server again.
    assert message == "broken.py:1: ZeroDivisionError: division by zero"
    assert fault(capsys, "html", "empty.py", status=EXIT_FAILED) == (
        "empty.py: the application leaves its document empty. Add something to show with curdoc().add_root(...)."
    )
    assert fault(capsys, "html", "none.py", status=EXIT_FAILED).startswith("none.py: there is no such file or folder.")
    assert not list(folder.glob("*.html")) and not list(folder.glob(".*"))


def test_file_is_written_in_one_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["json", "quiet.py"], {}) == EXIT_OK
    before = (folder / "quiet.json").read_bytes()

    def fail(source: str, target: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    assert main(["json", "quiet.py", "--indent", "1"], {}) == EXIT_FAILED
    assert (folder / "quiet.json").read_bytes() == before
    assert not list(folder.glob(".quiet.json*"))


def test_link_stays_a_link(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    (folder / "quiet.json").symlink_to(folder / "elsewhere" / "real.json")
    assert main(["json", "quiet.py"], {}) == EXIT_OK
    assert (folder / "quiet.json").is_symlink() and (folder / "elsewhere" / "real.json").is_file()


def test_default_output_is_the_name_in_the_current_folder() -> None:
    assert default_output("some/where/app.py", "json") == "app.json"
    assert default_output("some/folder/", "html") == "folder.html"
    assert default_output("notes.ipynb", "html") == "notes.html"


def test_thread_of_the_application_does_not_keep_the_command(folder: Path) -> None:
    (folder / "busy.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\n" + QUIET, encoding="utf-8"
    )
    environ = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-m", "app_server", "json", "busy.py", "-o", "-"],
        capture_output=True, timeout=40, check=False, env=environ,
    )  # fmt: skip
    assert done.returncode == 0 and json.loads(done.stdout)["title"] == "Quiet & calm"
