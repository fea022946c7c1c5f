"""The paths at which a framework has mounted the server."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from app_server.asgi import BokehASGI
from app_server.asgi.mounts import MOST, Mounts
from tests.unit.asgi.making import asked
from tests.unit.following import fill


async def test_mount_is_made_once_and_the_oldest_are_forgotten() -> None:
    app = BokehASGI({"/app": fill})
    async with app.lifespan():
        mounts = await app._lifespan.running()
        first = mounts.at("/first")
        assert mounts.at("/first") is first and mounts.at("") is not first
        assert mounts.at("/../..") is mounts.at(""), "which answers 404 there"
        for number in range(MOST - 1):
            mounts.at(f"/{number}")
        assert mounts.at("/first") is first
        mounts.at("/another")
        assert mounts.at("/first") is first and len(mounts._found) == MOST
        assert (await asked(app, "/../../app", root_path="/../..", raw_path=b"")).status == 404


async def test_page_loads_its_scripts_from_no_other_host_that_its_address_names() -> None:
    bokeh = BokehASGI({"/app": fill})
    app = Starlette(routes=[Mount("/{tenant:path}/plots", bokeh)])
    async with bokeh.lifespan():
        assert 'src="/ann/plots/static/js/bokeh.min.js' in (await asked(app, "/ann/plots/app")).text
        assert (await asked(app, "//evil.example/plots/app")).status == 404
        assert (await asked(app, "//evil.example/plots/")).status == 404


@pytest.mark.parametrize("root", ["", "/proxy", "/my proxy"])
async def test_mount_is_found_whether_or_not_the_server_leaves_its_root_path_out(root: str) -> None:
    bokeh = BokehASGI({"/app": fill}, prefix="/own")
    app = Starlette(routes=[Mount("/m", bokeh), Mount("/side", bokeh.beside(Starlette()))])
    escaped = root.replace(" ", "%20")
    async with bokeh.lifespan():
        for before in {root, ""}:
            for mount in ("/m/own", "/side/own"):
                path = f"{before}{mount}/app"
                page = await asked(app, path, raw_path=path.replace(" ", "%20").encode(), root_path=root)
                assert page.status == 200 and f'src="{escaped}{mount}/static/js/bokeh.min.js' in page.text


async def test_each_mount_has_its_own_login(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.touch(0o600)
    app = BokehASGI({"/app": fill}, basic_auth=str(users), cookie_secret="s" * 40)
    async with app.lifespan():
        mounts = await app._lifespan.running()
        assert isinstance(mounts, Mounts)
        page = await asked(app, "/here/app", root_path="/here", raw_path=b"")
        assert page.headers["location"] == "/here/login?next=%2Fhere%2Fapp"
        form = await asked(app, "/here/login", root_path="/here", raw_path=b"")
        assert form.status == 200 and 'action="/here/login"' in form.text
        assert (await asked(app, "/app")).headers["location"] == "/login?next=%2Fapp"
        login = mounts.at("/here").login
        assert login is not None and login.logout_url == "/here/logout"
        for number in range(MOST):
            mounts.at(f"/{number}")
        assert mounts.at("/here").login is not login
