"""Run as a program: imports what `app-server serve` imports, once, and forks servers that have it already.

It answers on a Unix socket, whose descriptor is its only argument, one request after another. A fork becomes what
`python -m MODULE ...` is right after its start: it leaves this program's loop and functions, and runs the module as
`__main__`. It ends as the interpreter does when a program exits: threads are waited for, what was registered for the
end is called, output is written. Only its modules are not taken apart one by one, which takes a third of all the
processor time of a server that does little. This file imports nothing of the tests: a server in development looks at
all modules that are neither installed nor its own.
"""

import atexit
import gc
import importlib
import json
import logging
import os
import random
import runpy
import signal
import socket
import sys
import threading
import types

IMPORTS = (
    "app_server.cli.parser",
    "app_server.cli.terminal",
    "app_server.observe.output",
    "app_server.cli.running.serve",
    "app_server.server.lifecycle",
    "bokeh.models",
    "bokeh.plotting",
    "tomllib",
    "tornado.platform.asyncio",
)
"""What every server has imported by the time that it answers."""

READ_AGAIN = ("BOKEH_SECRET_KEY", "BOKEH_SIGN_SESSIONS")
"""What bokeh reads when it is imported, for defaults of arguments; a fork reads it again."""

LONGEST_REQUEST_BYTES = 200_000


class Noted(dict):
    """The variables of the environment; it notes which ones were asked for."""

    def __init__(self, variables):
        super().__init__(variables)
        self.names = set()

    def __getitem__(self, name):
        self.names.add(name)
        return super().__getitem__(name)


def noting_imports():
    """Import all of it; the names of the variables that the modules looked at or set meanwhile."""
    plain = os.environ._data
    noted = Noted(plain)
    os.environ._data = os.environb._data = noted
    # bokeh gives its logger a handler if the process has none; a server has one by then.
    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    for name in IMPORTS:
        importlib.import_module(name)
    logging.getLogger().removeHandler(handler)
    changed = {name for name in {*plain, *noted} if plain.get(name) != noted.get(name)}
    plain.clear()
    plain.update(noted)
    os.environ._data = os.environb._data = plain
    return noted.names | changed, {name: noted.get(name) for name in changed}


def requests(control):
    """Answer requests until the other end is closed. Returns in each fork too, with what it is to become."""
    children = set()
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, LONGEST_REQUEST_BYTES, 2)
        if not message:
            for pid in children:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            return None
        asked = json.loads(message)
        if "ended" in asked:
            answer = os.waitstatus_to_exitcode(os.waitpid(asked["ended"], 0)[1])
            children.discard(asked["ended"])
        else:
            answer = fork()
            if not answer:
                control.close()
                return asked, descriptors
            for each in descriptors:
                os.close(each)
            children.add(answer)
        control.send(json.dumps(answer).encode())


def fork():
    """The new process's id, 0 in the new process: signals are blocked there, as no handler is its own yet."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    pid = os.fork()
    if pid:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def measure_forks_apart():
    """Have each fork, and each fork of its own, write only the lines that it runs itself, if they are measured.

    Its parent writes the others. All lines of all modules take a tenth of a second of processor time to write.
    """
    coverage = sys.modules.get("coverage")
    measured = coverage and coverage.Coverage.current()
    if not measured:
        return
    measured.get_data()  # noted as run; this also finds the files' real names once for all

    def begin_with_none():
        for lines in measured._collector.data.values():
            lines.clear()

    os.register_at_fork(after_in_child=begin_with_none)


def read_again(before):
    """Give bokeh's functions the defaults that they would have if they were imported now; it keeps the key, too."""
    if [os.environ.get(name) for name in READ_AGAIN] == [before.get(name) for name in READ_AGAIN]:
        return
    vars(sys.modules["bokeh.settings"].settings).pop("_secret_key_bytes", None)
    module = sys.modules["bokeh.util.token"]
    functions = {name: value for name, value in vars(module).items() if isinstance(value, types.FunctionType)}
    importlib.reload(module)
    for name, function in functions.items():  # which other modules have
        function.__defaults__ = vars(module)[name].__defaults__


def become(asked, outputs, changes, signals):
    """Make this process what a new one is that was started with these words, in this folder and environment."""
    for number, output in enumerate(outputs, 1):
        os.dup2(output, number)
        os.close(output)
    os.umask(asked["umask"])
    os.chdir(asked["cwd"])
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(asked["env"])
    for name, value in changes.items():
        if value is None:
            os.environb.pop(name, None)
        else:
            os.environb[name] = value
    read_again(before)
    sys.path[0] = os.getcwd()
    sys.orig_argv[:] = [sys.executable, "-m", asked["module"], *asked["words"]]
    sys.argv[:] = ["-m", *asked["words"]]
    sys.modules["__main__"] = main = types.ModuleType("__main__")
    main.__annotations__ = {}  # as the interpreter's own has
    random.seed()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, signals)


def run(module):
    """Run it as `__main__`, and end this process as the interpreter does; what is no exit is left to that."""
    try:
        runpy._run_module_as_main(module)
        code = None
    except SystemExit as ended:
        code = ended.code
    if code is not None and not isinstance(code, int):
        sys.exit(code)  # it is said on stderr
    threading._shutdown()
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit((code or 0) & 0xFF)


def main():
    """Serve requests. In a fork: the module that it is to run; None at the end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C at the terminal is for the test run, which ends this one
    signals = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    control = socket.socket(fileno=int(sys.argv[1]))
    gc.disable()  # what is imported stays
    names, changes = noting_imports()
    measure_forks_apart()
    gc.freeze()  # what is shared with the forks stays so
    gc.enable()
    ready = {
        "variables": sorted(map(os.fsdecode, names)),
        "modules": sorted({name.split(".")[0] for name in sys.modules}),
    }
    control.send(json.dumps(ready).encode())
    found = requests(control)
    if found is None:
        return None
    become(*found, changes, signals)
    return found[0]["module"]


if __name__ == "__main__" and (module := main()) is not None:
    run(module)
