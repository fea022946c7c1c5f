"""The manual's pages about a host, typed from top to bottom as they stand, as root on a bare Debian that systemd runs.

The pages share a host, in whatever order they come. Each finds there what it takes for granted, and the web servers as
Debian's packages bring them: no two pages set up the same one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.manual.reader import Reader, Typed, reader_of_a_host, typed_lines, write_applications
from tests.support.containers.images import ROOT
from tests.support.waiting import until
from tests.unit.docs.test_manual import blocks

TIMEOUT_S = 600
# What only a second host can do: tests/tunnel has them.
OF_ANOTHER_HOST = r"ssh-keyscan |app-server tunnel .*--run$"
# What the host has already.
OF_INSTALLING = "apt-get |python3 -m venv |/opt/app-server/bin/pip "
# tests/proxy has it look at generated sites.
OF_THE_DOCTOR = "app-server doctor "
# What only an authority can do that reaches this host by its public name: tests/proxy/test_acme.py has one.
OF_AN_AUTHORITY = r"/etc/app-server/certificate\.sh$"
# Where the tests run, no one may have more open files than 20000. No one waits for the pages that were opened, either.
OF_MANY_FILES = "prlimit "
HERE = {"service": {"open_files": 4096, "drain_s": 1}}
# Of what the page says nothing, for any deployment will do.
ANY = {"apps": {"myapp": "myapp.py"}, "public": "apps.example.org"}
# What logs in to hosts: tests/ansible has them.
OF_HOSTS = "ansible-(playbook|vault) |export ANSIBLE_|app-server deploy ansible "
INSTANCES = ("a1", "a2", "a3")
STOP = "systemctl disable --now app-server.target " + " ".join(f"app-server@{name}" for name in INSTANCES)
# By hand as the service's user too, and with the unit's folder: sessions that one user saves are closed to the others.
BY_HAND = "systemd-run --unit by-hand --uid app-server --property StateDirectory=app-server/sessions"
# A unit that was killed stays known to systemd, which starts no other one of its name.
END_BY_HAND = "systemctl kill --signal KILL by-hand; systemctl stop by-hand; systemctl reset-failed by-hand"


@pytest.fixture(scope="module")
def root(engine: None, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Root, in a folder with applications of their own and app-server's wheel, which is enough for these pages."""
    folder = tmp_path_factory.getbasetemp() / "site"
    folder.mkdir()
    try:
        with reader_of_a_host(folder) as found:
            write_applications(folder, "myapp", "plots")
            shutil.copy(wheel, folder)
            found.install(wheel)
            yield found
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def fresh(root: Reader) -> Iterator[Reader]:
    """The same without the service's user and its folders, which docs/services.md has one make; nothing runs later."""
    if root.type("id app-server").status == 0:
        done(root, "userdel app-server && rm -rf /etc/app-server /srv/app-server /var/lib/app-server")
    yield root
    root.type(f"systemctl kill --signal KILL 'app-server@*'; {STOP}")


@pytest.fixture
def host(root: Reader) -> Iterator[Reader]:
    """The same with the service's user and applications, as docs/services.md has one make them; nothing runs later."""
    done(root, "id app-server || useradd --system --user-group app-server")
    done(root, "mkdir -p /srv/app-server && cp myapp.py plots.py /srv/app-server/ && pip install -r requirements.txt")
    yield root
    root.type(f"systemctl stop nginx apache2; {END_BY_HAND}")


def done(reader: Reader, line: str) -> Typed:
    """Type what the page takes for granted."""
    typed = reader.type(line)
    assert typed.status == 0, f"$ {line}\n{typed.said}"
    return typed


def shown(reader: Reader, url: str, options: str = "") -> str:
    """The status of a page, and what it shows as its title."""
    typed = reader.type(f"curl --silent --write-out ' %{{http_code}}' {options} {url}")
    return f"{typed.said[-3:]} {typed.said.partition('<title>')[2].partition('<')[0]}"


def answers(reader: Reader, url: str, options: str) -> bool:
    """Whether the page of an application is there, which shows its name."""
    return shown(reader, url, options) == f"200 {url.rpartition('/')[2]}"


def all_answer(reader: Reader) -> bool:
    """Whether each of the three instances has a page."""
    return all(
        answers(reader, f"http://127.0.0.1:{5100 + number}/myapp", "--header 'Host: apps.example.org'")
        for number in range(len(INSTANCES))
    )


@pytest.mark.timeout(TIMEOUT_S)
def test_services_page(fresh: Reader) -> None:
    seen = []
    for typed in fresh.read(ROOT / "docs/services.md", leaving=OF_MANY_FILES, parts=True, adding=HERE):
        seen.append(typed.line)
        if typed.line.startswith("systemctl enable --now "):
            assert all_answer(fresh)
        if " status --json" in typed.line:
            assert '"url": "http://127.0.0.1:5100/' in typed.said
        if typed.line.startswith("mount "):
            assert "BOKEH_SECRET_KEY_FILE=/run/credentials/" in environment(fresh, "app-server@a1")
            done(fresh, STOP)
        if typed.line.startswith("supervisorctl restart "):
            until(lambda: all_answer(fresh), "all programs run", 60)
            done(fresh, "rm /etc/supervisor/conf.d/app-server.conf && supervisorctl update")
    assert all_answer(fresh)
    assert "gunicorn" in done(fresh, "systemctl status app-server@a1").said
    done(fresh, f"systemctl kill --signal KILL 'app-server@*'; {STOP}")
    assert len([line for line in seen if line.startswith("systemctl ")]) == 8


