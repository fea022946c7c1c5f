"""The manual's scenes behind nginx: each runs as it is generated, with real instances, on ports of this machine."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
import trustme
import yaml

from app_server.deployment.checks import check
from app_server.deployment.checks.proxies import neighbours
from app_server.deployment.render import render
from tests.support.client import Site, fetch
from tests.support.deployments.deployed import Deployment, running_deployment
from tests.support.deployments.proxies import proxy_folder
from tests.support.deployments.scenes import SCENES, as_it_is
from tests.support.server import REPOSITORY
from tests.unit.deployment.making import with_applications


@contextmanager
def running(scene: str) -> Iterator[Deployment]:
    """A scene, with what lies on its host in a folder of the test's."""
    values = yaml.safe_load((SCENES / scene / "deploy.yaml").read_text(encoding="utf-8"))
    values |= {"apps": {"board": "board.py"}, "public": "localhost"}
    with proxy_folder() as folder:
        folder.chmod(0o755)
        if "tls" in values:
            issued = trustme.CA().issue_cert("localhost")
            issued.private_key_and_cert_chain_pem.write_to_path(folder / "site.pem")
            values["tls"] = {"certificate": str(folder / "site.pem")}
        if values.get("proxy", {}).get("static"):
            values["paths"] = {"static": str(copied_bokehjs(folder))}
        with running_deployment(yaml.safe_dump(values), apps=REPOSITORY / "tests" / "protocol" / "apps") as site:
            yield site


def copied_bokehjs(folder: Path) -> Path:
    """A copy of BokehJS, as far as a page needs it."""
    spec = find_spec("bokeh")
    assert spec is not None and spec.origin is not None
    static = folder / "static"
    (static / "js").mkdir(parents=True)
    for file in (Path(spec.origin).parent / "server" / "static" / "js").glob("bokeh*.min.js"):
        shutil.copy(file, static / "js")
    return static


def works(site: Deployment) -> str:
    """Open a page and its socket and change something, as a browser does; the page's text."""
    page = fetch(site.url + "/board")
    assert page.status == 200, page.text
    found = re.search(r"/_i/[a-z0-9-]+", page.text)
    address = (found[0] if found else "") + "/board"
    with Site(site.url).client(address, page.token, origin=site.origin) as client:
        assert client.roots
    return page.text


def test_basic() -> None:
    with running("nginx") as site:
        assert "/_i/" not in works(site)
        assert fetch(site.url + "/").headers["location"].endswith("/board")


def test_static_files_come_from_nginx() -> None:
    with running("nginx-static") as site:
        text = works(site)
        script = re.search(r'src="(/static/js/bokeh\.min\.js\?v=[0-9a-f]+)"', text)
        assert script is not None
        found = fetch(site.url + script[1], headers={"Accept-Encoding": "gzip"})
        assert (found.status, found.headers["content-encoding"]) == (200, "gzip")
        assert found.headers["cache-control"] == "max-age=31536000"
        assert found.headers["x-content-type-options"] == "nosniff"
        assert fetch(site.url + "/static/js/bokeh.min.js").headers["cache-control"] == "max-age=3600"
        # Neither what lies around the folder, nor what begins with the same letters.
        assert fetch(site.url + "/static/../site.pem").status in (400, 404)
        assert fetch(site.url + "/static_maps").status == 404
        assert fetch(site.url + "/static/").status == 403
        lines = [json.loads(line) for line in site.log_lines()]
        assert [line["instance"] for line in lines if line["uri"].startswith("/static/js")] == ["", ""]
        assert all(line["instance"] for line in lines if line["uri"] in ("/board", "/static_maps"))


def test_tls_and_redirect() -> None:
    with running("nginx-tls") as site:
        assert site.url.startswith("https://localhost:")
        works(site)
        page = fetch(site.url + "/board")
        assert page.headers["strict-transport-security"] == "max-age=63072000"
        plain = f"http://localhost:{site.plan.listen_http}"
        found = fetch(plain + "/board?a=%C3%A4", headers={"Host": "localhost"})
        assert (found.status, found.headers["location"]) == (301, f"{site.url}/board?a=%C3%A4")


def test_load_balancing_over_six() -> None:
    with running("nginx-load-balancing") as site:
        found = Counter(re.findall(r"/_i/([a-z0-9]+)/board", fetch(site.url + "/board").text)[0] for _ in range(24))
        assert set(found) == {"a1", "a2", "a3", "a4", "a5", "a6"}
        works(site)


@pytest.mark.parametrize("scene", ["nginx", "nginx-static", "nginx-tls", "nginx-load-balancing", "nginx-sticky-route"])
def test_checks_have_nothing_against_a_scene(scene: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What else this machine's nginx serves is not the scene's.
    monkeypatch.setattr(neighbours, "HOME", str(tmp_path))
    plan = with_applications(as_it_is(scene), tmp_path)
    found = [(each.level, str(each)) for each in check("nginx", plan, render("nginx", plan)) if each.level != "note"]
    assert [level for level, _ in found] == ["good"], found
