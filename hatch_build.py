"""Have a wheel install manual pages and completions, which are derived from the commands of this tree.

Where the wheel is built, only hatchling is installed; the descriptions of commands import nothing else.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SharedFiles(BuildHookInterface[Any]):
    """Writes the files into a scratch folder, which lasts as long as the build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files to the wheel, by their paths below the prefix of an installation."""
        if self.target_name != "wheel":
            return
        self._scratch = Path(tempfile.mkdtemp(prefix="app-server-shared-"))
        sys.path.insert(0, self.root)
        try:
            from app_server.cli.general.manpages import shared_files

            for path, text in shared_files().items():
                file = self._scratch / path
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, encoding="utf-8")
                build_data["shared_data"][str(file)] = path
        finally:
            sys.path.remove(self.root)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the scratch folder."""
        if self.target_name == "wheel":
            shutil.rmtree(self._scratch, ignore_errors=True)
