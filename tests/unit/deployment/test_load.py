"""deploy.yaml as it is read: every fault at once, each with its place, and nothing of YAML's guesses."""

from __future__ import annotations

from pathlib import Path

import pytest

from app_server.deployment.load import load
from app_server.deployment.plan.resolver import resolve_plan
from app_server.errors import OperatorError
from tests.unit.deployment.making import faults, loaded


def test_three_lines_suffice(tmp_path: Path) -> None:
    spec = loaded(tmp_path, "apps:\n  myapp: myapp.py\npublic: tools.example.org\n").spec
    assert spec.apps["myapp"].path == "myapp.py"
    assert spec.public.hosts == ("tools.example.org",)
    assert spec.proxy.kind == "nginx" and spec.instances.count == 1


def test_every_fault_is_told_with_its_place(tmp_path: Path) -> None:
    text = """\
    apps:
      dash:
        path: dash.py
        workers: 3
      other: {instanes: 2}
    public:
      hosts: ["a;b", no]
    tls: yes
    instances: 022
    headers:
      extra: {"X Y": a}
    tunnels:
      home: {kind: loca, server: "-x"}
    """
    assert faults(tmp_path, text) == [
        "deploy.yaml:4:5: apps.dash.workers: is not a known key. "
        "There are access, args, instances, isolation, limits, path, route.",
        "deploy.yaml:5:3: apps.other.path: is missing",
        "deploy.yaml:5:11: apps.other.instanes: is not a known key. Did you mean instances?",
        "deploy.yaml:7:11: public.hosts[0]: expected a host's name or address, not 'a;b'",
        "deploy.yaml:8:1: tls: expected one of off, files, acme, development, not 'yes'",
        "deploy.yaml:9:1: instances: expected a whole number from 1 to 512, not '022'",
        "deploy.yaml:11:11: headers.extra.X Y: expected the name of a header, such as X-Frame-Options, not 'X Y'",
        "deploy.yaml:13:10: tunnels.home.kind: expected one of local, reverse, not 'loca'",
        "deploy.yaml:13:22: tunnels.home.server: expected USER@HOST or HOST, perhaps with :PORT, not '-x'",
    ]


def test_words_stay_what_was_written(tmp_path: Path) -> None:
    text = """\
    apps: {no: {path: 1.10, args: [yes, 5:30, 0x1F, ~]}}
    public: no
    proxy: {http2: off, kind: no}
    service: {environment: {A: on, B: 1_000}}
    """
    spec = loaded(tmp_path, text.replace("~", "'~'")).spec
    assert spec.apps["no"].path == "1.10" and spec.apps["no"].args == ("yes", "5:30", "0x1F", "~")
    assert spec.public.hosts == ("no",)
    assert (spec.proxy.http2, spec.proxy.kind) == (False, "none")
    assert spec.service.environment == {"A": "on", "B": "1_000"}


@pytest.mark.parametrize("number", ["022", "0x10", "1_0", "5:30", "1e3", "1.0", "yes", "-1", "''"])
def test_only_plain_numbers_are_numbers(tmp_path: Path, number: str) -> None:
    shown = number.strip("'")
    assert faults(tmp_path, f"apps: {{a: a.py}}\ninstances: {{port: {number}}}\n") == [
        f"deploy.yaml:2:13: instances.port: expected a whole number from 1 to 65535, not {shown!r}"
    ]


def test_a_key_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, "apps: {a: a.py}\ninstances: 2\ninstances: 3\n") == [
        "deploy.yaml:3:1: instances is given twice. See line 2. Remove one of them."
    ]


def test_keys_of_the_authors_own_are_left_alone(tmp_path: Path) -> None:
    text = """\
    x-limits: &limits {session_memory_mb: 512}
    apps:
      one: {path: one.py, limits: *limits, x-owner: ann}
      two: {path: two.py, limits: {<<: *limits, callback_s: 5}}
    """
    spec = loaded(tmp_path, text).spec
    assert spec.apps["one"].limits is not None and spec.apps["one"].limits.session_memory_mb == 512
    assert spec.apps["two"].limits is not None and spec.apps["two"].limits.callback_s == 5
    assert spec.apps["two"].limits.session_memory_mb == 512


def test_environment_is_laid_over(tmp_path: Path) -> None:
    text = """\
    apps: {a: a.py}
    instances: {count: 6, port: 6000}
    embedding: [https://one.example.org, https://two.example.org]
    environments:
      staging:
        instances: {count: 2}
        embedding: https://three.example.org
    """
    assert loaded(tmp_path, text).spec.instances.count == 6
    spec = loaded(tmp_path, text, "staging").spec
    assert (spec.instances.count, spec.instances.port) == (2, 6000)
    assert spec.embedding.origins == ("https://three.example.org",)


