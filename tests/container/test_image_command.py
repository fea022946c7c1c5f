"""`app-server image`: applications become an image in one command, or one line says why not."""

from __future__ import annotations

import json
import shlex
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server import __version__
from tests.container.test_image import fetched, tiny_wheel
from tests.support.containers.engine import docker, wait_for_state
from tests.support.containers.images import ROOT, TAG
from tests.support.containers.stack import app_server
from tests.support.ports import free_port

ONE = """
from pathlib import Path

import helper
import tinywheel
from bokeh.plotting import curdoc

curdoc().title = helper.title(Path(__file__).with_name("words.txt").read_text())
"""
TWO = "from bokeh.plotting import curdoc\n\ncurdoc().title = 'two'\n"
HELPER = "def title(text):\n    return f'hello from {text}'\n"
ONE_ALONE = ("one.py", "--requirements", "needs.txt", "--include", "*.txt")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two applications, what one of them imports and reads, and what it requires."""
    tiny_wheel(tmp_path)
    for path, text in (
        ("one.py", ONE), ("helper.py", HELPER), ("words.txt", "one"), ("two/main.py", TWO),
        ("needs.txt", "-r more.txt\n"), ("more.txt", "./tinywheel-1.0-py3-none-any.whl\n"),
    ):  # fmt: skip
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
        # No one else may read them here: the image's user can all the same.
        (tmp_path / path).chmod(0o600)
    return tmp_path


@pytest.fixture
def tag(engine: None) -> Iterator[str]:
    """A name for images that no one else has; those that bear it are removed."""
    tag = f"app-server-test-{uuid.uuid4().hex[:8]}"
    yield tag
    for image in docker("images", "--format", "{{.Repository}}:{{.Tag}}").split():
        if image.startswith(tag):
            docker("rmi", "--force", image)


def test_one_command_makes_an_image_that_serves(app_image: str, folder: Path, tag: str, name: str) -> None:
    words = ("one.py", "two", "--requirements", "needs.txt", "--include", "*.txt", "--tag", tag)
    base = ("--from", f"{tag}/app-server", "--build-context", str(ROOT))
    made = app_server("image", *words, *base, cwd=folder)
    assert made.returncode == 0, made.stderr
    lines = made.stdout.splitlines()
    assert lines[0] == f"{tag}:latest from {tag}/app-server:latest"
    assert any(line.startswith("  tried it: /one, /two answer in ") for line in lines)
    (command,) = [line.removeprefix("run it:") for line in lines if line.startswith("run it:")]
    port = free_port()
    words = tuple(command.replace(":5006:", f":{port}:", 1).replace("--rm", f"--detach --name {name}").split())
    docker(*words[1:], "--prefix", "/tools")
    wait_for_state(name, "healthy", "exited")
    assert "<title>hello from one</title>" in fetched(f"http://localhost:{port}/tools/one")
    assert "<title>two</title>" in fetched(f"http://localhost:{port}/tools/two")
    # A module of an application is none itself, nor is what it reads.
    index = fetched(f"http://localhost:{port}/tools/")
    assert "/tools/two" in index and "helper" not in index
    assert shlex.split(docker("exec", name, "printenv", "APP_SERVER_APPS")) == ["one.py", "two"]
    # What it says of itself, and the list of what it contains, are those of the applications.
    labels = json.loads(docker("image", "inspect", "--format", "{{json .Config.Labels}}", tag))
    about = {key.rpartition("image.")[2]: value for key, value in labels.items()}
    assert about["description"] == "Serves /one, /two" and about["base.name"] == f"{tag}/app-server:latest"
    assert (about["version"], about["licenses"]) == ("latest", "")
    listed = json.loads(docker("exec", name, "cat", labels["app-server.sbom"]))
    assert listed["metadata"]["component"]["name"] == "applications"
    purls = {component["purl"].partition("?")[0] for component in listed["components"]}
    assert {"pkg:pypi/tinywheel@1.0", f"pkg:pypi/app-server@{__version__}"} <= purls
    assert any(purl.startswith("pkg:deb/debian/") for purl in purls)

    before = docker("image", "inspect", "--format", "{{.Id}}", tag)
    (folder / "helper.py").write_text("1 / 0\n", encoding="utf-8")
    broken = app_server("image", *ONE_ALONE, "--tag", tag, *base, cwd=folder)
    assert broken.returncode == 1
    assert broken.stderr == (
        "app-server: one.py: does not show its page: helper.py:1: ZeroDivisionError: division by zero. "
        "--no-try builds it without this test, for applications that need something that is not here.\n"
    )
    assert docker("image", "inspect", "--format", "{{.Id}}", tag) == before
    left = ("--filter", "label=app-server.applications=one.py", "--filter", "dangling=true")
    assert docker("images", "--quiet", *left) == ""

    (folder / "needs.txt").write_text("tornado==5.0\n", encoding="utf-8")
    contradicting = app_server("image", *ONE_ALONE, "--tag", tag, *base, cwd=folder)
    assert contradicting.returncode == 1 and contradicting.stderr.count("\n") == 1
    assert contradicting.stderr.startswith(f"app-server: {tag}:latest: Cannot install tornado==5.0 because")


def test_deployment_gets_the_image_that_it_names(app_image: str, folder: Path, tag: str) -> None:
    text = "apps: {two: {path: two, route: /second}}\npublic: localhost\ncontainers: {images: {app: 'TAG:7'}}\n"
    (folder / "deploy.yaml").write_text(f"{text.replace('TAG', tag)}image: {app_image}\n", encoding="utf-8")
    made = app_server("image", cwd=folder)
    assert made.returncode == 0, made.stderr
    assert made.stdout.splitlines()[0] == f"{tag}:7 from {app_image}"
    assert "  tried it: /second answers in " in made.stdout
    assert docker("run", "--rm", f"{tag}:7", "sh", "-c", "find /apps -type f") == "/apps/two/main.py"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--from", "TAG/base"), "TAG/base:latest: there is no such image. "
                                 "Set --build-context to a clone of app-server, "
                                 "or load the image with `docker load`."),
        (("--from", "debian:trixie-slim"), "debian:trixie-slim: was not built by app-server. "
                                           "Use app-server, or an image that is built FROM it."),
        (("--tag", "debian:trixie-slim"), "debian:trixie-slim: exists already, and was not built by this command. "
                                          "Choose another --tag, or give --force."),
        (("--tag", "app-server:OURS"), "app-server:OURS: is the base image that it would be built from. "
                                       "Choose another --tag."),
        (("--tag", "app-server-nginx"), "app-server-nginx:latest: is a base of other images. "
                                        "Choose another --tag."),
    ],
)  # fmt: skip
def test_image_that_cannot_be_made_is_one_line(
    app_image: str, folder: Path, tag: str, words: tuple[str, ...], complaint: str
) -> None:
    def named(text: str) -> str:
        return text.replace("TAG", tag).replace("OURS", TAG)

    given = ("--from", app_image, "--tag", tag, *map(named, words))
    refused = app_server("image", "two", *given, cwd=folder)
    assert refused.returncode == 1
    assert refused.stderr == f"app-server: {named(complaint)}\n"
