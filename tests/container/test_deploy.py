"""`app-server deploy compose`: no one notices a new release, and a bad one replaces nothing."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page

from app_server.deployment.rollout.docker import image_id
from app_server.deployment.rollout.preflight import preflight_project
from tests.container.test_image import tiny_wheel
from tests.container.test_saved_sessions import shows, use
from tests.container.test_stack import opened, visitors, wait_until_back
from tests.support.browsers.pages import Complaints, drag_slider, wait_for_model
from tests.support.containers.engine import docker
from tests.support.containers.images import ROOT
from tests.support.containers.stack import Stack, app_server
from tests.support.ports import free_port
from tests.support.waiting import until
from tests.unit.cli.pretending import at_terminal

DEPLOY = """
name: NAME
apps: {who: who.py, packed: packed}
public: [localhost, 127.0.0.1]
instances: 2
sessions: {unused_lifetime_s: 2}
containers:
  build_context: "ROOT"
  source: "FOLDER/apps"
  images: {app: "NAME:latest", proxy: "NAME-nginx:latest"}
  publish: {http: PORT, address: 127.0.0.1}
environments:
  stage: {instances: 1, containers: {publish: {http: STAGED}}}
  clash: {instances: 1}
"""
PACKED = "import tinywheel\nfrom bokeh.plotting import curdoc\n\ncurdoc().title = 'packed'\n"


@dataclass(frozen=True)
class Deployment:
    """A deploy.yaml and what belongs to it; `stack` is what runs."""

    folder: Path
    stack: Stack
    said: list[str] = field(default_factory=list)
    """what the first roll-out printed"""

    def verb(self, *words: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Status, stdout and stderr of `app-server deploy WORDS`."""
        done = app_server("deploy", *words, cwd=self.folder, env=env)
        return done.returncode, done.stdout, done.stderr

    def deploy(self, *flags: str, text: str = "", env: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Status, stdout and stderr of a roll-out; `text` is added to deploy.yaml for it."""
        path = self.folder / ("other.yaml" if text else "deploy.yaml")
        if text:
            path.write_text((self.folder / "deploy.yaml").read_text(encoding="utf-8") + text, encoding="utf-8")
        done = app_server("deploy", "compose", "-f", path.name, *flags, cwd=self.folder, env=env)
        return done.returncode, done.stdout, done.stderr

    def replace(self, service: str) -> None:
        """Give a service another container, as a roll-out does."""
        files = [word for name in ("compose", "images") for word in ("--file", self.stack.folder / f"{name}.yaml")]
        words = ("up", "--detach", "--no-deps", "--wait", "--force-recreate", service)
        docker("compose", *files, "--project-directory", self.folder, *words)

    def containers(self) -> list[str]:
        """The ids of the project's containers, stopped ones and those of trials included."""
        name = self.stack.name
        return sorted(
            line.split()[0]
            for line in docker("ps", "--all", "--format", "{{.ID}} {{.Names}}").splitlines()
            if name in line
        )


@pytest.fixture(scope="module")
def rolled_out(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment that was rolled out once, which the tests of this file share."""
    folder = tmp_path_factory.mktemp("deployment")
    shutil.copytree(ROOT / "tests/container/apps", folder / "apps")
    (folder / "apps/packed").mkdir()
    (folder / "apps/packed/main.py").write_text(PACKED, encoding="utf-8")
    wheel = tiny_wheel(folder / "apps/packed")
    (folder / "apps/packed/requirements.txt").write_text(f"./{wheel.name}\n", encoding="utf-8")
    name, port = f"app-server-test-{uuid.uuid4().hex[:8]}", free_port()
    text = DEPLOY.replace("NAME", name).replace("PORT", str(port)).replace("ROOT", str(ROOT))
    text = text.replace("STAGED", str(free_port()))
    (folder / "deploy.yaml").write_text(text.replace("FOLDER", str(folder)), encoding="utf-8")
    made = Deployment(folder, Stack(name, port, folder / "deployed" / name / "current"))
    try:
        status, said, complained = made.deploy()
        assert (status, complained) == (0, ""), said + complained
        made.said.append(said)
        yield made
    finally:
        for container in made.containers():
            docker("rm", "--force", "--volumes", container)
        for project in (name, preflight_project(name), *(f"{name}-{end}" for end in ("there", "stage", "clash"))):
            for what in ("network", "volume"):
                label = f"label=com.docker.compose.project={project}"
                for listed in docker(what, "ls", "--quiet", "--filter", label).split():
                    docker(what, "rm", listed)
        for image in docker("images", "--format", "{{.Repository}}:{{.Tag}}").split():
            if name in image:
                docker("rmi", "--force", image)


@pytest.fixture
def deployment(rolled_out: Deployment, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """The same: deploy.yaml and the applications are of the release that runs, whatever another test has written."""
    apps, kept, failed = rolled_out.folder / "apps", tmp_path / "kept", request.session.testsfailed
    shutil.copytree(apps, kept)
    yield rolled_out
    shutil.rmtree(apps)
    shutil.copytree(kept, apps)
    if request.session.testsfailed > failed:
        rolled_out.deploy()


def release_shown(deployment: Deployment) -> str | None:
    """What the proxy tells of itself in a header that its configuration may have."""
    return deployment.stack.site.get("/who").headers.get("x-release")


def test_requirements_beside_an_application_are_installed(deployment: Deployment) -> None:
    assert deployment.stack.site.get("/packed").status == 200


def test_same_again_touches_nothing(deployment: Deployment) -> None:
    before = deployment.containers()
    apps = deployment.folder / "apps"
    # What is no application's makes no other release.
    for path in (".git/HEAD", "__pycache__/who.pyc", "deploy.yaml", ".venv/pyvenv.cfg", "deployed/x/lock", ".env"):
        (apps / path).parent.mkdir(parents=True, exist_ok=True)
        (apps / path).write_text("", encoding="utf-8")
    (apps / "deployed/x/releases").mkdir()
    status, said, complained = deployment.deploy()
    assert status == 0 and said.count("is as it was") == 3, said + complained
    # From elsewhere, too: paths begin where the file is.
    done = app_server("deploy", "compose", "-f", deployment.folder / "deploy.yaml", "--json", cwd=apps)
    assert done.returncode == 0 and done.stdout.count("is as it was") == 3, done.stdout + done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert (events[-1]["event"], events[-1]["result"]) == ("end", "done")
    steps = [(each["text"], each["state"]) for each in events if each["event"] == "step"]
    assert steps[0] == ("building the images", "begun") and steps[1][1] == "done"
    assert deployment.containers() == before
    listed = deployment.stack.run("app-a1", "find", "/apps", "-type", "f", "-not", "-name", "*.whl").split()
    assert sorted(listed) == [
        "/apps/greedy.py", "/apps/packed/main.py", "/apps/packed/requirements.txt", "/apps/who.py",
    ]  # fmt: skip


def test_environment_is_a_deployment_of_its_own(deployment: Deployment) -> None:
    name, before = deployment.stack.name, deployment.containers()
    base = image_id("app-server:latest")
    status, said, complained = deployment.deploy("-e", "clash")
    port = deployment.stack.port
    assert status == 1 and complained == (
        f"app-server: containers.publish.http: port {port}: Address already in use by the containers of {name}. "
        f"{name}-clash is a separate deployment beside {name}: choose another containers.publish.http for it, "
        f"or set `name: {name}` to replace that one.\n"
    ), said + complained
    status, said, complained = deployment.deploy("-e", "stage")
    assert status == 0 and said.startswith(f"release 1 of {name}-stage\n"), said + complained
    assert set(before) < set(deployment.containers())
    status, said, complained = deployment.deploy("-e", "stage", "--rollback")
    assert (status, said) == (1, "") and "there is no earlier release" in complained
    log = (deployment.folder / f"deployed/{name}-stage/log").read_text(encoding="utf-8")
    assert log.endswith(f": {name}-stage: release 1\n")
    docker("compose", "--project-name", f"{name}-stage", "down", "--volumes", "--timeout", "1")
    assert deployment.containers() == before
    assert deployment.stack.site.get("/who").status == 200
    assert image_id("app-server:latest") == base


def test_new_release_and_the_way_back_cost_no_page(deployment: Deployment, page: Page, complaints: Complaints) -> None:
    opened(page, deployment.stack)
    proxy = docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", deployment.stack.container("proxy"))
    app = deployment.folder / "apps/who.py"
    before = app.read_text(encoding="utf-8")
    app.write_text(before.replace('title="power"', 'title="new power"'), encoding="utf-8")
    try:
        with visitors(deployment.stack) as seen:
            # The proxy's configuration is another one, too.
            status, said, complained = deployment.deploy("--name", "new", text="headers: {extra: {X-Release: new}}\n")
            assert status == 0 and said.count("replaced") == 2, said + complained
            assert "proxy        has read its new configuration" in said
            until(lambda: release_shown(deployment) == "new", "the proxy sends its new header", 60)
        assert set(seen) == {200} and seen[200] > 20, seen
        # The page that was open has moved with its session's application, and works.
        wait_until_back(page)
        wait_for_model(page, "slider", "model.title === 'new power'")
        drag_slider(page, 0, 60)
        wait_for_model(page, "text", "parseInt(model.text) > 1")
        with visitors(deployment.stack) as seen:
            status, said, complained = deployment.deploy("--rollback")
            assert status == 0 and said.count("replaced") == 2, said + complained
            until(lambda: release_shown(deployment) is None, "the proxy sends the header no more", 60)
        assert set(seen) == {200}, seen
        releases = json.loads(deployment.deploy("--list", "--json")[1])
        assert (releases[-1]["name"], [each["is_current"] for each in releases[-2:]]) == ("new", [True, False])
        status, said, complained = deployment.deploy("--rollback", "next")
        assert status == 1 and "no release is called 'next'. There are " in complained, said + complained
        log = deployment.folder / "deployed" / deployment.stack.name / "log"
        last = log.read_text(encoding="utf-8").splitlines()[-1]
        assert re.search(r": back from release (\d+) to \d+$", last), last
        with deployment.stack.site.client("/who") as client:
            assert client.value("slider", "title") == "power"
        now = docker("inspect", "--format", "{{.Id}} {{.State.StartedAt}}", deployment.stack.container("proxy"))
        assert now == proxy
    finally:
        app.write_text(before, encoding="utf-8")
        complaints.clear()


@pytest.mark.parametrize(
    ("text", "bad", "complaint"),
    [
        ("apps: {bad: bad.py}\n", "def (:\n", "app-a1: does not start: "),
        (
            "apps: {bad: bad.py}\n",
            "1 / 0\n",
            "app-a1: /bad is answered with status 500: bad.py:1: ZeroDivisionError: division by zero. Nothing was",
        ),
        ("proxy: {include: /etc/nothing.conf}\n", "", "nginx's configuration: "),
    ],
)
def test_bad_release_is_refused_before_anything_is_replaced(
    deployment: Deployment, text: str, bad: str, complaint: str
) -> None:
    (deployment.folder / "apps/bad.py").write_text(bad, encoding="utf-8")
    before = deployment.containers()
    head = (deployment.folder / "deploy.yaml").read_text(encoding="utf-8")
    if text.startswith("apps"):
        head = head.replace("apps: {who: who.py, ", "apps: {who: who.py, bad: bad.py, ")
        text = ""
    (deployment.folder / "bad.yaml").write_text(head + text, encoding="utf-8")
    done = app_server("deploy", "compose", "-f", "bad.yaml", cwd=deployment.folder)
    assert done.returncode == 1, done.stdout
    assert done.stderr.count("\n") == 1 and complaint in done.stderr, done.stderr
    assert deployment.containers() == before
    assert deployment.stack.site.get("/who").status == 200


def test_missing_application_is_said_before_anything_is_built(deployment: Deployment) -> None:
    text = (deployment.folder / "deploy.yaml").read_text(encoding="utf-8").replace("who.py", "nobody.py")
    (deployment.folder / "bad.yaml").write_text(text, encoding="utf-8")
    done = app_server("deploy", "compose", "-f", "bad.yaml", cwd=deployment.folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"app-server: {deployment.folder}/apps/nobody.py: there is no such file or folder\n"


def test_port_in_use_is_said_before_anything_is_started(deployment: Deployment) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        text = (deployment.folder / "deploy.yaml").read_text(encoding="utf-8")
        text = text.replace(f"name: {deployment.stack.name}", f"name: {deployment.stack.name}-other")
        text = text.replace(f"http: {deployment.stack.port}", f"http: {port}")
        (deployment.folder / "other.yaml").write_text(text, encoding="utf-8")
        before = deployment.containers()
        done = app_server("deploy", "compose", "-f", "other.yaml", cwd=deployment.folder)
    assert done.returncode == 1
    assert done.stderr == (
        f"app-server: containers.publish.http: port {port}: Address already in use. "
        "Stop what listens there, or choose another containers.publish.http.\n"
    )
    assert deployment.containers() == before


def test_wrong_deploy_yaml_is_one_line_with_its_place(deployment: Deployment) -> None:
    status, said, complained = deployment.deploy(text="containers: {memory: 5}\n")
    assert (status, said) == (2, "") or status == 1
    assert complained.startswith("app-server: other.yaml:") and complained.count("\n") >= 1


NO_ENGINE = (
    "app-server: unix:///nowhere/docker.sock: the container engine does not answer: Cannot connect to the Docker "
    "daemon at unix:///nowhere/docker.sock. Check DOCKER_HOST, and the context that `docker context ls` shows.\n"
)


def test_engine_that_does_not_answer_is_one_line(deployment: Deployment) -> None:
    status, said, complained = deployment.deploy(env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert (status, said) == (1, "")
    assert complained == NO_ENGINE


def test_second_roll_out_at_the_same_time_is_refused(deployment: Deployment) -> None:
    with (deployment.folder / "deployed" / deployment.stack.name / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        status, said, complained = deployment.deploy()
    assert (status, said) == (1, "")
    assert "is already rolling out. Wait until it is done." in complained


def test_archive_installs_itself_without_building_or_pulling(
    app_image: str, deployment: Deployment, tmp_path: Path
) -> None:
    # Built on an image of the site's own.
    base = f"{deployment.stack.name}-base:1"
    docker("build", "--quiet", "--tag", base, "-", text=f"FROM {app_image}\nENV OF_THE_SITE=yes\n")
    other, port = f"{deployment.stack.name}-there", free_port()
    text = (deployment.folder / "deploy.yaml").read_text(encoding="utf-8")
    text = text.replace(f"name: {deployment.stack.name}", f"name: {other}")
    text = text.replace(f"http: {deployment.stack.port}", f"http: {port}")
    # Where the clone is, is said by the command for once.
    text = text.replace(f'  build_context: "{ROOT}"\n', "")
    (deployment.folder / "there.yaml").write_text(f"{text}\nimage: {base}\n", encoding="utf-8")
    archive = tmp_path / "site.tar.gz"
    words = ("bundle", "-f", "there.yaml", "--build-context", ROOT)
    done = app_server(*words, "--output", archive, cwd=deployment.folder)
    assert done.returncode == 0, done.stderr
    again = app_server("bundle", "-f", "there.yaml", "--output", archive, cwd=deployment.folder)
    assert again.stderr == (f"app-server: {archive}: is there already. Choose another --output, or give --force.\n")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    listed = sorted(path.name for path in (tmp_path / other).iterdir())
    assert listed == ["compose.yaml", "images.tar", "images.yaml", "install.sh"]
    installed = subprocess.run([tmp_path / other / "install.sh"], capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr
    assert Stack(other, port, tmp_path).site.get("/who").status == 200
    assert Stack(other, port, tmp_path).run("app-a1", "printenv", "OF_THE_SITE").strip() == "yes"


def test_log_says_who_did_what(deployment: Deployment) -> None:
    lines = (deployment.folder / "deployed" / deployment.stack.name / "log").read_text(encoding="utf-8").splitlines()
    assert lines[0].endswith(": release 1")


def test_roll_out_shows_each_step_with_its_time(deployment: Deployment) -> None:
    said = deployment.said[0]
    steps = (r"built the images(, \d+ of \d+ steps cached)?", "preflight: the proxy reads its configuration",
             "preflight: app-a1 starts", "app-a1       started", "proxy        started")  # fmt: skip
    for step in steps:
        assert re.search(rf"^  {step} in \d+(\.\d)? s$", said, re.MULTILINE), said
    assert re.search(r"^    app-a1 \d+/\d+ .+  \d+(\.\d)? s$", said, re.MULTILINE), said


def test_failed_roll_out_says_so_as_json(deployment: Deployment) -> None:
    status, said, complained = deployment.deploy("--json", env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert json.loads(said)["result"] == "failed" and status == 1
    assert complained == NO_ENGINE


def test_status_shows_what_runs_and_of_which_release(deployment: Deployment) -> None:
    status, said, complained = deployment.verb("status")
    assert (status, complained) == (0, ""), said + complained
    name = deployment.stack.name
    current = (deployment.folder / f"deployed/{name}/current").readlink().name
    lines = said.splitlines()
    assert lines[0] == f"{name} (compose) at http://localhost:{deployment.stack.port}/"
    assert re.match(rf"release {current}, by \S+ \d+ (s|min) ago$", lines[1]), lines
    assert lines[2] == "maintenance: off"
    assert re.match(rf"a1        healthy  \d+ (s|min)  +{current}  +/who, /packed$", lines[5]), lines
    assert [line.split()[:2] for line in lines[5:8]] == [["a1", "healthy"], ["a2", "healthy"], ["proxy", "healthy"]]
    deployment.stack.compose("stop", "--timeout", "0", "app-a2")
    try:
        status, said, complained = deployment.verb("status", "--json")
        found = {each["name"]: each["state"] for each in json.loads(said)["instances"]}
        assert status == 1 and found["a1"] == "healthy" and found["a2"].startswith("ended with "), said + complained
        status, said, complained = deployment.verb("exec", "a2", "true")
        assert (status, said) == (1, "") and complained.startswith("app-server: a2: its container is exited. ")
    finally:
        deployment.stack.compose("start", "app-a2")
        deployment.stack.wait_healthy("app-a2")


def test_sessions_come_back_from_a_backup(deployment: Deployment, tmp_path: Path) -> None:
    stack, archive = deployment.stack, tmp_path / "x.backup"
    token = use(stack.site, 4)
    instances = [stack.container("app-a1"), stack.container("app-a2")]
    docker("stop", *instances)
    try:
        done = app_server("backup", archive, cwd=deployment.folder)
        assert done.returncode == 0, done.stderr
        assert re.fullmatch(r".*x\.backup: [1-9]\d* sessions?, 0 bookmarks\n", done.stderr), done.stderr
        files = [word for name in ("compose", "images") for word in ("--file", stack.folder / f"{name}.yaml")]
        place = ("compose", *files, "--project-directory", deployment.folder)
        empty = "rm /var/lib/app-server/sessions/*.session"
        docker(*place, "run", "--rm", "--no-deps", "--entrypoint", "sh", "app-a1", "-c", empty)
        done = app_server("restore", archive, cwd=deployment.folder)
        assert done.returncode == 0 and done.stdout.startswith("restored "), done.stdout + done.stderr
    finally:
        docker("start", *instances)
        stack.wait_healthy("app-a1", "app-a2")
    until(lambda: shows(stack.site, token, 4), "the session is as it was", 60)


def test_maintenance_stays_over_a_new_proxy_until_it_is_off(deployment: Deployment) -> None:
    site = deployment.stack.site
    try:
        with site.client("/who", site.get("/who").token) as client:
            client.pull()
            for _ in range(2):
                assert deployment.verb("maintenance", "on") == (0, "maintenance is on: proxy\n", "")
            answer = site.get("/who")
            assert (answer.status, answer.headers["retry-after"]) == (503, "120") and "Back soon" in answer.text
            assert site.get("/healthz").status == 200
            client.set("slider", "value", 3)
            client.wait_value("text", "text", "3")
        deployment.replace("proxy")
        assert site.get("/who").status == 503
        status, said, _ = deployment.verb("status")
        assert status == 0 and "maintenance: on\n" in said
    finally:
        for _ in range(2):
            assert deployment.verb("maintenance", "off") == (0, "maintenance is off: proxy\n", "")
    assert site.get("/who").status == 200


def test_logs_of_all_instances_are_followed_until_ctrl_c_and_leave_nothing(deployment: Deployment) -> None:
    status, said, complained = deployment.verb("logs")
    assert (status, complained) == (0, ""), complained
    assert {line.partition(" ")[0] for line in said.splitlines()} == {"a1", "a2"}, said
    status, said, _ = deployment.verb("logs", "proxy", "--json", "--lines", "1")
    assert [json.loads(line)["instance"] for line in said.splitlines()] == ["proxy"]
    assert deployment.verb("logs", "--since", "1s", "a1")[0] == 0
    status, said, complained = deployment.verb("logs", "--instance", "a9")
    assert (status, said) == (1, "")
    assert complained == "app-server: a9: the deployment has no such instance. There are a1, a2, proxy.\n"
    words = [sys.executable, "-m", "app_server", "deploy", "logs", "-f", "a1", "--lines", "1"]
    with subprocess.Popen(
        words, cwd=deployment.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
        start_new_session=True,
    ) as following:  # fmt: skip
        assert following.stdout is not None
        assert following.stdout.readline().startswith("a1 | ")
        # An instance that is started again is followed, too, and one whose container is another one.
        deployment.stack.compose("restart", "--timeout", "0", "app-a1")
        assert any("Serving on" in line for line in following.stdout)
        deployment.replace("app-a1")
        assert any("Serving on" in line for line in following.stdout)
        following.send_signal(signal.SIGINT)
        assert following.wait(30) == 130
        left = subprocess.run(["pgrep", "--session", str(following.pid)], capture_output=True, text=True, check=False)
        assert left.stdout == ""
    deployment.stack.wait_healthy("app-a1")


def test_command_runs_in_an_instances_container(deployment: Deployment) -> None:
    script = 'cat; echo "$APP_SERVER_LISTEN" >&2; exit 7'
    done = subprocess.run(
        [sys.executable, "-m", "app_server", "deploy", "exec", "a2", "sh", "-c", script], input="typed\n",
        cwd=deployment.folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (7, "typed\n", "unix:/run/app-server/a2.sock\n")
    file = str(deployment.folder / "deploy.yaml")
    words = ["deploy", "exec", "-f", file, "a2", "sh", "-c", "test -t 1 && tty; exit 3"]
    assert at_terminal(words, {"PYTHONPATH": str(ROOT)}, "") == (3, ["/dev/pts/0"])
    assert deployment.verb("exec", "a2") == (2, "", "app-server: COMMAND: is required without a terminal\n")


def test_history_has_what_was_done_and_what_came_of_it(deployment: Deployment) -> None:
    status, said, complained = deployment.verb("history", "--lines", "0", "--json")
    assert (status, complained) == (0, "")
    first = json.loads(said)[0]
    assert (first["target"], first["action"], first["release"], first["result"]) == ("compose", "deploy", "1", "done")
    lines = deployment.verb("history")[1].splitlines()
    assert lines[0].split() == ["WHEN", "WHO", "TARGET", "WHAT", "RELEASE", "REVISION", "RESULT"]
    nothing = deployment.verb("status", "-e", "stage", "--target", "compose")
    name = f"{deployment.stack.name}-stage"
    assert nothing == (
        1, "", f"app-server: {name}: nothing of {name} runs with compose. `app-server deploy compose` rolls it out.\n"
    )  # fmt: skip
