"""Apache's site: the scenes whole, and what single keys change in it."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app_server.deployment.load import load
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.render import render
from app_server.deployment.render.proxies.apache import formatted, literal, modules, quote, workers
from app_server.errors import OperatorError, OperatorErrors
from tests.support.examples import examples
from tests.unit.deployment.making import planned

ROOT = Path(__file__).resolve().parents[5]
SCENES = ROOT / "deploy" / "scenes"
GOLDEN = ROOT / "tests" / "golden"
# Set to 1, and the files are written instead of compared; look at what has changed before you commit it.
UPDATE = "APP_SERVER_UPDATE_GOLDEN"
BASE = "apps: {myapp: myapp.py}\npublic: foo.com\nproxy: apache\n"


def site(folder: Path, more: str = "", base: str = BASE) -> str:
    """The site of a deployment, without leading spaces."""
    text = render("apache", planned(folder, base + more))["apache/app-server.conf"].text
    return re.sub(r"^ +", "", text, flags=re.MULTILINE)


def whole(folder: Path, more: str = "") -> str:
    """What it needs of the server."""
    return render("apache", planned(folder, BASE + more))["apache/app-server-global.conf"].text


@pytest.mark.parametrize("scene", ["apache", "apache-load-balancing", "apache-tls"])
def test_scene_is_rendered_as_it_was(scene: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(SCENES / scene)
    plan = resolve_plan(load("deploy.yaml"), regenerate=("app-server", "config"))
    for name, file in render("apache", plan).items():
        golden = GOLDEN / scene / Path(name).name
        if os.environ.get(UPDATE):
            golden.parent.mkdir(parents=True, exist_ok=True)
            golden.write_text(file.text, encoding="utf-8")
        assert golden.read_text(encoding="utf-8") == file.text, f"{golden}; {UPDATE}=1 writes it again"


def test_balancer_counts_sockets_and_finds_routes_again(tmp_path: Path) -> None:
    text = site(tmp_path, "instances: 2\n")
    assert "ProxySet lbmethod=bybusyness stickysession=_i stickysessionsep=Off\n" in text
    assert (
        "BalancerMember http://127.0.0.1:5100 route=a1 upgrade=websocket retry=1 connectiontimeout=3 timeout=300\n"
        in text
    )
    assert (
        'RewriteRule "^(/_i/([A-Za-z0-9_-]{1,32})(?:/.*)?)$" "balancer://myapp$1?_i=$2" [P,QSA,'
        "E=app_method:%{REQUEST_METHOD},E=app_path:%{REQUEST_URI},E=app_query:%{QUERY_STRING}]\n"
    ) in text
    # The method does nothing in the main server.
    assert text.index("<VirtualHost *:80>\nServerName foo.com") < text.index("<Proxy balancer://myapp>")


def test_refused_page_goes_to_the_next_instance_round_the_ring(tmp_path: Path) -> None:
    pairs = re.findall(r"=(a\d)\nRewriteRule \S+ \S+\?_i=(a\d)&", site(tmp_path, "instances: 3\n"))
    assert pairs == [("a1", "a2"), ("a2", "a3"), ("a3", "a1")]


def test_single_instance_needs_no_routes(tmp_path: Path) -> None:
    text = site(tmp_path)
    assert "_i=" not in text and "bybusyness" not in text and "ProxyErrorOverride" not in text


def test_instances_on_unix_sockets_and_other_hosts(tmp_path: Path) -> None:
    sockets = site(tmp_path, "instances: {count: 2, socket_dir: /run/app-server}\n")
    assert 'BalancerMember "unix:/run/app-server/a1.sock|http://a1" route=a1 ' in sockets
    hosts = site(
        tmp_path, "instances: {count: 1, hosts: [{name: x, address: 10.0.0.1}, {name: y, address: 'fd00::2'}]}\n"
    )
    assert "BalancerMember http://10.0.0.1:5100 route=a1 upgrade=websocket disablereuse=on retry=10 " in hosts
    assert 'BalancerMember "http://[fd00::2]:5100" route=b1 ' in hosts


def test_application_of_its_own_comes_before_the_rest(tmp_path: Path) -> None:
    base = (
        "apps: {myapp: myapp.py, own: {path: my other.py, args: [x], instances: 2}}\npublic: foo.com\nproxy: apache\n"
    )
    text = site(tmp_path, "instances: 2\n", base=base)
    assert text.index('ProxyPass "/my other" "balancer://own/my other"') < text.index("ProxyPass / balancer://myapp/")
    assert text.index('/my\\ other(?:/.*)?)$" "balancer://own$1') < text.index('(?:/.*)?)$" "balancer://myapp$1')


def test_threads_are_enough_for_the_sessions_that_are_allowed(tmp_path: Path) -> None:
    plan = planned(tmp_path, BASE + "instances: 6\nsessions: {max_sessions: 200}\n")
    assert workers(plan) >= 6 * 200 + 50
    assert workers(plan) % 64 == 0
    text = whole(tmp_path, "instances: 6\nsessions: {max_sessions: 200}\n")
    assert f"MaxRequestWorkers {workers(plan)}\n" in text
    assert f"ServerLimit {2 * workers(plan) // 64}\n" in text


def test_modules_are_those_that_the_site_uses(tmp_path: Path) -> None:
    def needed(more: str) -> set[str]:
        return set(modules(planned(tmp_path, BASE + more))) - set(modules(planned(tmp_path, BASE)))

    assert "lbmethod_byrequests" in modules(planned(tmp_path, BASE))
    assert needed("access: {basic: /etc/users}\n") == {"authn_core", "authn_file", "authz_user", "auth_basic"}
    assert needed("access: {allow: 10.0.0.0/8}\n") == {"authz_host"}
    assert needed("tls: development\n") == {"socache_shmcb", "ssl", "http2"}


def test_long_ping_interval_makes_the_limit_of_silence_longer(tmp_path: Path) -> None:
    assert "timeout=3600\n" in site(tmp_path, "sessions: {ping_interval_s: 200}\n")


def test_public_port_that_browsers_see_is_in_the_host_header(tmp_path: Path) -> None:
    base = "apps: {myapp: myapp.py}\npublic: {hosts: foo.com, port: 8443, scheme: https}\nproxy: apache\n"
    text = site(tmp_path, base=base)
    assert 'RequestHeader set Host "expr=%{SERVER_NAME}:8443"\n' in text
    assert "RequestHeader set X-Forwarded-Proto https\n" in text


def test_proxy_in_front_is_believed_where_it_is_named(tmp_path: Path) -> None:
    text = site(tmp_path, "")
    assert "RequestHeader unset X-Forwarded-For early\n" in text
    # In kind with nginx: only what comes from there matters, and Apache writes its own header.
    trusting = site(
        tmp_path, "", base=BASE.replace("proxy: apache", "proxy: {kind: apache, trusted_proxies: 10.0.0.0/8}")
    )
    assert "RemoteIPInternalProxy 10.0.0.0/8\nRequestHeader unset X-Forwarded-For\n" in trusting


def test_older_apache_is_refused(tmp_path: Path) -> None:
    plan = planned(tmp_path, BASE.replace("proxy: apache", "proxy: {kind: apache, version: 2.4.41}"))
    with pytest.raises(OperatorError) as refusal:
        render("apache", plan)
    assert str(refusal.value) == (
        "proxy.version: Apache 2.4.41 cannot forward WebSockets as the site requires. Take 2.4.47 or newer."
    )


@pytest.mark.parametrize("value", ["a\nb", "a\x00", "${HOME}", "", "a\u2028b"])
def test_what_cannot_be_quoted_is_refused(value: str) -> None:
    with pytest.raises(OperatorError, match="cannot be written into Apache's configuration"):
        quote(value)


def unquoted(word: str) -> str:
    """What Apache makes of one quoted word (ap_getword_conf)."""
    word = str(word)
    if not word.startswith('"'):
        assert re.fullmatch(r"[^\s\"'\\<>#$%]+", word), word
        return word
    assert word.endswith('"') and len(word) > 1
    inner = word[1:-1]
    assert not re.search(r'(?<!\\)(?:\\\\)*"', inner), word
    return re.sub(r'\\([\\"])', r"\1", inner)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_quoted_word_is_read_back_as_it_was(value: str) -> None:
    try:
        word = quote(value)
    except OperatorError:
        return
    assert unquoted(word) == value
    assert unquoted(formatted(value)) == value.replace("%", "%%")
    assert not set("$%") & set(literal(value)) - set("&#;")


@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(60), deadline=None
)
@given(realm=st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).map(lambda text: text.strip()))
def test_no_text_of_the_file_becomes_a_directive(realm: str, tmp_path: Path) -> None:
    text = json.dumps(realm)
    more = f"access: {{basic: {{file: /etc/users, realm: {text}}}}}\nmaintenance: {{message: {text}}}\n"
    try:
        text = render("apache", planned(tmp_path, BASE + more))["apache/app-server.conf"].text
    except (OperatorError, OperatorErrors):
        return
    plain = render(
        "apache", planned(tmp_path, BASE + "access: {basic: {file: /etc/users, realm: x}}\nmaintenance: {message: x}\n")
    )
    count = plain["apache/app-server.conf"].text.count("\n")
    assert text.count("\n") == count
