"""Archives for machines without a network: whose files they hold, and what installs them."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from app_server.deployment.rollout.bundle import INSTALL, _anonymous

NO_ENGINE = "install: no container engine answers. Start Docker.\n"


def installer(folder: Path, docker: str) -> subprocess.CompletedProcess[str]:
    """What the script of a bundle does, where `docker` is this shell script."""
    bundle = folder / "the bundle"
    bundle.mkdir()
    (bundle / "install.sh").write_text(INSTALL.format(name="tools", oldest="25.0"), encoding="utf-8")
    (folder / "bin").mkdir()
    (folder / "bin" / "docker").write_text(f"#!/bin/sh\n{docker}\n", encoding="utf-8")
    (folder / "bin" / "docker").chmod(0o755)
    return subprocess.run(
        ["/bin/sh", "the bundle/install.sh", "--quiet-pull", "a b"], cwd=folder, check=False, capture_output=True,
        text=True, env={"PATH": f"{folder}/bin:/usr/bin:/bin", "CALLS": f"{folder}/calls"},
    )  # fmt: skip


def test_nobody_here_owns_what_is_unpacked_there() -> None:
    member = tarfile.TarInfo("tools/compose.yaml")
    member.uid, member.gid, member.uname, member.gname, member.mode = 1000, 1001, "ann", "staff", 0o640
    found = _anonymous(member)
    assert (found.uid, found.gid, found.uname, found.gname) == (0, 0, "root", "root")
    assert (found.name, found.mode) == ("tools/compose.yaml", 0o640)


def test_installer_loads_the_images_and_starts_the_deployment(tmp_path: Path) -> None:
    done = installer(tmp_path, 'printf "[%s]" "$PWD" "$@" >>"$CALLS"; echo >>"$CALLS"')
    assert done.returncode == 0, done.stderr
    place = f"[{tmp_path}/the bundle]"
    assert (tmp_path / "calls").read_text(encoding="utf-8").splitlines() == [
        f"{place}[info]",
        f"{place}[load][--quiet][--input][images.tar]",
        f"{place}[compose][--project-name][tools][--file][compose.yaml][--file][images.yaml][up][--detach]"
        "[--no-build][--wait][--quiet-pull][a b]",
    ]


@pytest.mark.parametrize(("docker", "status", "said"), [("exit 1", 1, NO_ENGINE), ("[ $1 = info ] || exit 7", 7, "")])
def test_installer_ends_at_the_first_failure(tmp_path: Path, docker: str, status: int, said: str) -> None:
    done = installer(tmp_path, f'echo "$1" >>"$CALLS"; {docker}')
    assert (done.returncode, done.stderr) == (status, said)
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert calls == (["info"] if said else ["info", "load"])