def environment(reader: Reader, unit: str) -> str:
    """The variables of a unit's main process."""
    return done(reader, f"tr '\\0' '\\n' </proc/$(systemctl show --value --property MainPID {unit})/environ").said


@pytest.mark.timeout(TIMEOUT_S)
def test_page_from_a_script_to_https(fresh: Reader) -> None:
    page = ROOT / "docs/from-script-to-https.md"
    (script,) = (block.text for block in blocks(page) if block.language == "python")
    (fresh.folder / "powers.py").write_text(script, encoding="utf-8")
    there = f"{OF_INSTALLING}|{OF_AN_AUTHORITY}|{OF_THE_DOCTOR}"
    here = "--cacert certificates/authority.pem --connect-to ::127.0.0.1:"
    seen = []
    for typed in fresh.read(page, leaving=there, adding={"service": {"open_files": 4096}}):
        seen.append(typed.line)
        if typed.line in ("nginx -t && systemctl reload-or-restart nginx", "systemctl restart app-server@a2"):
            assert shown(fresh, "https://plots.example.org/powers", here) == "200 Powers"
    assert "systemctl restart app-server@a2" in seen
    assert "/etc/app-server/certificate.sh --stand-in" in seen
    # Other pages bring sites of their own, and take the certificates away.
    done(fresh, "systemctl stop nginx && rm /etc/nginx/conf.d/app-server.conf")


@pytest.mark.timeout(TIMEOUT_S)
def test_tls_page(host: Reader) -> None:
    done(host, "systemctl start nginx")
    wrong = "app-server certificate maps.example.org "
    page = host.read(ROOT / "docs/tls.md", leaving=OF_AN_AUTHORITY, fails=wrong, adding=HERE)
    trusting = "--cacert certificates/authority.pem --connect-to ::127.0.0.1:"
    said = []
    for typed in page:
        said.append(typed.said)
        if typed.line.endswith("systemctl reload nginx"):
            done(host, f"{BY_HAND} $PWD/out/commands/start.sh")
            until(partial(answers, host, "https://plots.example.org/plots", trusting), "nginx has the page", 60)
            done(host, "systemctl stop by-hand")
    assert "certificates/plots.example.org.pem: nothing is wrong\n" in said
    assert any("is for plots.example.org, not for maps.example.org." in line for line in said)


@pytest.mark.timeout(TIMEOUT_S)
def test_apache_page(host: Reader) -> None:
    done(host, "systemctl start apache2")
    done(host, "systemd-run --unit by-hand /opt/app-server/bin/app-server serve /srv/app-server/myapp.py --port 5100 "
               "--address 127.0.0.1 --use-xheaders --allow-websocket-origin foo.com")  # fmt: skip
    here = "--cacert certificates/authority.pem --connect-to ::127.0.0.1:"
    restarts: list[str] = []
    for typed in host.read(ROOT / "docs/apache.md"):
        if typed.line.endswith("systemctl restart apache2"):
            url = f"{'https' if restarts else 'http'}://foo.com/myapp"
            until(partial(answers, host, url, here), "Apache has the page", 60)
            restarts.append(url)
    assert len(restarts) == 2
    assert shown(host, "https://foo.com/static/js/bokeh.min.js", f"--head {here}").startswith("200")
    # The site that came with Apache is gone.
    assert shown(host, "http://127.0.0.1/").startswith("421")


@pytest.mark.timeout(TIMEOUT_S)
def test_tunnels_page(host: Reader) -> None:
    (host.folder / "deploy.yaml").unlink(missing_ok=True)
    page = host.read(ROOT / "docs/tunnels.md", leaving=OF_ANOTHER_HOST, parts=True, adding=ANY)
    lines = [typed.line for typed in page]
    assert lines[-1].startswith("systemctl enable --now ")
    # It is as far as it can come without the gateway: ssh has read all that is there.
    until(
        lambda: "gateway.example.org" in host.type("journalctl --unit app-server-tunnel-office").said, "it tried", 60
    )
    assert "Permission denied" not in host.type("journalctl --unit app-server-tunnel-office").said
    done(host, "systemctl disable --now app-server-tunnel-office")


@pytest.mark.timeout(TIMEOUT_S)
def test_ansible_page(host: Reader) -> None:
    page = ROOT / "docs/ansible.md"
    lines = [typed.line for typed in host.read(page, leaving=OF_HOSTS)]
    assert len(lines) == 4
    # The playbooks are there, and take what is said to them.
    done(host, "pip install --quiet 'ansible-core>=2.18'")
    given = [line for block in blocks(page) if block.language == "console" for line in typed_lines(block)]
    for line in (line for line in given if line.startswith("ansible-playbook ")):
        assert "playbook: playbooks/" in done(host, f"ANSIBLE_CONFIG=playbooks/ansible.cfg {line} --syntax-check").said
