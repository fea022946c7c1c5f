"""Addresses with placeholders and folders of files behind generated proxies: pages, sockets, and which instances."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.client import Site, fetch
from tests.support.deployments.deployed import Deployment, running_deployment
from tests.support.server import REPOSITORY

DEPLOY = """
apps:
  user: {{path: routed.py, route: "/users/{{name}}"}}
  item: {{path: routed.py, route: "/items/{{id:int}}/{{part}}", instances: 2}}
  board: board.py
  dash: {{path: board.py, route: /dash, instances: 1}}
  inside: {{path: routed.py, route: /dash/inside}}
instances: 2
public: {{prefix: /tools}}
proxy: {proxy}
server: {{static_dirs: ["files={folder}"]}}
"""


@pytest.fixture(scope="module", params=["nginx", "apache"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A site behind one of the two: one application shares instances, the other has its own."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "a.js").write_text("1" * 3000)
    text = DEPLOY.format(proxy=request.param, folder=folder)
    with running_deployment(text, apps=REPOSITORY / "tests" / "proxy" / "apps") as running:
        yield running


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/users/ann", {"name": "ann"}),
        ("/users/b%20c/", {"name": "b c"}),
        ("/items/7/wheel", {"id": "7", "part": "wheel"}),
        ("/dash/inside", {}),  # shares the main instances, below an application that has its own
    ],
)
def test_page_and_socket_reach_their_application(site: Deployment, path: str, params: dict[str, str]) -> None:
    page = fetch(f"{site.url}{path}")
    assert page.status == 200, page.text
    found = re.search(r'"(/_i/[a-z0-9-]+/tools/[^"]+)"', page.text)
    assert found is not None
    for place in (found[1], f"/tools{path.rstrip('/')}"):
        token = fetch(f"{site.url}{path}").token if place.startswith("/tools") else page.token
        with Site(site.origin).client(place, token, origin=site.origin) as client:
            assert json.loads(client.value("seen", "text")) == params
            pressed = {"type": "event", "name": "button_click", "values": {
                "type": "map", "entries": [["model", {"id": client.ident("more")}]]}}  # fmt: skip
            client.patch({"kind": "MessageSent", "msg_type": "bokeh_event", "msg_data": pressed})
            client.wait_value("seen", "text", json.dumps({**params, "more": "yes"}))


def test_other_addresses_lead_where_they_did(site: Deployment) -> None:
    assert fetch(f"{site.url}/board").status == fetch(f"{site.url}/dash").status == 200
    assert fetch(f"{site.url}/users").status == fetch(f"{site.url}/items/x/wheel").status == 404


def test_folder_is_served_through_the_proxy(site: Deployment) -> None:
    answer = fetch(f"{site.url}/files/a.js", headers={"Accept-Encoding": "gzip"})
    assert (answer.status, answer.headers.get("content-encoding")) == (200, "gzip")
    assert fetch(f"{site.url}/files/a.js", headers={"If-None-Match": answer.headers["etag"]}).status == 304
