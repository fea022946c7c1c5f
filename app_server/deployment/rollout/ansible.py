"""Roll-outs to hosts: `app-server deploy ansible` packs a release and has the playbooks of ansible/ install it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from app_server.deployment import release
from app_server.deployment.plan import Plan
from app_server.deployment.render import Files, render
from app_server.deployment.rollout.compose import Store
from app_server.errors import OperatorError

Say = Callable[[str], None]


def playbooks() -> Path:
    """The folder of playbooks and roles: beside the package's sources, or in the installed package."""
    here = Path(__file__).resolve()
    for folder in (here.parents[1] / "playbooks", here.parents[3] / "ansible"):
        if (folder / "site.yml").exists():
            return folder
    raise OperatorError("the playbooks are missing", where=str(here.parents[1]), hint="Install app-server anew.")


def program() -> str:
    """The path of `ansible-playbook`: of this environment, else of PATH."""
    found = shutil.which(
        "ansible-playbook", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if found is None:
        raise OperatorError("there is no `ansible-playbook` here", hint="pip install ansible-core")
    return found


def deploy(
    plan: Plan, files: Files, folder: Path, store: Store, say: Say, *, packages: Sequence[Path], include: Sequence[str]
) -> int:
    """Pack what the deployment in `folder` is and install it on its hosts; 0. OperatorError where it does not work."""
    command = program()
    gathered = release.gather(plan, files, folder, include=include, packages=packages)
    with store.locked():
        release.write(store.folder / "release", gathered)
        write_inventory(plan, store)
        say(f"release {gathered.about['id']} of {plan.name}")
        offline = any(
            member.path.endswith(".whl") and not member.path.startswith("app_server-") for member in gathered.packages
        )
        variables = [f"app_server_release_dir={(store.folder / 'release').resolve()}", f"app_server_offline={offline}"]
        play(command, "site.yml", store, variables, failed=f"release {gathered.about['id']} failed")
        store.note(f"release {gathered.about['id']}")
    return 0


def roll_back(plan: Plan, store: Store, say: Say) -> int:
    """Put the release before in its place on all hosts; 0. OperatorError where it does not work."""
    command = program()
    with store.locked():
        write_inventory(plan, store)
        say(f"the release before the current one of {plan.name}")
        play(command, "rollback.yml", store, [], failed="going back failed")
        store.note("back to the release before")
    return 0


def write_inventory(plan: Plan, store: Store) -> None:
    """Write what `app-server config inventory` prints."""
    (store.folder / "inventory.yml").write_text(render("inventory", plan)["inventory.yml"].text, encoding="utf-8")


def play(command: str, playbook: str, store: Store, variables: Sequence[str], *, failed: str) -> None:
    """Run a playbook at this terminal. Its failure is written down, and raised as OperatorError."""
    folder = playbooks()
    words = [command, "--inventory", str(store.folder / "inventory.yml")]
    for variable in variables:
        words += ["--extra-vars", variable]
    # One's own configuration counts, where there is one.
    environ = {"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), **os.environ}
    sys.stdout.flush()
    status = subprocess.call([*words, str(folder / playbook)], env=environ)
    if status != 0:
        store.note(f"{failed} (ansible-playbook ended with {status})")
        hint = "Its last lines say why. Run it again when that is mended: what is done already is not done twice."
        raise OperatorError(f"ended with {status}", where=f"ansible-playbook {playbook}", hint=hint)
