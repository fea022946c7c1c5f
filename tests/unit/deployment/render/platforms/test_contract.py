"""What the server is started with where a platform chooses the port, ends TLS and kills what does not stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.render import render
from app_server.deployment.render.platforms.contract import Platform, words
from app_server.errors import OperatorError
from tests.unit.deployment.render.platforms.planning import TEXT, planned, served

ANY = Platform("Anywhere", grace_s=30)


def test_server_listens_where_the_platform_says(tmp_path: Path) -> None:
    files, settings = served(words(planned(tmp_path), ANY), {"PORT": "8080"})
    assert files == ["dashboard.py"]
    assert (settings.port, settings.address, settings.route, settings.unix_socket) == (8080, None, None, None)
    assert settings.use_xheaders and settings.allow_websocket_origin == ("tools.example.org",)
    assert settings.args == ("x", "$HOME") and settings.max_sessions == 50
    assert settings.store == "redis://redis.example.org"


def test_host_of_the_platform_need_not_be_known(tmp_path: Path) -> None:
    _, settings = served(words(planned(tmp_path, "apps: {a: a.py}\n"), ANY))
    # Then the server's own host is allowed, whatever it is.
    assert settings.allow_websocket_origin == () and settings.use_xheaders


@pytest.mark.parametrize(("instances", "payload"), [(1, "auto"), (2, "always")])
def test_any_of_several_instances_can_make_the_session(tmp_path: Path, instances: int, payload: str) -> None:
    plan = planned(tmp_path, f"{TEXT}instances: {instances}\n")
    assert served(words(plan, ANY))[1].token_payload == payload


@pytest.mark.parametrize(
    ("grace_s", "asked_s", "drain_s", "deadline_s"),
    [(30, 60, 22, 6), (30, 20, 20, 8), (30, 5, 5, 10), (10, 30, 2, 6), (10, 0, 0, 8), (None, 60, 60, 10)],
)
def test_drain_ends_before_the_platform_kills(
    tmp_path: Path, grace_s: int | None, asked_s: int, drain_s: float, deadline_s: float
) -> None:
    plan = planned(tmp_path, TEXT.replace("service: {", f"service: {{drain_s: {asked_s}, "))
    _, settings = served(words(plan, Platform("Anywhere", grace_s)))
    assert (settings.drain_s, settings.drain_deadline_s) == (drain_s, deadline_s)
    assert grace_s is None or drain_s + deadline_s < grace_s


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "apps: {a: a.py, b: {path: b.py, instances: 2}}\n",
            "apps: Anywhere runs the same in all instances. "
            "Remove apps.*.instances, or write a deploy.yaml for each application.",
        ),
        (
            "apps: {a: a.py}\nsessions: {store: valkey}\n",
            "sessions.store: Anywhere starts no Valkey of ours. Name a Redis or Valkey that the platform offers, with "
            "secrets.store or sessions.store: redis://...",
        ),
        (
            "apps: {a: a.py}\ntls: {certificate: /c.pem, key: /k.pem}\n",
            "tls: Anywhere takes care of TLS. Say tls: off.",
        ),
        (
            "apps: {a: a.py}\naccess: {allow: 10.0.0.0/8}\n",
            "access.allow: our proxy does that, and there is none on Anywhere. "
            "Choose a login of the server below server, such as basic_auth or oidc_issuer.",
        ),
        (
            "apps: {a: a.py}\nembedding: {origins: 'https://portal.example.org'}\n",
            "public: other sites show a page that has no address yet. Name the host that the platform gives you.",
        ),
        (
            "apps: {a: {path: a.py, args: ['$(HOME)']}}\n",
            "apps: '$(HOME)' has a $(, which platforms replace. Write it otherwise.",
        ),
    ],
)
def test_what_a_platform_cannot_do_is_refused(tmp_path: Path, more: str, message: str) -> None:
    with pytest.raises(OperatorError) as caught:
        words(planned(tmp_path, more), ANY)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("target", "path", "said"),
    [
        ("heroku", "heroku/Procfile", "#   heroku config:set NAME=VALUE  for each variable of the file"),
        ("spaces", "spaces/Dockerfile", ": each variable of the file in service.secrets\n"),
        ("azure", "azure/containerapp.yaml", " -n tools -g GROUP --set-env-vars NAME=secretref:tools-name\n"),
        ("cloud-run", "cloud-run/service.yaml", "{name: APP_SERVER_ENV_FILE, value: /run/secrets/app/variables}"),
    ],
)
def test_variables_of_applications_reach_them(tmp_path: Path, target: str, path: str, said: str) -> None:
    text = "name: tools\napps: {a: a.py}\nservice: {secrets: {file: app.env}}\n"
    file = render(target, planned(tmp_path, text))[path].text
    assert said in file
    # The server does not know a variable with the whole file.
    assert "APP_SERVER_ENV=" not in file and "name: APP_SERVER_ENV," not in file


@pytest.mark.parametrize(
    ("target", "name", "title"),
    [
        ("cloud-run", "my_tools", "Cloud Run"), ("cloud-run", "tools-", "Cloud Run"),
        ("azure", "my_tools", "Azure Container Apps"), ("azure", "my--tools", "Azure Container Apps"),
        ("azure", "t", "Azure Container Apps"),
    ],
)  # fmt: skip
def test_name_that_the_platform_does_not_take_is_refused(tmp_path: Path, target: str, name: str, title: str) -> None:
    with pytest.raises(OperatorError) as caught:
        render(target, planned(tmp_path, TEXT.replace("name: tools", f"name: {name}")))
    assert str(caught.value) == (
        f"name: {title} calls nothing {name!r}. Use a-z, 0-9 and single '-', with a letter or a digit at the end."
    )
    assert render("heroku", planned(tmp_path, TEXT.replace("name: tools", f"name: {name}")))
