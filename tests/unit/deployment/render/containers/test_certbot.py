"""certbot beside compose's proxy: what compose.yaml says, and what its scripts do with programs of the test's own.

tests/container/test_certbot.py has the real one, and an authority.
"""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from app_server.deployment.render.containers import certbot
from tests.support.waiting import until
from tests.unit.deployment.render.containers.test_compose import composed, planned

ACME = """
name: tools
apps: {a: a.py}
public: [tools.example.org, www.example.org]
tls: {mode: acme, acme: {email: a@example.org, image: "registry.example.org/certbot:5"}}
"""
CERTBOT = """#!/bin/sh
echo "$*" >>{folder}/asked
mkdir -p {folder}/live/tools
cp {folder}/new.pem {folder}/live/tools/fullchain.pem
cp {folder}/new.key {folder}/live/tools/privkey.pem
"""


def test_proxy_and_certbot_share_a_certificate_and_challenges(tmp_path: Path) -> None:
    whole = composed(tmp_path, ACME)
    proxy, helper = whole["services"]["proxy"], whole["services"]["certbot"]
    shared = ("certificates:/run/certificates:ro", "challenges:/var/www/acme:ro")
    assert all(each in proxy["volumes"] for each in shared)
    assert helper["volumes"] == [
        "certbot:/etc/letsencrypt", "certificates:/run/certificates", "challenges:/var/www/acme",
    ]  # fmt: skip
    assert {"certbot", "certificates", "challenges"} <= set(whole["volumes"])
    assert proxy["depends_on"]["certbot"] == {"condition": "service_healthy"}
    assert (helper["image"], helper["cap_drop"], helper["cap_add"], helper["read_only"]) == (
        "registry.example.org/certbot:5", ["ALL"], ["CHOWN"], True,
    )  # fmt: skip
    assert "secrets" not in whole and "secrets" not in proxy and "environment" not in helper
    assert (proxy["command"], proxy["entrypoint"][-1]) == (["nginx", "-g", "daemon off;"], "HUP")


def test_authority_of_ones_own_is_trusted_and_apache_reloads_by_its_own_signal(tmp_path: Path) -> None:
    text = ACME.replace("email:", "authority: /etc/ssl/own.pem, email:") + "proxy: apache\n"
    whole = composed(tmp_path, text)
    assert whole["services"]["certbot"]["environment"] == {"REQUESTS_CA_BUNDLE": certbot.AUTHORITY}
    assert whole["services"]["proxy"]["entrypoint"][-1] == "USR1"


def test_other_certificates_need_no_certbot(tmp_path: Path) -> None:
    whole = composed(tmp_path, "apps: {a: a.py}\ntls: {certificate: /etc/x.pem, key: /etc/x.key}\n")
    assert "certbot" not in whole["services"] and "entrypoint" not in whole["services"]["proxy"]
    assert certbot.values(planned(tmp_path, "apps: {a: a.py}\n")) is None


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The script of certbot's container, for a folder of the test's own, and programs that do nothing real."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (
        ("certbot", CERTBOT.format(folder=tmp_path)), ("chown", "#!/bin/sh\n"), ("python3", "#!/bin/sh\n"),
        ("sleep", f"#!/bin/sh\n[ ! -e {tmp_path}/stop ]\n"),
    ):  # fmt: skip
        (programs / name).write_text(text, encoding="ascii")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setattr(certbot, "CONFIG", str(tmp_path))
    plan = planned(tmp_path, ACME)
    assert plan.tls is not None
    tls = replace(
        plan.tls, certificate=f"{tmp_path}/certificate.pem", key=f"{tmp_path}/key.pem", webroot=f"{tmp_path}/webroot"
    )  # fmt: skip
    return certbot.script(replace(plan, tls=tls))


def test_stand_in_is_made_once_and_names_the_site(scripted: str, tmp_path: Path) -> None:
    for _ in range(2):
        subprocess.run(["sh", "-c", scripted, "certbot", certbot.STAND_IN], check=True)
        made = (tmp_path / "certificate.pem").read_bytes()
    assert (tmp_path / "certificate.pem").read_bytes() == made and not (tmp_path / "asked").exists()
    about = ssl._ssl._test_decode_cert(str(tmp_path / "certificate.pem"))  # type: ignore[attr-defined]
    assert about["subjectAltName"] == (("DNS", "tools.example.org"), ("DNS", "www.example.org"))
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o400


def test_first_certificate_and_each_new_one_are_installed(scripted: str, tmp_path: Path) -> None:
    for name in ("pem", "key"):
        (tmp_path / f"new.{name}").write_text(f"first {name}", encoding="ascii")
    with subprocess.Popen(["sh", "-c", scripted, "certbot", "run"]) as process:
        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        until(lambda: certificate.exists() and certificate.read_text() == "first pem", "the first one is there")
        for name in ("key", "pem"):
            (tmp_path / f"new.{name}").write_text(f"second {name}", encoding="ascii")
        until(lambda: certificate.read_text() == "second pem", "the second one is there")
        assert key.read_text() == "second key" and key.stat().st_mode & 0o777 == 0o400
        (tmp_path / "stop").touch()
        assert process.wait(30) == 0
    first, *later = (tmp_path / "asked").read_text(encoding="ascii").splitlines()
    assert "certonly --webroot" in first and "--domain tools.example.org --domain www.example.org" in first
    assert "--deploy-hook" not in first and later and all(" renew " in line for line in later)
    assert list((tmp_path / "webroot/.well-known/acme-challenge").iterdir()) == []


def test_proxy_is_told_when_its_certificate_changes(tmp_path: Path) -> None:
    log, certificate = tmp_path / "log", tmp_path / "certificate.pem"
    certificate.write_text("one", encoding="ascii")
    proxy = f"trap 'echo again >>{log}' HUP; trap 'exit 7' QUIT; echo up >>{log}; while :; do sleep 0.02; done"
    words = ["sh", "-c", certbot.RENEWING.replace("sleep 5", "sleep 0.02"), "proxy", str(tmp_path), "HUP"]
    with subprocess.Popen([*words, "sh", "-c", proxy], start_new_session=True) as process:
        try:
            until(log.exists, "the proxy runs")
            (tmp_path / "next").write_text("two", encoding="ascii")
            (tmp_path / "next").replace(certificate)
            until(lambda: log.read_text(encoding="ascii").split() == ["up", "again"], "the proxy was told")
            # It is the proxy itself that gets the signals of its container.
            process.send_signal(signal.SIGQUIT)
            assert process.wait(30) == 7
        finally:
            os.killpg(process.pid, signal.SIGKILL)
