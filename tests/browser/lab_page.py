"""A real JupyterLab and what a learner does in it: open a notebook, run all cells, type, look.

`LabServer` owns the server (through labkit's own leash, so it dies with the test run); `LabPage` drives one browser tab.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import urllib.error
import urllib.request
from pathlib import Path

import contrast

from labkit import lab
from labkit.backends.process import ServerProcess, free_port

READY_S = 60
RUN_MS = 400_000  # one notebook with a small model on two busy cores
PICTURE_PX = 2600  # height of one picture
# No search for news or updates, no announcements, every cell in the page (not only those in view).
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "checkForUpdates": False,
        "doNotDisturbMode": True,
        "fetchNews": "false",
    },
    "@jupyterlab/notebook-extension:tracker": {"windowingMode": "none", "scrollPastEnd": False},
    "@jupyterlab/apputils-extension:themes": {"theme": "JupyterLab Light"},
}
# What Chromium would otherwise ask the network for, a test must not.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    "--disable-features=OptimizationHints,MediaRouter,AutofillServerCommunication,Translate",
    "--dns-prefetch-disable",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]


class LabServer:
    """JupyterLab on loopback, with a token of its own, showing `folder`; its settings and data live in `home`."""

    def __init__(self, folder: Path, home: Path):
        self.folder, self.token, self.port = folder, secrets.token_urlsafe(16), free_port()
        self.process = ServerProcess(
            self._command(),
            label="jupyterlab",
            ready=self._answers,
            env=self._environment(home),
            grace=10,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process.start(READY_S)
        for plugin, values in SETTINGS.items():
            self.set(plugin, values)

    def stop(self) -> None:
        self.process.stop()

    def set(self, plugin: str, values: dict) -> None:
        """Write one settings file as the settings editor does; pages opened later see it."""
        body = json.dumps({"raw": json.dumps(values)}).encode()
        with self._ask(f"/lab/api/settings/{plugin}", method="PUT", data=body):
            pass

    def end_kernels(self) -> None:
        """Shut all kernels down, so that their engines go before the next notebook starts one."""
        with self._ask("/api/sessions") as answer:
            running = json.load(answer)
        for session in running:
            with self._ask(f"/api/sessions/{session['id']}", method="DELETE"):
                pass

    def _ask(self, path: str, **options):
        request = urllib.request.Request(self.url + path, headers={"Authorization": f"token {self.token}"}, **options)
        return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30)

    def _answers(self, _process) -> bool:
        try:
            with self._ask("/api/status"):
                return True
        except (OSError, urllib.error.URLError):
            return False

    def _command(self) -> list[str]:
        options = [
            "--ip=127.0.0.1",
            f"--port={self.port}",
            "--ServerApp.port_retries=0",
            f"--notebook-dir={self.folder}",
        ]
        quiet = ["--ServerApp.terminals_enabled=False", "--no-browser", "--expose-app-in-browser"]
        as_root = ["--allow-root"] if os.name == "posix" and os.geteuid() == 0 else []
        return [sys.executable, "-m", "jupyterlab", *options, *quiet, *as_root]

    def _environment(self, home: Path) -> dict[str, str]:
        folders = {
            "JUPYTER_CONFIG_DIR": "config",
            "JUPYTER_DATA_DIR": "data",
            "JUPYTER_RUNTIME_DIR": "runtime",
            "JUPYTERLAB_SETTINGS_DIR": "settings",
            "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
            "IPYTHONDIR": "ipython",
        }
        # Papermill proves the lessons on live engines. Here their recordings answer: quick, and their labels are seen as well.
        replay = {"LABKIT_REPLAY": "ollama,foundry,onnx,openvino,vllm", "LABKIT_REQUIRE": ""}
        defaults = {"JUPYTER_CONFIG_PATH": lab.environment()["JUPYTER_CONFIG_PATH"]}  # as `labkit lab` has them
        own = {name: str(home / folder) for name, folder in folders.items()}
        return {"JUPYTER_TOKEN": self.token, **defaults, **replay, **own}


class LabPage:
    """One browser tab with JupyterLab in it. `page` is Playwright's; the rest is what these tests need again and again."""

    def __init__(self, page, server: LabServer):
        self.page, self.server = page, server
        self.complaints: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        # "undefined": a figure whose Pause was pressed gives its promise to play up, and says no more than that.
        page.on("pageerror", lambda error: self.complaints.append(str(error)) if str(error) != "undefined" else None)

    def open(self, notebook: str) -> None:
        """Open `notebook` (a path below the server's folder) in its simple, one-document form and wait for its kernel."""
        self.page.goto(f"{self.server.url}/doc/tree/{notebook}?token={self.server.token}&reset")
        self.page.wait_for_function(_READY, timeout=60_000)
        self.wait_idle()

    def wait_idle(self) -> None:
        """Wait until the kernel has nothing to do. (The toolbar's indicator hides in a narrow window: not that one.)"""
        self.page.wait_for_function(f"() => {_KERNEL}?.status === 'idle'", timeout=RUN_MS)

    def run_all(self) -> None:
        """Run all cells and wait until each code cell has its number, or one has failed that may not."""
        # void: the command's promise waits for every cell, and a failed one must not keep us waiting with it.
        self.page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.wait_ran()

    def wait_ran(self) -> None:
        """Wait until each code cell has its number, or one has failed that may not."""
        self.page.wait_for_function(f"() => {{ {_CELLS}; {_ALL_RAN} }}", timeout=RUN_MS)
        self.wait_idle()

    def darken(self) -> None:
        """Change to JupyterLab's dark theme, as the menu Settings does, with everything on the page where it is."""
        self.page.evaluate("window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})")
        self.page.wait_for_function("document.body.dataset.jpThemeLight === 'false'")

    def errors(self) -> list[str]:
        """Return the error outputs of all cells but those tagged raises-exception, as text."""
        return self.page.evaluate(f"() => {{ {_CELLS}; {_ERRORS} }}")

    def run_hidden(self, code: str) -> None:
        """Let the kernel run `code` that is in no cell, and don't wait for it."""
        self.page.evaluate(f"code => void {_KERNEL}.requestExecute({{code}})", code)

    def run_cell(self, number: int, source: str | None = None) -> str:
        """Run code cell `number` (from 0; with `source` as its new text), and return what it printed or its text/plain."""
        before = self.page.evaluate(f"([number, source]) => {{ {_CELLS}; {_RUN_ONE} }}", [number, source])
        done = f"([number, before]) => {{ {_CELLS}; const now = cells[number].executionCount; return now && now !== before; }}"
        self.page.wait_for_function(done, arg=[number, before], timeout=60_000)
        self.wait_idle()
        return self.page.evaluate(f"number => {{ {_CELLS}; {_TEXT} }}", number)

    def figures(self) -> tuple[int, int]:
        """Return how many outputs hold a plotly figure, and how many are drawn (with a picture that has a size)."""
        return tuple(self.page.evaluate(f"() => {{ {_CELLS}; {_FIGURES} }}"))

    def screenshot(self, path: Path) -> list[str]:
        """Save the whole notebook as pictures from its top to its end: `path`, or NAME-1.png, NAME-2.png, … if it is long.

        Returns the texts of labkit's widgets and figures that one reads badly (see contrast.py).
        """
        before = self.page.viewport_size
        self.page.set_viewport_size({"width": before["width"], "height": PICTURE_PX})
        self.page.wait_for_timeout(500)  # the layout, and plotly, follow the new size
        pale = []
        shown, whole = self.page.evaluate(f"() => {{ {_SCROLLER}; return [box.clientHeight, box.scrollHeight]; }}")
        for number, top in enumerate(range(0, whole, shown), 1):
            self.page.evaluate(f"top => {{ {_SCROLLER}; box.scrollTop = top; }}", top)
            self.page.wait_for_timeout(200)
            name = f"{path.stem}-{number}{path.suffix}" if whole > shown else path.name
            pale += contrast.pale(self.page, self.page.screenshot(path=str(path.with_name(name))))
        self.page.set_viewport_size(before)
        return pale


