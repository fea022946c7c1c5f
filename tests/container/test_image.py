"""The image `app-server`: what is in it, what is not, and what it does with an application."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import testinfra

from app_server import __version__
from tests.support.client import Site
from tests.support.containers.engine import container_state, docker, wait_for_state
from tests.support.containers.images import ROOT, TAG, build
from tests.support.ports import free_port

LARGEST_IMAGE_BYTES = 200_000_000
HARDENED = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges", "--init")
HELLO = """
from bokeh.plotting import curdoc

curdoc().title = "hello from {name}"
"""


@pytest.fixture(scope="module")
def host(app_image: str) -> Iterator[Any]:
    """testinfra's look into a container that serves the examples as they are served in production."""
    often = "--health-start-interval=200ms"
    name = docker("run", "--detach", often, *HARDENED, f"--volume={ROOT}/examples:/apps:ro", app_image)
    try:
        wait_for_state(name, "healthy")
        yield testinfra.get_host(f"docker://{name}")
    finally:
        docker("rm", "--force", "--volumes", name)


def test_server_runs_as_an_ordinary_user(host: Any) -> None:
    assert host.user().uid == 10001
    uids = host.run("cat /proc/[0-9]*/status | grep ^Uid").stdout.splitlines()
    assert set(uids) == {"Uid:\t10001\t10001\t10001\t10001"}


def test_nothing_but_tmp_can_be_written(host: Any) -> None:
    for path in ("/", "/apps", "/opt/packages", "/opt/cache", "/opt/app-server", "/run/app-server"):
        assert host.run(f"touch {path}/x").rc != 0, path
    assert host.run("touch /tmp/x").rc == 0


def test_process_has_no_capability(host: Any) -> None:
    assert "CapEff:\t0000000000000000" in host.file("/proc/1/status").content_string
    assert "NoNewPrivs:\t1" in host.file("/proc/1/status").content_string


def test_neither_pip_nor_compiler_is_there(host: Any) -> None:
    for program in ("pip", "pip3", "gcc", "cc", "ld", "strip"):
        assert not host.exists(program), program
    assert host.run("python -c 'import pip'").rc == 1
    assert host.run("/usr/bin/python3 -c 'import ensurepip'").rc == 1


def test_hints_do_not_mention_pip_if_the_image_has_none(host: Any) -> None:
    for words, extra in (("status --once", "observe"), ("config nginx", "deploy")):
        refusal = host.run(f"app-server {words}")
        assert refusal.rc != 0 and "pip install" not in refusal.stderr
        assert f"The image has no pip: run this command where app-server is installed with its extra `{extra}`" in (
            refusal.stderr
        )


def test_byte_code_is_there_before_the_start(host: Any) -> None:
    said = host.run("python -v -c 'import app_server.server.server, bokeh.plotting'").stderr
    compiled_now = re.findall(r"^# code object from /.*py$", said, re.MULTILINE)
    assert said.count("# code object from '/opt/cache/") > 300
    assert compiled_now == []


def test_what_was_left_out_is_missed_by_no_library(host: Any) -> None:
    program = """
import importlib, pathlib, sysconfig
site = pathlib.Path(sysconfig.get_path("purelib"))
files = [path.relative_to(site) for path in site.rglob("*.so") if not path.parent.name.endswith(".libs")]
# One is for tkinter, which is another package of Debian's.
found = [path for path in files if not path.name.startswith("_imagingtk.")]
for path in found:
    importlib.import_module(".".join([*path.parent.parts, path.name.partition(".")[0]]))
import doctest, numpy.testing, xyzservices
assert xyzservices.providers.OpenStreetMap.Mapnik.url
help(len)
print(len(found))
"""
    done = host.run("python -c %s", program)
    assert done.rc == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 20


