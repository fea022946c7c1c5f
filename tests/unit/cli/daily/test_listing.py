"""`app-server deploy --list`: the releases that can be restored, for each target."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app_server.cli import EXIT_FAILED, EXIT_OK, EXIT_USAGE, main
from app_server.deployment.daily import scripts
from app_server.deployment.rollout.history import Entry, append
from app_server.deployment.rollout.store import Store


def made(folder: Path, target: str, release: str, **more: str) -> None:
    """Write down a release."""
    known = {"at": "2026-11-29T14:03:12+0100", "by": "ann", "action": "deploy", "result": "done"}
    append(folder, Entry(**{**known, **more}, target=target, release=release))  # type: ignore[arg-type]


@pytest.mark.parametrize("target", ["compose", "swarm"])
def test_releases_are_listed_with_the_latest_first(
    place: Path, target: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place / "deployed" / "site"
    store = Store(folder if target == "compose" else folder / "swarm", "site")
    for number in (1, 3):
        store.path(number).mkdir(parents=True)
        (store.path(number) / f"{target}.yaml").write_text("name: site\n", encoding="utf-8")
    store.make_current(1)
    made(folder, target, "1", name="winter", revision="aaaaaaaaaaaa")
    made(folder, target, "2")
    made(folder, target, "3", by="bob", revision="4f2a9c1d03be-dirty")
    assert main(["deploy", "--list"], {}) == EXIT_OK
    assert capsys.readouterr().out.splitlines() == [
        "RELEASE  NAME    WHEN                 WHO  REVISION",
        "3                2026-11-29 14:03:12  bob  4f2a9c1d03be-dirty",
        "1        winter  2026-11-29 14:03:12  ann  aaaaaaaaaaaa        current",
    ]
    assert main(["deploy", target, "--list", "--json"], {}) == EXIT_OK
    listed = json.loads(capsys.readouterr().out)
    assert [(each["id"], each["name"], each["is_current"]) for each in listed] == [
        ("1", "winter", True), ("3", "", False),
    ]  # fmt: skip


def test_releases_of_hosts_are_those_that_they_still_have(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scripts, "_ROOT", f"{place}/{{name}}")
    for name in ("b" * 12, "c" * 12, "d" * 12):
        (place / "site" / "releases" / name).mkdir(parents=True)
        # One that was not installed to its end is not there to go back to.
        if name[0] != "d":
            (place / "site" / "releases" / name / "tried").touch()
    (place / "site" / "current").symlink_to(place / "site" / "releases" / ("b" * 12))
    folder = place / "deployed" / "site"
    folder.mkdir(parents=True)
    made(folder, "ansible", "a" * 12, name="winter")
    made(folder, "ansible", "b" * 12, name="spring")
    assert main(["deploy", "--list"], {}) == EXIT_OK
    assert capsys.readouterr().out.splitlines() == [
        "RELEASE       NAME    WHEN                 WHO",
        f"{'b' * 12}  spring  2026-11-29 14:03:12  ann  current",
        f"{'c' * 12}",
    ]


def test_deployment_without_releases_is_one_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", "compose", "--list"], {}) == EXIT_FAILED
    assert capsys.readouterr().err == (
        f"app-server: {place}/deployed/site: the deployment has no release yet."
        " `app-server deploy compose` makes one.\n"
    )
    assert main(["deploy", "--list"], {}) == EXIT_USAGE
    assert "nothing was rolled out from here yet" in capsys.readouterr().err
