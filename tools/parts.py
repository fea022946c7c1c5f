"""All tests in parts, some of them side by side: what waits for playbooks leaves a processor to those beside it.

Chromium takes a change of the machine's networks for a lost connection, and engines and tunnels make networks all the
time; so what drives a browser runs by itself.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1] / "tests"
BESIDE = ("ansible",)
TOGETHER = ("protocol", "proxy", "services", "unit")
PYTEST = ("-m", "pytest")
# pytest's status where it has found no test, as when all of a part are ignored.
NO_TESTS = 5


@dataclass(frozen=True)
class Ended:
    """How pytest ended for some folders."""

    folders: tuple[str, ...]
    status: int
    lines: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether nothing failed."""
        return self.status in (0, NO_TESTS)

    def summary(self) -> Iterator[str]:
        """What failed and why, and pytest's last line."""
        if not self.good:
            begins = (at for at, line in enumerate(self.lines) if line.strip("= ") in ("ERRORS", "FAILURES"))
            yield from self.lines[next(begins, 0) :]
        yield f"{', '.join(self.folders)}: {(self.lines or ('',))[-1].strip('= ')}"


def rest(tests: Path = TESTS) -> tuple[str, ...]:
    """The folders of tests that run by themselves: all that are not named above."""
    found = sorted(path.name for path in tests.iterdir() if any(path.glob("test_*.py")))
    return tuple(name for name in found if name not in (*BESIDE, *TOGETHER))


def run(flags: Sequence[str]) -> int:
    """Run all tests; 0 where all have passed. What runs beside is shown when it has ended."""
    with ThreadPoolExecutor() as pool:
        beside = pool.submit(_run, BESIDE, flags, shown=False)
        ended = [_run(TOGETHER, flags, shown=True)]
        ended.append(beside.result())
    print("\n".join(ended[-1].lines), flush=True)
    ended.append(_run(rest(), flags, shown=True))
    print(f"\n{' all tests ':=^100}")
    for part in ended:
        print("\n".join(part.summary()))
    return 0 if all(part.good for part in ended) else 1


def _run(folders: tuple[str, ...], flags: Sequence[str], *, shown: bool) -> Ended:
    """pytest in a process of its own; what it says is shown as it comes, or kept."""
    words = [sys.executable, *PYTEST, *flags, *(f"tests/{name}" for name in folders)]
    said = bytearray()
    with subprocess.Popen(
        words, cwd=TESTS.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
    ) as process:
        assert process.stdout is not None
        while chunk := process.stdout.read(65536):
            said += chunk
            if shown:
                sys.stdout.buffer.write(chunk)
                sys.stdout.buffer.flush()
    return Ended(folders, process.returncode, tuple(said.decode(errors="replace").splitlines()))


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
