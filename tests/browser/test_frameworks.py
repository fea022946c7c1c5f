"""Applications inside pages of Flask, Django, FastAPI, Jinja and plain HTML, and of programs that hold the server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from bokeh.embed import server_document, server_session
from playwright.sync_api import Page, Request

from tests.support.browsers.pages import (
    Complaints,
    count_colours,
    drag_slider,
    model_value,
    open_app,
    wait_for_model,
    wait_idle,
)
from tests.support.client import Site, fetch
from tests.support.ports import free_port
from tests.support.server import EXAMPLES, REPOSITORY, RunningServer, running_process, running_server
from tests.support.servers.files import serving_files
from tests.support.waiting import until

pytestmark = pytest.mark.browser

FRAMEWORKS = EXAMPLES / "frameworks"
LIBRARY = EXAMPLES / "library"
KEY = "a key of forty-four letters, as secret prints"
ASKING = Path(__file__).parents[1] / "protocol" / "apps" / "asking.py"


@dataclass(frozen=True)
class Sites:
    """The applications' server, and the sites that embed them: their addresses, the folder of the files'."""

    server: RunningServer
    flask: str
    django: str
    fastapi: str
    files: str
    folder: Path

    def write(self, name: str, *scripts: str, head: str = "") -> str:
        """Put a page with these scripts among the files; its address."""
        body = "\n".join(f"<div>{script}</div>" for script in scripts)
        icon = '<link rel="icon" href="data:,">'
        page = f"<!DOCTYPE html><html><head><title>{name}</title>{icon}{head}</head><body>{body}</body></html>"
        (self.folder / name).write_text(page, encoding="utf-8")
        return f"{self.files}/{name}"


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    """One server and one process for each framework; the files come from a thread of the test run."""
    folder = tmp_path_factory.mktemp("site")
    with ExitStack() as stack:
        files = stack.enter_context(serving_files(folder))
        ports = {name: free_port() for name in ("flask", "django", "fastapi")}
        origins = [f"localhost:{port}" for port in (*ports.values(), files)]
        flags = [word for origin in origins for word in ("--allow-websocket-origin", origin)]
        server_port = free_port()
        environ = {"BOKEH_SECRET_KEY": KEY, "BOKEH_SIGN_SESSIONS": "yes"}

        for name in ports:
            variables = {**environ, "APPLICATIONS": f"http://localhost:{server_port}", "PORT": str(ports[name])}
            command = [sys.executable, str(FRAMEWORKS / f"{name}_page.py")]
            # 127.0.0.1, where all three listen: for Django another name of the same host is another site.
            stack.enter_context(running_process(command, f"http://127.0.0.1:{ports[name]}", env=variables))
        server = stack.enter_context(
            running_server(
                EXAMPLES / "embedding",
                EXAMPLES / "seed" / "sliders.py",
                ASKING,
                "--port",
                str(server_port),
                *flags,
                server="ours",
                env=environ,
            )  # fmt: skip
        )
        addresses = {name: f"http://localhost:{port}" for name, port in ports.items()}
        yield Sites(server, **addresses, files=f"http://localhost:{files}", folder=folder)


def documents(page: Page, number: int) -> None:
    """Return when this many documents are drawn."""
    page.wait_for_function(f"typeof Bokeh !== 'undefined' && Bokeh.documents.length === {number}")
    wait_idle(page)


def waves(page: Page) -> list[str]:
    """The waves that the page's sessions have, by name."""
    models = "Bokeh.documents.map(d => d.get_model_by_name('wave')).filter(m => m != null && 'options' in m)"
    found: list[str] = page.evaluate(f"{models}.map(m => m.value)")
    return sorted(found)


def picture(page: Page, name: str) -> bytes:
    """What the whole page looks like; kept where APP_SERVER_TEST_PICTURES says, for people to look at."""
    folder = os.environ.get("APP_SERVER_TEST_PICTURES")
    path = Path(folder) / f"{name}.png" if folder else None
    return page.screenshot(full_page=True, path=path)


def test_flask_hands_its_own_arguments_on(sites: Sites, page: Page) -> None:
    open_app(page, f"{sites.flask}/?wave=sawtooth")
    assert waves(page) == ["sawtooth"]
    assert count_colours(picture(page, "flask")) > 100
    drag_slider(page, 0, 200)
    wait_for_model(page, "terms", "model.value > 5")
    wait_for_model(page, "sum", "Math.max(...model.get('sum')) > 1")


def test_argument_of_a_visitor_stays_an_argument(sites: Sites, page: Page) -> None:
    open_app(page, f'{sites.flask}/?wave="%26wave=sawtooth</script><script>alert(1)</script>')
    assert waves(page) == ["square"]


