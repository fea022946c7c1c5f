"""Where sessions are saved."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.rules import judge
from app_server.deployment.targets import Layout
from tests.unit.deployment.making import loaded
from tests.unit.deployment.rules.tripping import APP, HOSTS, Case, assert_tripped

SPREAD = f"instances: {{{HOSTS}}}\n"
REDIS = "sessions: {store: 'redis://redis.example.org'}\n"
LOGIN = "access: {external: 'http://127.0.0.1:4180/auth'}\n"
CASES: list[Case] = [
    (
        "sessions_are_saved_in_one_place",
        REDIS + "secrets: {store: {file: /etc/store}}\n",
        "secrets: {store: {file: /etc/store}}\n",
        "deploy.yaml:3:11: secrets.store: sessions.store says already where sessions are saved. Remove one of them.",
    ),
    (
        "addresses_of_stores_can_be_read_and_have_no_password",
        "sessions: {store: 'redis://:hunter2@redis.example.org'}\n",
        REDIS,
        "deploy.yaml:2:12: sessions.store: the address has a password, which everyone can read here."
        " Write the address to a file, and set secrets.store: {file: PATH} instead.",
    ),
    (
        "addresses_of_stores_can_be_read_and_have_no_password",
        "sessions: {store: 'unix:///run/redis.sock?password=hunter2'}\n",
        "sessions: {store: 'unix:///run/redis.sock?db=2'}\n",
        "deploy.yaml:2:12: sessions.store: the address has a password, which everyone can read here.",
    ),
    (
        "addresses_of_stores_can_be_read_and_have_no_password",
        "sessions: {store: 'http://redis.example.org'}\n",
        "sessions: {store: 'rediss://redis.example.org:6380/3'}\n",
        "deploy.yaml:2:12: sessions.store: expected an address that begins with redis://, rediss:// or unix://.",
    ),
    (
        "instances_reach_their_store",
        SPREAD + "sessions: {store: 'redis://localhost'}\n",
        "sessions: {store: 'redis://localhost'}\n",
        "deploy.yaml:3:12: sessions.store: each host would save sessions of its own."
        " Name a Redis or Valkey that all of them reach.",
    ),
    (
        "instances_reach_their_store",
        SPREAD + "sessions: {store: 'unix:///run/redis.sock'}\n",
        SPREAD + REDIS,
        "deploy.yaml:3:12: sessions.store: each host would save sessions of its own.",
    ),
    (
        "folders_are_of_one_host",
        SPREAD,
        SPREAD + "sessions: {store: off}\n",
        "deploy.yaml:1:1: sessions.store: only the instances of one host share a folder: a session that moves to"
        " another host starts again there, and the sessions of a lost host are gone.",
    ),
    (
        "folders_are_of_one_host",
        SPREAD + "sessions: {store: /data/saved}\n",
        SPREAD + REDIS,
        "deploy.yaml:3:12: sessions.store: only the instances of one host share a folder",
    ),
    (
        "valkey_is_for_containers_on_several_machines",
        "sessions: {store: valkey}\n",
        "sessions: {store: off}\n",
        "deploy.yaml:2:12: sessions.store: only a swarm and a cluster can have a Valkey of the deployment."
        " Install Valkey or Redis on one of the hosts, and set this to its address.",
    ),
    (
        "encryption_needs_a_key",
        "sessions: {store_encrypt: yes}\n",
        "sessions: {store_encrypt: yes}\nsecrets: {secret_key: {file: /etc/key}}\n",
        "deploy.yaml:2:12: sessions.store_encrypt: saved sessions are encrypted with the secret key."
        " Set secrets.secret_key.",
    ),
    (
        "encryption_needs_a_key",
        "sessions: {store_encrypt: yes}\n",
        "sessions: {store_encrypt: yes, store: off}\n",
        "deploy.yaml:2:12: sessions.store_encrypt: saved sessions are encrypted",
    ),
    (
        "saved_sessions_can_be_read_after_a_restart",
        LOGIN,
        LOGIN + "secrets: {secret_key: {file: /etc/key}}\n",
        "deploy.yaml:1:1: sessions.store: each instance generates a key when it starts, and cannot read afterwards what"
        " it saved. Set secrets.secret_key, or set this to off.",
    ),
    (
        "saved_sessions_can_be_read_after_a_restart",
        "server: {basic_auth: /etc/users}\n",
        "server: {basic_auth: /etc/users}\nsecrets: {cookie_secret: {file: /etc/key}}\n",
        "deploy.yaml:1:1: sessions.store: each instance generates a key when it starts",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_rule_is_tripped_by_one_and_not_by_its_neighbour(case: Case, tmp_path: Path) -> None:
    assert_tripped(case, tmp_path)


def verdicts(folder: Path, text: str, layout: Layout) -> list[tuple[str, str]]:
    """The level and the text of each verdict, for containers of this layout."""
    return [(each.level, each.what) for each in judge(resolve_plan(loaded(folder, APP + text), layout=layout))]


@pytest.mark.parametrize("layout", ["containers", "cluster", "platform"])
@pytest.mark.parametrize("text", ["", "sessions: {store: /data/saved}\n"])
def test_hint_names_only_what_can_be_set(tmp_path: Path, layout: Layout, text: str) -> None:
    """Platforms start no Valkey, and refuse that word."""
    hints = [each.hint for each in judge(resolve_plan(loaded(tmp_path, APP + text), layout=layout))]
    assert len(hints) == 1
    assert ("Set it to valkey, " in hints[0]) == (layout != "platform")
    assert "the address of a Redis or Valkey" in hints[0]


@pytest.mark.parametrize("layout", ["containers", "cluster"])
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", [("warning", "sessions are not saved, because containers on several machines share no folder")]),
        ("sessions: {store: /data/saved}\n",
         [("fault", "a folder in a container is lost with it, and no other container has it")]),
        ("sessions: {store: 'unix:///run/redis.sock'}\n",
         [("fault", "containers cannot reach a socket of the host")]),
        ("sessions: {store: 'redis://localhost'}\n", [("fault", "each container would look for it in itself")]),
        ("sessions: {store: off}\n", []),
        ("sessions: {store: valkey}\n", []),
        (REDIS, []),
        ("secrets: {store: {file: /etc/store}}\n", []),
    ],
)  # fmt: skip
def test_containers_on_several_machines(tmp_path: Path, layout: Layout, text: str, said: list[tuple[str, str]]) -> None:
    assert verdicts(tmp_path, text, layout) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", []),
        ("sessions: {store: /data/saved}\n", []),
        ("sessions: {store: valkey}\n",
         [("fault", "containers on one machine need no Valkey: they share a volume")]),
        ("sessions: {store: 'redis://127.0.0.1'}\n", [("fault", "each container would look for it in itself")]),
    ],
)  # fmt: skip
def test_containers_on_one_machine(tmp_path: Path, text: str, said: list[tuple[str, str]]) -> None:
    assert verdicts(tmp_path, text, "compose") == said


@pytest.mark.parametrize(
    "address",
    [
        "redis://:hunter2@h",
        "redis://u:hunter2@[::1",
        "redis://:hunter2@h:99999",
        "redis://:hun/ter2@h",
        "a://:hunter2@h",
    ],
)
def test_no_error_quotes_an_address(tmp_path: Path, address: str) -> None:
    found = verdicts(tmp_path, f"sessions: {{store: '{address}'}}\n", "host")
    assert [level for level, _ in found] == ["fault"] and "ter2" not in str(found)