def test_file_of_an_environment_counts_most(tmp_path: Path) -> None:
    (tmp_path / "deploy.staging.yaml").write_text("instances: 4\n", encoding="utf-8")
    text = "apps: {a: a.py}\nenvironments: {staging: {instances: 2, name: two}}\n"
    spec = loaded(tmp_path, text, "staging").spec
    assert (spec.instances.count, spec.name) == (4, "two")


@pytest.mark.parametrize(
    ("text", "environment", "name"),
    [
        ("environments: {staging: {}}", "staging", "app-server-staging"),
        ("name: sales\nenvironments: {staging: {}}", "staging", "sales-staging"),
        ("name: sales\nenvironments: {staging: {name: try}}", "staging", "try"),
        ("name: sales\nenvironments: {staging: {}}", None, "sales"),
        ("name: sales", "EU.west", "sales-eu-west"),
    ],
)
def test_environment_is_a_deployment_of_its_own(tmp_path: Path, text: str, environment: str | None, name: str) -> None:
    (tmp_path / "deploy.EU.west.yaml").write_text("instances: 2\n", encoding="utf-8")
    text = f"apps: {{a: a.py}}\n{text}\n"
    found = resolve_plan(loaded(tmp_path, text, environment))
    assert found.name == name
    paths = found.paths
    assert {paths.etc, paths.run, paths.state, paths.log, found.user} == {
        f"/etc/{name}", f"/run/{name}", f"/var/lib/{name}", f"/var/log/{name}", name,
    }  # fmt: skip


def test_name_that_gets_too_long_is_told_with_what_to_do(tmp_path: Path) -> None:
    text = f"apps: {{a: a.py}}\nname: {'x' * 30}\nenvironments: {{staging: {{}}}}\n"
    # Without the environment nothing is wrong.
    assert loaded(tmp_path, text).spec.name == "x" * 30
    assert faults(tmp_path, text, "staging") == [
        f"deploy.yaml:2:7: name: {'x' * 30}-staging, the name of the environment staging, "
        "is longer than 32 characters. Set a shorter one: environments.staging.name."
    ]


def test_fault_in_an_environment_is_told_before_it_is_needed(tmp_path: Path) -> None:
    assert faults(tmp_path, "apps: {a: a.py}\nenvironments:\n  staging: {proxi: nginx}\n") == [
        "deploy.yaml:3:13: proxi: is not a known key. Did you mean proxy?"
    ]


def test_unknown_environment_is_said(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="has no environment stagin. Did you mean staging?"):
        loaded(tmp_path, "apps: {a: a.py}\nenvironments: {staging: {}}\n", "stagin")


def test_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as error:
        load(tmp_path / "deploy.yaml")
    assert str(error.value).endswith("deploy.yaml: there is no such file. `app-server init` writes one.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("apps: [\n", "deploy.yaml:2:1: not YAML"),
        ("- a\n", "deploy.yaml:1:1: expected lines of the form `key: value`"),
        ("", "deploy.yaml:1:1: apps: is missing. Such as `apps: {myapp: myapp.py}`."),
        ("apps: {}\n", "deploy.yaml:1:1: apps: expected at least one"),
        ("apps: {a: &x {path: *x}}\n", "deploy.yaml:1:11: cannot be read: blocks are nested without end"),
        ("? [a]\n: 1\napps: {a: a.py}\n", "deploy.yaml:1:3: expected a key, not a block or a list"),
    ],
)
def test_what_is_no_deployment_is_said(tmp_path: Path, text: str, message: str) -> None:
    try:
        found = "; ".join(faults(tmp_path, text))
    except OperatorError as error:
        found = str(error)
    assert message in found


def test_aliases_cannot_grow_without_end(tmp_path: Path) -> None:
    lines = ["x-0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(OperatorError, match="blocks are nested without end"):
        loaded(tmp_path, "\n".join([*lines, "apps: {a: a.py}"]))


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("日本.jp", "xn--wgv71a.jp"),
    ],
)
def test_names_are_read_as_browsers_send_them(tmp_path: Path, typed: str, read: str) -> None:
    text = f"apps: {{a: a.py}}\npublic: {typed}\nembedding: https://{typed}:8443\n"
    spec = loaded(tmp_path, text).spec
    assert spec.public.hosts == (read,)
    assert spec.embedding.origins == (f"https://{read}:8443",)
