"""The table [tool.app-server] of a pyproject.toml."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.settings import Settings, apps_of, bokeh_environment, from_config, resolve_settings, with_project
from app_server.settings.files.pyproject import nearest_project
from tests.unit.settings.faulty import fault, refusal


def project(folder: Path, table: str, before: str = '[project]\nname = "x"\nport = 3\n') -> str:
    """The path of a pyproject.toml with this table from its line 4 on."""
    path = folder / "pyproject.toml"
    path.write_text(f"{before}[tool.app-server]\n{table}\n[tool.other]\nport = 4\n", encoding="utf-8")
    return str(path)


def test_keys_are_flags_or_fields_and_paths_begin_beside_the_file(tmp_path: Path) -> None:
    path = project(
        tmp_path,
        'port = 8000\nnum-procs = 2\nkeep_alive_ms = 1000\ndrain = 2.5\nuse-xheaders = true\nglob = false\n'
        'allow-websocket-origin = ["a.org", "b.org:80"]\nstatic-dirs = ["data=files"]\nstore = "saved"\n'
        'minified = false\nico-path = "none"\n',
    )  # fmt: skip
    (tmp_path / "files").mkdir()
    assert resolve_settings({"use_config": [path]}, {}) == Settings(
        use_config=path, port=8000, num_procs=2, keep_alive_ms=1000, drain_s=2.5, use_xheaders=True,
        allow_websocket_origin=("a.org", "b.org:80"), static_dirs=(f"data={tmp_path}/files",),
        store=f"{tmp_path}/saved", ico_path="none",
    )  # fmt: skip
    assert bokeh_environment(path) == {"BOKEH_MINIFIED": "false"}


def test_flag_and_variable_override_the_table(tmp_path: Path) -> None:
    path = project(tmp_path, 'port = 8000\nroute = "a"')
    settings = resolve_settings({"use_config": [path], "port": ["81"]}, {"APP_SERVER_ROUTE": "b"})
    assert (settings.port, settings.route) == (81, "b")


def test_value_says_on_which_line_it_is(tmp_path: Path) -> None:
    path = project(tmp_path, '"address" = "::1"\n# port = 5\nport = 8000')
    assert {name: given.where for name, given in from_config(path).items()} == {
        "address": f"{path}:5: address",
        "port": f"{path}:7: port",
    }
    dotted = tmp_path / "dotted.toml"
    dotted.write_text("tool.app-server.port = 80\n", encoding="utf-8")
    assert from_config(str(dotted))["port"].where == f"{dotted}:1: port"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("num-proks = 2", "{path}:5: num-proks: is not a setting. Did you mean num_procs?"),
        ("use-config = 'x'", "{path}:5: use-config: is not a setting. See docs/settings.md for all settings."),
        ("port = 80\nport = 81", "{path}:6:10: not TOML: Cannot overwrite a value"),
        ("x = [", "{path}: not TOML: Invalid value"),
        ("num-procs = 1\nnum_procs = 2", "{path}:6: num_procs: is given twice. See {path}:5: num-procs."),
        ("port = 'ninety'", "{path}:5: port: expected a whole number from 0 to 65535, not 'ninety'"),
        ("port = {a = 1}", "{path}:5: port: expected a value or a list of values"),
        (
            "secret_key = 'hunter2'",
            "{path}:5: secret_key: is a secret, which does not belong into this file. Set BOKEH_SECRET_KEY, in the"
            " environment or in the file of --env-file.",
        ),
        (
            "store = 'redis://:hunter2@example.org'",
            "{path}:5: store: is a secret, which does not belong into this file. Set APP_SERVER_STORE, in the"
            " environment or in the file of --env-file.",
        ),
    ],
)  # fmt: skip
def test_mistake_names_the_line_and_shows_no_secret(tmp_path: Path, table: str, message: str) -> None:
    path = project(tmp_path, table)
    if table == "x = [":
        Path(path).write_text("[tool.app-server]\nx = [", encoding="utf-8")
    found = fault({"use_config": [path]})
    assert found.startswith(message.format(path=path)) if "TOML" in message else found == message.format(path=path)
    assert "hunter2" not in found


def test_file_without_the_table_is_an_error_only_if_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text("[tool.other]\n", encoding="utf-8")
    assert fault({"use_config": [str(path)]}) == f"{path}: has no table [tool.app-server]"
    missing = tmp_path / "no.toml"
    assert fault({"use_config": [str(missing)]}) == (
        f"--use-config: {missing} cannot be read: No such file or directory"
    )
    path.write_bytes(b"[tool.app-server]\n# \xff")
    assert fault({"use_config": [str(path)]}) == f"--use-config: {path} is not UTF-8 text"
    monkeypatch.chdir(tmp_path)
    assert nearest_project({}) is None


def test_nearest_project_is_taken_unless_a_file_or_none_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path, "port = 8000")
    here = tmp_path / "sub"
    here.mkdir()
    (here / "pyproject.toml").write_text("[tool.other]\n", encoding="utf-8")
    monkeypatch.chdir(here)
    environ = {"HOME": str(tmp_path)}
    assert with_project({}, environ) == {"use_config": ["../pyproject.toml"]}
    assert with_project({"use_config": ["x.yaml"]}, environ) == {"use_config": ["x.yaml"]}
    assert with_project({}, {**environ, "APP_SERVER_USE_CONFIG": "none"}) == {}
    assert resolve_settings({"use_config": ["none"]}, {}) == Settings()
    assert resolve_settings({}, {"APP_SERVER_USE_CONFIG": "../pyproject.toml"}).port == 8000


def test_applications_are_named_beside_the_file(tmp_path: Path) -> None:
    path = project(tmp_path, 'apps = ["a.py", "/here=b.py"]')
    assert apps_of(path) == [f"{tmp_path}/a.py", f"/here={tmp_path}/b.py"]
    assert apps_of(project(tmp_path, 'apps = "a.py"')) == [f"{tmp_path}/a.py"]
    assert apps_of(project(tmp_path, "")) == []
    with pytest.raises(OperatorError) as caught:
        apps_of(project(tmp_path, "apps = [1]"))
    assert str(caught.value) == f'{path}:5: apps: expected a list of files, such as ["myapp.py"]'


@pytest.mark.parametrize(
    "text",
    [
        "[project]\nname = 'x'\n# [tool.app-server]\n# port = 1\n",
        "[project]\ndescription = 'see [tool.app-server]'\n",
        "[project]\nreadme = '''\n[tool.app-server]\n'''\n",
        "[project  # not TOML, and not ours",
        "tool = 3 # app-server",
        "[tool.app-server.of-other-programs]\nport = 1\n",
    ],
)
def test_file_that_only_mentions_the_table_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert nearest_project({}) is None


@pytest.mark.parametrize(
    "text",
    [
        "[tool]\napp-server.port = 80\n",
        "[tool]\napp-server = {port = 80}\n",
        'tool."app-server".port = 80\n',
        '["tool" . "app-server"]\r\nport = 80\r\n',
        "\ufeff[tool.app-server]\nport = 80\n",
    ],
)
def test_table_may_be_written_in_every_way_of_toml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    (tmp_path / "pyproject.toml").write_bytes(text.encode())
    monkeypatch.chdir(tmp_path)
    assert resolve_settings(with_project({}, {}), {}).port == 80


def test_broken_file_with_the_table_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pyproject.toml"
    path.write_bytes(b"\xef\xbb\xbf[tool.app-server]\nport = x\n")
    assert refusal(lambda: resolve_settings(with_project({}, {}), {})) == "pyproject.toml:2:8: not TOML: Invalid value"


def test_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pyproject.toml")
    monkeypatch.chdir(tmp_path)
    assert nearest_project({}) is None


def test_tilde_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    path = project(tmp_path, 'store = "~/saved"\napps = ["~/a.py", "/b=~/b.py"]')
    assert from_config(path)["store"].value == "/home/ada/saved"
    assert apps_of(path) == ["/home/ada/a.py", "/b=/home/ada/b.py"]


@pytest.mark.parametrize("app", ["", "\\u0000.py"])
def test_application_has_a_name(tmp_path: Path, app: str) -> None:
    path = project(tmp_path, f'apps = ["{app}"]')
    assert refusal(lambda: apps_of(path)) == f'{path}:5: apps: expected a list of files, such as ["myapp.py"]'


def test_flag_overrides_what_it_excludes_in_the_table(tmp_path: Path) -> None:
    path = project(tmp_path, 'port = 8000\nlog-json = true\nexclude-cookies = ["a"]')
    flags = {"use_config": [path], "unix_socket": ["s"], "log_format": ["%(message)s"], "include_cookies": ["b"]}
    settings = resolve_settings(flags, {})
    assert (settings.unix_socket, settings.log_format, settings.include_cookies) == ("s", "%(message)s", ("b",))
    path = project(tmp_path, 'unix-socket = "s"')
    assert resolve_settings({"use_config": [path]}, {"APP_SERVER_ADDRESS": "::1"}).unix_socket is None
    # This variable may be meant for other servers, and would open a port on all addresses.
    assert resolve_settings({"use_config": [path]}, {"BOKEH_DEFAULT_SERVER_PORT": "81"}).unix_socket == f"{tmp_path}/s"


def test_dev_overrides_processes_of_the_table_and_they_override_it(tmp_path: Path) -> None:
    path = project(tmp_path, 'num-procs = 4\nisolation = "process"')
    settings = resolve_settings({"use_config": [path], "dev": []}, {})
    assert (settings.dev, settings.num_procs, settings.isolation) == (True, 1, "none")
    path = project(tmp_path, "dev = true\nlog-format = '%(message)s'")
    settings = resolve_settings({"use_config": [path], "num_procs": ["2"]}, {"APP_SERVER_LOG_JSON": "no"})
    assert (settings.dev, settings.num_procs, settings.log_format) == (False, 2, "%(message)s")
    assert resolve_settings({"use_config": [path], "num_procs": ["1"]}, {}).dev
