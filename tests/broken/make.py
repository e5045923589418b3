"""Write the notebooks of this folder: one for each way to be falsely green, and fine ones that must be green.

    python tests/broken/make.py

A name says the fault. `fine_…` must be green, whatever plain papermill says.
"""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent

AFTER = "print('still here')"
RAISES = ["raises-exception"]
SLOW_BOOM = "import asyncio\n\nasync def boom():\n    await asyncio.sleep(0)\n    raise ValueError('boom')"

# name -> cells; a cell is its source, or (source, tags)
NOTEBOOKS: dict[str, list] = {
    "widget_output": [
        "import ipywidgets\n\nout = ipywidgets.Output()\nwith out:\n    raise ValueError('boom')\nout",
        AFTER,
    ],
    "widget_interact": ["import ipywidgets\n\n@ipywidgets.interact(x=3)\ndef show(x):\n    return x / 0", AFTER],
    "widget_cleared": [
        "import ipywidgets\n\nout = ipywidgets.Output()\nwith out:\n    1 / 0",
        "out.clear_output()\nout",
    ],
    "widget_state_only": [
        "import ipywidgets\n\n"
        "error = {'output_type': 'error', 'ename': 'ValueError', 'evalue': 'boom', 'traceback': []}\n"
        "ipywidgets.Output(outputs=[error])",
    ],
    "command_failed": ["!exit 3", AFTER],
    "command_captured": ["listing = !ls /no/such/folder", AFTER],
    "command_pip": ["%pip --no-such-option", AFTER],
    "command_script_missing": ["%%script no-such-program\nhello", AFTER],
    "command_script_background": ["%%sh --bg\nexit 4", AFTER],
    "thread": [
        "import threading\n\ndef work():\n    raise ValueError('boom')\n\nthreading.Thread(target=work).start()",
        AFTER,
    ],
    "thread_in_pool": [
        "from concurrent.futures import ThreadPoolExecutor\n\n"
        "with ThreadPoolExecutor() as pool:\n    pool.map(int, ['1', 'two'])",
        AFTER,
    ],
    "task_dropped": [SLOW_BOOM, "asyncio.create_task(boom())\nNone", AFTER],
    "task_kept": [SLOW_BOOM, "task = asyncio.create_task(boom())"],
    "task_in_executor": [
        "import asyncio\n\nfuture = asyncio.get_running_loop().run_in_executor(None, int, 'two')",
        AFTER,
    ],
    "coroutine_dropped": [SLOW_BOOM, "boom()\nNone", AFTER],
    "coroutine_shown": [SLOW_BOOM, "boom()"],
    "finaliser": [
        "class Handle:\n    def __del__(self):\n        raise ValueError('boom')\n\nhandle = Handle()",
        "del handle",
    ],
    "exit_sys": ["import sys\n\nsys.exit(0)", "assert False, 'nobody sees this'"],
    "exit_quit": [AFTER, "exit()"],
    "exit_os": ["import os\n\nos._exit(0)", AFTER],
    "unrun_tag": [("assert False, 'nobody sees this'", ["skip-execution"]), AFTER],
    "unrun_empty": [],
    "warning": ["import warnings\n\nwarnings.warn('this is getting old')", AFTER],
    "stale_output": ["print('still here')  # saved with an output", AFTER],
    "stale_count": ["print('still here')  # saved with an execution count", AFTER],
    "stale_widgets": [AFTER],
    "raises_nothing": [("print('the lesson was that this fails')", RAISES), AFTER],
    "error": ["1 / 0", AFTER],
    "timeout": ["import time\n\ntime.sleep(60)", AFTER],
    "blind": ["vars(get_ipython()).pop('_labkit_probe', None)\nNone", AFTER],
    "fine_raises": [("1 / 0", RAISES), AFTER],
    "fine_raises_elsewhere": [
        ("!exit 3", RAISES),
        ("import threading\n\nthreading.Thread(target=lambda: 1 / 0).start()", RAISES),
        ("import ipywidgets\n\nout = ipywidgets.Output()\nwith out:\n    1 / 0\nout", RAISES),
    ],
    "fine_warning": ["import warnings\n\nwarnings.warn('this is getting old')", AFTER],
    "fine_names": [
        "answer = 42\nanswer",
        "import asyncio\n\nasync def ask():\n    await asyncio.sleep(0)\n    return answer",
        "tasks = [asyncio.create_task(ask()) for _ in range(3)]\nawait asyncio.gather(*tasks)",
        "from concurrent.futures import ThreadPoolExecutor\n\n"
        "with ThreadPoolExecutor() as pool:\n    futures = [pool.submit(int, text) for text in ['1', 'two']]",
        "[future.exception() for future in futures]",
        "import warnings\n\nwith warnings.catch_warnings(record=True) as caught:\n    warnings.warn('caught')\nlen(caught)",
        "lines = !echo one; echo two\n!echo {lines[1]} {answer}\nlines",
        "try:\n    await asyncio.create_task(asyncio.wait_for(asyncio.sleep(9), 0))\nexcept TimeoutError:\n    print('late')",
    ],
}
METADATA = {
    "fine_warning": {"labkit": {"allowed_warnings": ["^UserWarning: .*old$"]}},
    "stale_widgets": {"widgets": {"application/vnd.jupyter.widget-state+json": {"state": {}}}},
}
SAVED = {
    "stale_output": {"outputs": [{"output_type": "stream", "name": "stdout", "text": "still here\n"}]},
    "stale_count": {"execution_count": 7},
}
KERNEL = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}


def notebook(name: str) -> str:
    """Return one notebook's file content."""
    cells = [{"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {name.replace('_', ' ')}"}]
    for i, cell in enumerate(NOTEBOOKS[name]):
        source, tags = cell if isinstance(cell, tuple) else (cell, [])
        metadata = {"tags": tags} if tags else {}
        saved = SAVED.get(name, {}) if i == 0 else {}
        code = {"cell_type": "code", "id": f"cell-{i}", "metadata": metadata, "source": source}
        cells.append(code | {"execution_count": None, "outputs": []} | saved)
    whole = {"cells": cells, "metadata": KERNEL | METADATA.get(name, {}), "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(whole, indent=1) + "\n"


if __name__ == "__main__":
    for name in NOTEBOOKS:
        (HERE / f"{name}.ipynb").write_text(notebook(name), encoding="utf-8")
