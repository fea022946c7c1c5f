"""Which nginx, Apache and OpenSSL a machine has, by what its programs say."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.tls import installed
from app_server.tls.installed import find, installed_apache, installed_nginx, system_roots
from app_server.tls.policy import Library


@pytest.fixture(autouse=True)
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose only programs are those that a test puts into this folder."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(installed, "SERVER_FOLDERS", (str(tmp_path / "sbin"),))
    return tmp_path


def put(path: Path, *lines: str, stream: int = 1) -> None:
    """A program that says these lines."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n" + "".join(f"echo '{line}' >&{stream}\n" for line in lines))
    path.chmod(0o755)


def test_machine_may_have_none() -> None:
    assert installed_nginx() is None and installed_apache() is None and find("openssl") is None


def test_nginx_says_its_version_and_library_on_stderr(programs: Path) -> None:
    put(programs / "sbin" / "nginx", "nginx version: nginx/1.28.0", "built with OpenSSL 3.0.1 1 Jan 2022",
        "TLS SNI support enabled", stream=2)  # fmt: skip
    found = installed_nginx()
    assert found is not None
    assert (found.path, found.version, found.library) == (
        programs / "sbin" / "nginx", (1, 28, 0), Library("OpenSSL", (3, 0, 1)),
    )  # fmt: skip


def test_library_that_nginx_runs_with_goes_before_that_it_was_built_with(programs: Path) -> None:
    built = "built with OpenSSL 3.0.1 1 Jan 2022 (running with OpenSSL 3.5.2 5 Aug 2025)"
    put(programs / "nginx", "nginx version: nginx/1.22.1", built)
    found = installed_nginx()
    assert found is not None and found.library == Library("OpenSSL", (3, 5, 2))


@pytest.mark.parametrize("name", ["apache2", "httpd"])
def test_library_of_apache_is_that_of_openssl(programs: Path, name: str) -> None:
    put(programs / name, "Server version: Apache/2.4.62 (Debian)")
    found = installed_apache()
    assert found is not None and (found.version, found.library) == ((2, 4, 62), Library())
    put(programs / "openssl", "OpenSSL 3.0.2 15 Mar 2022 (Library: OpenSSL 3.0.17 1 Jul 2025)")
    found = installed_apache()
    assert found is not None and found.library == Library("OpenSSL", (3, 0, 17))


def test_program_on_path_goes_before_one_of_the_system(programs: Path) -> None:
    put(programs / "sbin" / "nginx", "")
    put(programs / "nginx", "")
    assert find("none", "nginx") == programs / "nginx"


def test_authorities_are_the_first_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "SYSTEM_ROOTS", (str(tmp_path / "no.pem"), str(tmp_path / "roots.pem")))
    assert system_roots() is None
    (tmp_path / "roots.pem").touch()
    assert system_roots() == tmp_path / "roots.pem"
