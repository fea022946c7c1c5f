"""The Dockerfile of an image of applications, its context, and what an image may be called."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.images.contents import Contents, Requirements
from app_server.deployment.images.image import Wish, dockerfile, full_name, write_context
from app_server.deployment.rollout.docker import reason_of_build
from app_server.errors import OperatorError

ONE = Contents("one", Path("/x"), (Path("my one.py"),), ("my one.py", "two$"), ("/my%20one", "/two$"), None)
NEEDS = Requirements(Path("/y"), (Path("a/it's.txt"),), (Path("a/it's.txt"),))


def test_dockerfile_quotes_what_it_names() -> None:
    wish = Wish("one:latest", "registry.example.org:5000/app-server:2", ONE, revision="4a6f")
    assert list(dockerfile(wish)) == [
        "FROM registry.example.org:5000/app-server:2",
        "COPY apps /apps",
        "ENV APP_SERVER_APPS=\"'my one.py' 'two\\$'\"",
        "LABEL app-server.applications=\"'my one.py' 'two\\$'\" \\",
        '      org.opencontainers.image.title="one:latest" \\',
        '      org.opencontainers.image.description="Serves /my%20one, /two\\$" \\',
        '      org.opencontainers.image.version="latest" \\',
        '      org.opencontainers.image.revision="4a6f" \\',
        '      org.opencontainers.image.licenses="" \\',
        '      org.opencontainers.image.base.name="registry.example.org:5000/app-server:2"',
    ]
    assert wish.pip == "registry.example.org:5000/app-server:pip"


def test_requirements_are_installed_before_the_applications_are_copied() -> None:
    contents = Contents(ONE.name, ONE.folder, ONE.files, ONE.words, ONE.routes, NEEDS)
    lines = list(dockerfile(Wish("one:latest", "app-server:latest", contents, pip_conf=Path("pip.conf"))))
    assert lines[1] == (
        "RUN --mount=from=app-server:pip,target=/pip --mount=source=requirements,target=/requirements "
        "--mount=type=secret,id=pip.conf,target=/etc/pip.conf,uid=10001 "
        "cd /requirements/a && /pip/install 'it'\"'\"'s.txt'"
    )
    assert lines[-1] == '      app-server.sbom="/opt/packages/sbom.cdx.json"'
    other = Wish("one:latest", "registry.example.org/app-server:2", contents, installer="app-server:pip")
    assert next(line for line in dockerfile(other) if line.startswith("RUN ")).startswith(
        "RUN --mount=from=app-server:pip,target=/pip "
    )


def test_context_can_be_read_by_everybody(tmp_path: Path) -> None:
    (tmp_path / "source/sub").mkdir(parents=True)
    for path, mode in (("a.py", 0o600), ("sub/run", 0o700)):
        (tmp_path / "source" / path).write_text(path, encoding="utf-8")
        (tmp_path / "source" / path).chmod(mode)
    (tmp_path / "source/sub").chmod(0o700)
    contents = Contents("a", tmp_path / "source", (Path("a.py"), Path("sub/run")), ("a.py",), ("/a",), None)
    write_context(Wish("a:latest", "app-server:latest", contents), tmp_path / "context")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "context/apps").rglob("*")}
    assert modes == {"a.py": 0o644, "sub": 0o755, "run": 0o755}


@pytest.mark.parametrize(
    ("typed", "full"),
    [
        ("dashboard", "dashboard:latest"),
        ("team/dashboard:2", "team/dashboard:2"),
        ("registry.example.org:5000/dashboard", "registry.example.org:5000/dashboard:latest"),
    ],
)
def test_name_without_a_tag_is_the_latest(typed: str, full: str) -> None:
    assert full_name(typed, "--tag") == full


@pytest.mark.parametrize("text", ["Dashboard", "a b", "a:b:c", "-a", "a\n", "", "-x.example.org/a", "./a", "x-/a"])
def test_name_that_no_engine_takes_is_one_line(text: str) -> None:
    with pytest.raises(OperatorError) as caught:
        full_name(text, "--tag")
    assert str(caught.value) == (
        f"--tag: {text!r} is not the name of an image. "
        "Such as dashboard, dashboard:2 or registry.example.org/team/dashboard:2."
    )


def test_first_complaint_of_what_was_run_is_the_reason_of_a_failed_build() -> None:
    said = (
        "#9 [3/4] RUN /pip/install needs.txt\n#9 1.2 ERROR: Cannot install a==1 because b. \n"
        "#9 1.3 ERROR: ResolutionImpossible: for help visit somewhere\n#9 ERROR: process did not complete\n"
        "ERROR: failed to solve: process did not complete successfully: exit code: 1\n"
    )
    assert reason_of_build(said) == "Cannot install a==1 because b"
    assert reason_of_build("#1 x\nERROR: failed to read dockerfile\n") == "failed to read dockerfile"
