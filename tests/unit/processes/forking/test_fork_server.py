"""The process that sessions' processes are forked from; its forks, their ends, signals and clock a test makes."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import socket
import types
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app_server.errors import OperatorError
from app_server.processes.forking import fork_server, forks, keeper
from app_server.processes.forking.busy_table import BusyEntry, BusyTable
from app_server.processes.forking.fork_server import ALREADY, BEGUN, ForkServer, SessionSpec
from app_server.processes.forking.heartbeat import Heartbeat
from app_server.processes.forking.keeper import PUT_BACK, SessionLimits
from app_server.processes.forking.proc import ProcessIdentity
from app_server.processes.forking.worker import Task
from app_server.processes.ipc import Message
from app_server.processes.runtime_dir import RuntimeDir
from tests.support.descriptors import no_descriptors
from tests.unit.processes.forking.machine import FIRST_PID, Machine

SLOT = 3
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)


class Host(Machine):
    """The system under it: who was forked, who got which signal, who has ended, and what time it is."""

    def __init__(self) -> None:
        super().__init__()
        self.forked: list[Callable[[], int]] = []
        self.parent = os.getppid()
        self.full = False
        self.wait: Callable[[], None] = lambda: None

    def fork(self, work: Callable[[], int]) -> int:
        """A process that does nothing."""
        if self.full:
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        self.forked.append(work)
        return FIRST_PID + len(self.forked) - 1

    def sleep(self, duration_s: float) -> None:
        """Let time pass."""
        self.now_s += duration_s
        self.wait()


Story = Callable[[], Iterator[float]]


class Stage(Heartbeat):
    """What happens while it runs: a step of the story each time its loop comes round."""

    def __init__(self, machine: Host) -> None:
        self.machine = machine
        self.story: Iterator[float] = iter(())
        super().__init__()

    def beat(self) -> None:
        """The next step; what it yields is how many seconds pass."""
        super().beat()
        step = next(self.story, None)
        if step is not None:
            self.machine.now_s += step


class ForkServerStage:
    """One such process at its place, and those that ask it."""

    def __init__(self, folder: Path, machine: Host) -> None:
        self.machine = machine
        self.runtime_dir = RuntimeDir.make({"APP_SERVER_RUNTIME_DIR": str(folder / "run")})
        self.table = BusyTable(4)
        self.limits = SessionLimits()
        self.page: bytes | None = None
        self.stage = Stage(machine)
        self.parent_pipe, self.life = os.pipe()
        self.reading, self.ready = os.pipe()
        self.live: Callable[[SessionSpec], int] = lambda spec: 0
        self.asked: list[socket.socket] = []

    def run(self, story: Story) -> int:
        """Its exit status; the story has to end it."""
        task = Task(SLOT, True, self.stage, self.parent_pipe, self.ready)
        self.made = ForkServer(
            self.runtime_dir,
            task,
            self.limits,
            lambda spec: self.live(spec),
            lambda number: 5.0,
            [self.table],
            self.page,
        )
        self.stage.story = story()
        return self.made.run()

    def ask(self, name: str, *, data: bytes | None = None, alone: bool = False) -> socket.socket:
        """Ask for the process of this session, or send something else."""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(str(self.runtime_dir.slot(SLOT)))
        self.asked.append(sock)
        fields = {"route": "/app", "session": f"{name}-is-secret", "slot": 1, "socket": str(self.socket_path(name))}
        packed = Message(fields).packed() if data is None else data
        if alone:
            sock.send(packed)
            return sock
        with socket.socket(socket.AF_UNIX) as listener:
            self.socket_path(name).unlink(missing_ok=True)
            listener.bind(str(self.socket_path(name)))
            listener.listen()
            socket.send_fds(sock, [packed], [listener.fileno()])
        return sock

    def socket_path(self, name: str) -> Path:
        """The socket of a session."""
        return self.runtime_dir.folder / f"s-{name}"

    def sign(self, name: str) -> None:
        """Have this session's process, which does nothing here, sign its mark."""
        (child,) = [child for child in self.made._sessions if child.socket_path == self.socket_path(name)]
        assert child.mark is not None
        child.mark.sign(BusyEntry(ProcessIdentity.own(), child.socket_path.name, child.name))

    def close(self) -> None:
        """Close what it has left, and what was asked."""
        for sock in self.asked:
            sock.close()
        for descriptor in (self.parent_pipe, self.life, self.reading, self.ready):
            os.close(descriptor)


