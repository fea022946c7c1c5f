"""`certificate`: made for development, or checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main


def test_certificate_is_made_once_and_found_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "app-server" / "certificates"
    environ = {"XDG_STATE_HOME": str(tmp_path)}
    assert main(["certificate", "plots.example.org"], environ) == EXIT_OK
    where = (
        f"certificate {folder}/plots.example.org.pem\n"
        f"key         {folder}/plots.example.org.key\n"
        f"authority   {folder}/authority.pem  (let your browser trust this one, once)\n"
    )
    assert capsys.readouterr().out == f"made        plots.example.org\n{where}"
    assert main(["certificate", "plots.example.org"], environ) == EXIT_OK
    assert capsys.readouterr().out == f"was there   plots.example.org\n{where}"
    files = ["--check", f"{folder}/plots.example.org.pem", "--key", f"{folder}/plots.example.org.key"]
    assert main(["certificate", "plots.example.org", *files, "--roots", f"{folder}/authority.pem"], {}) == EXIT_OK
    assert capsys.readouterr().out == f"{folder}/plots.example.org.pem: nothing is wrong\n"


def test_wrong_certificate_is_told_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certificate", "a.example.org", "--folder", str(tmp_path)], {}) == EXIT_OK
    capsys.readouterr()
    file = tmp_path / "a.example.org.pem"
    words = ["certificate", "b.example.org", "--check", str(file), "--roots", str(tmp_path / "authority.pem")]
    assert main(words, {}) == EXIT_FAILED
    assert capsys.readouterr().out == (
        f"{file}: error: the certificate is for a.example.org, not for b.example.org."
        " Get one that names b.example.org too.\n"
    )


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (
            [],
            EXIT_USAGE,
            "certificate: name the hosts that the certificate is for. For this machine: app-server certificate"
            " localhost 127.0.0.1 ::1",
        ),
        (["--key", "k"], EXIT_USAGE, "--key: has no meaning without --check. Give --check too."),
        (
            ["--check", "a", "--folder", "b"],
            EXIT_USAGE,
            "--folder: has no meaning with --check. Leave one of them out.",
        ),
        (
            ["--check", "a", "--profile", "old"],
            EXIT_USAGE,
            "--profile: expected one of intermediate, modern, not 'old'",
        ),
        (["--check", "/no/such"], EXIT_FAILED, "/no/such: cannot be read: No such file or directory"),
        (
            ["under/way", "--folder", "/no/such"],
            EXIT_FAILED,
            "under/way: is not a host name. Use names such as localhost, plots.example.org, *.example.org, 127.0.0.1 or"
            " ::1.",
        ),
    ],
)
def test_mistake_is_told_in_one_line(
    words: list[str], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["certificate", *words], {}) == status
    assert capsys.readouterr().err == f"app-server: {message}\n"


def test_certificate_for_development_is_known_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["certificate", "plots.example.org", "--folder", str(tmp_path)], {}) == EXIT_OK
    capsys.readouterr()
    site = f"{tmp_path}/plots.example.org.pem"
    assert main(["certificate", "plots.example.org", "--check", site], {}) == EXIT_FAILED
    assert capsys.readouterr().out == (
        f"{site}: error: the chain ends before a certificate that browsers know: app-server, for development only is "
        "missing. It is for development: give --roots authority.pem, and have your browser trust that.\n"
    )