_SCROLLER = "const box = document.querySelector('.jp-NotebookPanel .jp-WindowedPanel-outer')"
_KERNEL = "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel"
# The document is loaded and its kernel answers; the indicator alone says "idle" before there is a kernel.
_READY = f"""() => {{ const shown = window.jupyterapp?.shell.currentWidget;
  return shown?.context?.isReady && shown.sessionContext.isReady && {_KERNEL}?.status === 'idle'; }}"""
_CELLS = """const cells = [...window.jupyterapp.shell.currentWidget.content.model.cells].filter(c => c.type === 'code');
  const tags = c => c.sharedModel.getMetadata('tags') || [];
  const outputs = c => c.outputs.toJSON();
  const errors = cells.filter(c => !tags(c).includes('raises-exception')).flatMap(outputs)
    .filter(o => o.output_type === 'error')"""
_ALL_RAN = "return errors.length || cells.filter(c => c.sharedModel.getSource().trim()).every(c => c.executionCount)"
_ERRORS = "return errors.map(o => o.ename + ': ' + o.evalue)"
_RUN_ONE = """const app = window.jupyterapp, notebook = app.shell.currentWidget.content, cell = cells[number];
  if (source !== null) cell.sharedModel.setSource(source);
  notebook.activeCellIndex = notebook.widgets.findIndex(w => w.model === cell);
  const before = cell.executionCount; void app.commands.execute('notebook:run-cell'); return before"""
_TEXT = """return outputs(cells[number])
  .map(o => [o.text ?? o.data?.['text/plain'] ?? o.evalue].flat().join('')).join('')"""
_FIGURES = """const held = cells.flatMap(outputs).filter(o => o.data?.['application/vnd.plotly.v1+json']).length;
  const drawn = [...document.querySelectorAll('.js-plotly-plot')]
    .filter(e => !e.closest('.jupyter-widgets'))  // a widget's own figure is in no output of a cell
    .filter(e => e.querySelector('svg.main-svg')?.getBoundingClientRect().width > 50).length;
  return [held, drawn]"""
