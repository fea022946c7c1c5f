"""A certificate from an ACME authority: which files there are, and that nothing of them means more than it says."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given

from app_server.deployment.render import is_wanted, render
from app_server.deployment.render.proxies import acme
from app_server.errors import OperatorError
from tests.unit.deployment.making import MINIMAL, PRINTABLE, line, planned, text

ACME = MINIMAL + "tls: acme\n"


def words(text: str, start: str) -> list[str]:
    """The words of the only line that begins so, as a shell reads them, with that beginning."""
    return shlex.split(start + line(text, start))


@pytest.mark.parametrize("tls", ["", "tls: off\n", "tls: development\n", "tls: {certificate: /c.pem, key: /c.key}\n"])
def test_certificate_from_elsewhere_needs_none_of_it(tmp_path: Path, tls: str) -> None:
    plan = planned(tmp_path, MINIMAL + tls)
    assert render("acme", plan) == {} and not is_wanted("acme", plan)


def test_files_and_where_they_go(tmp_path: Path) -> None:
    plan = planned(tmp_path, ACME + "name: tools\n")
    assert is_wanted("acme", plan)
    assert {path: (file.mode, file.install) for path, file in render("acme", plan).items()} == {
        "acme/certificate.sh": (0o755, "/etc/tools/certificate.sh"),
        "acme/install-certificate.sh": (0o755, "/etc/tools/install-certificate.sh"),
        "acme/tools-certificate.service": (0o644, "/etc/systemd/system/tools-certificate.service"),
        "acme/tools-certificate.timer": (0o644, "/etc/systemd/system/tools-certificate.timer"),
    }


def test_first_certificate_is_for_every_host(tmp_path: Path) -> None:
    spec = ACME.replace("public: tools.example.org", "public: [tools.example.org, www.example.org]").replace(
        "tls: acme", "tls: {mode: acme, acme: {email: me@example.org, name: both, directory: 'https://ca.test/dir'}}"
    )
    found = words(text(tmp_path, "acme", spec, "acme/certificate.sh"), "certbot ")
    assert found == [
        "certbot", "certonly", "--webroot", "--webroot-path", "/var/www/acme", "--cert-name", "both",
        "--domain", "tools.example.org", "--domain", "www.example.org", "--server", "https://ca.test/dir",
        "--email", "me@example.org", "--agree-tos", "--non-interactive", "--keep-until-expiring", "--expand",
        "--key-type", "ecdsa", "--elliptic-curve", "secp256r1",
        "--deploy-hook", "/etc/app-server/install-certificate.sh",
    ]  # fmt: skip


def test_certificate_of_the_first_minutes_is_for_the_same_names(tmp_path: Path) -> None:
    spec = ACME.replace("public: tools.example.org", "public: [a.example.org, 192.0.2.1, '2001:DB8::1']")
    script = text(tmp_path, "acme", spec, "acme/certificate.sh")
    assert "-subj /CN=a.example.org \\\n" in script
    assert "-addext subjectAltName=DNS:a.example.org,IP:192.0.2.1,IP:2001:db8::1 2>/dev/null\n" in script


@pytest.mark.parametrize(
    ("kind", "test", "service"),
    [("nginx", "nginx -t -q", "nginx"), ("apache", "apache2ctl -t", "apache2")],
)
def test_proxy_is_asked_before_it_reads_a_new_certificate(tmp_path: Path, kind: str, test: str, service: str) -> None:
    hook = text(tmp_path, "acme", f"{ACME}proxy: {kind}\n", "acme/install-certificate.sh")
    assert hook.index(f"if ! {test}; then\n") < hook.index(f"\nsystemctl reload {service}\n")
    script = text(tmp_path, "acme", f"{ACME}proxy: {kind}\n", "acme/certificate.sh")
    assert f"\nsystemctl reload-or-restart {service}\n" in script


def test_unit_renews_quietly(tmp_path: Path) -> None:
    unit = text(tmp_path, "acme", ACME, "acme/app-server-certificate.service")
    assert line(unit, "ExecStart=") == "certbot renew --cert-name app-server --no-random-sleep-on-renew --quiet"


def test_key_is_given_to_its_reader_only_where_there_is_one(tmp_path: Path) -> None:
    plan = planned(tmp_path, ACME)
    site = acme.site_of(plan)
    names = ("acme/certificate.sh", "acme/install-certificate.sh")
    for name in names:
        assert "chown" not in acme.files_of(site, plan)[name].text
        assert "chown 'a b:c' \"$certificate" in acme.files_of(replace(site, owner="a b:c"), plan)[name].text


def test_paths_are_words_of_the_shell(tmp_path: Path) -> None:
    spec = ACME.replace("tls: acme", 'tls: {mode: acme, acme: {webroot: "/a $b/it\'s"}}')
    script = text(tmp_path, "acme", spec, "acme/certificate.sh")
    assert words(script, "mkdir -p ") == ["mkdir", "-p", "/a $b/it's/.well-known/acme-challenge"]
    found = words(script, "certbot ")
    assert found[found.index("--webroot-path") + 1] == "/a $b/it's"


@given(PRINTABLE)
def test_any_text_is_one_word_of_a_shell(value: str) -> None:
    if value.isprintable():
        assert shlex.split(acme.quote(value)) == [value]
        assert shlex.split(acme.words((value, value))) == [value, value]


@pytest.mark.parametrize("value", ["a\nb", "a\tb", "a\x00", "\x1b[m"])
@pytest.mark.parametrize(("filter_", "file"), [(acme.quote, "a shell script"), (acme.unit, "a systemd unit")])
def test_what_a_file_cannot_carry_is_said(value: str, filter_: object, file: str) -> None:
    code = next(char for char in value if not char.isprintable())
    with pytest.raises(OperatorError) as caught:
        filter_(value)  # type: ignore[operator]
    assert str(caught.value) == f"{value!r} holds U+{ord(code):04X}, which cannot be written into {file}. Leave it out."


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("certbot", "certbot"),
        ("--server=https://ca.test:1/dir", "--server=https://ca.test:1/dir"),
        ("50%", "50%%"),
        ("$HOME", '"$$HOME"'),
        ("a b", '"a b"'),
        ("", '""'),
        ('say "x"', '"say \\"x\\""'),
        ("back\\slash", '"back\\\\slash"'),
        (";", '";"'),
    ],
)
def test_words_of_a_unit_mean_themselves(word: str, written: str) -> None:
    assert acme.unit_words((word,)) == written
    assert acme.unit_words(("x", word)) == f"x {written}"