def answer(sock: socket.socket) -> bytes | None:
    """What was answered; b"" at the connection's end, None for nothing yet."""
    sock.setblocking(False)
    try:
        return sock.recv(10)
    except BlockingIOError:
        return None
    except ConnectionResetError:
        return b""


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    made = Host()
    monkeypatch.setattr(forks, "freeze", lambda: None)
    monkeypatch.setattr(forks, "fork", made.fork)
    monkeypatch.setattr(keeper, "ended_children", made.waited)
    monkeypatch.setattr(keeper, "os", types.SimpleNamespace(**vars(os) | {"kill": made.kill}))
    monkeypatch.setattr(fork_server, "os", types.SimpleNamespace(**vars(os) | {"getppid": lambda: made.parent}))
    monkeypatch.setattr(fork_server, "time", types.SimpleNamespace(monotonic=lambda: made.now_s, sleep=made.sleep))
    monkeypatch.setattr(fork_server, "_TICK_S", 0)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield made
    signal.set_wakeup_fd(-1)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def stage(tmp_path: Path, machine: Host) -> Iterator[ForkServerStage]:
    made = ForkServerStage(tmp_path, machine)
    yield made
    made.close()


def test_a_session_gets_a_process_and_who_asked_hears_of_its_end(
    stage: ForkServerStage, machine: Host, caplog: pytest.LogCaptureFixture
) -> None:
    def story() -> Iterator[float]:
        assert os.read(stage.reading, 1) == b"+"
        one, two = stage.ask("one"), stage.ask("two")
        yield 0.1
        yield 0.1
        assert (answer(one), answer(two)) == (BEGUN, BEGUN) and len(machine.forked) == 2
        machine.end(0)
        yield 0.1
        yield 0.1
        assert (answer(one), answer(two)) == (b"", None)
        machine.end(1, -signal.SIGSEGV)
        yield 0.1
        yield 0.1
        assert answer(two) == b""
        signal.raise_signal(signal.SIGTERM)

    assert stage.run(story) == 0
    assert caplog.messages == ["/app session two-is-s…: its process ended unexpectedly: SIGSEGV"]


def test_a_session_that_has_a_process_gets_no_other_and_is_reminded_of_its_name(
    stage: ForkServerStage, machine: Host
) -> None:
    def story() -> Iterator[float]:
        stage.ask("one")
        yield 0.1
        yield 0.1
        stage.sign("one")
        again = stage.ask("one")
        yield 0.1
        yield 0.1
        assert answer(again) == ALREADY and answer(again) == b""
        assert len(machine.forked) == 1 and machine.sent == [(0, PUT_BACK)]
        machine.end(0)
        signal.raise_signal(signal.SIGTERM)
        yield 0.1

    assert stage.run(story) == 0


@pytest.mark.parametrize(
    "data",
    [None, b"\0\0\0\2\0\0\0\0[]", b"\xff" * 8, b"\0\0\0\1\0\0\0\0x"],
    ids=["no socket", "list", "long", "no JSON"],
)
def test_what_is_no_request_is_let_go_and_the_next_one_is_served(
    stage: ForkServerStage, machine: Host, data: bytes | None
) -> None:
    def story() -> Iterator[float]:
        wrong = stage.ask("one", data=data, alone=data is None)
        gone = stage.ask("two", data=b"\0\0")
        gone.close()
        right = stage.ask("three")
        yield 0.1
        yield 0.1
        assert answer(wrong) == b"" and answer(right) == BEGUN and len(machine.forked) == 1
        machine.end(0)
        signal.raise_signal(signal.SIGTERM)
        yield 0.1

    assert stage.run(story) == 0


