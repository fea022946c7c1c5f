"""Sessions with processes of their own, as a process that accepts connections sees them.

It finds such a session by its socket, whichever process had it started. If there is none, it creates the socket first,
and then has a process forked for it. A socket can be bound only once, and thus a session gets only one process;
connections that are made meanwhile wait in the socket's queue.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

from app_server.processes import ipc
from app_server.processes.forking import exit_records
from app_server.processes.forking.exit_records import ExitRecord
from app_server.processes.ipc import ALREADY, BEGUN, Message, Unreachable
from app_server.processes.polling import until
from app_server.processes.runtime_dir import discard
from app_server.processes.worker_group import WorkerGroup

_BACKLOG = 128
_ATTEMPTS = 3
_LOOK_S = 0.02
_ANSWER_S = 10.0
"""How long a fork server has to answer: it takes milliseconds unless it hangs."""

_PUT_BACK_S = 3.0
"""How long a session's process has to put back its socket's name; one that is not busy takes milliseconds."""

_SETTLED_WITHIN_S = 2.0


class SessionProcesses:
    """Sessions with processes of their own; `fork_servers` is the slot of each application's fork server, by route."""

    def __init__(self, workers: WorkerGroup, fork_servers: dict[str, int]) -> None:
        self._workers = workers
        self._fork_servers = fork_servers
        self._lifelines: set[socket.socket] = set()
        self._pages: dict[str, tuple[int, list[str]]] = {}

    def __len__(self) -> int:
        """How many sessions of the server have processes now."""
        return len(self._workers.runtime_dir.session_sockets())

    @property
    def begun(self) -> bool:
        """Whether every application's fork server has begun to take requests."""
        holder = self._workers.runtime_dir.holder
        return all(holder(slot) is not None for slot in self._fork_servers.values())

    def isolates(self, route: str) -> bool:
        """Whether the sessions of this application have processes of their own."""
        return route in self._fork_servers

    def socket_path(self, route: str, session_id: str) -> Path:
        """Where the session's process listens, if there is one."""
        return self._workers.runtime_dir.session_socket(route, session_id)

    def page(self, route: str) -> list[bytes] | None:
        """The page of every new session of this application, in pieces between which the token belongs.

        None if each session has a page of its own.
        """
        path = self._workers.runtime_dir.page(self._fork_servers[route])
        try:
            written_ns = path.stat().st_mtime_ns
        except FileNotFoundError:
            return None
        known = self._pages.get(route)
        if known is None or known[0] != written_ns:
            known = self._pages[route] = written_ns, json.loads(path.read_bytes())
        return [piece.encode() for piece in known[1]]

    async def exit_record(self, socket_path: Path) -> ExitRecord | None:
        """The exit record of the session that had this socket; None if it ended in order.

        Waits if the process has ended so recently that the record is still to be written.
        """
        await until(lambda: exit_records.settled(socket_path), _SETTLED_WITHIN_S, _LOOK_S)
        return exit_records.find(socket_path)

    async def begin(self, route: str, session_id: str, over: Callable[[], None]) -> Path:
        """The socket of a process that is started for this session; `over` is called when the process has ended.

        Unreachable if none can be started now.
        """
        socket_path = self.socket_path(route, session_id)
        try:
            listener = listen(socket_path)
        except OSError as error:
            over()
            raise Unreachable(f"{socket_path.parent}: {error.strerror}") from error
        if listener is None:
            over()
            return socket_path
        try:
            fields = {"route": route, "session": session_id, "slot": self._workers.slot, "socket": str(socket_path)}
            lifeline = await self._ask(self._fork_servers[route], Message(fields, descriptor=listener.fileno()))
        except BaseException:
            discard(socket_path)
            over()
            raise
        finally:
            listener.close()
        if lifeline is None:
            discard(socket_path)
            over()
            await self._put_back(socket_path)
        else:
            self._hold(lifeline, over)
        return socket_path

    async def _ask(self, slot: int, message: Message) -> socket.socket | None:
        """The lifeline of a process that was forked; None if the session has a process already.

        Unreachable if none was forked, or the fork server does not answer.
        """
        for _ in range(_ATTEMPTS):
            sock = await self._workers.reach(self._workers.runtime_dir.slot(slot))
            try:
                async with asyncio.timeout(_ANSWER_S):
                    await ipc.send(sock, message)
                    answer = await asyncio.get_running_loop().sock_recv(sock, 1)
                if answer == BEGUN:
                    return sock
                if answer == ALREADY:
                    sock.close()
                    return None
            except (Unreachable, ConnectionError):
                pass
            except TimeoutError:
                sock.close()
                raise Unreachable("the fork server does not answer") from None
            except BaseException:
                sock.close()
                raise
            sock.close()  # the fork server has ended, and a new one takes its place within moments
        raise Unreachable("there is no fork server")

    async def _put_back(self, socket_path: Path) -> None:
        """Wait until a session's process has put back the deleted name of its socket."""
        if not await until(socket_path.exists, _PUT_BACK_S, _LOOK_S):
            raise Unreachable(f"{socket_path.name} was deleted, and its process is too busy to put it back")

    def _hold(self, lifeline: socket.socket, over: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()

        def ended() -> None:
            loop.remove_reader(lifeline)
            lifeline.close()
            self._lifelines.discard(lifeline)
            over()

        self._lifelines.add(lifeline)
        loop.add_reader(lifeline, ended)

    def clear(self, socket_path: Path) -> None:
        """Delete a socket that no process answers on any more."""
        discard(socket_path)

    def close(self) -> None:
        """Stop waiting for the ends of the processes, which go on."""
        for lifeline in self._lifelines:
            asyncio.get_running_loop().remove_reader(lifeline)
            lifeline.close()
        self._lifelines.clear()


def listen(socket_path: Path) -> socket.socket | None:
    """A socket that listens there; None if another one does. OSError if the folder is gone or full."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # It gets its name when it listens: a process that sees the name can connect.
    fresh = socket_path.with_name(f".{socket_path.name[2:]}{os.getpid()}")
    fresh.unlink(missing_ok=True)
    try:
        listener.bind(str(fresh))
        listener.listen(_BACKLOG)
        os.link(fresh, socket_path)
    except FileExistsError:
        listener.close()
        return None
    except BaseException:
        listener.close()
        raise
    finally:
        fresh.unlink(missing_ok=True)
    return listener