def test_django_finds_the_visitors_session_again(sites: Sites, page: Page) -> None:
    asked: list[Request] = []
    page.on("request", lambda request: asked.append(request))
    open_app(page, sites.django)
    assert count_colours(picture(page, "django")) > 100
    drag_slider(page, 0, 150)
    wait_for_model(page, "terms", "model.value > 5")
    wait_idle(page)
    moved = model_value(page, "terms", "model.value")
    page.reload()
    wait_idle(page)
    assert model_value(page, "terms", "model.value") == moved
    autoloads = [request for request in asked if "/autoload.js" in request.url]
    ids = {request.headers["bokeh-session-id"] for request in autoloads}
    assert len(autoloads) == 2
    [session_id] = ids
    assert not any(session_id in request.url for request in asked), "an id in an address could be passed on"


def test_fastapi_loads_bokehjs_once_for_three_figures_of_two_applications(sites: Sites, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(sites.fastapi)
    documents(page, 3)
    assert waves(page) == ["square", "triangle"]
    assert len([url for url in asked if "/static/js/bokeh.min.js" in url]) == 1
    assert count_colours(picture(page, "fastapi")) > 100
    page.get_by_label("Title").fill("Embedded")
    page.get_by_label("Title").press("Enter")
    wait_for_model(page, "plot", "model.title.text === 'Embedded'")


def test_page_that_jinja_rendered_once_opens_sessions_at_each_view(sites: Sites, page: Page) -> None:
    command = [sys.executable, str(FRAMEWORKS / "jinja_page.py"), str(sites.folder / "jinja" / "index.html")]
    subprocess.run([*command, "--applications", sites.server.url], check=True, timeout=30)
    tokens = set()
    for _ in range(2):
        page.goto(f"{sites.files}/jinja/")
        documents(page, 2)
        assert waves(page) == ["sawtooth", "triangle"]
        tokens |= set(page.evaluate("Bokeh.documents.map(d => d.roots()[0].id)"))
    assert len(tokens) == 4, "each view has models of its own"
    assert count_colours(picture(page, "jinja")) > 100


def test_plain_html_needs_nothing_but_two_scripts(sites: Sites, page: Page) -> None:
    source = (FRAMEWORKS / "plain.html").read_text(encoding="utf-8")
    (sites.folder / "plain.html").write_text(source.replace("http://localhost:5006", sites.server.url), "utf-8")
    page.goto(f"{sites.files}/plain.html")
    documents(page, 2)
    assert waves(page) == ["square", "triangle"]
    assert count_colours(picture(page, "plain")) > 100


def test_arguments_and_headers_reach_the_application(sites: Sites, page: Page) -> None:
    url = f"{sites.server.url}/asking"
    script = server_document(url, arguments={"n": "ü & 1", "bokeh-x": "no"}, headers={"X-Shown": "here"})
    open_app(page, sites.write("arguments.html", script))
    seen = json.loads(model_value(page, "seen", "model.text"))
    assert seen["arguments"] == {"n": ["ü & 1"]}
    assert seen["headers"]["x-shown"] == "here"
    assert seen["headers"]["origin"] == sites.files


def test_session_that_the_site_signed_is_the_one_that_is_shown(sites: Sites, page: Page) -> None:
    signed = subprocess.run(
        [sys.executable, "-c", "from bokeh.util.token import generate_session_id as g; print(g(), end='')"],
        env={**os.environ, "BOKEH_SECRET_KEY": KEY, "BOKEH_SIGN_SESSIONS": "yes"},
        capture_output=True, text=True, check=True, timeout=30,
    ).stdout  # fmt: skip
    at = Site(sites.server.url)
    with at.client("/sliders", at.get("/sliders", headers={"Bokeh-Session-Id": signed}).token) as client:
        client.set("title", "value", "prepared")
        script = server_session(session_id=signed, url=f"{sites.server.url}/sliders")  # type: ignore[arg-type]
        open_app(page, sites.write("session.html", script))
        assert model_value(page, "plot", "model.title.text") == "prepared"


def test_forged_session_id_shows_nothing(sites: Sites, page: Page, complaints: Complaints) -> None:
    start = len(sites.server.log_text())
    script = server_session(session_id="x" * 44 + ".forged", url=f"{sites.server.url}/sliders")  # type: ignore[arg-type]
    with page.expect_console_message(lambda message: message.text.startswith("app-server:")) as logged:
        page.goto(sites.write("forged.html", script))
    assert logged.value.text == "app-server: Invalid token or session ID"
    sites.server.wait_for_log("the signature of a session id is wrong")
    assert page.evaluate("typeof Bokeh") == "undefined"
    assert "forged" not in sites.server.log_text()[start:]
    complaints.clear()


def test_page_of_a_foreign_origin_is_refused(sites: Sites, page: Page, complaints: Complaints) -> None:
    foreign = sites.write("foreign.html", server_document(f"{sites.server.url}/embedding"))
    foreign = foreign.replace("localhost", "127.0.0.1")
    with page.expect_event("requestfailed", lambda request: "/autoload.js" in request.url):
        page.goto(foreign)
    host = foreign.removeprefix("http://").partition("/")[0]
    sites.server.wait_for_log(f"start with --allow-websocket-origin={host}")
    assert page.evaluate("typeof Bokeh") == "undefined"
    assert any("CORS" in message for message in complaints.messages)
    complaints.clear()


def test_plain_script_of_a_foreign_origin_gets_no_socket(sites: Sites, page: Page, complaints: Complaints) -> None:
    # A script's address is asked for without an Origin header; the WebSocket's handshake always has one.
    address = f"{sites.server.url}/embedding/autoload.js?bokeh-autoload-element=it&bokeh-app-path=/embedding"
    script = f'<script id="it" src="{address}&bokeh-absolute-url={sites.server.url}/embedding"></script>'
    with page.expect_event("console", lambda message: "403" in message.text):
        page.goto(sites.write("sneaking.html", script).replace("localhost", "127.0.0.1"))
    assert page.evaluate("Bokeh.documents.length") == 0
    complaints.clear()


def test_policy_of_the_manual_lets_an_application_in_and_nothing_more(sites: Sites, page: Page) -> None:
    manual = (REPOSITORY / "docs" / "frameworks.md").read_text(encoding="utf-8")
    policy = manual.split("## Content Security Policy")[1].split("```")[1].replace("\n", " ")
    server = sites.server.url
    policy = policy.replace("https://plots.example.com", server).replace("wss://plots.example.com", f"ws{server[4:]}")
    # Chromium fetches images from nowhere then, too: the page needs none.
    policy = f"default-src 'none'; {policy}; img-src data:"
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    open_app(page, sites.write("policy.html", server_document(f"{server}/embedding"), head=head))
    drag_slider(page, 0, 200)
    wait_for_model(page, "terms", "model.value > 5")


@contextmanager
def running_programs(*names: str) -> Iterator[dict[str, RunningServer]]:
    """These of the programs that hold the server themselves, by the names of their files."""
    with ExitStack() as stack:
        ports = {name: free_port() for name in names}
        yield {
            name: stack.enter_context(
                running_process(program(name, port), f"http://localhost:{port}", env={"ORIGINS": f"localhost:{port}"})
            )
            for name, port in ports.items()
        }


def program(name: str, port: int) -> list[str]:
    """The command that starts it at this port."""
    if name == "flask_gunicorn":
        words = f"-m gunicorn --workers 2 --bind localhost:{port} --chdir {LIBRARY} --no-control-socket {name}:app"
        return [sys.executable, *words.split()]
    more = ["--no-browser"] if name == "standalone" else []
    return [sys.executable, str(LIBRARY / f"{name}.py"), "--port", str(port), *more]


@pytest.fixture(scope="module")
def programs() -> Iterator[dict[str, RunningServer]]:
    """All four; they run on after each test."""
    with running_programs("standalone", "own_tornado", "flask_in_thread", "flask_gunicorn") as started:
        yield started


@pytest.mark.parametrize("name", ["standalone", "own_tornado", "flask_in_thread", "flask_gunicorn"])
def test_program_that_holds_the_server_keeps_its_plot_in_sync(
    programs: dict[str, RunningServer], page: Page, name: str
) -> None:
    open_app(page, programs[name].url)
    assert count_colours(picture(page, f"library_{name}")) > 50
    drag_slider(page, 0, 150)
    wait_for_model(page, "sun", "model.value > 50")
    wait_for_model(page, "extremes", "!model.text.includes('1.46 m')")


def test_each_worker_of_gunicorn_has_a_server_of_its_own(programs: dict[str, RunningServer]) -> None:
    seen: dict[str, set[str]] = {}

    def have_both_answered() -> bool:
        # Several at a time: of workers that wait, the system may always wake the same one.
        with ThreadPoolExecutor(8) as pool:
            texts = list(pool.map(lambda _: fetch(programs["flask_gunicorn"].url).text, range(50)))
        for text in texts:
            worker, port = re.findall(r"Worker (\d+) made", text), re.findall(r"localhost:(\d+)/tides/autoload", text)
            seen.setdefault(worker[0], set()).add(port[0])
        return len(seen) == 2

    # The second one may still import what the first one has.
    until(have_both_answered, "both workers have answered", 60)
    have_both_answered()
    assert len(set().union(*seen.values())) == 2 and all(len(ports) == 1 for ports in seen.values())


def test_program_ends_in_order_at_a_signal() -> None:
    with running_programs("standalone", "own_tornado", "flask_gunicorn") as started:
        for ended in started.values():
            assert ended.stop() == 0, ended.log_text()
            assert "Traceback" not in ended.log_text()
