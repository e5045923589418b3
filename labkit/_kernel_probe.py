"""What runs inside the kernel while a lesson is proven: it writes down the failures that no cell's reply tells.

The text of this file is sent to the kernel in one silent message before the first cell, so the kernel needs no labkit. A
record is one JSON line, appended at once: it outlives a kernel that dies. Every hook passes on to what was there before
it, so the notebook shows what it always shows; nothing is put into the notebook's namespace.

`labkit/gate.py` reads the records.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import gc
import inspect
import json
import sys
import threading
import time
import types
import warnings
import weakref

SETTLE_S = 1.0  # how long the work that the last cell left behind may take to show that it failed


def install(path, shell):
    """Hook everything, and leave the probe where only `finish()` looks for it."""
    shell._labkit_probe = probe = Probe(path, shell)
    for hook in (_tracebacks, _threads, _pools, _loops, _warnings, _coroutines, _finalisers, _commands, _scripts):
        hook(probe)
    probe.record("start")


class Probe:
    """The notebook under watch: where records go, and what is still to be looked at when the last cell has run."""

    def __init__(self, path, shell):
        self.path, self.shell, self.closed = path, shell, False
        self.tasks = weakref.WeakSet()  # made while the notebook ran
        self.unread = {}  # id of a pool's failed future -> (that future, cell)
        self.scripts = []  # (process, command, cell) of %%sh and its like
        self.unawaited = False  # while Python says so itself

    def cell(self):
        """Return the execution count of the cell that runs now, or of the last one that ran."""
        return self.shell.execution_count - 1

    def record(self, kind, error=None, text="", cell=None, **more):
        if error is not None:
            more.update(ename=type(error).__name__, evalue=str(error))
        line = json.dumps({"kind": kind, "cell": self.cell() if cell is None else cell, "text": text, **more})
        if not self.closed:
            with contextlib.suppress(OSError), open(self.path, "a", encoding="utf-8") as file:
                file.write(line + "\n")

    async def finish(self):
        """Let what is under way end, then write down every failure that nobody has looked at."""
        deadline = time.monotonic() + SETTLE_S
        while self.busy() and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        gc.collect()
        await asyncio.sleep(0)
        self.look_for_what_nobody_awaited()
        for future, cell in list(self.unread.values()):
            self.record("thread", vars(future)["_exception"], "a pool, and nobody asked for the result", cell)
        for process, command, cell in self.scripts:
            if process.returncode:
                self.record("command", None, command, cell, status=process.returncode)
        self.record("end")
        self.closed = True

    def busy(self):
        threads = any(hasattr(thread, "_labkit_cell") for thread in threading.enumerate())
        scripts = any(process.returncode is None for process, _, _ in self.scripts)
        return threads or scripts or any(not task.done() for task in list(self.tasks))

    def look_for_what_nobody_awaited(self):
        """Python complains of these when they vanish; a notebook's names and `Out` keep them until the kernel ends."""
        kept = {id(value): count for count, value in self.shell.user_ns.get("_oh", {}).items()}
        for thing in gc.get_objects():
            if type(thing) is types.CoroutineType and inspect.getcoroutinestate(thing) == inspect.CORO_CREATED:
                self.record("coroutine", None, thing.__qualname__, kept.get(id(thing)))
            elif issubclass(type(thing), asyncio.Future) and thing._log_traceback:  # failed, and nobody looked
                self.record("task", thing._exception, "", getattr(thing, "_labkit_cell", kept.get(id(thing))))


def _tracebacks(probe):
    """Widget callbacks, `%run` and `%%time` show a traceback and go on: the cell counts as a success."""
    show = probe.shell.showtraceback

    @functools.wraps(show)
    def showtraceback(exc_tuple=None, *args, **kwargs):
        error = exc_tuple[1] if exc_tuple else sys.exc_info()[1]
        show(exc_tuple, *args, **kwargs)
        if not probe.shell.get_parent().get("content", {}).get("silent"):  # such a request is ours, not the notebook's
            probe.record("shown", error)

    probe.shell.showtraceback = showtraceback


def _threads(probe):
    passed_on, start = threading.excepthook, threading.Thread.start

    def excepthook(args):
        passed_on(args)
        if args.exc_type is not SystemExit:  # that one is how a thread ends itself
            cell = getattr(args.thread, "_labkit_cell", None)
            probe.record("thread", args.exc_value or args.exc_type(), getattr(args.thread, "name", ""), cell)

    @functools.wraps(start)
    def tagged_start(thread):
        thread._labkit_cell = probe.cell()
        return start(thread)

    threading.excepthook, threading.Thread.start = excepthook, tagged_start


