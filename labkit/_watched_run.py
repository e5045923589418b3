"""One notebook through papermill in a fresh kernel, with the probe inside: the evidence that `labkit/gate.py` judges.

The kernel is always this interpreter, whatever kernels are installed on the machine under the name "python3". It ends
with the run: also when a cell takes too long, and on Ctrl-C.
"""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import papermill
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import NATIVE_KERNEL_NAME, KernelSpecManager
from nbclient.exceptions import CellTimeoutError
from nbclient.util import run_sync
from nbformat import NotebookNode
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from labkit._memory_cap import MemoryCap
from labkit.footprint import PeakMemory
from labkit.gate import Evidence

__all__ = ["watched_run"]

START_TIMEOUT_S = 60
IOPUB_TIMEOUT_S = 20  # nbclient's 4 s are short on a machine where an engine runs too
ENGINE = "labkit"

log = logging.getLogger("labkit.run")
log.addHandler(logging.NullHandler())  # what nbclient logs as an error comes back as evidence


def watched_run(
    source: NotebookNode,
    *,
    cwd: Path,
    env: dict[str, str],
    timeout: float,
    memory_bytes: int | None = None,
    on_cell: Callable[[int], None],
) -> Evidence:
    """Execute a copy of `source` in the folder `cwd` and return what the run left behind.

    `env` is the kernel's whole environment, `timeout` is in seconds a cell, `on_cell(i)` is called before cell i (from 0).
    `memory_bytes` caps what kernel and engines may take together; CourseError where the system lets nobody do that.
    """
    papermill_engines.register(ENGINE, _Engine)
    evidence = Evidence(source, executed=source)
    cap = MemoryCap(memory_bytes) if memory_bytes else None
    folder = tempfile.TemporaryDirectory(prefix="labkit-run-", ignore_cleanup_errors=True)
    with folder as place, cap or nullcontext():
        run = _Run(evidence, Path(place), {"cwd": str(cwd), "env": env}, on_cell, cap)
        try:
            papermill.execute_notebook(
                source,
                None,
                engine_name=ENGINE,
                kernel_name=NATIVE_KERNEL_NAME,
                progress_bar=False,
                start_timeout=START_TIMEOUT_S,
                execution_timeout=max(1, round(timeout)),
                run=run,
            )
        except PapermillExecutionError:
            pass  # papermill's verdict; the gate reaches its own, from the cells' replies
        except CellTimeoutError:
            evidence.stopped = ("timeout", run.current, f"no end in sight after {timeout:g} s")
        except RuntimeError as error:  # nbclient's DeadKernelError, and a kernel that did not start
            evidence.stopped = ("kernel-died", run.current, ": ".join(filter(None, [str(error), run.last_words()])))
    evidence.memory_kills = cap.kills if cap else 0
    return evidence


class _Run:
    """What the engine and its caller share during one run."""

    def __init__(self, evidence: Evidence, folder: Path, start: dict, on_cell: Callable, cap: MemoryCap | None):
        self.evidence, self.start, self.on_cell, self.cap = evidence, start, on_cell, cap
        self.records_file, self.kernel_log = folder / "records.jsonl", folder / "kernel.log"
        self.current, self.kept, self.status = 0, False, None

    def keep(self, nb: NotebookNode) -> None:
        """Keep what there is to see now; the first call counts, for ending a kernel makes errors of its own."""
        if self.kept:
            return
        self.kept, self.evidence.executed = (
            True,
            copy.deepcopy(nb),
        )  # papermill marks failures in its own, by adding cells
        if self.records_file.is_file():
            lines = self.records_file.read_text(encoding="utf-8").splitlines()
            self.evidence.records = [json.loads(line) for line in lines]

    def last_words(self) -> str:
        """Return how the kernel's process ended and the last line that it wrote, as far as known."""
        text = self.kernel_log.read_text(encoding="utf-8", errors="replace") if self.kernel_log.is_file() else ""
        said = [line.strip() for line in text.splitlines() if line.strip() and "[IPKernelApp] WARNING" not in line]
        return ", ".join([*([f"exit status {self.status}"] if self.status is not None else []), *said[-1:]])

    def cell_started(self, cell: NotebookNode, cell_index: int) -> None:
        self.current = cell_index
        self.on_cell(cell_index)

    def cell_replied(self, cell: NotebookNode, cell_index: int, execute_reply: dict) -> None:
        self.evidence.replies[cell_index] = execute_reply["content"]


class _Engine(NBClientEngine):
    """papermill's own engine, with our client in it."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, *, run, execution_timeout, start_timeout, **_unused):
        client = _Client(
            nb_man,
            run=run,
            kernel_name=kernel_name,
            timeout=execution_timeout,
            startup_timeout=start_timeout,
            iopub_timeout=IOPUB_TIMEOUT_S,
            coalesce_streams=True,  # a streamed answer is one output, not one a piece
            shell_timeout_interval=1,
            on_cell_start=run.cell_started,
            on_cell_executed=run.cell_replied,
            log=log,
        )
        try:
            with open(run.kernel_log, "w", encoding="utf-8") as kernel_log:
                client.execute(stderr=kernel_log, **run.start)
        finally:
            run.keep(nb_man.nb)


class _Client(PapermillNotebookClient):
    """papermill's own client, with our kernel, and the probe before the first cell and after the last."""

    def __init__(self, nb_man, *, run: _Run, **settings):
        super().__init__(nb_man, **settings)
        self.run = run

    def create_kernel_manager(self) -> AsyncKernelManager:
        specs = KernelSpecManager(kernel_dirs=[])  # no folder to look in leaves ipykernel's own: sys.executable
        self.km = AsyncKernelManager(kernel_name=NATIVE_KERNEL_NAME, kernel_spec_manager=specs)
        return self.km

    def papermill_execute_cells(self) -> None:
        kernel = self.km.provisioner.process
        peak = PeakMemory(kernel.pid)
        if self.run.cap:
            self.run.cap.hold(kernel.pid)
        try:
            with peak:
                self._silently(_install(self.run.records_file))
                super().papermill_execute_cells()
                self._silently(FINISH)
        except BaseException as error:  # it goes on; only the evidence cannot wait until the kernel has ended
            self.run.keep(self.nb)
            self.run.status = kernel.poll()
            if isinstance(error, KeyboardInterrupt):
                run_sync(_drop_the_rest)()
            raise
        finally:
            self.run.evidence.peak_bytes = peak.bytes

    def _silently(self, code: str) -> None:
        """Run code that leaves no trace in the notebook: no output, no history, no execution count."""
        self.wait_for_reply(self.kc.execute(code, silent=True, store_history=False))


async def _drop_the_rest() -> None:
    """End what Ctrl-C left half done on this loop, or it complains of the dead kernel after everything else."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


FINISH = "await __import__('IPython').get_ipython()._labkit_probe.finish()"


def _install(records_file: Path) -> str:
    """Return one expression that runs the probe's source in a namespace of its own."""
    probe = Path(__file__).with_name("_kernel_probe.py").read_text(encoding="utf-8")
    build = f"exec(compile({probe!r}, '<labkit probe>', 'exec'), space)"
    start = f"space['install']({str(records_file)!r}, __import__('IPython').get_ipython())"
    return f"(lambda space: ({build}, {start}))({{'__name__': 'labkit_probe'}})"
