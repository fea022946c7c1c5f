"""The scenes of the manual that need no proxy, started by the commands that are generated for them."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from bokeh.util.token import generate_session_id
from websockets.exceptions import InvalidStatus

from tests.support.client import Site
from tests.support.deployments.scenes import embedding_site, moved, started
from tests.support.ports import free_port


def use(site: Site, origin: str, token: str | None = None) -> None:
    """Open a session as a page of this origin does, and move its slider."""
    with site.client("/board", token, additional_headers={"Origin": origin}) as client:
        client.set("slider", "value", 21)
        client.wait_value("double", "value", 42)


def test_standalone_server_answers_its_public_name(tmp_path: Path, processes: ExitStack) -> None:
    port = free_port()
    plan = moved("standalone", tmp_path, {"instances": {"port": port, "address": "127.0.0.1"}})
    site = Site(started(processes, plan, tmp_path, f"http://localhost:{port}").url)
    use(site, f"http://apps.example.org:{port}")
    with pytest.raises(InvalidStatus, match="403"):
        use(site, "http://elsewhere.example.org")


def test_secrets_reach_the_applications_as_they_are(tmp_path: Path, processes: ExitStack) -> None:
    values = {"DB_PASSWORD": "a$b `id` \"c\" #d", "KEY": "first\nsecond"}
    lines = (f"{name}='{value}'\n" for name, value in values.items())
    (tmp_path / "apps.env").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "shows.py").write_text(
        "import os\nfrom bokeh.io import curdoc\nfrom bokeh.models import Div\n"
        f"curdoc().add_root(Div(name='text', text=repr([os.environ.get(each) for each in {list(values)}])))\n",
        encoding="utf-8",
    )
    port = free_port()
    changes = {
        "apps": {"shows": str(tmp_path / "shows.py")},
        "public": "localhost",
        "instances": {"port": port, "address": "127.0.0.1"},
        "service": {"secrets": str(tmp_path / "apps.env")},
    }
    plan = moved("standalone", tmp_path, changes)
    served = started(processes, plan, tmp_path, f"http://localhost:{port}")
    with Site(served.url).client("/shows", additional_headers={"Origin": served.url}) as client:
        assert client.value("text", "text") == repr(list(values.values()))
    assert "id`" not in served.log_text() and "DB_PASSWORD" not in served.log_text()


def test_server_speaks_tls_itself(tmp_path: Path, processes: ExitStack) -> None:
    import trustme

    issued = trustme.CA().issue_cert("localhost")
    (tmp_path / "cert.pem").write_bytes(issued.cert_chain_pems[0].bytes())
    (tmp_path / "key.pem").write_bytes(issued.private_key_pem.bytes())
    port = free_port()
    changes = {
        "public": "localhost",
        "instances": {"port": port, "address": "127.0.0.1"},
        "tls": {"certificate": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")},
    }
    plan = moved("server-tls", tmp_path, changes)
    site = Site(started(processes, plan, tmp_path, f"https://localhost:{port}").url)
    use(site, f"https://localhost:{port}")


def test_session_stays_in_one_of_several_processes(tmp_path: Path, processes: ExitStack) -> None:
    port = free_port()
    changes = {"public": "localhost", "instances": {"port": port, "address": "127.0.0.1", "processes": 3}}
    plan = moved("several-processes", tmp_path, changes)
    site = Site(started(processes, plan, tmp_path, f"http://localhost:{port}").url)
    for number in range(8):
        token = site.token("/board")
        with site.client("/board", token) as client:
            client.set("slider", "value", number)
        # Another connection, which another process may get first.
        with site.client("/board", token) as client:
            assert client.value("double", "value") == 2 * number


def test_only_the_embedding_site_gets_a_session(tmp_path: Path, processes: ExitStack) -> None:
    site, page, key = embedding_site(tmp_path, processes)
    forged = generate_session_id(secret_key=b"x" * 44, signed=True)
    assert site.get("/board").status == site.get("/board", **{"bokeh-session-id": forged}).status == 403
    signed = generate_session_id(secret_key=key.encode(), signed=True)
    token = site.get("/board", **{"bokeh-session-id": signed}).token
    use(site, page, token=token)
    with pytest.raises(InvalidStatus, match="403"):
        use(site, "http://elsewhere.example.org", token=token)
    # Each visitor gets a session of their own.
    shown = {Site(page).get("/").text for _ in range(2)}
    assert len(shown) == 2 and all("autoload.js" in text for text in shown)
