"""The files for contributors call commands that exist, and nothing else."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.support.tools import ROOT

GITHUB = ROOT / ".github"
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_workflow_runs_what_developers_run() -> None:
    jobs = read(".github/workflows/check.yml")["jobs"]
    lines = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = [line.split()[1] for line in lines if line.startswith("make ")]
    assert targets == ["check", "test-oldest", "docs"]
    assert set(targets) <= TARGETS
    others = [line for line in lines if not line.startswith(("make ", "apt-get "))]
    built = "tests/manual/test_built_manual.py"
    assert others == ["git diff --exit-code", f".venv/bin/python -m pytest {built}", ".ci/run"]
    assert (ROOT / built).is_file()
    assert (ROOT / ".ci" / "run").is_file()


def test_hooks_before_a_commit_are_local_and_call_our_commands() -> None:
    (repository,) = read(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"
    for hook in repository["hooks"]:
        assert hook["language"] == "system"
        words = hook["entry"].split()
        if words[0] == "make":
            assert words[-1] in TARGETS
        else:
            assert words[0].startswith(".venv/bin/")
            assert (ROOT / words[-1]).is_file()


@pytest.mark.parametrize("name", ["fault.yml", "idea.yml"])
def test_form_of_an_issue_has_a_label_for_each_field(name: str) -> None:
    form = read(f".github/ISSUE_TEMPLATE/{name}")
    assert form["name"] and form["description"]
    fields = [field["id"] for field in form["body"]]
    assert len(fields) == len(set(fields))
    assert all(field["attributes"]["label"] for field in form["body"])


def test_template_of_pull_requests_names_commands_that_exist() -> None:
    text = (GITHUB / "pull_request_template.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`make ([a-z-]+)`", text)) <= TARGETS


def test_contributing_names_commands_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"(?:^ {4}|`)make ([a-z-]+)", text, re.MULTILINE)
    assert {"check", "test", "docs"} <= set(named) <= TARGETS


def test_changelog_has_releases_with_days_newest_first() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    days = [re.fullmatch(r"\d+\.\d+\.\d+ - (\d{4}-\d\d-\d\d)", heading) for heading in headings[1:]]
    assert days and all(days)
    assert [day[1] for day in days if day] == sorted((day[1] for day in days if day), reverse=True)
