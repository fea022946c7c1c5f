"""Where instances save their sessions, in each layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan, PlannedStore
from app_server.deployment.targets import Layout
from app_server.errors import OperatorErrors
from tests.unit.deployment.making import loaded

APP = "apps: {a: a.py}\n"
IN_VOLUME = "/var/lib/app-server/sessions"


def planned(folder: Path, text: str, layout: Layout = "host") -> Plan:
    return resolve_plan(loaded(folder, APP + text), layout=layout)


def store_words(plan: Plan) -> str:
    """What the command of the first instance has about saved sessions."""
    flags = plan.instances[0].flags
    return " ".join(flags[flags.index("--drain") + 2 :])


@pytest.mark.parametrize(
    ("layout", "store"),
    [
        ("host", PlannedStore("folder", "/var/lib/app-server/sessions")),
        ("compose", PlannedStore("folder", IN_VOLUME)),
        ("containers", PlannedStore("off")),
        ("cluster", PlannedStore("off")),
    ],
)
def test_sessions_are_saved_by_default_if_the_instances_share_a_folder(
    tmp_path: Path, layout: Layout, store: PlannedStore
) -> None:
    plan = planned(tmp_path, "", layout)
    assert plan.store == store
    assert store_words(plan) == (f"--store {store.place}" if store.place else "")


def test_default_folder_is_below_the_state_of_the_deployment(tmp_path: Path) -> None:
    assert planned(tmp_path, "name: tools\n").store.folder == "/var/lib/tools/sessions"
    assert planned(tmp_path, "paths: {state: /srv/state/}\n").store.folder == "/srv/state/sessions"


def test_folder_of_the_file_is_mounted_in_containers(tmp_path: Path) -> None:
    text = "sessions: {store: /data/saved}\n"
    assert planned(tmp_path, text).store == PlannedStore("folder", "/data/saved")
    assert planned(tmp_path, text, "compose").store == PlannedStore("folder", IN_VOLUME, mounted="/data/saved")


@pytest.mark.parametrize("layout", ["host", "compose", "containers", "cluster"])
def test_address_is_the_same_everywhere(tmp_path: Path, layout: Layout) -> None:
    plan = planned(tmp_path, "sessions: {store: 'rediss://redis.example.org/1'}\n", layout)
    assert plan.store == PlannedStore("redis", "rediss://redis.example.org/1") and plan.store.folder is None
    assert store_words(plan) == "--store rediss://redis.example.org/1"


@pytest.mark.parametrize("layout", ["host", "compose", "containers", "cluster"])
def test_secret_address_is_in_no_command(tmp_path: Path, layout: Layout) -> None:
    plan = planned(tmp_path, "secrets: {store: {file: /etc/store}}\nsessions: {store_ttl_s: 60}\n", layout)
    assert plan.store == PlannedStore("redis")
    assert store_words(plan) == "--store-ttl 60"
    assert [(secret.name, secret.variable) for secret in plan.secrets] == [("store", "APP_SERVER_STORE")]


@pytest.mark.parametrize(("layout", "name"), [("containers", "valkey"), ("cluster", "tools-valkey")])
def test_valkey_has_the_name_by_which_instances_reach_it(tmp_path: Path, layout: Layout, name: str) -> None:
    plan = planned(tmp_path, "name: tools\nsessions: {store: valkey}\n", layout)
    assert plan.store == PlannedStore("valkey", f"redis://{name}:6379")


def test_everything_about_saved_sessions_is_a_flag_that_serve_takes(tmp_path: Path) -> None:
    text = "{store_ttl_s: 3600, store_max_mb: 8, store_encrypt: yes, store_optional: yes, restore: values}"
    words = store_words(planned(tmp_path, f"sessions: {text}\n"))
    assert words == (
        "--store /var/lib/app-server/sessions --store-ttl 3600 --store-max-bytes 8388608 --store-encrypt"
        " --store-optional --restore values"
    )
    assert store_words(planned(tmp_path, f"sessions: {text[:-1]}, store: off}}\n")) == ""


@pytest.mark.parametrize(
    ("name", "key"), [("store", "store"), ("store_max_bytes", "store_max_mb"), ("restore", "restore")]
)
def test_setting_has_a_key_of_its_own(tmp_path: Path, name: str, key: str) -> None:
    with pytest.raises(OperatorErrors, match=rf"server\.{name}: is set by sessions\.{key}\. Set it there\."):
        planned(tmp_path, f"server: {{{name}: '9999'}}\n")


HOSTS = "instances: {count: 2, hosts: [{name: one, address: 10.0.0.1}, {name: two, address: 10.0.0.2}]}\n"


@pytest.mark.parametrize(
    ("text", "layout", "drain_s"),
    [
        ("", "host", 0),
        ("", "compose", 0),
        ("", "containers", 30),  # these share no folder, so nothing is saved
        ("", "cluster", 30),
        ("sessions: {store: valkey}\n", "cluster", 0),
        ("secrets: {store: {file: /etc/store}}\n", "containers", 0),
        ("sessions: {store: off}\n", "host", 30),
        ("sessions: {restore: off}\n", "host", 30),  # they begin again elsewhere
        ("sessions: {restore: values}\n", "host", 0),
        ("sessions: {store: 'redis://10.0.0.3', restore: off}\n", "cluster", 30),
        (HOSTS, "host", 30),  # a folder for each host
        (HOSTS + "sessions: {store: 'redis://10.0.0.3'}\n", "host", 0),
        ("service: {drain_s: 7}\n", "host", 7),
        ("sessions: {store: off}\nservice: {drain_s: 0}\n", "host", 0),
    ],
)
def test_sessions_that_go_on_at_other_instances_are_not_waited_for(
    tmp_path: Path, text: str, layout: Layout, drain_s: float
) -> None:
    plan = planned(tmp_path, text, layout)
    flags = plan.instances[0].flags
    assert (plan.drain_s, plan.stop_timeout_s, plan.proxy_drain_s) == (drain_s, drain_s + 15, drain_s or 30)
    assert flags[flags.index("--drain") + 1] == str(drain_s)
