"""Files that settings name and that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app_server.apps import load_application
from app_server.errors import OperatorError
from app_server.settings import (
    all_settings,
)
from tests.support.unprivileged import not_as_root
from tests.unit.settings.faulty import fault


def test_auth_module_that_is_missing_is_refused_and_not_ignored() -> None:
    assert fault(environ={"BOKEH_AUTH_MODULE": "/nowhere.py"}) == "BOKEH_AUTH_MODULE: /nowhere.py does not exist"


@pytest.mark.parametrize("name", ["ssl_certfile", "index", "dev_watch", "setup"])
def test_missing_file_is_refused(name: str, tmp_path: Path) -> None:
    flag = next(setting.flag for setting in all_settings() if setting.name == name)
    assert fault({name: [f"{tmp_path}/gone"]}) == f"{flag}: {tmp_path}/gone does not exist"
    assert fault({name: [str(tmp_path)]}) == f"{flag}: {tmp_path} is not a file"


@pytest.fixture
def closed(tmp_path: Path) -> Iterator[Path]:
    """A folder that may not be entered, with a file, and a way there that may be."""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(folder.stat().st_mode | 0o111)
    folder = tmp_path / "closed"
    (folder / "deep").mkdir(parents=True)
    for file in (folder / "deep" / "file.ico", tmp_path / "file.ico"):
        file.write_text("x")
        file.chmod(0o000)
    folder.chmod(0o000)
    yield folder
    folder.chmod(0o755)


FILES = [("ssl_certfile", "--ssl-certfile"), ("auth_module", "--auth-module"), ("index", "--index"),
         ("ico_path", "--ico-path"), ("basic_auth", "--basic-auth"), ("dev_watch", "--dev")]  # fmt: skip


@pytest.mark.parametrize(("name", "flag"), FILES)
def test_file_behind_a_closed_folder_is_not_said_to_be_missing(closed: Path, name: str, flag: str) -> None:
    path = closed / "deep" / "file.ico"
    writes = ". `app-server passwd FILE USER` writes such a file." if name == "basic_auth" else ""
    more = {"cookie_secret": ["x" * 40]} if name == "basic_auth" else {}
    with not_as_root():
        assert fault({name: [str(path)], **more}) == (
            f"{flag}: {path} cannot be reached by this user. Give this user permission to enter {closed}."
        )
        assert fault({name: [str(closed.parent / "file.ico")], **more}).endswith("cannot be read by this user")
        assert fault({name: [str(closed.parent / "no.ico")], **more}).endswith("no.ico does not exist" + writes)


def test_secret_and_configuration_behind_a_closed_folder_are_not_said_to_be_missing(closed: Path) -> None:
    path = closed / "deep" / "file.ico"
    with not_as_root():
        for variable in ("BOKEH_SECRET_KEY_FILE", "BOKEH_COOKIE_SECRET_FILE", "BOKEH_SSL_PASSWORD_FILE"):
            assert fault(environ={variable: str(path)}).startswith(f"{variable}: {path} cannot be reached by this user")
        assert fault({"use_config": [str(path)]}) == f"--use-config: {path} cannot be read: Permission denied"


def test_application_behind_a_closed_folder_is_not_said_to_be_missing(closed: Path) -> None:
    with not_as_root():
        for path in (closed / "app.py", closed):
            with pytest.raises(OperatorError) as refused:
                load_application(path)
            assert refused.value.what in ("cannot be reached by this user", "may not be entered by this user")
        with pytest.raises(OperatorError, match="there is no such file or folder"):
            load_application(closed.parent / "no.py")


def test_folder_that_cannot_be_served_is_refused(closed: Path) -> None:
    for path, what in ((closed.parent / "gone", "is not a folder"), (Path(__file__), "is not a folder")):
        assert fault({"static_dirs": [f"files={path}"]}) == f"--static-dirs: {path} {what}"
    with not_as_root():
        assert fault({"static_dirs": [f"files={closed}/deep"]}) == (
            f"--static-dirs: {closed}/deep cannot be reached by this user. "
            f"Give this user permission to enter {closed}."
        )
        assert fault({"static_dirs": [f"files={closed}"]}) == f"--static-dirs: {closed} cannot be read by this user"
