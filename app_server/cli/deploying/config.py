"""`app-server config TARGET`: the files of a deployment, worked out of deploy.yaml, written, compared and checked."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app_server.cli.terminal import Paint, paint_for, say
from app_server.deployment.targets import TARGETS, Layout
from app_server.errors import OperatorError, OperatorErrors
from app_server.version import how_to_install

if TYPE_CHECKING:
    from app_server.deployment.differences import Difference
    from app_server.deployment.load import LoadedSpec
    from app_server.deployment.plan.values import Plan
    from app_server.deployment.render import File

DEFAULT_FILE = "deploy.yaml"
ALL = "all"
SCHEMA = "schema"
EXIT_DIFFERENT = 1
EXIT_FAULTY = 1

_FLAGS = "command line"
"""The file's name in the faults of a deployment that flags describe."""

# Flags instead of a file, and the key that each of them is.
INSTEAD = {
    "app": ("apps",),
    "server_name": ("public", "hosts"),
    "public_port": ("public", "port"),
    "prefix": ("public", "prefix"),
    "port": ("instances", "port"),
    "instances": ("instances", "count"),
    "proxy": ("proxy", "kind"),
    "proxy_version": ("proxy", "version"),
    "static_dir": ("paths", "static"),
    "tls_cert": ("tls", "certificate"),
    "tls_key": ("tls", "key"),
    "embed_origin": ("embedding", "origins"),
    "session_ids": ("sessions", "ids"),
}

USAGE = """\
app-server config TARGET [-f FILE] [-e NAME] [flags]
       app-server config TARGET --app FILE_OR_DIR ... [flags]

  all prints every target that the deployment has, schema the file's JSON Schema.
{targets}

  -f, --file FILE         what describes the deployment (deploy.yaml)
  -e, --environment NAME  one of its environments, such as staging
  -o, --output DIR        write the files into this folder, in one step
  --force                 overwrite files that this command has not written
  --diff                  say what would change, in the folder or in what is installed
  --check                 let the programs that will read the files try them
  --build-context DIR     a clone of app-server that compose builds the images of,
                          whatever the file says (compose)

  Without a file:
  --app FILE_OR_DIR       an application (repeatable)
  --server-name NAME      a public name (repeatable)
  --public-port PORT      the port that browsers use
  --prefix PATH           have everything below this path
  --port PORT             the first instance's port (5100)
  --instances N           how many instances (1)
  --proxy KIND            nginx, apache or none (nginx)
  --proxy-version V       its version, or detect
  --static-dir DIR        let the proxy serve BokehJS from this copy of it
  --tls-cert FILE         the certificate, with its chain
  --tls-key FILE          its key
  --embed-origin ORIGIN   a site that shows the applications (repeatable)
  --session-ids MODE      unsigned, signed or external-signed; the key is in the
                          variable BOKEH_SECRET_KEY"""


def usage() -> str:
    """The usage, with the targets that there are."""
    return USAGE.replace("{targets}", "\n".join(f"  {name:<12}{target.about}" for name, target in TARGETS.items()))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words and flags of the command."""
    add = parser.add_argument
    add("target", nargs="?", default="", metavar="TARGET", help="what to print, such as nginx")
    add_file_arguments(parser)
    add("-o", "--output", nargs=1, metavar="DIR", help="write the files into this folder")
    add("--force", action="store_const", const=True, help="overwrite files that this command has not written")
    add("--diff", action="store_const", const=True, help="say what would change")
    add("--check", action="store_const", const=True, help="let the programs that read the files try them")
    add_build_context(parser)
    add("--app", action="append", metavar="FILE_OR_DIR", help="an application")
    add("--server-name", action="append", metavar="NAME", help="a public name")
    add("--public-port", nargs=1, metavar="PORT", help="the port that browsers use")
    add("--prefix", nargs=1, metavar="PATH", help="have everything below this path")
    add("--port", nargs=1, metavar="PORT", help="the first instance's port")
    add("--instances", nargs=1, metavar="N", help="how many instances")
    add("--proxy", nargs=1, metavar="KIND", help="nginx, apache or none")
    add("--proxy-version", nargs=1, metavar="V", help="the proxy's version")
    add("--static-dir", nargs=1, metavar="DIR", help="let the proxy serve BokehJS from there")
    add("--tls-cert", nargs=1, metavar="FILE", help="the certificate")
    add("--tls-key", nargs=1, metavar="FILE", help="its key")
    add("--embed-origin", action="append", metavar="ORIGIN", help="a site that shows the applications")
    add("--session-ids", nargs=1, metavar="MODE", help="unsigned, signed or external-signed")


def add_file_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that say which deployment is meant, for every command that reads one."""
    parser.add_argument("-f", "--file", nargs=1, metavar="FILE", help="what describes the deployment")
    parser.add_argument("-e", "--environment", nargs=1, metavar="NAME", help="one of its environments")


