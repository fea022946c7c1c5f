"""Which versions the server was tested with, and how they are named."""

from __future__ import annotations

from importlib.metadata import version
from platform import python_version

import pytest

from app_server import tested


def test_this_environment_is_tested() -> None:
    assert tested.is_tested("bokeh", version("bokeh"))
    assert tested.is_tested("panel", version("panel"))
    assert tested.is_tested("python", python_version())


@pytest.mark.parametrize(
    ("package", "found"),
    [("bokeh", "3.10.99"), ("bokeh", "3.10.0.dev5"), ("panel", "1.11.0"), ("panel", "1.1.9"), ("python", "3.10.13")],
)
def test_other_versions_are_not_tested(package: str, found: str) -> None:
    assert not tested.is_tested(package, found)


def test_every_patch_release_of_panel_and_python_is_tested() -> None:
    assert tested.is_tested("panel", "1.10.99")
    assert tested.is_tested("python", "3.13.99")


def test_tested_versions_are_named_by_their_minors() -> None:
    assert tested.names("bokeh") == "3.9.0 to 3.9.2 and 3.10.0 to 3.10.2"
    assert tested.names("panel") == "1.9.x and 1.10.x"
    assert tested.names("python") == "3.11.x, 3.12.x, 3.13.x and 3.14.x"
