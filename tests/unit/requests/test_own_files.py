"""An application's own files are for those who may open it; and what else rules refuse, at each of its addresses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bokeh.models import Slider

from app_server.apps import load_application
from tests.support.servers.inside import Inside, inside

SOURCE = """
from bokeh.io import curdoc
from bokeh.models import Slider
curdoc().add_root(Slider(name="slider", start=0, end=10, value=1))
"""


def fill(document: object) -> None:
    document.add_root(Slider(name="slider", start=0, end=10, value=1))  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """Two applications, one of them a folder with a file, for two groups; a proxy names users and groups."""
    folder = tmp_path_factory.mktemp("apps") / "sales"
    (folder / "static" / "js").mkdir(parents=True)
    (folder / "main.py").write_text(SOURCE)
    (folder / "static" / "figures.csv").write_text("a,b\n1,2\n")
    application = load_application(str(folder))
    rules = ("/sales=group:analysts", "/board=user:bob", "/board=group:staff")
    with inside(
        {"/sales": application, "/board": fill},
        auth_header="X-User", auth_header_groups="X-Groups", auth_header_from=("127.0.0.1",),
        access=rules, access_contact="help@example.org", prefix="/p",
    ) as served:  # fmt: skip
        yield served


ANN = {"X-User": "ann", "X-Groups": "staff, analysts"}
BOB = {"X-User": "bob", "X-Groups": "guests"}
EVE = {"X-User": "eve"}


def test_who_may_open_the_application_gets_its_files(site: Inside) -> None:
    answer = site.ask("/p/sales/static/figures.csv", headers=ANN)
    assert (answer.status, answer.text) == (200, "a,b\n1,2\n")
    assert answer.headers["cache-control"] == "private, no-cache"
    again = site.ask("/p/sales/static/figures.csv", headers={**ANN, "If-None-Match": answer.headers["etag"]})
    assert again.status == 304
    assert site.ask("/p/sales/static/figures.csv", "HEAD", headers=ANN).status == 200
    assert site.ask("/p/sales/static/none.csv", headers=ANN).text == "404: Not Found\n"


@pytest.mark.parametrize("headers", [BOB, EVE, {}])
def test_no_one_else_gets_them(site: Inside, headers: dict[str, str]) -> None:
    for place in ("/p/sales", "/_i/west/p/sales", "/p/%73ales"):
        answer = site.ask(f"{place}/static/figures.csv", headers=headers)
        assert answer.status == 403 and "1,2" not in answer.text, place


def test_everyone_gets_bokehjs(site: Inside) -> None:
    answer = site.ask("/p/sales/static/js/bokeh.min.js")
    assert answer.status == 200 and "private" not in answer.headers["cache-control"]


# What else rules refuse


@pytest.mark.parametrize("below", ["", "/", "?bokeh-session-id=x", "?bokeh-view=x"])
def test_page_of_a_refusal_says_whom_to_ask(site: Inside, below: str, caplog: pytest.LogCaptureFixture) -> None:
    answer = site.get(f"/p/sales{below}", headers=EVE)
    assert answer.status == 403
    assert "You may not open this application" in answer.text and "You are logged in as eve." in answer.text
    assert 'Ask <a href="mailto:help@example.org">help@example.org</a> for access.' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "/sales: 'eve' at 127.0.0.1 may not open it"
    ]


@pytest.mark.parametrize("below", ["metadata", "autoload.js?bokeh-autoload-element=x", "ws"])
def test_everything_of_the_application_is_refused(site: Inside, below: str) -> None:
    answer = site.get(f"/p/board/{below}", headers=EVE)
    assert answer.status == 403
    assert "You may not open this application" in answer.text
    assert "Ask help@example.org for access." in answer.text


def test_refusals_are_counted(site: Inside) -> None:
    gauges = site.server.state.runtimes[0].gauges
    before = gauges.refused["access"]
    site.get("/p/sales", headers=EVE)
    assert gauges.refused["access"] == before + 1


def test_who_is_named_or_in_a_group_may_open_it(site: Inside) -> None:
    for headers, path, status in ((ANN, "sales", 200), (ANN, "board", 200), (BOB, "board", 200), (BOB, "sales", 403)):
        assert site.get(f"/p/{path}", headers=headers).status == status, (headers, path)
        assert site.get(f"/p/{path}/metadata", headers=headers).status == status


@pytest.mark.parametrize(("headers", "shown"), [(ANN, {"/p/sales", "/p/board"}), (BOB, {"/p/board"})])
def test_index_shows_what_one_may_open(site: Inside, headers: dict[str, str], shown: set[str]) -> None:
    text = site.get("/p/", headers=headers).text
    assert {url for url in ("/p/sales", "/p/board") if f'href="{url}"' in text} == shown


def test_index_of_who_may_open_nothing_says_whom_to_ask(site: Inside) -> None:
    answer = site.get("/p/", headers=EVE)
    assert answer.status == 403
    assert "You may not open any application here" in answer.text and "help@example.org" in answer.text


# The hook of a module

MODULE = """
from tornado.web import HTTPError
def get_user(handler): return handler.request.headers.get("X-User")
login_url = "/in"
async def authorize(user, path):
    if user == "fails": raise RuntimeError("the database is away")
    if user == "leaves": raise SystemExit(1)
    if user == "teapot": raise HTTPError(418)
    if user == "elsewhere": return "/go/there"
    return (user, path) in {("ann", "/a"), ("bob", "/a"), ("bob", "/b")}
