"""Where a notebook is, and how its page finds a port of the kernel."""

from __future__ import annotations

import pytest

from app_server.errors import OperatorError
from app_server.notebook.address import NotebookUrl, place_of, proxied


def test_notebook_is_where_jupyter_listens_by_default() -> None:
    place = place_of(None, {})
    assert place.origins == ("localhost:8888", "127.0.0.1:8888", "[::1]:8888")
    assert place.address == "localhost"
    assert place.application_url(5010, "http", "") == "http://localhost:5010"


@pytest.mark.parametrize(
    ("url", "origins", "application"),
    [
        ("http://lab.example:8888/tree?token=x", ("lab.example:8888",), "http://lab.example:5010"),
        ("lab.example:8888", ("lab.example:8888",), "http://lab.example:5010"),
        ("http://Lab.Example:80", ("lab.example",), "http://lab.example:5010"),
        ("https://lab.example:443/", ("lab.example",), "http://lab.example:5010"),
        ("http://user:secret@lab.example", ("lab.example",), "http://lab.example:5010"),
        ("http://[::1]:9000", ("[::1]:9000", "localhost:9000", "127.0.0.1:9000"), "http://[::1]:5010"),
        ("http://[fe80::1]:9000", ("[fe80::1]:9000",), "http://[fe80::1]:5010"),
    ],
)
def test_application_is_at_its_port_of_the_notebooks_host(url: str, origins: tuple[str, ...], application: str) -> None:
    place = place_of(url, {})
    assert place.origins == origins
    assert place.application_url(5010, "http", "") == application


def test_only_a_notebook_of_this_machine_keeps_the_server_to_it() -> None:
    assert place_of("http://127.0.0.1:8888", {}).address == "localhost"
    assert place_of("http://lab.example:8888", {}).address is None


@pytest.mark.parametrize(
    "url", ["", "ftp://lab.example", "http://", "http://lab.example:99999", "http://lab.example:0"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(OperatorError) as caught:
        place_of(url, {})
    hint = "Give it as in the browser's address bar, such as http://localhost:8888."
    assert str(caught.value) == f"notebook_url: {url!r} is not an address of a notebook. {hint}"


def test_function_says_where_a_proxy_leads() -> None:
    def url(port: int | None) -> str:
        return "hub.example" if port is None else f"https://hub.example/user/me/proxy/{port}/"

    place = place_of(url, {})
    assert (place.origins, place.address) == (("hub.example",), "localhost")
    assert place.application_url(5010, "http", "/apps") == "https://hub.example/user/me/proxy/5010/apps"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (proxied(), "/proxy/5010"),
        (proxied("http://localhost:8888/base/"), "/base/proxy/5010"),
        (proxied("https://hub.example", "/user/me/"), "/user/me/proxy/5010"),
    ],
)
def test_proxy_of_jupyter_is_found_on_the_pages_own_host(url: NotebookUrl, path: str) -> None:
    assert place_of(url, {}).application_url(5010, "http", "") == path


def test_hub_says_where_it_is() -> None:
    environ = {"JUPYTER_BOKEH_EXTERNAL_URL": "https://hub.example", "JUPYTERHUB_SERVICE_PREFIX": "/user/me/"}
    place = place_of(None, environ)
    assert place.origins == ("hub.example",)
    assert place.application_url(5010, "http", "") == "/user/me/proxy/5010"