def test_bill_of_materials_names_every_package(host: Any) -> None:
    document = json.loads(host.file("/opt/app-server/sbom.cdx.json").content_string)
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    named = {component["purl"].partition("?")[0] for component in document["components"]}
    frozen = host.run("cat /opt/app-server/constraints.txt").stdout.split()
    assert {f"pkg:pypi/{line.lower().replace('_', '-').replace('==', '@')}" for line in frozen} <= named
    assert f"pkg:pypi/app-server@{__version__}" in named
    installed = host.run("dpkg-query --show --showformat '${Package}@${Version}\\n'").stdout.split()
    assert {f"pkg:deb/debian/{package}" for package in installed} <= named


def test_scripts_of_a_page_are_compressed_before_the_start(host: Any) -> None:
    code = (
        "from app_server.document.pages import embedding; from app_server.http import compression;"
        "cache = compression.Cache(shipped=compression.shipped_folder());"
        "compression.compress_small = lambda content: exit('compressed now');"
        "print(sum(len(cache.small(path.read_bytes())) for path in embedding.page_scripts()))"
    )
    assert 0 < int(host.check_output(f'python -c "{code}"')) < 1_050_000  # 1,019 kB with bokeh 3.10


def test_image_is_small_and_labelled(app_image: str) -> None:
    about = json.loads(docker("image", "inspect", app_image))[0]
    assert about["Size"] <= LARGEST_IMAGE_BYTES
    assert about["Config"]["User"] == "10001:10001"
    labels = about["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == __version__
    assert labels["org.opencontainers.image.licenses"] == "BSD-3-Clause"


def test_no_layer_holds_the_secrets_of_the_build(app_image: str, tmp_path: Path) -> None:
    secret = tmp_path / "pip.conf"
    secret.write_text("[global]\ntimeout = 4711\n# geheim-4711\n", encoding="utf-8")
    # Another comment in a copied file would do too; the build argument is what makes these layers new.
    name = build("app-server", f"--secret=id=pip.conf,src={secret}", "--build-arg", "REVISION=4711")
    archive = tmp_path / "image.tar"
    docker("save", "--output", archive, name)
    assert b"geheim-4711" not in archive.read_bytes()
    assert "geheim" not in docker("history", "--no-trunc", name)


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    """A folder that everybody may read, as a checkout is."""
    tmp_path.chmod(0o755)
    return tmp_path


def test_mounted_application_is_served(app_image: str, name: str, apps: Path) -> None:
    (apps / "one.py").write_text(HELLO.format(name="one"), encoding="utf-8")
    (apps / "two.py").write_text(HELLO.format(name="two"), encoding="utf-8")
    url = started(name, app_image, f"--volume={apps}:/apps:ro")
    for each in ("one", "two"):
        assert f"<title>hello from {each}</title>" in fetched(f"{url}/{each}")


def test_three_lines_copy_an_application_with_its_requirements(app_image: str, name: str, apps: Path) -> None:
    pip = build("app-server-pip")
    wheel = tiny_wheel(apps)
    (apps / "hello.py").write_text("import tinywheel\n" + HELLO.format(name="three lines"), encoding="utf-8")
    (apps / "requirements.txt").write_text(f"/apps/{wheel.name}\nnumpy\n", encoding="utf-8")
    (apps / "Dockerfile").write_text(
        f"FROM {app_image}\n"
        "COPY . /apps\n"
        f"RUN --mount=from={pip},target=/pip /pip/install requirements.txt\n",
        encoding="utf-8",
    )  # fmt: skip
    derived = f"app-server-test-three-lines:{TAG}"
    docker("build", "--quiet", "--tag", derived, apps)
    try:
        url = started(name, derived)
        assert "hello from three lines" in fetched(f"{url}/hello")
        # What the server needs is not there a second time.
        packages = docker("exec", name, "ls", "/opt/packages/lib/python3.13/site-packages")
        assert "tinywheel" in packages and "numpy" not in packages
    finally:
        docker("rm", "--force", name)
        docker("rmi", derived)


def test_requirement_that_contradicts_the_server_is_refused(app_image: str, apps: Path) -> None:
    pip = build("app-server-pip")
    (apps / "requirements.txt").write_text("tornado==5.0\n", encoding="utf-8")
    (apps / "Dockerfile").write_text(
        f"FROM {app_image}\nCOPY . /apps\nRUN --mount=from={pip},target=/pip /pip/install requirements.txt\n",
        encoding="utf-8",
    )
    with pytest.raises(AssertionError, match="Cannot install tornado==5.0"):
        docker("build", "--progress=plain", apps)


def test_only_the_isolated_session_that_takes_all_memory_ends(app_image: str, name: str) -> None:
    options = (f"--volume={ROOT}/tests/container/apps:/apps:ro", "--memory=256m", "--memory-swap=256m")
    url = started(name, app_image, *options, words=("--isolation", "process", "who.py", "greedy.py"))
    with Site(url).client("/who") as bystander, Site(url).client("/greedy") as greedy:
        order = {"id": greedy.ident("order")}
        event = {"kind": "ModelChanged", "model": order, "attr": "value", "new": "memory"}
        greedy.send("PATCH-DOC", {"events": [event]})
        # The process goes without a word.
        assert greedy.close_code(120) is None
        bystander.set("slider", "value", 7)
        bystander.wait_value("text", "text", "7")
        assert Site(url).get("/greedy").status == 200
    assert docker("inspect", "--format", "{{.RestartCount}} {{.State.Running}}", name) == "0 true"


def test_flags_reach_the_server(app_image: str, name: str, apps: Path) -> None:
    (apps / "one.py").write_text(HELLO.format(name="one"), encoding="utf-8")
    url = started(name, app_image, f"--volume={apps}:/apps:ro", words=("--prefix", "/tools"))
    assert "hello from one" in fetched(f"{url}/tools/one")


@pytest.mark.parametrize(
    ("mode", "words", "complaint"),
    [
        (0o755, ("/apps/missing.py",), "/apps/missing.py: there is no such file or folder"),
        (0o755, (), "/apps: there is no application. Mount a folder"),
        (0o700, (), "/apps: cannot be read. Let user 10001 read the folder"),
    ],
)
def test_nothing_to_serve_is_one_line(
    app_image: str, name: str, tmp_path: Path, mode: int, words: tuple[str, ...], complaint: str
) -> None:
    tmp_path.chmod(mode)
    mount = f"--volume={tmp_path}:/apps:ro"
    done = subprocess.run(
        ["docker", "run", "--name", name, *HARDENED, mount, app_image, *words],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode in (1, 2)
    assert done.stderr.count("\n") == 1 and complaint in done.stderr, done.stderr


def test_stopped_container_ends_with_0_before_it_is_killed(app_image: str, name: str, apps: Path) -> None:
    (apps / "one.py").write_text(HELLO.format(name="one"), encoding="utf-8")
    started(name, app_image, f"--volume={apps}:/apps:ro")
    docker("stop", "--time=30", name)
    assert docker("inspect", "--format", "{{.State.ExitCode}}", name) == "0"


@pytest.mark.parametrize("dockerfile", sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docker/*/Dockerfile")))
def test_dockerfile_has_no_finding(dockerfile: str) -> None:
    hadolint = Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, ROOT / dockerfile], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def started(name: str, image: str, *options: str, words: tuple[str, ...] = ()) -> str:
    """Run a container until it is healthy, and return its address."""
    port = free_port()
    common = ("--detach", "--name", name, "--health-start-interval=200ms", f"--publish=127.0.0.1:{port}:5006")
    docker("run", *common, *HARDENED, *options, image, *words)
    wait_for_state(name, "healthy", "exited")
    assert container_state(name) == "healthy", docker("logs", name)
    return f"http://localhost:{port}"


def fetched(url: str) -> str:
    """The body of a page; no proxy of the environment is asked."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=30) as answer:
        return str(answer.read(), "utf-8")


def tiny_wheel(folder: Path) -> Path:
    """A wheel with one empty module, so no index has to be asked."""
    path = folder / "tinywheel-1.0-py3-none-any.whl"
    about = "tinywheel-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tinywheel.py", "")
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: tinywheel\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    return path
