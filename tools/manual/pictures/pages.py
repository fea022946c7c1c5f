"""What visitors see: the index, logins, errors, and messages of the operator."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Page

from app_server.deployment.render.proxies.pages import small_page, unavailable_page
from app_server.security.auth.passwords import Cost, hash_password
from tools.manual import ROOT
from tools.manual.pictures.camera import photograph, wait_drawn, window
from tools.manual.pictures.serving import serving

Pictures = Iterator[tuple[str, bytes]]

NAMES = ("annealing.py", "bifurcation", "daylight", "explorer.py", "fractal.py", "streaming.py")
EXAMPLES = [ROOT / "examples" / name for name in NAMES]
PASSWORD = "correct horse battery"
SECRET = {"BOKEH_COOKIE_SECRET": "a secret only for pictures, of forty-four letters"}


def index(started: Browser, place: Path) -> Pictures:
    """The index, on a desktop and dark on a phone, and an address that leads nowhere."""
    with serving(place, *EXAMPLES) as server:
        with window(started) as page:
            page.goto(server.url)
            yield "index", photograph(page)
            page.goto(f"{server.url}/nowhere")
            yield "not-found", photograph(page, 360)
        with window(started, 390, 700, "dark") as page:
            page.goto(server.url)
            yield "index-phone", photograph(page)


def development(started: Browser, place: Path) -> Pictures:
    """An application that fails, as visitors see it, and with `--dev`."""
    with serving(place, "failing.py") as server, window(started) as page:
        page.goto(f"{server.url}/failing")
        yield "failed", photograph(page, 360)
    with serving(place, "failing.py", "--dev") as server, window(started) as page:
        page.goto(f"{server.url}/failing")
        yield "traceback", photograph(page, 560)


def login(started: Browser, place: Path) -> Pictures:
    """The login, a refusal, and the page after logging out."""
    users = place / "users.txt"
    users.write_text(f"eve:{hash_password(PASSWORD, cost=Cost(2, 1, 1))}:guests\n", encoding="utf-8")
    users.chmod(0o600)
    rules = ("--access", "/sales=group:analysts", "--access-contact", "help@example.org")
    with serving(place, "sales.py", "working.py", "--basic-auth", users, *rules, variables=SECRET) as server:
        with window(started) as page:
            page.goto(f"{server.url}/sales")
            yield "login", photograph(page, 560)
            page.get_by_label("User").fill("eve")
            page.get_by_label("Password").fill("guess")
            page.get_by_role("button", name="Log in").click()
            yield "login-failed", photograph(page, 560)
            _log_in(page)
            yield "no-access", photograph(page, 360)
            page.goto(f"{server.url}/working")
            wait_drawn(page)
            other = page.context.new_page()
            other.goto(f"{server.url}/logout")
            yield "logged-out", photograph(other, 460)
            page.get_by_role("alert").wait_for()
            yield "logged-out-elsewhere", photograph(page, 300)


def _log_in(page: Page) -> None:
    page.get_by_label("User").fill("eve")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="You may not open").wait_for()


def full(started: Browser, place: Path) -> Pictures:
    """A server that takes no more sessions."""
    with serving(place, "working.py", "--max-sessions", "1") as server:
        with window(started) as first, window(started) as second:
            first.goto(f"{server.url}/working")
            wait_drawn(first)
            second.goto(f"{server.url}/working")
            yield "full", photograph(second, 360)


def proxy(started: Browser, place: Path) -> Pictures:
    """What nginx and Apache answer by themselves: the site is closed, or no instance is there."""
    pages = {"closed": small_page("Back soon", "We are moving to a larger machine. Please come back at noon.")}
    for name, html in {**pages, "unavailable": unavailable_page()}.items():
        with window(started) as page:
            page.set_content(html)
            yield name, photograph(page, 300)
