"""What operators see in the console, and what visitors see of what operators do there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Error, Page

from app_server.security.auth.passwords import Cost, hash_password
from tools.manual import ROOT
from tools.manual.pictures.camera import photograph, wait_drawn, window
from tools.manual.pictures.pages import PASSWORD, SECRET, Pictures
from tools.manual.pictures.serving import Served, free_port, serving

VISITORS = ("ann@example.org", "bob@example.org", "eve@example.org")
TABS = {"Sessions": 440, "Log": 520, "Profiles": 440, "Stalls": 520, "Maintenance": 440, "Overview": 720}
"""The tabs, and how high their pictures are."""

_WIDTH = 1180


def login(started: Browser, place: Path) -> Pictures:
    """The console's own login."""
    operators = place / "operators"
    operators.write_text(f"olga:{hash_password(PASSWORD, cost=Cost(2, 1, 1))}\n", encoding="utf-8")
    operators.chmod(0o600)
    flags = ("--console", "/_console", "--console-auth", operators)
    with serving(place, "working.py", *flags, variables=SECRET) as server, window(started) as page:
        _open(page, f"{server.url}/_console/")
        yield "console-login", photograph(page, 560)


def tabs(started: Browser, place: Path) -> Pictures:
    """Each tab, then a message, the end of a session, and maintenance."""
    port = free_port()
    with _visited(started, place, port) as (server, visitors), window(started, _WIDTH) as console:
        _open(console, f"http://localhost:{port}/")
        wait_drawn(console)
        _profile(console, visitors[-1])
        visitors[-1].get_by_role("button", name="Wait").click()
        _tab(console, "Stalls")
        console.get_by_text("time.sleep(2)").wait_for(state="attached")
        for name, height in TABS.items():
            _tab(console, name)
            if name == "Sessions":
                console.locator(".slick-row").first.click()
            if name == "Stalls":
                console.locator("summary:visible").first.click()
            wait_drawn(console)
            yield f"console-{name.lower()}", photograph(console, height)
        yield from _acts(console, visitors[0])
        yield from _maintenance(started, console, server)


@contextmanager
def _visited(started: Browser, place: Path, port: int) -> Iterator[tuple[Served, list[Page]]]:
    """A server that three people use; the last of them has an application that computes."""
    flags = (
        "--auth-header",
        "X-User",
        "--auth-header-from",
        "127.0.0.1,::1",
        "--console",
        str(port),
        "--block-limit",
        "1",
    )
    explorer = ROOT / "examples" / "explorer.py"
    with serving(place, "sales.py", explorer, "working.py", *flags) as server, ExitStack() as stack:
        pages = []
        for visitor, name in zip(VISITORS, ("sales", "explorer", "working"), strict=True):
            page = stack.enter_context(window(started))
            page.set_extra_http_headers({"X-User": visitor})
            page.goto(f"{server.url}/{name}")
            wait_drawn(page)
            pages.append(page)
        yield server, pages


def _open(page: Page, address: str) -> None:
    """Go to an address of the console, which is a process of its own and may need longer than the server."""
    for _ in range(100):
        try:
            answer = page.goto(address)
        except Error:  # the connection is refused until it listens
            answer = None
        if answer is not None and answer.ok:
            return
        page.wait_for_timeout(100)
    raise SystemExit(f"pictures: nothing answers at {address}")


def _tab(console: Page, name: str) -> None:
    console.locator(".bk-tab", has_text=name).click()


def _profile(console: Page, visitor: Page) -> None:
    """Record a profile of the last visitor's session, while they move their slider."""
    _tab(console, "Sessions")
    console.get_by_placeholder("Filter by session").fill("/working")
    console.locator(".slick-row").first.click()
    console.locator("select:visible").select_option("5 s")
    console.get_by_role("button", name="Profile").click()
    console.get_by_role("status").filter(has_text="One moment").wait_for()
    handle = visitor.locator(".noUi-handle").first
    handle.focus()
    while "One moment" in console.get_by_role("status").inner_text():
        handle.press("ArrowRight")
    console.get_by_placeholder("Filter by session").fill("")


def _acts(console: Page, visitor: Page) -> Pictures:
    """What a visitor sees of an operator's message, and of the end of the session."""
    _tab(console, "Sessions")
    console.get_by_placeholder("Filter by session").fill("/sales")
    console.locator(".slick-row").first.click()
    console.get_by_placeholder("Message to the page").fill(
        "The figures of March are being corrected. Please wait until noon."
    )
    console.get_by_role("button", name="Send message").click()
    visitor.get_by_role("alert").wait_for()
    yield "message", photograph(visitor, 420)
    console.get_by_role("button", name="End session").click()
    console.get_by_role("button", name="Yes, end").click()
    visitor.get_by_role("alert").filter(has_text="has ended").wait_for()
    yield "ended", photograph(visitor, 300)


def _maintenance(started: Browser, console: Page, server: Served) -> Pictures:
    """What a new visitor sees during maintenance."""
    _tab(console, "Maintenance")
    console.get_by_label("What new visitors read").fill("The database is being moved. We are back at noon.")
    console.get_by_role("button", name="Maintenance on").click()
    console.get_by_role("button", name="Yes", exact=True).click()
    console.locator("span.warn", has_text="maintenance").first.wait_for(state="attached")
    _tab(console, "Audit")
    yield "console-audit", photograph(console, 480)
    with window(started) as page:
        page.set_extra_http_headers({"X-User": "new@example.org"})
        page.goto(f"{server.url}/sales")
        yield "maintenance", photograph(page, 360)
