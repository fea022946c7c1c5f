"""The command as a whole: which status it ends with, and what it writes where."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import types
from collections.abc import Sequence

import pytest

from app_server import __version__
from app_server.cli import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, main
from app_server.cli.parser import INSTEAD
from app_server.errors import ApplicationError
from app_server.settings import Settings, all_settings


class FakeServer:
    """Replaces the server, and records what it was asked to serve."""

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.paths: list[str] = []
        self.outcome: int | BaseException = 0

    def serve_until_stopped(self, settings: Settings, paths: Sequence[str]) -> int:
        self.settings, self.paths = settings, list(paths)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> FakeServer:
    fake = FakeServer()
    module = types.ModuleType("app_server.server.lifecycle")
    module.serve_until_stopped = fake.serve_until_stopped  # type: ignore[attr-defined]
    # The package too, or importing it would bring Tornado.
    monkeypatch.setitem(sys.modules, "app_server.server", types.ModuleType("app_server.server"))
    monkeypatch.setitem(sys.modules, "app_server.server.lifecycle", module)
    monkeypatch.setattr("app_server.cli.running.serve.configure_logging", lambda settings: None)
    return fake


def run(*argv: str, environ: dict[str, str] | None = None) -> int:
    return main(argv, {} if environ is None else environ)


def test_files_flags_and_arguments_reach_the_server(server: FakeServer) -> None:
    status = run("serve", "a.py", "dir", "--port", "80", "--allow-websocket-origin", "x.org",
                 "--allow-websocket-origin=y.org:443", "--use-xheaders", "--include-headers", "Host", "Accept",
                 "--args", "--port", "1", "-x", "z.py")  # fmt: skip
    assert status == EXIT_OK
    assert server.paths == ["a.py", "dir"]
    assert server.settings == Settings(
        port=80,
        allow_websocket_origin=("x.org", "y.org:443"),
        use_xheaders=True,
        include_headers=("Host", "Accept"),
        args=("--port", "1", "-x", "z.py"),
    )


def test_files_may_be_before_between_and_after_flags(server: FakeServer) -> None:
    assert run("serve", "a.py", "--port", "80", "b.py", "--show", "c.py") == EXIT_OK
    assert server.paths == ["a.py", "b.py", "c.py"]


def test_no_files_is_an_empty_document(server: FakeServer) -> None:
    assert run("serve") == EXIT_OK
    assert server.paths == []


def test_dev_after_the_files_watches_nothing_further(server: FakeServer) -> None:
    assert run("serve", "a.py", "--dev") == EXIT_OK
    assert server.settings == Settings(dev=True)


def test_last_of_a_repeated_flag_applies(server: FakeServer) -> None:
    assert run("serve", "--port", "1", "--port", "2") == EXIT_OK
    assert server.settings == Settings(port=2)


def test_environment_reaches_the_settings(server: FakeServer) -> None:
    assert run("serve", "a.py", environ={"APP_SERVER_ROUTE": "r1"}) == EXIT_OK
    assert server.settings == Settings(route="r1")


def test_every_flag_of_the_stock_command_is_known() -> None:
    stock = (
        "--port --address --unix-socket --log-level --log-format --log-file --use-config --args --dev --show "
        "--allow-websocket-origin --prefix --ico-path --keep-alive --check-unused-sessions "
        "--unused-session-lifetime --stats-log-frequency --mem-log-frequency --use-xheaders --ssl-certfile "
        "--ssl-keyfile --session-ids --auth-module --enable-xsrf-cookies --exclude-headers --exclude-cookies "
        "--include-headers --include-cookies --cookie-secret --index --disable-index --disable-index-redirect "
        "--num-procs --session-token-expiration --websocket-max-message-size --websocket-compression-level "
        "--websocket-compression-mem-level --glob"
    ).split()
    ours = {setting.flag for setting in all_settings()}
    assert set(stock) <= ours
    assert ours - set(stock) == {
        "--route", "--drain-deadline", "--token-payload", "--basic-auth", "--auth-header", "--auth-header-from",
        "--oidc-issuer", "--oidc-client-id", "--oidc-scope", "--oidc-allow", "--oidc-redirect-url", "--login-lifetime",
        "--access", "--access-contact", "--authorize", "--access-tokens", "--auth-header-groups", "--oidc-groups",
        "--oauth-provider", "--oauth-url",
        "--oauth-authorize-url", "--oauth-token-url", "--oauth-user-url", "--oauth-client-id", "--oauth-scope",
        "--oauth-user-id", "--oauth-user-name", "--oauth-groups", "--oauth-allow", "--oauth-redirect-url",
        "--drain", "--hang-timeout", "--request-timeout", "--idle-timeout", "--start-timeout",
        "--max-sessions", "--max-sessions-per-address", "--max-sessions-per-user", "--log-json", "--metrics",
        "--block-limit", "--max-jobs", "--max-queued-jobs", "--max-jobs-per-user",
        "--isolation", "--session-memory", "--session-cpu", "--callback-limit",
        "--store", "--store-ttl", "--store-max-bytes", "--store-max-bookmarks", "--store-encrypt",
        "--env-file", "--store-optional", "--restore", "--page-parts",
        "--warm", "--allow-load-tests", "--record", "--otel", "--otel-user", None,
        "--console", "--console-auth", "--console-audit", "--console-peers",
        "--setup", "--static-dirs", "--num-threads", "--tasks",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["serve", "--prot", "80"], "app-server: --prot: unknown argument. Did you mean --port?"),
        (["serve", "--qqq"], "app-server: --qqq: unknown argument. See `app-server serve --help-all` for all flags."),
        (["serve", "--sho"], "app-server: --sho: unknown argument. Did you mean --show?"),
        (["serve", "a.py", "--port", "x"], "app-server: --port: expected a whole number from 0 to 65535, not 'x'"),
        (["secret", "--show"], "app-server: --show: unknown argument. See `app-server secret --help` for all flags."),
        (["secret", "--setup"], "app-server: --setup: unknown argument. See `app-server secret --help` for all flags."),
        (["config", "nginx", "--out", "x"], "app-server: --out: unknown argument. Did you mean --output?"),
        (["status", "--one"], "app-server: --one: unknown argument. Did you mean --once?"),
        (["serv"], "app-server: serv: unknown command. Did you mean serve?"),
        (["sevre", "a.py"], "app-server: sevre: unknown command. Did you mean serve?"),
        (["a b.py"], "app-server: a b.py: unknown command. Did you mean `app-server serve 'a b.py'`?"),
        (["/"], "app-server: /: unknown command. Did you mean `app-server serve /`?"),
        (["help", "sevre"], "app-server: sevre: unknown command. Did you mean serve?"),
        (["hepl"], "app-server: hepl: unknown command. Did you mean help?"),
        (["it's"], "app-server: it's: unknown command. See `app-server --help` for all commands."),
        (["completion", "csh"], "app-server: SHELL: expected one of bash, zsh, fish, not 'csh'"),
        (["deploy", "compsoe"], "app-server: TARGET: expected one of compose, swarm, ansible, status, logs,"
                                " maintenance, history, exec, not 'compsoe'. Did you mean compose?"),
        (["tunnel", "a@b", "--show", "comands"], "app-server: --show: expected one of commands, config, unit, gateway,"
                                                 " not 'comands'. Did you mean commands?"),
        (["--port", "80", "a.py"], "app-server: --port: unknown argument. Did you mean app-server serve --port?"),
        (["--vers"], "app-server: --vers: unknown argument. Did you mean --version?"),
    ],
)  # fmt: skip
def test_usage_fault_is_one_line_and_status_2(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str], server: FakeServer
) -> None:
    assert run(*argv) == EXIT_USAGE
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", message + "\n")
    assert server.settings is None


@pytest.mark.parametrize("argv", [["serve", "--port"], ["serve", "--include-headers"]])
def test_what_argparse_refuses_is_one_line_too(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*argv) == EXIT_USAGE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("app-server: ")
    assert lines[0].endswith("See `app-server serve --help`.")


@pytest.mark.parametrize("flag", ["--dev", "--include-headers", "--args"])
def test_flag_that_swallows_the_application_is_explained(
    flag: str, capsys: pytest.CaptureFixture[str], server: FakeServer
) -> None:
    assert run("serve", flag, __file__) == EXIT_USAGE
    assert capsys.readouterr().err == (
        f"app-server: {flag}: takes all words that follow it ({__file__}), which leaves no application. "
        "Name the applications first, and this flag after them.\n"
    )


def test_fault_while_serving_is_one_line_and_status_1(server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.outcome = ApplicationError("no main.py\nin it", where="dir", hint="Add one.")
    assert run("serve", "dir") == EXIT_FAILED
    assert capsys.readouterr().err == "app-server: dir: no main.py in it. Add one.\n"


def test_status_of_the_server_is_the_commands(server: FakeServer) -> None:
    server.outcome = 7
    assert run("serve", "a.py") == 7


def test_interrupt_ends_without_a_traceback(server: FakeServer, capsys: pytest.CaptureFixture[str]) -> None:
    server.outcome = KeyboardInterrupt()
    assert run("serve", "a.py") == EXIT_INTERRUPTED
    assert capsys.readouterr().err == ""


def test_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == run("-V") == EXIT_OK
    assert capsys.readouterr().out == f"app-server {__version__}\n" * 2


def test_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "app_server", "--version"], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == f"app-server {__version__}\n"


def test_help_imports_neither_bokeh_nor_tornado() -> None:
    program = (
        "import sys; from app_server.cli import main; main(['serve', '--help'], {}); "
        "sys.exit(bool({'bokeh', 'tornado', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, check=False, timeout=30)
    assert done.returncode == 0


def test_reader_that_leaves_early_is_no_fault() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "app_server", "info"],
            stdout=writing, stderr=subprocess.PIPE, check=False, timeout=30,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def on_a_terminal(**environ: str) -> str:
    """What the command writes to a terminal about a fault."""
    main_end, command_end = pty.openpty()
    try:
        variables = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        subprocess.run(
            [sys.executable, "-m", "app_server", "serve", "--prot"],
            stdout=command_end, stderr=command_end, check=False, timeout=30,
            env={**variables, "TERM": "xterm", **environ},
        )  # fmt: skip
        return os.read(main_end, 10_000).decode()
    finally:
        os.close(main_end)
        os.close(command_end)


def test_colour_is_for_terminals_without_no_color() -> None:
    text = "app-server: --prot: unknown argument. Did you mean --port?\r\n"
    assert on_a_terminal() == text.replace("app-server:", "\x1b[1;31mapp-server:\x1b[0m")
    assert on_a_terminal(NO_COLOR="1") == text
    assert on_a_terminal(TERM="dumb") == text


@pytest.mark.parametrize(
    ("flag", "hint"),
    [
        ("--liveness", "Use /healthz, which every server answers."),
        ("--autoreload", "Use --dev to reload pages when a file changes."),
        ("--oauth-key=x", "Use --oidc-issuer for OpenID Connect, --oauth-provider for GitHub."),
        ("--prot", "Did you mean --port?"),
        ("--websocket-origin", "Did you mean --allow-websocket-origin?"),
        ("--num-proc=2", "Did you mean --num-procs?"),
        ("--nosuch", "See `app-server serve --help-all` for all flags."),
        ("--h", "See `app-server serve --help-all` for all flags."),
    ],
)
def test_unknown_flag_is_met_with_what_is_likely_meant(
    flag: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("serve", "a.py", flag) == EXIT_USAGE
    assert capsys.readouterr().err == f"app-server: {flag}: unknown argument. {hint}\n"


def test_what_is_proposed_instead_is_there() -> None:
    known = {setting.flag for setting in all_settings()}
    for hint in INSTEAD.values():
        assert set(re.findall(r"--[a-z-]+", hint)) <= known
    assert not known & set(INSTEAD)
