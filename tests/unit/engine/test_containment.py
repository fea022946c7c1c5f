"""A loop that outlives what applications raise, and ends at Ctrl-C."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

import pytest

from app_server.engine import containment


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_loop_goes_on_when_a_task_or_a_callback_of_the_application_ends_the_program(
    error: BaseException, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end() -> None:
        raise error

    async def end_later() -> None:
        end()

    async def main() -> str:
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(end_later())
        loop.call_soon(end)
        await asyncio.sleep(0.001)
        with pytest.raises(type(error)):
            task.result()
        return "done"

    # A program that handles SIGINT gets Ctrl-C there: then it is the application that has raised KeyboardInterrupt.
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        assert containment.run(main()) == "done"
    finally:
        signal.signal(signal.SIGINT, before)
    what = f"A task of the application raised {type(error).__name__}; the server continues"
    assert set(caplog.messages) == {what} and len(caplog.messages) == 2


def test_ctrl_c_ends_the_loop() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
        await asyncio.sleep(10)

    with asyncio.Runner() as runner, pytest.raises(KeyboardInterrupt):
        loop = runner.get_loop()
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            containment.run_in(loop, main())
        finally:
            signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("error", [ValueError, SystemExit])
def test_what_the_main_coroutine_raises_ends_it(error: type[BaseException]) -> None:
    async def main() -> None:
        raise error

    with pytest.raises(error):
        containment.run(main())


async def _raise_cancelled() -> None:
    raise asyncio.CancelledError


async def _be_cancelled() -> None:
    await asyncio.sleep(10)


@pytest.mark.parametrize(("work", "fault"), [(_raise_cancelled, True), (_be_cancelled, False)])
async def test_cancelling_is_a_fault_unless_it_is_this_task_that_ends(work: Callable[[], object], fault: bool) -> None:
    found: list[bool] = []

    async def run() -> None:
        try:
            await work()  # type: ignore[misc]
        except asyncio.CancelledError as error:
            found.append(containment.is_fault(error))

    task = asyncio.create_task(run())
    await asyncio.sleep(0)
    if not fault:
        task.cancel()
    await asyncio.wait([task])
    assert found == [fault]
