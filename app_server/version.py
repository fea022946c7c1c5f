"""The version, and how to install an extra of this package."""

from __future__ import annotations

import os
import sys

__version__ = "0.1.0"

NAME = "app-server"
# Where docker/app-server/Dockerfile has this Python, beside what no other place has.
_IMAGE, _IMAGE_LIST = "/opt/app-server", "/opt/app-server/sbom.cdx.json"


def how_to_install(extra: str, *, served_with: str | None = None) -> str:
    """What to do if a package of an extra is missing: the right command for where this program runs.

    `served_with` is the package if a server needs it, and not a command: an image of applications can have it then.
    """
    if sys.prefix == _IMAGE and os.path.exists(_IMAGE_LIST):
        if served_with is not None:
            return f"Add {served_with} to the applications' requirements.txt, and build their image again."
        return f"The image has no pip: run this command where app-server is installed with its extra `{extra}`."
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        origin = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:
        origin = None
    return f"Install it with: {install_command(extra, origin)}"


def install_command(extra: str, origin: str | None) -> str:
    """The words of pip that install this again with an extra; `origin` is direct_url.json, None after an index.

    See https://packaging.python.org/en/latest/specifications/direct-url/.
    """
    import json
    import shlex

    try:
        about = json.loads(origin) if origin else {}
    except ValueError:
        about = {}
    url = str(about.get("url", ""))
    editable = "--editable " if about.get("dir_info", {}).get("editable") else ""
    if url.startswith("file://"):
        from urllib.parse import unquote, urlsplit

        what = f"{unquote(urlsplit(url).path)}[{extra}]"
    elif "vcs_info" in about:
        vcs = about["vcs_info"]
        what = f"{NAME}[{extra}] @ {vcs['vcs']}+{url}@{vcs['commit_id']}"
    elif url:
        what = f"{NAME}[{extra}] @ {url}"
    else:
        what = f"{NAME}[{extra}]"
    return f"pip install {editable}{shlex.quote(what)}"
