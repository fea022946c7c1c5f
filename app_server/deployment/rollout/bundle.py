"""A deployment as one archive: images, configuration and what installs them, for machines without a network."""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from pathlib import Path

from app_server.deployment.plan.values import Plan
from app_server.deployment.progress.progress import Progress
from app_server.deployment.rollout import docker
from app_server.deployment.rollout.contents import build, image_names, write_release
from app_server.deployment.rollout.preconditions import check_preconditions
from app_server.errors import OperatorError

INSTALL = """\
#!/bin/sh
# Installs the deployment {name} from this folder: loads its images, and starts it or replaces what runs.
# Needs Docker Engine {oldest} or newer with its compose plugin, and no network.
set -eu
cd "$(dirname "$0")"
docker info >/dev/null 2>&1 || {{ echo "install: no container engine answers. Start Docker." >&2; exit 1; }}
docker load --quiet --input images.tar
exec docker compose --project-name {name} --file compose.yaml --file images.yaml up --detach --no-build --wait "$@"
"""


def bundle(plan: Plan, target: Path, folder: Path, progress: Progress, *, force: bool = False) -> int:
    """Write the archive; 0. Relative paths of the plan begin in `folder`."""
    if target.exists() and not force:
        raise OperatorError("is there already", where=str(target), hint="Choose another --output, or give --force.")
    docker.require()
    check_preconditions(plan, folder)
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=target.absolute().parent) as scratch:
        place = Path(scratch) / plan.name
        write_release(plan, place)
        build(plan, place, folder, progress)
        with progress.step("saving the images", "saved the images"):
            docker.run("save", "--output", str(place / "images.tar"), *sorted(image_names(place)))
        # The images are there; what they were made of is not, but for what a container reads by itself.
        if not plan.contained.mounts_configuration:
            shutil.rmtree(place / "docker", ignore_errors=True)
        oldest = ".".join(map(str, docker.OLDEST_ENGINE))
        script = place / "install.sh"
        script.write_text(INSTALL.format(name=plan.name, oldest=oldest), encoding="utf-8")
        script.chmod(0o755)
        draft = Path(scratch) / "archive"
        with (
            progress.step("packing the archive", "packed the archive"),
            tarfile.open(draft, "w:gz", compresslevel=3) as archive,
        ):
            archive.add(place, arcname=plan.name, filter=_anonymous)
        draft.chmod(0o644)
        draft.replace(target)
    progress(f"  {target} ({target.stat().st_size / 1e6:.0f} MB): unpack it, then run {plan.name}/install.sh")
    return 0


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The owners of files here do not exist there."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member
