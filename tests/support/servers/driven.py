"""What a process on another system does: commands one after another, and the library in a thread beside the last one.

    python -X warn_default_encoding -m tests.support.systems.other windows tests.support.servers.driven FOLDER

`FOLDER/commands.json` has the command lines; the last one serves `FOLDER/app.py`, on the port in its words. Results
are written as they come: FOLDER/0.json has the status and what was printed of the first command, `library.json` the
rest.
"""

from __future__ import annotations

import asyncio
import io
import json
import sys
import threading
import traceback
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.support.waiting import until


def run(folder: Path) -> int:
    """Run all commands; the status of the last one."""
    from app_server.cli import main

    *commands, last = json.loads((folder / "commands.json").read_text(encoding="utf-8"))
    for number, words in enumerate(commands):
        put(folder / f"{number}.json", printed(lambda words=words: main(words), folder))  # type: ignore[misc]
    port = int(last[last.index("--port") + 1])
    if "--num-procs" not in last:  # forks of a process with threads may hang
        threading.Thread(target=use_library, args=(folder, port), name="library", daemon=True).start()
    return main(last)


def printed(call: Callable[[], int], folder: Path) -> Mapping[str, Any]:
    """The status of a command, and what it printed in Windows' encoding of Western Europe."""
    before = sys.stdout, sys.stderr
    files = [(folder / name).open("w+b") for name in ("stdout", "stderr")]
    streams = [io.TextIOWrapper(file, encoding="cp1252", errors="strict") for file in files]
    sys.stdout, sys.stderr = streams
    try:
        status = call()
    except BaseException:
        traceback.print_exc()
        status = -1
    finally:
        sys.stdout, sys.stderr = before
    out, err = map(written, streams)
    return {"status": status, "out": out, "err": err}


def written(stream: io.TextIOWrapper) -> str:
    """All that was written to the stream's file."""
    with stream:
        stream.flush()
        stream.buffer.seek(0)
        return stream.buffer.read().decode("cp1252")


def use_library(folder: Path, port: int) -> None:
    """What programs do: a session of the server, a server in a loop of the system's kind, and a test of an app."""
    found: dict[str, Any] = {}
    for use in (pull, serve_in_loop, serve_at_uvicorn, test_application):
        try:
            found[use.__name__] = use(folder, port)
        except BaseException:
            found[use.__name__] = traceback.format_exc()
    put(folder / "library.json", found)


def pull(folder: Path, port: int) -> Any:
    """The titles of a session's slider before and after a change, and what a job in a process says."""
    from app_server.client import CannotConnect, pull_session

    until(lambda: fetched(f"http://127.0.0.1:{port}/healthz"), "the server answers")
    with pull_session(url=f"http://127.0.0.1:{port}/app") as session:
        slider = session.document.get_model_by_name("slider")
        titles = [slider.title]
        slider.value = 7
        session.run(until=lambda: "by a job" in slider.title, timeout_s=20)
        titles += [slider.title, session.document.title]
    try:
        pull_session(url=f"http://127.0.0.1:{port}/app", unix_socket="somewhere")
    except CannotConnect as error:
        titles.append(str(error))
    return titles


def serve_in_loop(folder: Path, port: int) -> Any:
    """The kind of this system's loop, and of `Server` in it: a page's status, a session's roots, and its sessions."""
    from app_server import Server
    from app_server.client import pull_session

    def visit(url: str) -> int:
        with pull_session(url=url) as session:
            return len(session.document.roots)

    async def serve() -> Any:
        async with Server(lambda document: None, port=0, address="127.0.0.1") as server:
            status = await asyncio.to_thread(fetched, server.url)
            roots = await asyncio.to_thread(visit, server.url)
            return type(asyncio.get_running_loop()).__name__, status, roots, len(server.get_sessions())

    return asyncio.run(serve())


def serve_at_uvicorn(folder: Path, port: int) -> Any:
    """The status of a page at uvicorn, in this system's loop."""
    import uvicorn

    from app_server.asgi import BokehASGI

    server = uvicorn.Server(uvicorn.Config(BokehASGI({"/": lambda document: None}), port=0, log_level="warning"))

    async def serve() -> int:
        serving = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        at = server.servers[0].sockets[0].getsockname()[1]
        status = await asyncio.to_thread(fetched, f"http://127.0.0.1:{at}/")
        server.should_exit = True
        await serving
        return status

    return asyncio.run(serve())


def test_application(folder: Path, port: int) -> Any:
    """The title of the application's slider, opened for a test, when it was moved."""
    from app_server.testing import open_app

    with open_app(folder / "app.py") as app:
        slider = app.find(name="slider")
        app.set(slider, value=3)
        return app.wait_for(lambda: "by a job" in slider.title and slider.title)


def fetched(url: str) -> int:
    """The status of the answer; 0 for none."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=20) as answer:
            return int(answer.status)
    except OSError:
        return 0


def put(path: Path, content: Any) -> None:
    """Write the result; the file gets its name when it is complete."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(content), encoding="utf-8")
    draft.rename(path)


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1])))