def test_a_machine_without_room_for_a_process_is_said_to_who_asked_and_costs_no_mark(
    stage: ForkServerStage, machine: Host, caplog: pytest.LogCaptureFixture
) -> None:
    def story() -> Iterator[float]:
        machine.full = True
        for _ in range(8):
            refused = stage.ask("one")
            yield 0.1
            yield 0.1
            assert answer(refused) == b""
        machine.full = False
        begun = stage.ask("one")
        yield 0.1
        yield 0.1
        assert answer(begun) == BEGUN
        stage.sign("one")
        machine.end(0)
        signal.raise_signal(signal.SIGTERM)
        yield 0.1

    assert stage.run(story) == 0
    assert set(caplog.messages) == {"Cannot start a process for a session: Resource temporarily unavailable"}


def test_a_request_for_which_there_is_no_descriptor_is_served_when_there_is_one(
    stage: ForkServerStage, machine: Host, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []

    def story() -> Iterator[float]:
        for name in ("one", "two"):  # with a descriptor in between, which ends no shortage
            pauses.clear()
            asked = stage.ask(name)
            with ExitStack() as scarcity:

                def wait(scarcity: ExitStack = scarcity) -> None:
                    pauses.append(machine.now_s)
                    if len(pauses) == 3:
                        scarcity.close()

                machine.wait = wait
                scarcity.enter_context(no_descriptors())
                for _ in range(5):
                    yield 0.0
            assert answer(asked) == BEGUN
            machine.wait = lambda: None
        machine.end(0)
        machine.end(1)
        signal.raise_signal(signal.SIGTERM)
        yield 0.1

    assert stage.run(story) == 0
    assert len(pauses) == 3
    assert caplog.messages == ["Cannot start a process for a session: Too many open files"]


def test_who_asked_and_has_gone_is_no_failure(
    stage: ForkServerStage, machine: Host, caplog: pytest.LogCaptureFixture
) -> None:
    def story() -> Iterator[float]:
        stage.ask("one").close()
        yield 0.1
        yield 0.1
        stage.sign("one")
        stage.ask("one").close()  # it has a process already
        yield 0.1
        yield 0.1
        assert len(machine.forked) == 1
        machine.end(0)
        signal.raise_signal(signal.SIGTERM)
        yield 0.1

    assert stage.run(story) == 0
    assert caplog.messages == []


def test_a_stop_serves_what_was_asked_before_and_kills_who_does_not_end_in_time(
    stage: ForkServerStage, machine: Host, caplog: pytest.LogCaptureFixture
) -> None:
    def story() -> Iterator[float]:
        asked = stage.ask("one")
        signal.raise_signal(signal.SIGTERM)
        yield 0.1
        assert not list(stage.runtime_dir.folder.glob("fork-server-*"))
        assert machine.sent == [(0, signal.SIGTERM)] and answer(asked) == BEGUN
        with pytest.raises(OSError):
            stage.ask("two")
        yield 4.0
        signal.raise_signal(signal.SIGINT)
        yield 0.0
        assert machine.sent[1:] == [(0, signal.SIGINT)]
        yield 1.1
        yield 0.0
        assert machine.sent[2:3] == [(0, signal.SIGKILL)]  # the first signal's time counts
        machine.end(0, -signal.SIGKILL)
        yield 0.0

    assert stage.run(story) == 0
    assert caplog.messages == []


def test_the_end_of_the_main_process_ends_the_sessions(stage: ForkServerStage, machine: Host) -> None:
    def story() -> Iterator[float]:
        stage.ask("one")
        yield 0.1
        yield 0.1
        os.close(stage.life)
        stage.life = os.dup(stage.reading)
        machine.parent += 1
        yield 0.1
        assert machine.sent == [(0, signal.SIGTERM)]
        machine.end(0)
        yield 0.1

    assert stage.run(story) == 0


def test_the_end_of_who_guards_it_leaves_the_sessions_to_the_next_one(stage: ForkServerStage, machine: Host) -> None:
    def story() -> Iterator[float]:
        stage.ask("one")
        yield 0.1
        yield 0.1
        machine.parent += 1
        yield 0.1
        raise AssertionError("it has to end")

    assert stage.run(story) == 1
    assert machine.sent == []


def test_what_is_deleted_of_the_runtime_directory_is_put_back(stage: ForkServerStage, machine: Host) -> None:
    stage.page = b'["page"]'

    def story() -> Iterator[float]:
        stage.ask("one")
        yield 0.1
        yield 0.1
        page, link = stage.runtime_dir.page(SLOT), stage.runtime_dir.slot(SLOT)
        assert page.read_bytes() == b'["page"]'
        page.unlink()
        yield 0.1
        yield 0.1
        assert page.read_bytes() == b'["page"]' and machine.sent == []
        link.unlink()
        yield 0.1
        yield 0.1
        assert link.is_symlink() and machine.sent == []
        shutil.rmtree(stage.runtime_dir.folder)
        yield 0.1
        yield 0.1
        assert machine.sent == [(0, PUT_BACK)] and page.exists()
        again = stage.ask("two")
        yield 0.1
        yield 0.1
        assert answer(again) == BEGUN
        machine.end(0)
        machine.end(1)
        signal.raise_signal(signal.SIGTERM)
        yield 0.1

    assert stage.run(story) == 0


def test_a_runtime_directory_that_cannot_be_made_again_is_said_once_and_tried_again(
    stage: ForkServerStage, caplog: pytest.LogCaptureFixture
) -> None:
    def story() -> Iterator[float]:
        base = stage.runtime_dir.folder.parent
        shutil.rmtree(base)
        base.write_text("no folder")
        for _ in range(4):
            yield 0.5
        base.unlink()
        yield 0.5
        yield 0.5
        assert stage.runtime_dir.slot(SLOT).exists()
        signal.raise_signal(signal.SIGTERM)

    assert stage.run(story) == 0
    errors = [line for line in caplog.messages if line.startswith("Cannot start")]
    assert errors == ["Cannot start processes for sessions: [Errno 17] File exists: "
                    f"'{stage.runtime_dir.folder.parent}'"]  # fmt: skip


def test_a_runtime_directory_that_cannot_hold_its_socket_ends_it_with_what_to_do(stage: ForkServerStage) -> None:
    base = stage.runtime_dir.folder.parent
    shutil.rmtree(base)
    base.write_text("no folder")
    with pytest.raises(OperatorError) as caught:
        stage.run(lambda: iter(()))
    assert str(caught.value) == (
        f"APP_SERVER_RUNTIME_DIR: {stage.runtime_dir.folder} cannot hold the server's sockets: File exists."
        " Name a directory that this user can write to with APP_SERVER_RUNTIME_DIR."
    )


def test_the_process_of_a_session_is_limited_signed_busy_and_without_the_descriptors_of_others(
    stage: ForkServerStage, machine: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.limits = SessionLimits(memory_bytes=2**30, cpu_s=1.5)
    inbox, outbox = os.pipe()
    monkeypatch.undo()
    monkeypatch.setattr(forks, "freeze", lambda: None)
    monkeypatch.setattr(fork_server, "_TICK_S", 0.001)
    over = False

    def live(spec: SessionSpec) -> int:
        assert spec.mark is not None and spec.mark.since_s is not None
        entry = spec.mark.entry
        assert entry is not None and entry.identity == ProcessIdentity.own()
        assert (entry.socket_path, entry.name) == ("s-two", "/app session two-is-s…")
        assert (spec.route, spec.session_id, spec.slot) == ("/app", "two-is-secret", 1)
        assert resource.getrlimit(resource.RLIMIT_CPU) == (2, 7)
        most, _ = resource.getrlimit(resource.RLIMIT_DATA)
        assert 2**30 < most < 2**30 + fork_server._data_bytes() + 2**26
        assert len(stage.made._sessions) == 0 and os.getpgid(0) == os.getpid()
        os.write(outbox, b"well")
        return 0

    stage.live = live

    def story() -> Iterator[float]:
        nonlocal over
        asked = stage.ask("two")
        while answer(asked) != b"":
            yield 0.0
        over = True
        signal.raise_signal(signal.SIGTERM)

    assert stage.run(story) == 0 and over
    os.set_blocking(inbox, False)
    try:
        assert os.read(inbox, 10) == b"well"
    finally:
        os.close(inbox)
        os.close(outbox)
