"""The deployment that a command line names, by a file or by flags, and its plan."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app_server.cli.deployments.described import KEYS, SOURCE, values_of
from app_server.cli.deployments.flags import dashed, file_of
from app_server.cli.terminal import note
from app_server.errors import OperatorError
from app_server.version import how_to_install

if TYPE_CHECKING:
    from app_server.deployment.load import LoadedSpec
    from app_server.deployment.plan.values import Plan
    from app_server.deployment.targets import Layout


def need_packages(*names: str, where: str | None = None) -> None:
    """Raise OperatorError if one of these packages is missing, which the extra `deploy` brings."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        what = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed"
        raise OperatorError(what, where=where, hint=how_to_install("deploy"))


def need_deployment_packages() -> None:
    """Raise OperatorError if packages are missing that every deployment needs."""
    # Its search for plugins looks at every package that is installed, and we have none.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    need_packages("pydantic", "yaml", "jinja2")


def read(namespace: argparse.Namespace) -> LoadedSpec:
    """The deployment that the command line names, by a file or by its own flags."""
    from app_server.deployment.load import from_values, load

    if "app" in namespace:
        for name in ("file", "environment"):
            if name in namespace:
                raise OperatorError("has no meaning with --app", where=dashed(name), hint="Leave one of them out.")
        return built_of(from_values(values_of(namespace), SOURCE), clone(namespace))
    for name in KEYS:
        if name in namespace:
            hint = "Write it into the file, or give --app."
            raise OperatorError("has no meaning without --app", where=dashed(name), hint=hint)
    file = str(file_of(getattr(namespace, "file", None)))
    if "file" not in namespace and os.path.dirname(file):
        note(f"app-server: using {file}")
    loaded = load(file, namespace.environment[0] if "environment" in namespace else None)
    return built_of(loaded, clone(namespace))


def clone(namespace: argparse.Namespace) -> Path | None:
    """The clone of app-server that --build-context names, None if there is none. OperatorError for another folder."""
    if "build_context" not in namespace:
        return None
    folder = Path(os.path.abspath(namespace.build_context[0]))
    if not (folder / "docker/app-server/Dockerfile").is_file():
        hint = "Name the folder that contains docker/app-server/Dockerfile."
        raise OperatorError("is not a clone of app-server", where=f"--build-context {folder}", hint=hint)
    return folder


def built_of(loaded: LoadedSpec, folder: Path | None) -> LoadedSpec:
    """The same deployment, its images built from that folder if there is one."""
    if folder is None:
        return loaded
    containers = loaded.spec.containers.model_copy(update={"build_context": str(folder)})
    return dataclasses.replace(loaded, spec=loaded.spec.model_copy(update={"containers": containers}))


def containers_plan(namespace: argparse.Namespace, layout: Layout = "compose") -> Plan:
    """What compose.yaml is rendered from, or a stack, after the deployment's rules have been checked. OperatorError.

    Images that the file does not name are built from what this program was installed from, unless it names a clone.
    """
    from app_server.deployment.images.sources import sources
    from app_server.deployment.rules import enforce

    loaded = read(namespace)
    if loaded.spec.containers.build_context is None and loaded.spec.containers.images.app is None:
        loaded = built_of(loaded, sources())
    # Not the path that was typed: the same deployment gives the same files, wherever the command is run.
    words = ["app-server", "config", "-f", Path(loaded.file).name]
    if "environment" in namespace:
        words += ["-e", namespace.environment[0]]
    plan = plan_of(loaded, layout, words)
    enforce(loaded, plan)
    return plan


def path_to_source(loaded: LoadedSpec, folder: Path | None) -> str:
    """The relative path from the folder of generated files, or the current one, to that of the deployment's file.

    Relative paths in that file begin there. A deployment of flags has the current folder.
    """
    return Path(os.path.relpath(Path(loaded.file).parent, folder or Path())).as_posix()


def plan_of(loaded: LoadedSpec, layout: Layout, words: Sequence[str], beside: str = ".") -> Plan:
    """The plan for a layout, with the version of the installed proxy if the file says `detect`.

    `beside` leads from the generated files to the folder of the deployment's file.
    """
    from app_server.deployment.plan.resolver import resolve_plan

    version = openssl = None
    if loaded.spec.proxy.version == "detect":
        from app_server.tls import installed_apache, installed_nginx

        found = installed_apache() if loaded.spec.proxy.kind == "apache" else installed_nginx()
        if found is None:
            what = f"{loaded.spec.proxy.kind} is not installed on this machine"
            raise loaded.fault(("proxy", "version"), what, "Give its version, or leave it out.")
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
