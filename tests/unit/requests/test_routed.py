"""What an application sees of the path, if its route has placeholders and if not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bokeh.models import Div

from tests.support.servers.inside import inside


def fill(document: Any) -> None:
    request = document.session_context.request
    seen = {"params": request.route_params, "app_path": request.app_path, "path": request.path}
    document.add_root(Div(name="seen", text=json.dumps(seen)))


@pytest.mark.parametrize(
    ("route", "path", "params", "app_path"),
    [
        ("/plain", "/plain", {}, ""),
        ("/users/{name}", "/users/b%20c", {"name": "b c"}, "/users/b%20c"),
        ("/{rest:path}", "/a/b", {"rest": "a/b"}, "/a/b"),
    ],
)
def test_request_has_what_its_path_says(route: str, path: str, params: dict[str, str], app_path: str) -> None:
    with inside({route: fill}, prefix="/p", route="west") as site:
        page = site.get(f"/p{path}")
        assert page.status == 200
        # Its socket comes back to this instance, at the same address.
        assert f'"/_i/west/p{path}"' in page.text
        for place in (f"/p{path}", f"/_i/west/p{path}"):
            with site.client(place, site.get(f"/p{path}").token) as client:
                seen = json.loads(client.value("seen", "text"))
                assert (seen["params"], seen["app_path"], seen["path"]) == (params, app_path, f"/p{path}")
