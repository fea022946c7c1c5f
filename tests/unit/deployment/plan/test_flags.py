"""The flags of start commands, and the settings that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.plan.flags import known_flags, milliseconds, seconds
from app_server.deployment.plan.resolver import resolve_plan
from app_server.deployment.plan.values import Plan
from app_server.deployment.targets import Layout
from app_server.errors import OperatorError, OperatorErrors
from tests.unit.deployment.making import faults, loaded

APPS = "apps: {a: a.py}\n"


def plan(folder: Path, text: str, layout: Layout = "host") -> Plan:
    return resolve_plan(loaded(folder, APPS + text), layout=layout)


def flags(folder: Path, text: str, layout: Layout = "host") -> tuple[str, ...]:
    """The flags of the first instance, without those that every deployment has."""
    found = list(plan(folder, text, layout).instances[0].flags)
    for usual in ("--drain",):
        at = found.index(usual)
        del found[at : at + 2]
    return tuple(found)


def refused(folder: Path, text: str) -> list[str]:
    with pytest.raises(OperatorErrors) as caught:
        plan(folder, text)
    return [str(fault).replace(f"{folder}/", "") for fault in caught.value.faults]


def test_durations_are_short_and_never_nothing() -> None:
    assert [seconds(value) for value in (30.0, 0.5, 99_999.0, 1_000_000.0)] == ["30", "0.5", "99999", "1000000"]
    assert [milliseconds(value) for value in (1.5, 0.0001)] == ["1500", "1"]


def test_server_that_is_reached_directly_needs_no_flags_for_its_own_name(tmp_path: Path) -> None:
    found = flags(tmp_path, "proxy: none\npublic: localhost\n")
    assert "--allow-websocket-origin" not in found and "--use-xheaders" not in found


def test_names_and_prefix_are_told_behind_a_proxy(tmp_path: Path) -> None:
    found = " ".join(flags(tmp_path, "public: {hosts: [a.org, b.org], prefix: /x}\nembedding: https://c.org\n"))
    assert "--prefix /x --allow-websocket-origin a.org --allow-websocket-origin b.org" in found
    assert "--allow-websocket-origin" in found and found.count("c.org") == 1 and "--use-xheaders" in found


def test_tls_of_a_server_without_a_proxy_is_its_own(tmp_path: Path) -> None:
    found = " ".join(flags(tmp_path, "proxy: none\npublic: a.org\ntls: {certificate: /c.pem, key: /k.pem}\n"))
    assert "--ssl-certfile /c.pem --ssl-keyfile /k.pem" in found and "--use-xheaders" not in found
    found = " ".join(flags(tmp_path, "proxy: none\npublic: a.org\ntls: {certificate: /c.pem}\n"))
    assert "--ssl-certfile /c.pem" in found and "--ssl-keyfile" not in found


EXTERNAL = "access: {external: {url: 'http://127.0.0.1:4180/auth', user_header: X-User}}\n"


@pytest.mark.parametrize(
    ("text", "layout", "trusted"),
    [
        ("", "host", ["127.0.0.1/32"]),
        ("instances: {socket_dir: /run/x}\n", "host", ["unix"]),
        ("", "compose", ["unix"]),
        ("containers: {subnet: 10.1.0.0/16}\n", "containers", ["10.1.0.0/16"]),
        ("instances: {hosts: [{name: a, address: 10.0.0.1}, {name: b, address: 10.0.0.2}]}\n", "host", ["10.0.0.1"]),
        ("instances: {hosts: [{name: a, address: 10.0.0.1}]}\n"
         "proxy: {hosts: [{name: p, address: 10.0.0.8}, {name: q, address: 10.0.0.9}]}\n", "host",
         ["10.0.0.8", "10.0.0.9"]),
    ],
)  # fmt: skip
def test_user_of_a_header_is_trusted_from_the_proxy_only(
    tmp_path: Path, text: str, layout: Layout, trusted: list[str]
) -> None:
    found = flags(tmp_path, EXTERNAL + text, layout)
    assert found[found.index("--auth-header") + 1] == "X-User"
    assert [word for before, word in zip(found, found[1:], strict=False) if before == "--auth-header-from"] == trusted


def test_header_among_containers_needs_their_network(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as caught:
        plan(tmp_path, EXTERNAL, "containers")
    assert str(caught.value) == (
        "access.external: needs the network that the header is trusted from."
        " Set containers.subnet to the network between proxy and instances."
    )


def rules(words: tuple[str, ...]) -> list[str]:
    return [word for before, word in zip(words, words[1:], strict=False) if before == "--access"]


def test_rules_of_who_may_open_what_go_to_the_instances_of_the_application(tmp_path: Path) -> None:
    text = (
        "apps:\n  a: {path: a.py, route: /reports/a, access: {users: [ann], groups: [staff, 'an*']}}\n  b: b.py\n"
        "  c: {path: c.py, instances: 1, access: {users: '*'}}\n  d: {path: d.py, instances: 1}\n"
        "access: {external: {url: 'http://127.0.0.1:4180/auth', groups_header: X-G}, groups: staff, contact: Mia}\n"
    )
    found = {instance.name: instance.flags for instance in resolve_plan(loaded(tmp_path, text)).instances}
    assert {name: rules(words) for name, words in found.items()} == {
        "a1": ["*=group:staff", "/reports/a=user:ann", "/reports/a=group:staff", "/reports/a=group:an*"],
        "c-a1": ["/c=user:*"],
        "d-a1": ["*=group:staff"],
    }
    for words in found.values():
        assert words[words.index("--auth-header-groups") + 1] == "X-G"
        assert words[words.index("--access-contact") + 1] == "Mia"


def test_without_rules_there_are_no_flags_for_them(tmp_path: Path) -> None:
    assert not any(word.startswith("--access") for word in flags(tmp_path, EXTERNAL))


def test_sessions_have_their_flags(tmp_path: Path) -> None:
    text = (
        "sessions: {ids: signed, token_expiry_s: 60, unused_lifetime_s: 1.5, ping_interval_s: 5, max_sessions: 9,"
        " max_sessions_per_address: 3, max_sessions_per_user: 2, isolation: process,"
        " limits: {session_memory_mb: 100, session_cpu_s: 2.5, callback_s: 3}}\n"
        "instances: {processes: 2}\nlogs: {level: debug, server: json}\n"
    )
    found = " ".join(flags(tmp_path, text))
    for words in (
        "--session-ids signed", "--session-token-expiration 60", "--unused-session-lifetime 1500", "--keep-alive 5000",
        "--max-sessions 9", "--max-sessions-per-address 3", "--max-sessions-per-user 2", "--num-procs 2",
        "--log-level debug", "--log-json",
        "--isolation process", "--session-memory 100", "--session-cpu 2.5", "--callback-limit 3",
    ):  # fmt: skip
        assert words in found


def test_application_of_its_own_has_limits_of_its_own(tmp_path: Path) -> None:
    text = (
        "apps: {a: a.py, b: {path: b.py, instances: 1, isolation: snapshot, limits: {callback_s: 9}}}\n"
        "sessions: {isolation: process, limits: {session_memory_mb: 100}}\n"
    )
    found = {
        instance.name: " ".join(instance.flags) for instance in resolve_plan(loaded(tmp_path, text)).instances
    }  # fmt: skip
    own = next(words for name, words in found.items() if "b" in name)
    assert "--isolation snapshot" in own and "--callback-limit 9" in own and "--session-memory" not in own
    shared = next(words for name, words in found.items() if "b" not in name)
    assert "--isolation process" in shared and "--session-memory 100" in shared


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("websocket_max_message_size_bytes: 1000", "--websocket-max-message-size 1000"),
        ("index: ./-x.html", "--index ./-x.html"),
        ("disable_index: yes", "--disable-index"),
        ("stats_log_frequency_ms: 5", "--stats-log-frequency 5"),
    ],
)
def test_setting_of_the_server_is_its_flag(tmp_path: Path, setting: str, words: str) -> None:
    assert words in " ".join(flags(tmp_path, f"server: {{{setting}}}\n"))


def test_switch_that_is_off_is_no_flag(tmp_path: Path) -> None:
    assert "--disable-index" not in flags(tmp_path, "server: {disable_index: no}\n")


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ("indx: x", "is not a setting of the server. Did you mean index?"),
        ("qqqq: x", "is not a setting of the server. docs/settings.md lists them."),
        ("port: 1", "is set by instances.port. Set it there."),
        ("isolation: process", "is set by sessions.isolation. Set it there."),
        (
            "secret_key: x",
            "is a secret, and must not be in this file. Name where it comes from below secrets.secret_key.",
        ),
        ("dev: yes", "cannot be set in a deployment. Leave it out."),
        ("index: -x", "must not begin with a dash, like a flag: '-x'. Write a path as ./NAME."),
    ],
)
def test_setting_that_is_no_flag_of_a_deployment_is_refused_with_its_position(
    tmp_path: Path, setting: str, error: str
) -> None:
    name = setting.partition(":")[0]
    assert refused(tmp_path, f"server:\n  {setting}\n") == [f"deploy.yaml:3:3: server.{name}: {error}"]


def test_value_that_the_setting_does_not_take_is_refused(tmp_path: Path) -> None:
    [found] = refused(tmp_path, "server: {disable_index: perhaps}\n")
    assert found.startswith("deploy.yaml:2:10: server.disable_index: expected ") and found.endswith("not 'perhaps'")


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    assert len(refused(tmp_path, "server: {port: 1, dev: yes, qqqq: x}\n")) == 3


def test_flags_that_are_known_are_those_of_serve() -> None:
    assert {"--port", "--drain", "--isolation"} <= known_flags() and all(
        flag.startswith("--") for flag in known_flags()
    )


def test_server_settings_are_checked(tmp_path: Path) -> None:
    text = """\
    apps: {a: a.py}
    server:
      keep_aliv_ms: 5
      port: 80
      secret_key: abc
      dev: yes
      mem_log_frequency_ms: often
      index: --
    """
    found = faults(tmp_path, text)
    assert (
        found[0] == "deploy.yaml:3:3: server.keep_aliv_ms: is not a setting of the server. Did you mean keep_alive_ms?"
    )
    assert found[1] == "deploy.yaml:4:3: server.port: is set by instances.port. Set it there."
    assert found[2].startswith("deploy.yaml:5:3: server.secret_key: is a secret, and must not be in this file.")
    assert found[3] == "deploy.yaml:6:3: server.dev: cannot be set in a deployment. Leave it out."
    assert found[4] == "deploy.yaml:7:3: server.mem_log_frequency_ms: expected a whole number, at least 0, not 'often'"
    assert found[5].startswith("deploy.yaml:8:3: server.index: must not begin with a dash, like a flag: '--'.")