def add_build_context(parser: argparse.ArgumentParser) -> None:
    """The flag that says what images are built of, whatever the file says."""
    parser.add_argument("--build-context", nargs=1, metavar="DIR", help="a clone of app-server to build images of")


def prepare(namespace: argparse.Namespace, environ: Mapping[str, str]) -> Callable[[], int]:
    """What prints, writes, compares or checks, after the deployment has been found to make sense."""
    need_packages()
    known = [*TARGETS, ALL, SCHEMA]
    if namespace.target not in known:
        what = f"expected one of {', '.join(known)}" + (f", not {namespace.target!r}" if namespace.target else "")
        raise OperatorError(what, where="TARGET", hint="Such as: app-server config nginx")
    if namespace.target == SCHEMA:
        return print_schema
    doings = [name for name in ("diff", "check") if name in namespace]
    if len(doings) > 1:
        raise OperatorError("is not possible together with --diff", where="--check", hint="Leave one of them out.")
    if "force" in namespace and "output" not in namespace:
        raise OperatorError("has no meaning without --output", where="--force", hint="Name a folder with --output.")
    if "build_context" in namespace and namespace.target != "compose":
        hint = "Leave it out."
        raise OperatorError(f"has no meaning with {namespace.target}", where="--build-context", hint=hint)
    paint = paint_for(sys.stderr, environ)
    folder = Path(namespace.output[0]) if "output" in namespace else None
    try:
        job = Job(namespace.target, read(namespace), command_line(namespace), paint, folder)
    except OperatorErrors as errors:
        faults = [typed(fault) if "app" in namespace else fault for fault in errors.faults]
        raise OperatorErrors(faults) from None
    if "check" in namespace:
        return job.check
    if "diff" in namespace:
        return partial(job.diff, folder)
    if folder is not None:
        return partial(job.write, folder, force="force" in namespace)
    return job.print


def need_packages() -> None:
    """Raise OperatorError where the packages are missing that only deployments need."""
    # Its search for plugins looks at every package that is installed, and we have none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    missing = [name for name in ("pydantic", "yaml", "jinja2") if importlib.util.find_spec(name) is None]
    if missing:
        hint = how_to_install("deploy")
        raise OperatorError(f"deployments need the packages {', '.join(missing)}", hint=hint)


def read(namespace: argparse.Namespace) -> LoadedSpec:
    """The deployment that the command line names, by a file or by its own flags."""
    from app_server.deployment.load import from_values, load

    given = [name for name in INSTEAD if name in namespace]
    if "app" not in namespace:
        if given:
            flag = f"--{given[0].replace('_', '-')}"
            raise OperatorError(
                "has no meaning without --app", where=flag, hint="Write it into the file, or give --app."
            )
        file = namespace.file[0] if "file" in namespace else DEFAULT_FILE
        loaded = load(file, namespace.environment[0] if "environment" in namespace else None)
        return built_of(loaded, clone(namespace))
    for name in ("file", "environment"):
        if name in namespace:
            raise OperatorError("has no meaning with --app", where=f"--{name}", hint="Leave one of them out.")
    return built_of(from_values(values_of(namespace), _FLAGS), clone(namespace))


def typed(fault: OperatorError) -> OperatorError:
    """The same fault of a deployment that flags describe, with the flag in place of the key."""
    where = (fault.where or "").removeprefix(f"{_FLAGS}:1:1: ")
    for name, path in INSTEAD.items():
        if len(path) == 2 and re.fullmatch(rf"{path[0]}\.{path[1]}(\[\d+\])?", where):
            where = f"--{name.replace('_', '-')}"
    return OperatorError(fault.what, where=where or None, hint=fault.hint)


