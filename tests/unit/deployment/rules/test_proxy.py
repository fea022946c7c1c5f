"""What the proxy needs to know, and what only it can do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.deployment.rules.tripping import Case, assert_tripped

CASES: list[Case] = [
    (
        "pings_come_before_the_proxy_gives_up",
        "proxy: {timeouts: {websocket_s: 60}}\n",
        "proxy: {timeouts: {websocket_s: 60}}\nsessions: {ping_interval_s: 20}\n",
        "deploy.yaml:2:20: proxy.timeouts.websocket_s: the proxy closes a silent WebSocket after 60 s, but browsers "
        "are pinged every 37 s. Set it to at least 74, or lower sessions.ping_interval_s.",
    ),
    (
        "apache_has_a_thread_for_each_session",
        "proxy: apache\nsessions: {max_sessions: 3000}\ninstances: 3\n",
        "proxy: apache\nsessions: {max_sessions: 1000}\ninstances: 3\n",
        "deploy.yaml:3:12: sessions.max_sessions: 9000 sessions need as many of Apache's threads, which must not "
        "exceed 8000.",
    ),
    (
        "apache_has_a_thread_for_each_session",
        "proxy: apache\n",
        "proxy: nginx\n",
        "deploy.yaml:2:1: proxy: each open page occupies one of Apache's threads, and nothing limits the "
        "number of pages.",
    ),
    (
        "apache_has_modules_for_it",
        "proxy: apache\naccess: {external: 'http://127.0.0.1:4180/oauth2/auth'}\n",
        "proxy: nginx\naccess: {external: 'http://127.0.0.1:4180/oauth2/auth'}\n",
        "deploy.yaml:3:10: access.external: Apache's own modules cannot ask another service who may connect. Use nginx,"
        ' a login of the server such as server.oidc_issuer, or a module of Apache\'s: see "What only nginx does" in'
        " docs/apache.md.",
    ),
    (
        "apache_has_modules_for_it",
        "proxy: apache\nrate_limits: {pages_per_s: 2}\n",
        "proxy: apache\nsessions: {max_sessions_per_address: 9}\n",
        "deploy.yaml:3:15: rate_limits.pages_per_s: Apache's own modules cannot count the pages of an address. Use"
        ' nginx, or sessions.max_sessions_per_address: see "What only nginx does" in docs/apache.md.',
    ),
    (
        "apache_has_modules_for_it",
        "proxy: apache\nrate_limits: {connections: 20}\n",
        "proxy: nginx\nrate_limits: {connections: 20}\n",
        "deploy.yaml:3:15: rate_limits.connections: Apache's own modules cannot count the connections of an address."
        ' Use nginx, or limit connections with the firewall: see "What only nginx does" in docs/apache.md.',
    ),
    (
        "several_instances_need_a_proxy",
        "proxy: none\ninstances: 3\n",
        "proxy: none\ninstances: {processes: 3}\n",
        "deploy.yaml:3:1: instances: without a proxy, users can reach only one of 3 instances.",
    ),
    (
        "proxy_is_needed_for_what_only_it_does",
        "proxy: none\naccess: {basic: /etc/users}\n",
        "proxy: nginx\naccess: {basic: /etc/users}\n",
        "deploy.yaml:3:10: access.basic: needs a proxy, but there is none. Set proxy: nginx.",
    ),
    (
        "visitors_have_enough_connections",
        "rate_limits: {connections: 2}\n",
        "rate_limits: {connections: 20}\n",
        "deploy.yaml:2:15: rate_limits.connections: a single page may need 8 connections.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_rule_is_tripped_by_one_and_not_by_its_neighbour(case: Case, tmp_path: Path) -> None:
    assert_tripped(case, tmp_path)
