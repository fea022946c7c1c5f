"""supervisor's programs: one for each instance, to be included by the main file of Debian's package, or by ours."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator

from app_server.deployment.plan.values import Instance, Plan
from app_server.deployment.render import File, Files
from app_server.deployment.render.templates import Quoted, environment, header, settings
from app_server.deployment.render.unwritable import Unwritable, refused

CONF_D = "/etc/supervisor/conf.d"
# A log is rotated at this size unless the deployment sets another one; supervisor cannot rotate by days.
LOG_MB = 50
SHORTEST_START_S = 3
_NOT_IN_FIELDS = " \"'\\"


def wanted(plan: Plan) -> bool:
    """Whether supervisor starts the instances."""
    return plan.spec.service.manager == "supervisor"


def value(text: object) -> Quoted:
    """A value where supervisor takes the rest of the line; its % begins an expansion, ' ;' and ' #' a comment."""
    return Quoted(_checked(text).replace("%", "%%"))


def command(words: tuple[str, ...]) -> Quoted:
    """Words as supervisor's parser, a shlex, takes them apart again."""
    return value(shlex.join(words))


def assignment(name: str, text: str) -> Quoted:
    """NAME="value" for `environment`, where commas part the pairs and a backslash stands for itself.

    supervisor reads it with a shlex that is not posix: a value in double quotes is taken as it is, quotes cannot be
    written into it.
    """
    quote = "'" if '"' in text else '"'
    # Quotes at either end are taken for those around the value.
    if quote in text or text != text.strip("\"'"):
        raise refused(text, "supervisor's configuration", (quote, '"', "'"))
    return Quoted(f"{name}={quote}{value(text)}{quote}")


def plain(text: object) -> Quoted:
    """A name that the deployment's grammar has checked already."""
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", str(text)):
        raise refused(text, "supervisor's configuration", re.sub(r"[A-Za-z0-9_.-]", "", str(text)))
    return Quoted(str(text))


def _checked(text: object) -> str:
    """OperatorError for what would end the line, begin a comment, or be more than one value."""
    word = str(text)
    if not word.isprintable() or re.search(r"(^|\s)[;#]", word) or word != word.strip():
        raise refused(word, "supervisor's configuration", (";", "#"))
    return word


def whole(number: object) -> Quoted:
    """Seconds as a whole number, rounded up."""
    return Quoted(math.ceil(float(str(number))))


def least_start(number: object) -> Quoted:
    """How long an instance has to stay up: at least as long as it takes to find that it cannot start."""
    return Quoted(max(SHORTEST_START_S, math.ceil(float(str(number)))))


def word(text: object) -> Quoted:
    """A path in a line of tmpfiles.d, whose % begins a specifier and whose spaces part the fields."""
    path = str(text)
    if not path.isprintable() or set(path) & set(_NOT_IN_FIELDS):
        raise refused(text, "tmpfiles.d", _NOT_IN_FIELDS)
    return Quoted(path.replace("%", "%%"))


FILTERS = {"word": word, "value": value, "plain": plain, "whole": whole, "least_start": least_start}


def program_of(plan: Plan, instance: Instance) -> str:
    """The name of an instance's program."""
    return f"{plan.name}-{instance.name}"


def render(plan: Plan) -> Files:
    """The programs of each machine, where their sockets are, and a main file."""
    jinja = environment("supervisor", FILTERS)
    common = {**settings(plan), "header": header(plan, "supervisor"), "in_container": plan.reaches_by_name}
    machines = [machine for machine in plan.machines if machine.instances]
    files = {}
    for machine in machines:
        text = jinja.get_template("programs.conf").render(
            **common,
            instances=[
                (program_of(plan, instance), command(instance.command), _environment(plan), _log(plan, instance))
                for instance in machine.instances
            ],
            log_mb=plan.spec.logs.rotation.size_mb or LOG_MB,
        )
        alone = len(machines) == 1
        path = f"supervisor/{plan.name}.conf" if alone else f"supervisor/{machine.name}/{plan.name}.conf"
        install, host = f"{CONF_D}/{plan.name}.conf", None if alone else machine.name
        files[path] = File(text, install=install, host=host)
    if folders := tuple(_folders(plan)):
        text = jinja.get_template("tmpfiles.conf").render(**common, folders=folders)
        path = f"tmpfiles.d/{plan.name}.conf"
        files[f"supervisor/{path}"] = File(text, install=f"/etc/{path}")
    files["supervisor/supervisord.conf"] = File(jinja.get_template("supervisord.conf").render(common))
    return files


def _folders(plan: Plan) -> Iterator[tuple[Quoted, str, Quoted, Quoted]]:
    """The folders that neither the host nor the instances make: why, the path, its mode, and how owners are written."""
    sockets, saved = plan.spec.instances.socket_dir, plan.store.folder
    if sockets is not None and sockets.startswith("/run/"):
        why = Quoted("The folder of the instances' sockets. It is lost at a reboot, so systemd-tmpfiles creates it.")
        yield why, sockets.rstrip("/"), Quoted("0755"), Quoted("")
    if saved is not None and not saved.startswith(f"{plan.paths.state.rstrip('/')}/"):
        why = Quoted("Sessions are saved here; all instances share it. A folder that exists is left as it is.")
        # What follows a colon is only for a folder that is made.
        yield why, saved.rstrip("/"), Quoted(":0700"), Quoted(":")


def _environment(plan: Plan) -> Quoted:
    """What an instance has in its environment besides what supervisord itself has."""
    return Quoted(",".join(_assignments(plan)))


def _assignments(plan: Plan) -> Iterator[str]:
    # supervisord changes the user, and nothing else that tells who it is.
    yield assignment("HOME", plan.paths.state)
    yield assignment("USER", plan.user)
    yield assignment("XDG_CACHE_HOME", f"{plan.paths.state}/cache")
    for name, text in sorted(plan.variables.items()):
        yield assignment(name, text)
    for secret in plan.secrets:
        if secret.file is not None:
            yield assignment(f"{secret.variable}_FILE", secret.file)
        elif secret.environment is not None:
            # Of supervisord's own environment; it does not start where the variable is missing.
            yield Quoted(f'{secret.variable}="%(ENV_{secret.environment})s"')
        else:
            what = f"supervisor knows no credentials, and so not {secret.credential!r}"
            raise Unwritable(what, secret.credential or "", hint="Name a file or a variable instead.")


def _log(plan: Plan, instance: Instance) -> Quoted:
    return value(f"{plan.paths.log}/{instance.name}.log")
