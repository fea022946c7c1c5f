"""Roll-outs to hosts: `app-server deploy ansible` packs a release, which the playbooks of ansible/ install."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import yaml

from app_server import programs
from app_server.deployment.own_files import place
from app_server.deployment.plan.values import Plan
from app_server.deployment.progress.progress import Progress, duration
from app_server.deployment.progress.tasks import Tasks
from app_server.deployment.reason import plain
from app_server.deployment.releases import kept, release
from app_server.deployment.render import Files, render
from app_server.deployment.render.inventory import dump
from app_server.deployment.rollout.history import read, recorded
from app_server.deployment.rollout.hooks import RolloutHooks
from app_server.deployment.rollout.store import Store
from app_server.errors import OperatorError

TARGET = "ansible"
INVENTORY, REMOVED = "inventory.yml", "removed.yml"
LOG = "ansible.log"
"""What the last run has printed."""
STOP_S = 30.0
"""How long Ansible may take to end after Ctrl-C."""
NO_HOOKS = RolloutHooks(None)


def playbooks() -> Path:
    """The folder of playbooks and roles: beside the package's sources, or in the installed package."""
    folder = place("ansible")
    if not (folder / "site.yml").exists():
        raise OperatorError("the playbooks are missing", where=str(folder), hint="Install app-server again.")
    return folder


