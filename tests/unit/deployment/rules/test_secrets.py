"""Keys and where they come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deployment.rules.tripping import Case, assert_tripped

CASES: list[Case] = [
    (
        "signatures_need_a_key",
        "sessions: {ids: signed}\n",
        "sessions: {ids: signed}\nsecrets: {secret_key: {file: /etc/key}}\n",
        "deploy.yaml:2:12: sessions.ids: signed sessions need a secret key.",
    ),
    (
        "instances_share_a_key",
        "access: {external: 'http://127.0.0.1:4180/auth'}\ninstances: 3\n",
        "access: {external: 'http://127.0.0.1:4180/auth'}\ninstances: 3\nsecrets: {secret_key: {file: /etc/key}}\n",
        "deploy.yaml:2:10: access.external: each instance signs sessions with its own key, and no other instance"
        " can take over its pages.",
    ),
    (
        "logins_have_a_key",
        "server: {basic_auth: /etc/users}\n",
        "server: {basic_auth: /etc/users}\nsecrets: {cookie_secret: {file: /etc/key}}\n",
        "deploy.yaml:2:10: server.basic_auth: logins are kept in signed cookies, which need a key."
        " Set secrets.cookie_secret.",
    ),
    (
        "secrets_come_from_one_place",
        "secrets: {secret_key: {file: /k, environment: K}}\n",
        "secrets: {secret_key: {file: /k}}\n",
        "deploy.yaml:2:11: secrets.secret_key: expected one of file, environment and credential, not 2",
    ),
    (
        "secrets_come_from_one_place",
        "secrets: {secret_key: {credential: k}}\nservice: supervisor\n",
        "secrets: {secret_key: {credential: k}}\nservice: systemd\n",
        "deploy.yaml:2:24: secrets.secret_key.credential: credentials need systemd, but the manager is supervisor.",
    ),
    (
        "secrets_come_from_one_place",
        "service: {environment: {BOKEH_SECRET_KEY: abc}}\n",
        "service: {environment: {BOKEH_LOG_LEVEL: info}}\n",
        "deploy.yaml:2:25: service.environment.BOKEH_SECRET_KEY: is the variable of a secret. Set it below secrets.",
    ),
    (
        "application_secrets_come_from_one_place",
        "service: {secrets: {file: .env, credential: a}}\n",
        "service: {secrets: .env}\n",
        "deploy.yaml:2:11: service.secrets: expected one of file and credential, not both",
    ),
    (
        "application_secrets_come_from_one_place",
        "service: {secrets: {}}\n",
        "service: {secrets: {credential: a}}\n",
        "deploy.yaml:2:11: service.secrets: expected one of file and credential",
    ),
    (
        "application_secrets_come_from_one_place",
        "service: {manager: supervisor, secrets: {credential: a}}\n",
        "service: {manager: gunicorn, secrets: {credential: a}}\n",
        "deploy.yaml:2:42: service.secrets.credential: credentials need systemd, but the manager is supervisor."
        " Use a file.",
    ),
    (
        "application_secrets_come_from_one_place",
        "service: {environment: {APP_SERVER_ENV_FILE: /etc/site.env}}\n",
        "service: {environment: {ENV_FILE: /etc/site.env}}\n",
        "deploy.yaml:2:25: service.environment.APP_SERVER_ENV_FILE: names a file of secrets. Set it with"
        " service.secrets.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_rule_is_tripped_by_one_and_not_by_its_neighbour(case: Case, tmp_path: Path) -> None:
    assert_tripped(case, tmp_path)