def clone(namespace: argparse.Namespace) -> Path | None:
    """The clone of app-server that --build-context names, None where it was not typed. OperatorError for another."""
    if "build_context" not in namespace:
        return None
    folder = Path(os.path.abspath(namespace.build_context[0]))
    if not (folder / "docker/app-server/Dockerfile").is_file():
        hint = "Name the folder that has docker/app-server/Dockerfile in it."
        raise OperatorError("is no clone of app-server", where=f"--build-context {folder}", hint=hint)
    return folder


def built_of(loaded: LoadedSpec, folder: Path | None) -> LoadedSpec:
    """The same deployment, its images built of that folder where one is given."""
    if folder is None:
        return loaded
    containers = loaded.spec.containers.model_copy(update={"build_context": str(folder)})
    return dataclasses.replace(loaded, spec=loaded.spec.model_copy(update={"containers": containers}))


def values_of(namespace: argparse.Namespace) -> dict[str, Any]:
    """The deployment that flags describe, as a file would say it."""
    # The command is the one that was typed, in the folder where it was.
    values: dict[str, Any] = {"paths": {"command": "app-server", "apps": os.getcwd()}}
    apps: dict[str, str] = {}
    for path in namespace.app:
        stem = Path(path).stem or "app"
        name = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in stem)[:20] or "app"
        name = name if name[0].isalpha() else f"a{name}"
        while name in apps:
            name += "x"
        apps[name] = path
    for name, (block, *rest) in INSTEAD.items():
        if name in namespace and name != "app":
            words = getattr(namespace, name)
            several = name in ("server_name", "embed_origin")
            if name in ("tls_cert", "tls_key", "static_dir"):
                words = [os.path.abspath(words[0])]
            values.setdefault(block, {})[rest[0]] = list(words) if several else words[0]
    if "static_dir" in namespace:
        values.setdefault("proxy", {})["static"] = True
    if "session_ids" in namespace and namespace.session_ids[0] in ("signed", "external-signed"):
        values["secrets"] = {"secret_key": {"environment": "BOKEH_SECRET_KEY"}}
    return {"apps": apps, **values}


def command_line(namespace: argparse.Namespace) -> tuple[str, ...]:
    """The words that make the same again, without the target, for the head of each file."""
    words = ["app-server", "config"]
    for name, flag in (
        ("file", "-f"),
        ("environment", "-e"),
        ("build_context", "--build-context"),
        *((name, f"--{name.replace('_', '-')}") for name in INSTEAD),
    ):
        for word in getattr(namespace, name, ()):
            words += [flag, word]
    return tuple(words)


