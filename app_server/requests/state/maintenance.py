"""Whether new visitors are turned away for now, in all processes of a server; open sessions go on."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

from app_server.files import write_atomically

_LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True)
class MaintenanceNotice:
    """A notice for visitors: the words of the operator, "" for none, and when it began, in seconds since the epoch."""

    text: str
    since_s: float


class Maintenance:
    """The maintenance of one server, as a file that all its processes see."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def notice(self) -> MaintenanceNotice | None:
        """The notice that new visitors see; None if they can open sessions."""
        try:
            found = json.loads(self._path.read_bytes())
            return MaintenanceNotice(str(found["text"]), float(found["since_s"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError):
            return MaintenanceNotice("", 0.0) if self._is_there() else None  # which is enough

    def _is_there(self) -> bool:
        """Whether there is a file, also for a process that can open none for want of descriptors."""
        try:
            self._path.stat()
        except FileNotFoundError:
            return False
        except OSError:
            return True  # its folder is closed to this process, which is not what visitors should get past
        return True

    def begin(self, text: str) -> None:
        """Turn new visitors away from now on. OSError if that cannot be written."""
        content = json.dumps({"text": text[:_LONGEST_TEXT], "since_s": time.time()})
        write_atomically(self._path, content, mode=0o600, durable=False)

    def end(self) -> None:
        """Let new visitors in again."""
        self._path.unlink(missing_ok=True)
