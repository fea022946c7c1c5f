"""The certificate of a deployment, looked at with the rest of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.checks.proxies import certificate
from app_server.deployment.checks.proxies.certificate import check
from app_server.deployment.plan.resolver import resolve_plan
from app_server.tls.development import development_certificate
from tests.unit.deployment.making import loaded, planned

DEPLOYMENT = """\
apps: {{myapp: myapp.py}}
public: {host}
tls: {{certificate: {folder}/tools.example.org.pem, key: {folder}/tools.example.org.key}}
"""


def found(folder: Path, host: str) -> list[str]:
    """What is reported about the certificate, without the folder."""
    plan = planned(folder, DEPLOYMENT.format(host=host, folder=folder))
    return [f"{each.level}: {each}".replace(f"{folder}/", "") for each in check(plan, {})]


def test_certificate_is_held_against_the_public_names(tmp_path: Path) -> None:
    development_certificate(["tools.example.org"], tmp_path)
    assert found(tmp_path, "tools.example.org") == [
        "good: tools.example.org.pem: the certificate covers every public name and is valid"
    ]
    assert found(tmp_path, "[tools.example.org, www.example.org]") == [
        "fault: tools.example.org.pem: the certificate is for tools.example.org, not for www.example.org."
        " Get one that names www.example.org too"
    ]


def test_key_that_others_can_read_is_a_fault(tmp_path: Path) -> None:
    development_certificate(["tools.example.org"], tmp_path).key.chmod(0o644)
    [line] = found(tmp_path, "tools.example.org")
    assert line.startswith("fault: ") and "mode 644" in line


def test_certificate_that_is_not_here_is_not_told_twice(tmp_path: Path) -> None:
    assert found(tmp_path, "tools.example.org") == []


def test_openssl_that_was_found_counts_unless_the_file_states_one(tmp_path: Path) -> None:
    text = "apps: {myapp: myapp.py}\npublic: tools.example.org\ntls: development\n"
    plan = resolve_plan(loaded(tmp_path, text), openssl=(3, 5, 1))
    assert plan.tls is not None and plan.tls.openssl == (3, 5, 1)
    stated = text.replace("tls: development", "tls: {mode: development, openssl: 3.0.2}")
    plan = resolve_plan(loaded(tmp_path, stated), openssl=(3, 5, 1))
    assert plan.tls is not None and plan.tls.openssl == (3, 0, 2)


def test_authority_for_development_that_is_elsewhere_is_asked_for(tmp_path: Path) -> None:
    """The command has no flag that names it."""
    development_certificate(["tools.example.org"], tmp_path)
    (tmp_path / "authority.pem").rename(tmp_path / "elsewhere.pem")
    [line] = found(tmp_path, "tools.example.org")
    assert line.startswith("fault: ") and "--roots" not in line
    assert line.endswith("put its authority.pem beside it, and make your browser trust that")


def test_authority_beside_a_certificate_is_one_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate for development may have been where a bought one is now."""
    bought = tmp_path / "bought"
    development_certificate(["tools.example.org"], bought)
    development_certificate(["other.example.org"], tmp_path)
    for name in ("tools.example.org.pem", "tools.example.org.key"):
        (bought / name).rename(tmp_path / name)
    monkeypatch.setattr(certificate, "system_roots", lambda: bought / "authority.pem")
    [line] = found(tmp_path, "tools.example.org")
    assert line.startswith("good: ")