def print_schema() -> int:
    """Print the JSON Schema; 0."""
    from app_server.deployment.schema import json_schema

    say(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    return 0


class Job:
    """One target, or all of them, of one deployment."""

    def __init__(
        self, target: str, loaded: LoadedSpec, words: tuple[str, ...], paint: Paint, folder: Path | None = None
    ) -> None:
        from app_server.deployment.render import is_wanted, render
        from app_server.deployment.rules import enforce

        self.paint = paint
        self.plan = plan_of(loaded, "host", words)
        for warning in enforce(loaded, self.plan):
            self.warn(str(typed(warning) if "--app" in words else warning))
        self.files: dict[str, File] = {}
        self.plans: dict[str, Plan] = {}
        layouts: dict[Layout, Plan] = {"host": self.plan}
        beside = way_to(loaded, folder)
        for name in TARGETS if target == ALL else [target]:
            layout = TARGETS[name].layout
            if layout not in layouts:
                layouts[layout] = plan_of(loaded, layout, words, beside)
            if target != ALL or is_wanted(name, layouts[layout]):
                self.plans[name] = layouts[layout]
                self.files.update(render(name, layouts[layout]))

    def warn(self, text: str, word: str = "warning") -> None:
        """Say something on stderr, so that what is printed stays usable."""
        print(f"{self.paint('fault', 'app-server:')} {word}: {' '.join(text.split())}", file=sys.stderr, flush=True)

    def print(self) -> int:
        """Print the files; 0."""
        for number, (path, file) in enumerate(self.files.items()):
            if len(self.files) > 1:
                say(("\n" if number else "") + f"# ==> {path}" + (f" ({file.install})" if file.install else ""))
            say(file.text.removesuffix("\n"))
        return 0

    def write(self, folder: Path, *, force: bool) -> int:
        """Write the files into a folder; 0."""
        from app_server.deployment.output_tree import read_manifest, write_tree

        gone = sorted(set(read_manifest(folder).hashes) - set(self.files)) if folder.is_dir() else []
        write_tree(folder, self.plan, self.files, force=force)
        say(f"{len(self.files)} file{'' if len(self.files) == 1 else 's'} in {folder}")
        if gone:
            named = ", ".join(gone[:3]) + (f" and {len(gone) - 3} more" if len(gone) > 3 else "")
            say(f"removed from it, as this run does not write them: {named}")
        return 0

    def diff(self, folder: Path | None) -> int:
        """Say what would change, and what becomes of sessions; 0 where nothing does, 1 where something does."""
        from app_server.deployment.differences import differences, effects
        from app_server.deployment.output_tree import read_manifest, text_of

        place = folder if folder is not None else Path(self.plan.paths.etc)
        manifest = read_manifest(place)

        def old(path: str, file: File | None) -> str | None:
            if folder is not None or file is None:
                return text_of(place / path)
            return text_of(Path(file.install)) if file.install is not None else file.text

        # Of one target alone, the others' files are no business of ours.
        gone = manifest.hashes if len(self.plans) > 1 else ()
        found = list(differences(self.files, old, gone))
        for each in found:
            say_difference(each)
        say("\n".join(effects(found, self.plan, manifest)))
        return EXIT_DIFFERENT if found else 0

    def check(self) -> int:
        """Say what the checks find; 1 where that keeps the deployment from working."""
        from app_server.deployment.checks import check

        found = [finding for name, plan in self.plans.items() for finding in check(name, plan, self.files)]
        for finding in dict.fromkeys(found):  # several targets may have the same fault
            say(f"{finding.level:<8}{finding}")
        return EXIT_FAULTY if any(finding.level == "fault" for finding in found) else 0


def say_difference(each: Difference) -> None:
    """Print one file's difference."""
    about = {"new": "is new", "changed": "changes", "gone": "is no more needed"}[each.kind]
    say("\n".join([f"{each.path} {about}", *each.lines]))


def containers_plan(namespace: argparse.Namespace) -> Plan:
    """What compose.yaml is rendered from, after the deployment has been found to make sense. OperatorError.

    Images that the file does not name are built of what this program was installed from, where it names no clone.
    """
    from app_server.deployment.images.sources import sources
    from app_server.deployment.rules import enforce

    loaded = read(namespace)
    if loaded.spec.containers.build_context is None and loaded.spec.containers.images.app is None:
        loaded = built_of(loaded, sources())
    # Not the way that was typed: the same deployment gives the same files, wherever the command is run.
    words = ["app-server", "config", "-f", Path(loaded.file).name]
    if "environment" in namespace:
        words += ["-e", namespace.environment[0]]
    plan = plan_of(loaded, "compose", words)
    enforce(loaded, plan)
    return plan


def folder_of(loaded: LoadedSpec) -> Path:
    """The folder of the deployment's file, in which its relative paths begin; where we are for one of flags."""
    return Path(loaded.file).parent


def way_to(loaded: LoadedSpec, folder: Path | None) -> str:
    """The way from the folder of generated files, or from where we are, to that of the deployment's file."""
    return Path(os.path.relpath(folder_of(loaded), folder or Path())).as_posix()


def plan_of(loaded: LoadedSpec, layout: Layout, words: Sequence[str], beside: str = ".") -> Plan:
    """The plan for a layout, with the proxy's version found here where the file says so.

    `beside` leads from the generated files to the folder of the deployment's file.
    """
    from app_server.deployment.plan.resolver import resolve_plan

    version = openssl = None
    if loaded.spec.proxy.version == "detect":
        from app_server.tls import installed_apache, installed_nginx

        found = installed_apache() if loaded.spec.proxy.kind == "apache" else installed_nginx()
        if found is None:
            what = f"there is no {loaded.spec.proxy.kind} on this machine"
            raise loaded.fault(("proxy", "version"), what, "State its version, or leave it out.")
        version = found.version
        openssl = found.library.version if found.library.name == "OpenSSL" else None
    return resolve_plan(
        loaded,
        layout=layout,
        regenerate=tuple(words),
        proxy_version=version,
        openssl=openssl,
        beside=beside,
    )