"""


@pytest.fixture(scope="module")
def hooked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    module = tmp_path_factory.mktemp("auth") / "auth.py"
    module.write_text(MODULE)
    with inside({"/a": fill, "/b": fill}, auth_module=str(module), access=("/b=user:bob", "/b=user:ann")) as served:
        yield served


@pytest.mark.parametrize(
    ("user", "statuses"),
    [
        ("ann", (200, 403)), ("bob", (200, 200)), ("eve", (403, 403)), ("elsewhere", (403, 403)),
        ("fails", (500, 403)), ("leaves", (500, 403)), ("teapot", (418, 403)),
    ],
)  # fmt: skip
def test_hook_and_rules_have_to_agree(hooked: Inside, user: str, statuses: tuple[int, int]) -> None:
    answers = [hooked.get(path, headers={"X-User": user}) for path in ("/a", "/b")]
    assert tuple(answer.status for answer in answers) == statuses
    assert "database" not in answers[0].text


def test_hook_that_returns_something_else_opens_nothing_and_is_reported(
    hooked: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    assert hooked.get("/a", headers={"X-User": "elsewhere"}).status == 403
    assert "--auth-module: authorize returned a value of type str; return True or False" in caplog.messages


def test_index_asks_the_hook(hooked: Inside) -> None:
    text = hooked.get("/", headers={"X-User": "ann"}).text
    assert 'href="/a"' in text and 'href="/b"' not in text
    assert hooked.get("/", headers={"X-User": "fails"}).status == 500


AUTHORIZE = """
def authorize(user, path):
    return "boss" in user.groups or (user.name, path) == ("ann", "/a")
"""


def test_hook_of_its_own_file_goes_with_any_login(tmp_path: Path) -> None:
    path = tmp_path / "who.py"
    path.write_text(AUTHORIZE)
    with inside(
        {"/a": fill, "/b": fill}, authorize=str(path), auth_header="X-User", auth_header_groups="X-Groups",
        auth_header_from=("127.0.0.1",),
    ) as served:  # fmt: skip
        boss = {"X-User": "mia", "X-Groups": "boss"}
        for headers, statuses in ((ANN, (200, 403)), (boss, (200, 200)), (EVE, (403, 403))):
            assert tuple(served.get(each, headers=headers).status for each in ("/a", "/b")) == statuses
        text = served.get("/", headers=ANN).text
        assert 'href="/a"' in text and 'href="/b"' not in text


# Folders beside the applications


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to serve: a script, a page in a folder, a hidden file, and a link that leads out of it."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    folder = outside / "assets"
    (folder / "guide").mkdir(parents=True)
    (folder / "long.js").write_text("// a script\n" * 500)
    (folder / "guide" / "index.html").write_text("<p>guide")
    (folder / ".hidden").write_text("secret")
    (folder / "out").symlink_to(outside / "secret.txt")
    return folder


@pytest.fixture(scope="module")
def open_site(assets: Path) -> Iterator[Inside]:
    """A server to which no one logs in."""
    with inside({"/board": fill}, static_dirs=(f"assets={assets}", f"my files/deep={assets}"), prefix="/p") as served:
        yield served


@pytest.mark.parametrize("place", ["/p/assets", "/_i/west/p/assets", "/p/my%20files/deep", "/p/%61ssets"])
def test_folder_is_served_with_compression_and_for_ever(open_site: Inside, place: str) -> None:
    answer = open_site.ask(f"{place}/long.js", headers={"Accept-Encoding": "gzip"})
    assert (answer.status, answer.headers["content-encoding"]) == (200, "gzip")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    version = answer.headers["etag"].removeprefix("W/").strip('"')
    assert "immutable" in open_site.ask(f"{place}/long.js?v={version}").headers["cache-control"]
    again = open_site.ask(f"{place}/long.js", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status == 304
    assert open_site.ask(f"{place}/long.js", "HEAD").headers["content-length"] == "6000"


@pytest.mark.parametrize(
    "path", ["/.hidden", "/out", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/none.js", "/", ""]
)
def test_folder_shows_nothing_else(open_site: Inside, path: str) -> None:
    answer = open_site.ask(f"/p/assets{path}")
    assert answer.status == 404 and "secret" not in answer.text


def test_folder_with_a_page_has_it_at_its_own_address(open_site: Inside) -> None:
    assert open_site.ask("/p/assets/guide/").text == "<p>guide"
    answer = open_site.ask("/p/assets/guide")
    assert (answer.status, answer.headers["location"]) == (302, "./guide/")


def test_folder_is_for_those_whom_a_rule_names(assets: Path) -> None:
    access = ("/assets=group:staff", "/board=user:bob")
    login: dict[str, object] = {
        "auth_header": "X-User", "auth_header_groups": "X-Groups", "auth_header_from": ("127.0.0.1",),
    }  # fmt: skip
    folders = (f"assets={assets}", f"more={assets}")
    with inside({"/board": fill}, static_dirs=folders, access=access, **login) as site:
        answer = site.ask("/assets/long.js", headers=ANN)
        assert answer.status == 200 and answer.headers["cache-control"] == "private, no-cache"
        assert site.ask("/assets/long.js", headers=BOB).status == 403
        assert site.ask("/more/long.js", headers=BOB).status == 200
        assert site.ask("/more/long.js").status == site.ask("/assets/guide/").status == 403


def test_rule_for_an_address_with_placeholders_holds_at_each_of_them() -> None:
    login: dict[str, object] = {"auth_header": "X-User", "auth_header_from": ("127.0.0.1",)}
    with inside({"/users/{name}": fill}, access=("/users/{name}=user:ann",), **login) as site:
        for name in ("ann", "bob", "%61"):
            assert site.ask(f"/users/{name}", headers={"X-User": "ann"}).status == 200
            for below in ("", "/", "/ws", "/metadata", "/autoload.js?bokeh-autoload-element=x"):
                assert site.ask(f"/users/{name}{below}", headers={"X-User": "eve"}).status == 403, below
        assert site.ask("/", headers={"X-User": "ann"}).status == 404
