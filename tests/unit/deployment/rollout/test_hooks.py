"""Programs around a roll-out: what they receive, and what their failure does."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.progress.progress import Progress, silent
from app_server.deployment.rollout.hooks import RolloutHooks
from app_server.errors import OperatorError

NOTE = """#!/bin/sh
echo "$(basename "$0") $APP_SERVER_DEPLOY_NAME $APP_SERVER_DEPLOY_RELEASE $APP_SERVER_DEPLOY_ERROR" >>calls
pwd >>calls
"""


def hook(folder: Path, name: str, text: str, mode: int = 0o755) -> None:
    """Write a hook."""
    path = folder / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def test_hooks_are_told_of_the_roll_out_in_the_folder_of_the_deployment(tmp_path: Path) -> None:
    for name in ("before-deploy", "after-deploy", "deploy-failed"):
        hook(tmp_path, name, NOTE)
    hooks = RolloutHooks(tmp_path, {"name": "site"})
    with hooks.around(silent(), release="4f2a"):
        pass
    assert hooks.after(silent(), release="4f2a")
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert calls == ["before-deploy site 4f2a ", str(tmp_path), "after-deploy site 4f2a ", str(tmp_path)]


def test_failing_hook_before_stops_the_roll_out(tmp_path: Path) -> None:
    hook(tmp_path, "before-deploy", "#!/bin/sh\nexit 3\n")
    hook(tmp_path, "deploy-failed", NOTE)
    with pytest.raises(OperatorError) as caught, RolloutHooks(tmp_path).around(silent()):
        raise AssertionError("it went on")
    assert str(caught.value) == "hooks/before-deploy: ended with 3. Nothing was changed."
    assert not (tmp_path / "calls").exists()


def test_failed_roll_out_is_told_with_its_reason(tmp_path: Path) -> None:
    hook(tmp_path, "deploy-failed", NOTE)
    with pytest.raises(OperatorError, match="no room"), RolloutHooks(tmp_path, {"name": "site"}).around(silent()):
        raise OperatorError("no room")
    assert (tmp_path / "calls").read_text(encoding="utf-8").splitlines()[0] == "deploy-failed site  no room"


def test_failing_hook_after_is_reported_and_takes_nothing_back(tmp_path: Path) -> None:
    hook(tmp_path, "after-deploy", "#!/bin/sh\nexit 4\n")
    said: list[str] = []
    assert not RolloutHooks(tmp_path).after(Progress(lambda event: said.append(event.text)))
    assert said == ["hooks/after-deploy: ended with 4"]


def test_hook_that_is_not_executable_is_found_before_anything_begins(tmp_path: Path) -> None:
    hook(tmp_path, "after-deploy", NOTE, mode=0o644)
    path = tmp_path / "hooks" / "after-deploy"
    with pytest.raises(OperatorError) as caught:
        RolloutHooks(tmp_path).look()
    assert str(caught.value) == f"{path}: is not executable. chmod +x {path}"


def test_hook_without_an_interpreter_is_an_error(tmp_path: Path) -> None:
    hook(tmp_path, "before-deploy", "#!/no/such/program\n")
    with pytest.raises(OperatorError, match="cannot be run"):
        RolloutHooks(tmp_path).before()


def test_no_hook_runs_where_none_is_wanted(tmp_path: Path) -> None:
    hook(tmp_path, "before-deploy", "#!/bin/sh\nexit 3\n")
    RolloutHooks(None).before()
    assert RolloutHooks(None).after(silent())
