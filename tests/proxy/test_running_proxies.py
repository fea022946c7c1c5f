"""The proxies that the other tests of this folder stand servers behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.support.client import fetch
from tests.support.deployments.proxies import proxy_folder, running_apache, running_nginx
from tests.support.ports import free_port
from tests.support.servers.files import serving_files


@pytest.fixture
def origin(tmp_path: Path) -> str:
    (tmp_path / "page.txt").write_text("behind the proxy", encoding="utf-8")
    return str(tmp_path)


def test_nginx_passes_on_and_reloads(origin: str) -> None:
    port, other = free_port(), free_port()
    with serving_files(Path(origin)) as behind, proxy_folder() as folder:
        site = f"server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{behind}; }} }}"
        with running_nginx(folder, site, port) as proxy:
            assert fetch(f"http://127.0.0.1:{port}/page.txt").text == "behind the proxy"
            configuration = folder / "nginx.conf"
            configuration.write_text(configuration.read_text().replace(str(port), str(other)))
            proxy.reload()
            assert _eventually(f"http://127.0.0.1:{other}/page.txt") == "behind the proxy"
        assert proxy.process.returncode == 0


def test_apache_passes_on_and_reloads(origin: str) -> None:
    port, other = free_port(), free_port()
    with serving_files(Path(origin)) as behind, proxy_folder() as folder:
        site = f"Listen 127.0.0.1:{port}\nProxyPass / http://127.0.0.1:{behind}/"
        with running_apache(folder, site, port) as proxy:
            assert fetch(f"http://127.0.0.1:{port}/page.txt").text == "behind the proxy"
            configuration = folder / "apache.conf"
            configuration.write_text(configuration.read_text().replace(str(port), str(other)))
            proxy.reload()
            assert _eventually(f"http://127.0.0.1:{other}/page.txt") == "behind the proxy"


def _eventually(url: str, tries: int = 500) -> str:
    for _ in range(tries):
        try:
            return fetch(url).text
        except OSError:
            time.sleep(0.02)
    raise AssertionError(f"no answer at {url}")


def test_configuration_that_cannot_start_is_reported_with_its_log() -> None:
    port = free_port()
    with proxy_folder() as folder, pytest.raises(AssertionError, match="unknown directive"):
        with running_nginx(folder, "nonsense;", port):
            pass
    with proxy_folder() as folder, pytest.raises(AssertionError, match="Invalid command 'Nonsense'"):
        with running_apache(folder, "Nonsense", port):
            pass