def program() -> str:
    """The path of `ansible-playbook`: of this environment, else of PATH."""
    found = shutil.which(
        "ansible-playbook", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if found is None:
        raise OperatorError("ansible-playbook is not installed", hint="pip install ansible-core")
    return found


def deploy(
    plan: Plan,
    files: Files,
    folder: Path,
    store: Store,
    progress: Progress,
    *,
    packages: Sequence[Path],
    include: Sequence[str],
    hooks: RolloutHooks = NO_HOOKS,
    called: str = "",
) -> int:
    """Pack what the deployment in `folder` is and install it on its hosts; 0, or 1 if the hook after it failed.

    Hosts that were in it the last time and are no longer are left at the end. OperatorError where it does not work.
    `called` is the name of the release, "" for one that has only a fingerprint.
    """
    command = program()
    hooks.look()
    takes_secrets = _takes_secrets(plan)
    gathered = release.gather(plan, files, folder, include=include, packages=packages)
    name = str(gathered.about["id"])
    with store.locked():
        kept.refuse_used(called, [each for each in releases(store) if each.id != name])
        shown, hosts = kept.shown_as(name, called), ", ".join(machine.name for machine in plan.machines)
        progress(f"release {shown} of {plan.name} for {hosts}")
        with recorded(store.folder, TARGET, "deploy", folder, name, called), hooks.around(progress, release=name):
            release.write(store.folder / "release", gathered)
            release.write_certificates(plan, store.folder / "release")
            write_inventory(plan, store)
            offline = any(
                member.path.endswith(".whl") and not member.path.startswith(("app_server-", f"{release.OWN}/"))
                for member in gathered.packages
            )
            place = (store.folder / "release").resolve()
            variables = [f"app_server_release_dir={place}", f"app_server_offline={offline}"]
            variables += [f"app_server_source_dir={folder.resolve()}"] if takes_secrets else []
            spent_s = play(command, "site.yml", store, variables, progress, what=f"release {name}")
        progress(f"release {name} is served, after {duration(spent_s)}")
        return 0 if hooks.after(progress, release=name, seconds=f"{spent_s:.0f}") else 1


def releases(store: Store) -> list[kept.KeptRelease]:
    """All releases that were ever installed from here, the earliest first; hosts keep only the latest of them."""
    entries = read(store.folder)
    made = [each.release for each in entries if (each.target, each.action, each.result) == (TARGET, "deploy", "done")]
    latest_first = dict.fromkeys(reversed(made))
    return kept.of_history(entries, TARGET, [*reversed(latest_first)], None)


def roll_back(plan: Plan, store: Store, progress: Progress, *, hooks: RolloutHooks = NO_HOOKS, to: str = "") -> int:
    """Restore the release that `to` means, or the previous one, on all hosts; 0, or 1 if the hook after it failed.

    OperatorError, such as for a release that a host no longer has.
    """
    command = program()
    hooks.look()
    # Hosts may have releases that were installed from elsewhere.
    wanted = None if not to else kept.KeptRelease(to) if release.is_id(to) else kept.find(releases(store), to)
    what = "the previous release" if wanted is None else f"release {wanted.called}"
    name, called = ("", "") if wanted is None else (wanted.id, wanted.name)
    variables = [f"app_server_back_to={name}"] if name else []
    with store.locked():
        progress(f"{what} of {plan.name}")
        with (
            recorded(store.folder, TARGET, "rollback", None, name, called),
            hooks.around(progress, **({"release": name} if name else {})),
        ):
            write_inventory(plan, store)
            spent_s = play(command, "rollback.yml", store, variables, progress, what=f"back to {what}")
        progress(f"{what} is served, after {duration(spent_s)}")
        return 0 if hooks.after(progress, seconds=f"{spent_s:.0f}") else 1


def _takes_secrets(plan: Plan) -> bool:
    """Whether hosts get secrets from files here. OperatorError for one that is missing.

    What it says is found out on the hosts, because it may be encrypted.
    """
    for secret in plan.secrets:
        if secret.source is not None and not (Path(plan.source).parent / secret.source).is_file():
            hint = "Create it, or set the absolute path of a file that each host has."
            raise OperatorError(f"{secret.source} does not exist", where=secret.key, hint=hint)
    return any(secret.source is not None for secret in plan.secrets)


def write_inventory(plan: Plan, store: Store) -> None:
    """Write what `app-server config inventory` prints, and an inventory of the hosts that are no longer in it.

    That one stays until a run has left those hosts.
    """
    wanted = {machine.name for machine in plan.machines}
    left = {}
    for name in (REMOVED, INVENTORY):
        left.update(hosts_of(_loaded(store.folder / name)))
    left = {name: variables for name, variables in left.items() if name not in wanted}
    proxies: dict[str, Any] = {name: {} for name, variables in left.items() if variables.get("app_server_was_proxy")}
    groups = {"removed": {"hosts": left}, "removed_proxies": {"hosts": proxies}}
    (store.folder / REMOVED).unlink(missing_ok=True)
    if left:
        text = dump({"all": {"children": groups}})
        (store.folder / REMOVED).write_text(text, encoding="utf-8")
    (store.folder / INVENTORY).write_text(render("inventory", plan)["inventory.yml"].text, encoding="utf-8")


def hosts_of(inventory: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The hosts of an inventory of ours, each with all of its variables, and whether the proxy was there."""
    top = inventory.get("all") or {}
    groups = top.get("children") or {}
    common = top.get("vars") or {}
    proxies = (groups.get("proxies") or {}).get("hosts") or {}
    hosts = {**(top.get("hosts") or {}), **((groups.get("removed") or {}).get("hosts") or {})}
    return {
        name: {"app_server_was_proxy": name in proxies, **common, **(variables or {})}
        for name, variables in hosts.items()
    }


class _Loader(yaml.SafeLoader):
    """Reads what `dump` has written; it marks texts with `!unsafe`."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))  # type: ignore[arg-type]


def _loaded(path: Path) -> Mapping[str, Any]:
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError:
        return {}
    except (OSError, yaml.YAMLError) as error:
        raise OperatorError(f"cannot be read: {error}", where=str(path), hint="Delete it.") from None
    return found if isinstance(found, dict) else {}


def environment(environ: Mapping[str, str], folder: Path, failures: Path) -> dict[str, str]:
    """The variables of ansible-playbook: the user's own configuration applies, and failures are recorded."""
    plugins = [*environ.get("ANSIBLE_CALLBACK_PLUGINS", "").split(os.pathsep), str(folder / "callback_plugins")]
    return {
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        **environ,
        "ANSIBLE_CALLBACK_PLUGINS": os.pathsep.join(filter(None, plugins)),
        "APP_SERVER_FAILURES": str(failures),
    }


def reason_of(failures: Path) -> str | None:
    """The last failure of a run: on which host, in which task, and the message; None if none was recorded."""
    try:
        lines = failures.read_text(encoding="utf-8").splitlines()
        about = json.loads(lines[-1])
    except (OSError, ValueError, IndexError):
        return None
    said = " ".join(plain(str(about["said"])).split()).removeprefix("app-server: ")
    return f"{about['host']}: {about['task']}: {said.rstrip('.')}"


def play(
    command: str, playbook: str, store: Store, variables: Sequence[str], progress: Progress, *, what: str
) -> float:
    """Run a playbook and show its tasks; how long it took, in seconds. What came of it is written down.

    All that it prints is in the store's ansible.log. Its failure is raised as OperatorError.
    """
    begun_s = time.monotonic()
    folder = playbooks()
    words = [command, "--inventory", str(store.folder / INVENTORY)]
    if playbook == "site.yml" and (store.folder / REMOVED).exists():
        words += ["--inventory", str(store.folder / REMOVED)]
    for variable in variables:
        words += ["--extra-vars", variable]
    with (
        progress.step(f"ansible-playbook {playbook}"),
        tempfile.TemporaryDirectory(prefix="app-server-ansible-") as scratch,
    ):
        failures = Path(scratch) / "failures"
        environ = environment(os.environ, folder, failures)
        status = watched([*words, str(folder / playbook)], environ, store.folder / LOG, progress)
        if status != 0:
            store.note(f"{what} failed (ansible-playbook ended with {status})")
            raise failure(playbook, status, reason_of(failures), store.folder / LOG)
    if playbook == "site.yml":
        (store.folder / REMOVED).unlink(missing_ok=True)
    store.note(what)
    return time.monotonic() - begun_s


def failure(playbook: str, status: int, reason: str | None, log: Path) -> OperatorError:
    """What to say of a run that has failed."""
    hint = "" if reason else f"{log} says why. "
    hint += "Run it again when that is fixed: finished steps are not repeated."
    return OperatorError(reason or f"ended with {status}", where=f"ansible-playbook {playbook}", hint=hint)


def watched(words: Sequence[str], environ: Mapping[str, str], log: Path, progress: Progress) -> int:
    """Run Ansible and show its tasks while it does them; its status. The log gets what it prints."""
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8", errors="replace") as tasks, log.open("w", encoding="utf-8") as kept:
        try:
            process = subprocess.Popen(
                words, env={**environ, "APP_SERVER_PROGRESS": str(writing)}, pass_fds=(writing,),
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
            )  # fmt: skip
        finally:
            os.close(writing)
        printing = threading.Thread(target=_keep, args=(process, kept, progress))
        printing.start()
        try:
            for line in tasks:
                Tasks(progress).read(line)
        except BaseException:
            programs.end(process, STOP_S, signal.SIGINT)
            raise
        finally:
            printing.join()
        return process.wait()


def _keep(process: subprocess.Popen[str], log: TextIO, progress: Progress) -> None:
    """Copy what a program prints to the log, and show it if it is wanted."""
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            log.write(line)
            progress.output(plain(line).rstrip())