def _pools(probe):
    """A pool keeps its worker's exception until somebody asks, and says nothing if nobody does.

    A descriptor in the attribute's place sees who asks, and adds no frame to the tracebacks that the notebook shows.
    """

    class Outcome:
        def __get__(self, future, owner=None):
            if future is None:
                return self
            probe.unread.pop(id(future), None)
            return vars(future).get("_exception")

        def __set__(self, future, error):
            vars(future)["_exception"] = error
            by = sys._getframe(2).f_globals.get("__name__", "")  # not the futures that bridge to an event loop
            if error is not None and by.startswith("concurrent.futures."):
                probe.unread[id(future)] = (future, probe.cell())

    concurrent.futures.Future._exception = Outcome()


def _loops(probe):
    """Every loop's exception handler, so that asyncio.run and loops in threads are seen too."""
    loop_class = asyncio.base_events.BaseEventLoop
    make, handle = loop_class.create_task, loop_class.call_exception_handler

    @functools.wraps(make)
    def create_task(loop, *args, **kwargs):
        task = make(loop, *args, **kwargs)
        task._labkit_cell = probe.cell()
        probe.tasks.add(task)
        return task

    @functools.wraps(handle)
    def call_exception_handler(loop, context):
        handle(loop, context)
        task = context.get("task") or context.get("future")
        if "exception" in context or "task" in context:  # the second: a task that was dropped before its end
            cell = getattr(task, "_labkit_cell", None)
            probe.record("task", context.get("exception"), context.get("message", ""), cell)

    loop_class.create_task, loop_class.call_exception_handler = create_task, call_exception_handler


def _warnings(probe):
    """The interpreter calls this name for each warning that the filters let through.

    The public `showwarning` would do, but for what it loses: replacing it drops part of the text that is shown.
    """
    show, print_it = warnings._showwarnmsg, warnings._showwarnmsg_impl

    @functools.wraps(show)
    def showwarnmsg(message):
        show(message)
        recorded = warnings._showwarnmsg_impl is not print_it  # catch_warnings(record=True): the notebook has it
        if not recorded and not probe.unawaited:
            probe.record("warning", ename=message.category.__name__, evalue=str(message.message))

    warnings._showwarnmsg = showwarnmsg


def _coroutines(probe):
    """The interpreter calls this name when a coroutine vanishes unawaited, whatever the warning filters say.

    The warning is given here in its words, for the original would name our line in place of the notebook's.
    """
    warn = warnings._warn_unawaited_coroutine

    @functools.wraps(warn)
    def warn_unawaited(coroutine):
        probe.record("coroutine", None, coroutine.__qualname__)
        probe.unawaited = True
        try:
            if coroutine.cr_origin:
                warn(coroutine)
            else:
                text = f"coroutine '{coroutine.__qualname__}' was never awaited"
                warnings.warn(text, RuntimeWarning, stacklevel=2, source=coroutine)
        finally:
            probe.unawaited = False

    warnings._warn_unawaited_coroutine = warn_unawaited


def _finalisers(probe):
    passed_on = sys.unraisablehook

    def unraisablehook(args):
        passed_on(args)
        probe.record("unraisable", args.exc_value or args.exc_type())

    sys.unraisablehook = unraisablehook


def _commands(probe):
    """`!cmd`, `x = !cmd`, `%pip`: IPython drops the exit status of some and keeps the others in `_exit_code`.

    The hooks sit below the shell's own methods, which look names up in their caller's frame and would find ours.
    """
    from ipykernel import zmqshell
    from IPython.core import interactiveshell

    def note(command, status):
        if status:
            probe.record("command", None, command, status=status)

    pipes = sys.modules[interactiveshell.getoutput.__module__]
    run, system = pipes.process_handler, zmqshell.system

    @functools.wraps(run)
    def process_handler(command, callback, stderr=None):
        def read(process):
            answer = callback(process)
            note(command, process.returncode)
            return answer

        return run(command, read, stderr)

    @functools.wraps(system)
    def noted_system(command):
        status = system(command)
        note(command, status)
        return status

    pipes.process_handler = process_handler
    if system.__module__ != pipes.__name__:  # on Windows `system` goes through process_handler as well
        zmqshell.system = noted_system


def _scripts(probe):
    """`%%sh`, `%%script`: a program that is missing is only printed, and `--bg` never tells how it ended."""
    spawn = asyncio.create_subprocess_exec

    async def watched(command, cell, args, kwargs):
        try:
            process = await spawn(*args, **kwargs)
        except OSError as error:
            probe.record("command", error, command, cell, status=127)
            raise
        probe.scripts.append((process, command, cell))
        return process

    @functools.wraps(spawn)
    def create_subprocess_exec(*args, **kwargs):
        if sys._getframe(1).f_globals.get("__name__") != "IPython.core.magics.script":
            return spawn(*args, **kwargs)
        return watched("%%" + " ".join(map(str, args)), probe.cell(), args, kwargs)

    asyncio.create_subprocess_exec = create_subprocess_exec
