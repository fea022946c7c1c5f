"""A Space: its Dockerfile, and the description at the head of its README.md."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from app_server.deployment.render import Files, render
from app_server.errors import OperatorError
from tests.unit.deployment.render.platforms.planning import TEXT, planned, served


def written(folder: Path, text: str = TEXT) -> Files:
    return render("spaces", planned(folder, text))


def test_space_asks_where_the_server_listens(tmp_path: Path) -> None:
    files = written(tmp_path)
    start, about, end = files["spaces/README.md"].text.split("---\n")
    assert (start, end) == ("", "")
    described = yaml.safe_load(about)
    lines = files["spaces/Dockerfile"].text.splitlines()
    (words,) = [json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD ")]
    assert described["sdk"] == "docker" and served(words)[1].port == described["app_port"]
    assert f"EXPOSE {described['app_port']}" in lines and "FROM tools:latest" in lines


def test_variables_are_set_as_they_are_and_secrets_named(tmp_path: Path) -> None:
    text = TEXT.replace("REGION: north", "PRICE: '5 $HOME'")
    dockerfile = written(tmp_path, text)["spaces/Dockerfile"].text
    assert 'ENV PRICE="5 \\$HOME"\n' in dockerfile
    assert "BOKEH_SECRET_KEY" in dockerfile and "/etc/tools/secret" not in dockerfile


def test_space_has_one_container(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        written(tmp_path, f"{TEXT}instances: 2\n")
    assert str(caught.value) == "instances: a Space has one container. Say instances: 1."
