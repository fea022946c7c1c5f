"""Inventories for Ansible."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from app_server.deployment.render.inventory import dump
from tests.unit.deployment.making import HOSTS, text


def test_inventory_names_what_each_host_runs(tmp_path: Path) -> None:
    found = yaml.safe_load(text(tmp_path, "inventory", HOSTS, "inventory.yml"))["all"]
    assert {name: sorted(group["hosts"]) for name, group in found["children"].items()} == {
        "app_servers": ["one", "two"], "proxies": ["one"], "tunnels": [], "gateways": [],
    }  # fmt: skip
    one, two = found["hosts"]["one"], found["hosts"]["two"]
    assert (one["ansible_host"], one["ansible_user"], one["ansible_port"]) == ("one", "me", 2222)
    assert [instance["service"] for instance in two["app_server_instances"]] == [
        "app-server@b1.service", "app-server@b2.service",
    ]  # fmt: skip
    assert [file["dest"] for file in two["app_server_files"]] == [
        "/etc/systemd/system/app-server@.service",
        "/etc/systemd/system/app-server.target",
        "/etc/app-server/instances/b1.env",
        "/etc/app-server/instances/b2.env",
    ]
    assert "/etc/nginx/conf.d/app-server.conf" in [file["dest"] for file in one["app_server_files"]]


def test_braces_are_no_template_of_ansibles() -> None:
    assert dump({"a": ["{{ lookup('pipe', 'id') }}"]}) == """a:\n  - !unsafe "{{ lookup('pipe', 'id') }}"\n"""


@pytest.mark.parametrize(
    ("hosts", "proxy", "settle_s"), [(1, "nginx", 0), (2, "nginx", 11), (1, "apache", 2), (2, "apache", 11)]
)
def test_proxy_is_given_time_to_come_back_to_an_instance(tmp_path: Path, hosts: int, proxy: str, settle_s: int) -> None:
    named = "".join(f"    - {{name: h{number}, address: 10.0.0.{number}}}\n" for number in range(1, hosts + 1))
    spec = (
        "apps: {myapp: myapp.py}\npublic: tools.example.org\n"
        f"proxy: {{kind: {proxy}}}\ninstances:\n  count: 3\n  hosts:\n{named}"
    )
    found = yaml.safe_load(text(tmp_path, "inventory", spec, "inventory.yml"))["all"]
    assert found["vars"]["app_server_settle_s"] == settle_s


def test_inventory_has_the_gateways_that_somebody_may_log_in_to(tmp_path: Path) -> None:
    spec = HOSTS + (
        "tunnels:\n"
        "  office: {kind: reverse, server: 'tunnel@gateway:2200', ssh: admin@gateway}\n"
        "  desk: {kind: local, server: me@elsewhere, target_port: 5006}\n"
    )
    found = yaml.safe_load(text(tmp_path, "inventory", spec, "inventory.yml"))["all"]
    assert found["children"]["gateways"] == {"hosts": {"gateway-gateway": {}}}
    gateway = {"gateway_server": "gateway", "ansible_host": "gateway", "ansible_user": "admin"}
    assert found["hosts"]["gateway-gateway"] == gateway
    office, queue = found["hosts"]["one"]["app_server_tunnels"]
    assert (office["server_user"], office["server_port"], office["listen"]) == ("tunnel", 2200, 5006)
    # People come in through what the tunnel offers, and nothing else.
    assert 'permitopen="localhost:5006"' in office["visitor_options"] and queue["visitor_options"] is None


def test_inventory_has_the_scripts_of_a_certificate_by_acme(tmp_path: Path) -> None:
    found = yaml.safe_load(text(tmp_path, "inventory", HOSTS + "tls: acme\n", "inventory.yml"))["all"]
    one, two = (
        {file["src"]: file["dest"] for file in found["hosts"][name]["app_server_files"]} for name in ("one", "two")
    )
    assert one["acme/certificate.sh"] == "/etc/app-server/certificate.sh"
    assert not [src for src in two if src.startswith("acme/")]
    assert found["vars"]["app_server_tls"]["name"] == "app-server"


TEXT = st.text(st.characters(exclude_characters="{", exclude_categories=["Cs"]))
SCALARS = st.none() | st.booleans() | st.integers() | TEXT
BLOCKS = st.recursive(
    SCALARS,
    lambda inner: st.dictionaries(st.text("abc", min_size=1), inner) | st.lists(st.dictionaries(st.just("k"), inner)),
    max_leaves=8,
)


@given(BLOCKS)
def test_inventory_is_read_as_it_was_meant(value: object) -> None:
    assert yaml.safe_load(dump({"value": value})) == {"value": value}
