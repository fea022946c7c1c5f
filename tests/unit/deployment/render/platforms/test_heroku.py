"""The Procfile: one process, by a line that a shell reads."""

from __future__ import annotations

import shlex
from pathlib import Path

from app_server.deployment.render import render
from tests.unit.deployment.render.platforms.planning import TEXT, planned, served


def procfile(folder: Path, text: str = TEXT) -> list[str]:
    return render("heroku", planned(folder, text))["heroku/Procfile"].text.splitlines()


def test_process_web_is_the_server(tmp_path: Path) -> None:
    (line,) = [line for line in procfile(tmp_path) if not line.startswith("#")]
    name, _, command = line.partition(": ")
    # The shell gives way, and signals of the platform reach the server.
    replaces, program, verb, *rest = shlex.split(command)
    assert (name, replaces, program, verb) == ("web", "exec", "app-server", "serve")
    _, settings = served(rest, {"PORT": "31337"})
    # The variable of an argument is not the shell's.
    assert settings.port == 31337 and settings.args == ("x", "$HOME")


def test_head_says_how_to_set_what_is_not_in_the_file(tmp_path: Path) -> None:
    head = "\n".join(line for line in procfile(tmp_path) if line.startswith("#"))
    assert "heroku config:set REGION=north" in head
    assert 'heroku config:set BOKEH_SECRET_KEY="$(cat FILE)"' in head and "/etc/tools/secret" not in head
    assert "session-affinity" not in head
    several = "\n".join(procfile(tmp_path, f"{TEXT}instances: 3\n"))
    assert "heroku ps:scale web=3" in several and "heroku features:enable http-session-affinity" in several
