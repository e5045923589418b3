"""The exercises of lesson 07: a start that is watched, flags, load, a queue that answers, metrics, advice, presets."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future

from labkit.exercises.core import Answers, Exercise, Wrong, require
from labkit.exercises.message import show

# -- Install ------------------------------------------------------------------------------------------------------------


class _Server:
    """A server as `wait_until_ready` sees it: ready after some seconds, dead after others; it counts what was waited."""

    def __init__(self, ready_after: float, dead_after: float = 1e9):
        self.ready_after, self.dead_after, self.waited, self.polls = ready_after, dead_after, 0.0, 0

    def is_ready(self) -> bool:
        self.polls += 1
        if self.polls > 2000:
            raise RuntimeError("2000 polls without an end")
        return self.ready_after <= self.waited < self.dead_after

    def is_alive(self) -> bool:
        return self.waited < self.dead_after

    def sleep(self, seconds: float) -> None:
        self.waited += seconds


def check_wait_until_ready(wait_until_ready):
    require(callable(wait_until_ready), f"{show(wait_until_ready)} is not a function.")

    def outcome(server: _Server, seconds: float):
        return wait_until_ready(server.is_ready, server.is_alive, seconds, server.sleep)

    require(outcome(_Server(0), 60) == "ready", "a server that is ready at once should give `ready`.")
    require(outcome(_Server(90), 300) == "ready", "this one was ready after 90 s, and you were told to wait 300.")
    dead = _Server(1e9, dead_after=4)
    require(outcome(dead, 300) == "died", "the process died after 4 s: return `died`, for it will never be ready.")
    require(dead.waited < 60, f"it died after 4 s, and you waited {dead.waited:.0f}: look at `is_alive` at every poll.")
    late = _Server(1e9)
    require(outcome(late, 30) == "late", "it is alive and not ready when the time is over: return `late`.")
    require(late.waited <= 35, f"the limit was 30 s, and you waited {late.waited:.0f}.")
    require(late.polls <= 400, "it polls without a pause, and takes the processor that the server needs: call `sleep`.")


WAIT_UNTIL_READY = Exercise(
    id="07.1",
    title="Wait and watch",
    section="Install",
    task=(
        "The recipe polls 30 times, whatever happens. Write `wait_until_ready(is_ready, is_alive, seconds, sleep)`: return `ready`, "
        "`died` or `late`. `is_ready()` and `is_alive()` answer true or false; `sleep(s)` waits."
    ),
    expects="a function that returns one of three words",
    check=check_wait_until_ready,
    hints=[
        "A loop: ready? alive? time over? Then sleep half a second.",
        "Count what you slept: `waited += 0.5`.",
        "`while waited < seconds:` … and after the loop, `late`.",
    ],
    solution=(
        "def wait_until_ready(is_ready, is_alive, seconds, sleep):\n"
        "    waited = 0\n"
        "    while waited < seconds:\n"
        "        if is_ready():\n"
        '            return "ready"\n'
        "        if not is_alive():\n"
        '            return "died"\n'
        "        sleep(0.5)\n"
        "        waited += 0.5\n"
        '    return "late"'
    ),
    why="A process that has died says why in its last lines. Who watches it can show them after four seconds, not after a minute.",
    answers=Answers(
        blank=["def wait_until_ready(is_ready, is_alive, seconds, sleep):\n    ..."],
        wrong=[
            Wrong("wait_until_ready = 60", "not a function", "a number of seconds"),
            Wrong("def wait_until_ready(r, a, s, sleep):\n    return r()", "give `ready`", "returns true"),
            Wrong(
                "def wait_until_ready(r, a, seconds, sleep):\n    for _ in range(30):\n        if r():\n            return 'ready'\n"
                "        sleep(2)\n    return 'late'",
                "after 90 s",
                "the fixed 30 times 2 seconds",
            ),
            Wrong(
                "def wait_until_ready(r, a, seconds, sleep):\n    waited = 0\n    while waited < seconds:\n        if r():\n"
                "            return 'ready'\n        sleep(1)\n        waited += 1\n    return 'late'",
                "never be ready",
                "does not watch the process",
            ),
            Wrong(
                "def wait_until_ready(r, a, seconds, sleep):\n    waited = 0\n    while waited < seconds:\n        if r():\n"
                "            return 'ready'\n        sleep(1)\n        waited += 1\n    return 'late' if a() else 'died'",
                "at every poll",
                "looks at the process only in the end",
            ),
            Wrong(
                "def wait_until_ready(r, a, seconds, sleep):\n    waited = 0\n    while waited < seconds:\n        if r():\n"
                "            return 'ready'\n        if not a():\n            return 'died'\n        sleep(1)\n        waited += 1\n"
                "    return 'died'",
                "return `late`",
                "calls every failure a death",
            ),
            Wrong(
                "def wait_until_ready(r, a, seconds, sleep):\n    waited = 0\n    while waited < seconds * 2:\n        if r():\n"
                "            return 'ready'\n        if not a():\n            return 'died'\n        sleep(1)\n        waited += 1\n"
                "    return 'late'",
                "the limit was 30 s",
                "waits longer than told",
            ),
            Wrong(
                "def wait_until_ready(r, a, seconds, sleep):\n    waited = 0\n    while waited < seconds:\n        if r():\n"
                "            return 'ready'\n        if not a():\n            return 'died'\n        sleep(0.05)\n"
                "        waited += 0.05\n    return 'late'",
                "without a pause",
                "polls 20 times a second",
            ),
        ],
        right=[
            "def wait_until_ready(is_ready, is_alive, seconds, sleep):\n    for _ in range(int(seconds)):\n"
            "        if not is_alive():\n            return 'died'\n        if is_ready():\n            return 'ready'\n"
            "        sleep(1)\n    return 'late'",
        ],
    ),
)

BAD_FLAGS = {
    "--trust-remote-code": "it runs Python that lies beside the weights",
    "--disable-log-requests": "it is gone, and vLLM refuses to start with it",
    "--api-key": "every user of the machine can read a command line; the key goes into `VLLM_API_KEY`",
}


def check_serve_command(serve_command):
    require(callable(serve_command), f"{show(serve_command)} is not a function.")
    command = serve_command("some/model", 8001)
    require(
        isinstance(command, list),
        f"return a list of words, which no shell has to take apart; yours is {show(command)}.",
    )
    words = " ".join(str(part) for part in command).replace("=", " ").split()
    for flag, why in BAD_FLAGS.items():
        require(flag not in words, f"leave out `{flag}`: {why}.")
    require("some/model" in words, "the model is missing.")
    require("--port" in words and words[words.index("--port") + 1] == "8001", "the port is missing: `--port 8001`.")
    require(
        "--host" in words and words[words.index("--host") + 1] in ("127.0.0.1", "localhost", "::1"),
        "without a loopback `--host` the server listens to the whole network.",
    )


SERVE_COMMAND = Exercise(
    id="07.2",
    title="Flags of today",
    section="Install",
    task=(
        "The recipe: `vllm serve MODEL --host 0.0.0.0 --port PORT --trust-remote-code --disable-log-requests --api-key secret`. "
        "Write `serve_command(model, port)`: the list of words for today's vLLM, for this machine alone, with no key in it."
    ),
    expects="a function that returns a list of strings",
    check=check_serve_command,
    hints=["Three of the flags go.", "`--host 127.0.0.1` is this machine alone."],
    solution=(
        'def serve_command(model, port):\n    return ["vllm", "serve", model, "--host", "127.0.0.1", "--port", str(port)]'
    ),
    why="The safest flag is the one that is not there; the host is the exception, because its default is the whole network.",
    answers=Answers(
        blank=["def serve_command(model, port):\n    ..."],
        wrong=[
            Wrong("serve_command = 'vllm serve'", "not a function", "a text"),
            Wrong(
                "def serve_command(m, p):\n    return f'vllm serve {m} --port {p}'",
                "a list of words",
                "a text for a shell",
            ),
            Wrong(
                "def serve_command(m, p):\n    return ['vllm', 'serve', m, '--host', '127.0.0.1', '--port', str(p), '--trust-remote-code']",
                "beside the weights",
                "trusts by habit",
            ),
            Wrong(
                "def serve_command(m, p):\n    return ['vllm', 'serve', '--host', '127.0.0.1', '--port', str(p)]",
                "model is missing",
                "forgets the model",
            ),
            Wrong(
                "def serve_command(m, p):\n    return ['vllm', 'serve', m, '--host', '127.0.0.1']",
                "port is missing",
                "no port",
            ),
            Wrong(
                "def serve_command(m, p):\n    return ['vllm', 'serve', m, '--host', '0.0.0.0', '--port', str(p)]",
                "whole network",
                "listens to everybody",
            ),
        ],
        right=[
            "def serve_command(model, port):\n"
            "    return ['python', '-m', 'vllm.entrypoints.openai.api_server', '--model', model, '--host=localhost', f'--port={port}']",
        ],
    ),
)

# -- Batching -----------------------------------------------------------------------------------------------------------


def check_choose_server(choose_server):
    require(callable(choose_server), f"{show(choose_server)} is not a function.")
    free = choose_server("capable", {"light": 0, "balanced": 3, "capable": 9})
    require(free == "capable", f"`capable` has 9 in hand, which is below 10: take it; yours took {show(free)}.")
    other = choose_server("capable", {"light": 7, "balanced": 3, "capable": 10})
    require(other != "capable", "`capable` has 10 in hand: that is full.")
    require(other == "balanced", f"of the others, `balanced` has least in hand; yours took {show(other)}.")
    nobody = choose_server("capable", {"light": 10, "balanced": 12, "capable": 10})
    require(nobody is None, f"all are full: return None, so that the caller hears it; yours sent it to {show(nobody)}.")
    require(choose_server("a", {"a": 2, "b": 0}, 2) == "b", "`most` may be another number than 10.")


CHOOSE_SERVER = Exercise(
    id="07.3",
    title="The free one, or nobody",
    section="Batching",
    task=(
        "Write `choose_server(wanted, in_hand, most=10)`: `in_hand` maps a server's name to its requests in hand. Return the wanted "
        "one if it has fewer than `most`, else the least loaded that has, else None."
    ),
    expects="a function that returns a name or None",
    check=check_choose_server,
    hints=[
        "First the wanted one: `if in_hand[wanted] < most`.",
        "Then the smallest of all: `min(in_hand, key=in_hand.get)`; is it below `most`?",
    ],
    solution=(
        "def choose_server(wanted, in_hand, most=10):\n"
        "    least = min(in_hand, key=in_hand.get)\n"
        "    best = wanted if in_hand[wanted] < most else least\n"
        "    return best if in_hand[best] < most else None"
    ),
    why="A refusal at the door is kinder than a queue without an end: the caller can go elsewhere.",
    answers=Answers(
        blank=["def choose_server(wanted, in_hand, most=10):\n    ..."],
        wrong=[
            Wrong("choose_server = 'balanced'", "not a function", "a name"),
            Wrong("choose_server = lambda w, h, most=10: min(h, key=h.get)", "take it", "always the least loaded"),
            Wrong("choose_server = lambda w, h, most=10: w", "that is full", "ignores the load"),
            Wrong(
                "choose_server = lambda w, h, most=10: w if h[w] < most else next(n for n in h if h[n] < most)",
                "least in hand",
                "the first that has room",
            ),
            Wrong(
                "choose_server = lambda w, h, most=10: w if h[w] < most else min(h, key=h.get)",
                "return None",
                "the recipe's way: somewhere, whatever its load",
            ),
            Wrong(
                "def choose_server(w, h, most=10):\n    free = [n for n in h if h[n] < 10]\n"
                "    return w if w in free else min(free, key=h.get, default=None)",
                "another number",
                "10 written into the code",
            ),
        ],
        right=[
            "def choose_server(w, in_hand, most=10):\n    free = {n: k for n, k in in_hand.items() if k < most}\n"
            "    return w if w in free else min(free, key=free.get, default=None)",
        ],
    ),
)


def check_ask_server(ask_server):
    require(callable(ask_server), f"{show(ask_server)} is not a function.")
    in_hand, seen = {"a": 0, "b": 4}, []

    def ask():
        seen.append(dict(in_hand))
        return "Paris"

    require(ask_server("a", in_hand, ask) == "Paris", "return what `ask()` returns: the caller is waiting for it.")
    require(seen[0]["a"] == 1, "while the request is under way, it should be counted: add one before you ask.")
    require(in_hand["a"] == 0, f"afterwards `a` has {in_hand['a']} in hand: take one off, or it is full for good.")
    require(in_hand["b"] == 4, "leave the other servers' counts alone.")

    def fail():
        raise TimeoutError("no answer within 30 s")

    try:
        ask_server("a", in_hand, fail)
    except TimeoutError:
        require(in_hand["a"] == 0, "when `ask()` raises, the count stays up: use `try` and `finally`.")
    else:
        require(False, "when `ask()` raises, the caller should hear of it: let the error through.")


ASK_SERVER = Exercise(
    id="07.4",
    title="What goes up comes down",
    section="Batching",
    task=(
        "Write `ask_server(name, in_hand, ask)`: count one more in hand for `name` while `ask()` runs, and return what it returns. "
        "The count goes down again, whatever happens."
    ),
    expects="a function that returns what `ask()` returned",
    check=check_ask_server,
    hints=["Up, then `try:`, then `finally:` down.", "`finally` also runs on the way out of a `return` or an error."],
    solution=(
        "def ask_server(name, in_hand, ask):\n"
        "    in_hand[name] += 1\n"
        "    try:\n"
        "        return ask()\n"
        "    finally:\n"
        "        in_hand[name] -= 1"
    ),
    why="The recipe only counts up. After ten errors, or ten answers, its servers are full for ever.",
    answers=Answers(
        blank=["def ask_server(name, in_hand, ask):\n    ..."],
        wrong=[
            Wrong("ask_server = 1", "not a function", "a count"),
            Wrong(
                "def ask_server(n, h, ask):\n    h[n] += 1\n    ask()\n    h[n] -= 1",
                "caller is waiting",
                "forgets the answer",
            ),
            Wrong("def ask_server(n, h, ask):\n    return ask()", "should be counted", "does not count"),
            Wrong("def ask_server(n, h, ask):\n    h[n] += 1\n    return ask()", "full for good", "only counts up"),
            Wrong(
                "def ask_server(n, h, ask):\n    for k in h:\n        h[k] = 0\n    h[n] += 1\n    try:\n        return ask()\n"
                "    finally:\n        h[n] -= 1",
                "alone",
                "sets all counts to zero",
            ),
            Wrong(
                "def ask_server(n, h, ask):\n    h[n] += 1\n    answer = ask()\n    h[n] -= 1\n    return answer",
                "try` and `finally",
                "an error leaves it up",
            ),
            Wrong(
                "def ask_server(n, h, ask):\n    h[n] += 1\n    try:\n        return ask()\n    except TimeoutError:\n"
                "        return None\n    finally:\n        h[n] -= 1",
                "hear of it",
                "swallows the error",
            ),
        ],
        right=[
            "from contextlib import contextmanager\n@contextmanager\ndef held(h, n):\n    h[n] += 1\n    try:\n        yield\n"
            "    finally:\n        h[n] -= 1\ndef ask_server(name, in_hand, ask):\n    with held(in_hand, name):\n        return ask()",
        ],
    ),
)

# -- The service that never answers -------------------------------------------------------------------------------------


def _worker(jobs: queue.Queue) -> None:
    """Take one job and answer it in capitals; a job that asks to fail, fails."""
    message, future = jobs.get()
    if message == "fail":
        future.set_exception(ValueError("the engine is gone"))
    else:
        future.set_result(message.upper())


def _served(chat, message: str, seconds: float = 2.0):
    jobs = queue.Queue(maxsize=4)
    threading.Thread(target=_worker, args=(jobs,), daemon=True).start()
    return chat(jobs, message, seconds)


def check_chat(chat):
    require(callable(chat), f"{show(chat)} is not a function.")
    jobs = queue.Queue(maxsize=4)
    try:
        early = chat(jobs, "hello", 0.05)
    except TimeoutError:
        early = TimeoutError
    require(not jobs.empty(), "nothing was put into the queue.")
    job = jobs.get()
    require(
        isinstance(job, tuple) and len(job) == 2 and isinstance(job[1], Future),
        f"put the pair (message, future) into the queue; yours put {show(job)}.",
    )
    require(early is TimeoutError, "nobody worked, and no TimeoutError came: give `seconds` to `future.result`.")
    require(_served(chat, "hello") == "HELLO", "return what the worker put into the future: `future.result(…)`.")
    try:
        _served(chat, "fail")
    except ValueError:
        pass
    else:
        require(False, "the worker's error should reach the caller; `future.result` raises it, so let it through.")
    full = queue.Queue(maxsize=1)
    full.put(("other", Future()))
    outcome = _outcome(chat, full)
    require(outcome != "blocked", "the queue is full, and your caller hangs: `put_nowait` refuses at once.")
    require(
        outcome == "queue.Full", f"the queue is full: let `queue.Full` reach the caller; yours gave {show(outcome)}."
    )


def _outcome(chat, jobs: queue.Queue) -> str:
    """What becomes of a caller who meets a full queue, within a second."""
    seen: list[str] = ["blocked"]

    def call() -> None:
        try:
            seen[0] = repr(chat(jobs, "late", 0.1))
        except queue.Full:
            seen[0] = "queue.Full"
        except TimeoutError:
            seen[0] = "a timeout"

    caller = threading.Thread(target=call, daemon=True)
    caller.start()
    caller.join(0.6)
    return seen[0]


CHAT = Exercise(
    id="07.5",
    title="A place for the answer",
    section="The service that never answers",
    task=(
        "Write `chat(jobs, message, seconds)`: put the pair (message, future) into the queue `jobs`, wait at most `seconds` for "
        "the future, and return its result. A full queue raises `queue.Full` at once. (`from concurrent.futures import Future`)"
    ),
    expects="a function that returns what the worker put into the future",
    check=check_chat,
    hints=[
        "`future = Future()` is the place where both meet.",
        "`jobs.put_nowait(…)` raises `queue.Full`; `jobs.put(…)` would wait for ever.",
        "`future.result(timeout=seconds)` waits, returns, or raises.",
    ],
    solution=(
        "from concurrent.futures import Future\n\n\n"
        "def chat(jobs, message, seconds):\n"
        "    future = Future()\n"
        "    jobs.put_nowait((message, future))\n"
        "    return future.result(timeout=seconds)"
    ),
    why="Three ends, and no fourth: an answer, an error, a refusal. Nobody waits for ever, and nothing is lost without a word.",
    answers=Answers(
        setup="from concurrent.futures import Future\nimport queue, time",
        blank=["def chat(jobs, message, seconds):\n    ..."],
        wrong=[
            Wrong("chat = 'queued'", "not a function", "a text"),
            Wrong("def chat(jobs, m, s):\n    return Future().result(s)", "nothing was put", "waits for nobody"),
            Wrong(
                "def chat(jobs, m, s):\n    jobs.put({'message': m})\n    time.sleep(0.1)\n    return 'queued'",
                "pair (message, future)",
                "the recipe's own",
            ),
            Wrong(
                "def chat(jobs, m, s):\n    f = Future()\n    jobs.put_nowait((m, f))\n    return 'queued'",
                "no TimeoutError",
                "does not wait for the future",
            ),
            Wrong(
                "def chat(jobs, m, s):\n    f = Future()\n    jobs.put_nowait((m, f))\n    f.result(s)",
                "return what the worker",
                "forgets to return",
            ),
            Wrong(
                "def chat(jobs, m, s):\n    f = Future()\n    jobs.put_nowait((m, f))\n    try:\n        return f.result(s)\n"
                "    except ValueError:\n        return 'sorry'",
                "worker's error",
                "a fixed apology",
            ),
            Wrong(
                "def chat(jobs, m, s):\n    f = Future()\n    jobs.put((m, f))\n    return f.result(s)",
                "your caller hangs",
                "blocks when full",
            ),
            Wrong(
                "def chat(jobs, m, s):\n    f = Future()\n    try:\n        jobs.put_nowait((m, f))\n    except queue.Full:\n"
                "        return 'busy'\n    return f.result(s)",
                "let `queue.Full`",
                "hides the refusal in a text",
            ),
        ],
        right=[
            "def chat(jobs, message, seconds):\n    place = Future()\n    jobs.put((message, place), block=False)\n"
            "    return place.result(seconds)",
        ],
    ),
)

# -- Monitor ------------------------------------------------------------------------------------------------------------

METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 32.0
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{engine="0",model_name="m"} 8.0
vllm:num_requests_waiting_by_reason{engine="0",model_name="m",reason="capacity"} 5.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="m"} 70.0
vllm:request_success_total{engine="0",finished_reason="length",model_name="m"} 30.0
process_open_fds 41
"""


def check_read_metric(read_metric):
    require(callable(read_metric), f"{show(read_metric)} is not a function.")
    running = read_metric(METRICS, "vllm:num_requests_running")
    require(not isinstance(running, str), f"a metric is a number: turn {show(running)} into a float.")
    require(running == 32.0, f"32 were running; yours says {show(running)}. Lines that begin with `#` are comments.")
    waiting = read_metric(METRICS, "vllm:num_requests_waiting")
    require(
        waiting == 8.0,
        f"8 were waiting; yours says {show(waiting)}. Another metric's name only begins with the same letters.",
    )
    require(read_metric(METRICS, "process_open_fds") == 41.0, "some metrics have no braces.")
    require(
        read_metric(METRICS, "vllm:request_success_total") == 100.0,
        "a metric with several lines, one a label: add them up.",
    )
    require(
        read_metric(METRICS, "vllm:nothing") is None,
        "a metric that is not there has no value: return None. Zero would be a claim.",
    )


READ_METRIC = Exercise(
    id="07.6",
    title="Read a metric",
    section="Monitor",
    task=(
        "Write `read_metric(text, name)`: return the value of a metric as a float, the sum if it has several lines, None if it has "
        "none. A line is `name{labels} value` or `name value`; lines that begin with `#` are comments."
    ),
    expects="a function that returns a float or None",
    check=check_read_metric,
    hints=[
        "`line.split('{')[0].split(' ')[0]` is the name of a line.",
        "`line.rsplit(' ', 1)[1]` is its value, as text.",
        "Collect the values; `sum(values) if values else None`.",
    ],
    solution=(
        "def read_metric(text, name):\n"
        "    lines = [line for line in text.splitlines() if not line.startswith('#')]\n"
        "    values = [float(line.rsplit(' ', 1)[1]) for line in lines if line.split('{')[0].split(' ')[0] == name]\n"
        "    return sum(values) if values else None"
    ),
    why="None is the whole point: the recipe's zeros are what turned an outage into an idle hour.",
    answers=Answers(
        blank=["def read_metric(text, name):\n    ..."],
        wrong=[
            Wrong("read_metric = 32.0", "not a function", "a number"),
            Wrong(
                "def read_metric(text, name):\n    for l in text.splitlines():\n        if l.startswith(name):\n"
                "            return l.split(' ')[-1]",
                "a metric is a number",
                "leaves it as text",
            ),
            Wrong(
                "def read_metric(text, name):\n    return float(len([l for l in text.splitlines() if name in l]))",
                "are comments",
                "counts the lines",
            ),
            Wrong(
                "def read_metric(text, name):\n    v = [float(l.split(' ')[-1]) for l in text.splitlines() if l.startswith(name)]\n"
                "    return sum(v) if v else None",
                "same letters",
                "takes every name that begins so",
            ),
            Wrong(
                "def read_metric(text, name):\n    v = [float(l.split(' ')[-1]) for l in text.splitlines() if l.startswith(name + '{')]\n"
                "    return sum(v) if v else None",
                "no braces",
                "wants braces",
            ),
            Wrong(
                "def read_metric(text, name):\n    for l in text.splitlines():\n"
                "        if l.split('{')[0].split(' ')[0] == name:\n            return float(l.rsplit(' ', 1)[1])",
                "add them up",
                "the first line only",
            ),
            Wrong(
                "def read_metric(text, name):\n"
                "    return sum(float(l.rsplit(' ', 1)[1]) for l in text.splitlines() if l.split('{')[0].split(' ')[0] == name)",
                "Zero would be a claim",
                "a missing metric is zero",
            ),
        ],
        right=[
            "import re\ndef read_metric(text, name):\n"
            "    found = re.findall(r'^' + re.escape(name) + r'(?:\\{.*\\})? (\\S+)$', text, re.M)\n"
            "    return sum(map(float, found)) if found else None",
        ],
    ),
)


def check_advise(advise):
    require(callable(advise), f"{show(advise)} is not a function.")
    calm = {"running": 3, "waiting": 0, "latency_ms": 400}
    require(
        advise(None) == "alarm",
        "no sample at all: nobody knows how the server is. The advice is `alarm`, not to scale.",
    )
    require(
        advise({**calm, "waiting": None}) == "alarm",
        "the queue's length is missing (None): half a sample is no sample, so `alarm`.",
    )
    require(advise({**calm, "waiting": 51}) == "up", "51 are waiting, more than 50: `up`.")
    require(advise({**calm, "latency_ms": 3001}) == "up", "3001 ms is above 3000: `up`.")
    require(advise(calm) == "stay", "3 running, none waiting, 400 ms: `stay`.")
    require(
        advise({**calm, "waiting": 50, "latency_ms": 3000}) == "stay",
        "50 and 3000 are the limits, not above them: `stay`.",
    )
    require(advise({"running": 0, "waiting": 0, "latency_ms": 0}) == "down", "nothing runs and nothing waits: `down`.")


ADVISE = Exercise(
    id="07.7",
    title="An outage is not an idle hour",
    section="Monitor",
    task=(
        "Write `advise(sample)`: a sample has `running`, `waiting` and `latency_ms`; it is None if the server did not answer, and a "
        "value is None if it is missing. Return `alarm` without data, `up` above 50 waiting or 3000 ms, `down` if nothing runs or "
        "waits, else `stay`."
    ),
    expects="a function of a dict or None that returns one of four words",
    check=check_advise,
    hints=[
        "Data first: is there a sample, and is every value in it a number?",
        "`None in sample.values()` finds a missing value.",
    ],
    solution=(
        "def advise(sample):\n"
        "    if sample is None or None in sample.values():\n"
        '        return "alarm"\n'
        '    if sample["waiting"] > 50 or sample["latency_ms"] > 3000:\n'
        '        return "up"\n'
        '    return "stay" if sample["running"] or sample["waiting"] else "down"'
    ),
    why="The recipe turns every failure into zeros, and its advice for zeros is to scale down: it would switch off what has crashed.",
    answers=Answers(
        blank=["def advise(sample):\n    ..."],
        wrong=[
            Wrong("advise = 'up'", "not a function", "a word"),
            Wrong(
                "def advise(s):\n    s = s or {'running': 0, 'waiting': 0, 'latency_ms': 0}\n    return 'down'",
                "no sample at all",
                "no data is zero",
            ),
            Wrong(
                "def advise(s):\n    if s is None:\n        return 'alarm'\n    w = s['waiting'] or 0\n"
                "    return 'up' if w > 50 or s['latency_ms'] > 3000 else 'stay' if s['running'] or w else 'down'",
                "half a sample",
                "a missing value is zero",
            ),
            Wrong(
                "def advise(s):\n    if s is None or None in s.values():\n        return 'alarm'\n"
                "    return 'up' if s['latency_ms'] > 3000 else 'stay'",
                "51 are waiting",
                "looks at latency alone",
            ),
            Wrong(
                "def advise(s):\n    if s is None or None in s.values():\n        return 'alarm'\n"
                "    return 'up' if s['waiting'] > 50 else 'stay'",
                "3001 ms",
                "looks at the queue alone",
            ),
            Wrong(
                "def advise(s):\n    if s is None or None in s.values():\n        return 'alarm'\n"
                "    return 'up' if s['waiting'] > 50 or s['latency_ms'] > 3000 else 'down'",
                "none waiting, 400 ms",
                "knows only up and down",
            ),
            Wrong(
                "def advise(s):\n    if s is None or None in s.values():\n        return 'alarm'\n"
                "    return 'up' if s['waiting'] >= 50 or s['latency_ms'] >= 3000 else 'stay' if s['running'] else 'down'",
                "the limits",
                "counts the limit as above it",
            ),
            Wrong(
                "def advise(s):\n    if s is None or None in s.values():\n        return 'alarm'\n"
                "    return 'up' if s['waiting'] > 50 or s['latency_ms'] > 3000 else 'stay'",
                "nothing runs",
                "never scales down",
            ),
        ],
        right=[
            "def advise(s):\n    match s:\n        case {'running': int(r), 'waiting': int(w), 'latency_ms': int(ms)}:\n"
            "            if w > 50 or ms > 3000:\n                return 'up'\n            return 'stay' if r + w else 'down'\n"
            "    return 'alarm'",
        ],
    ),
)

# -- Configure ----------------------------------------------------------------------------------------------------------


def _server(**changes) -> dict:
    return {"share": 0.4, "tensor": 1, "pipeline": 1, "quantization": None, "checkpoint": "bf16"} | changes


def check_faults(faults):
    require(callable(faults), f"{show(faults)} is not a function.")
    fine = faults([_server(), _server(share=0.6)], 1)
    require(fine is not None, "it returned nothing; return the set of faults, an empty one if there is none.")
    require(set(fine) == set(), f"0.4 and 0.6 of one GPU, no quantization: no fault; yours found {show(fine)}.")
    require(
        set(faults([_server(share=0.6), _server(share=0.7)], 1)) == {"share"},
        "0.6 and 0.7 are more than one GPU: `share`.",
    )
    require(
        set(faults([_server(share=0.9), _server(share=0.9)], 2)) == set(),
        "two GPUs have room for 0.9 and 0.9, one on each.",
    )
    require(
        set(faults([_server(tensor=4, pipeline=2)], 4)) == {"gpus"},
        "tensor 4 and pipeline 2 multiply to 8 GPUs, and 4 are here: `gpus`.",
    )
    require(
        set(faults([_server(quantization="awq")], 1)) == {"checkpoint"},
        "`awq` needs an AWQ checkpoint, and this one is bf16: `checkpoint`.",
    )
    require(
        set(faults([_server(quantization="awq", checkpoint="awq")], 1)) == set(),
        "`awq` with an AWQ checkpoint is as it should be.",
    )


FAULTS = Exercise(
    id="07.8",
    title="Before the launch",
    section="Configure",
    task=(
        "Write `faults(servers, gpus)`: each server is a dict with `share`, `tensor`, `pipeline`, `quantization` and `checkpoint`. "
        "Return a set: `share` if the shares add up to more than the GPUs, `gpus` if a server needs more than there are, "
        "`checkpoint` if it wants a quantization that its checkpoint does not have."
    ),
    expects="a function that returns a set of words",
    check=check_faults,
    hints=[
        "`sum(one['share'] for one in servers) > gpus`",
        "A server needs `tensor * pipeline` GPUs.",
        "Floats: 0.4 + 0.6 is 1.0 here, but allow a hair: `> gpus + 1e-9`.",
    ],
    solution=(
        "def faults(servers, gpus):\n"
        "    found = set()\n"
        "    if sum(one['share'] for one in servers) > gpus + 1e-9:\n"
        "        found.add('share')\n"
        "    for one in servers:\n"
        "        if one['tensor'] * one['pipeline'] > gpus:\n"
        "            found.add('gpus')\n"
        "        if one['quantization'] and one['quantization'] != one['checkpoint']:\n"
        "            found.add('checkpoint')\n"
        "    return found"
    ),
    why="Three lines of arithmetic, a minute before the launch instead of ten minutes into it.",
    answers=Answers(
        blank=["def faults(servers, gpus):\n    ..."],
        wrong=[
            Wrong("faults = {'share'}", "not a function", "a set"),
            Wrong(
                "def faults(servers, gpus):\n    {one['share'] for one in servers}",
                "returned nothing",
                "forgets to return",
            ),
            Wrong(
                "def faults(servers, gpus):\n    return {'share'} if len(servers) > gpus else set()",
                "no fault",
                "one server a GPU",
            ),
            Wrong("def faults(servers, gpus):\n    return set()", "more than one GPU", "finds nothing"),
            Wrong(
                "def faults(servers, gpus):\n    return {'share'} if sum(o['share'] for o in servers) > 1 else set()",
                "one on each",
                "thinks of one GPU",
            ),
            Wrong(
                "def faults(servers, gpus):\n    f = {'share'} if sum(o['share'] for o in servers) > gpus else set()\n"
                "    return f | {'gpus' for o in servers if o['tensor'] > gpus}",
                "multiply to 8",
                "forgets the pipeline",
            ),
            Wrong(
                "def faults(servers, gpus):\n    f = {'share'} if sum(o['share'] for o in servers) > gpus else set()\n"
                "    return f | {'gpus' for o in servers if o['tensor'] * o['pipeline'] > gpus}",
                "this one is bf16",
                "takes awq for a switch",
            ),
            Wrong(
                "def faults(servers, gpus):\n    f = {'share'} if sum(o['share'] for o in servers) > gpus else set()\n"
                "    f |= {'gpus' for o in servers if o['tensor'] * o['pipeline'] > gpus}\n"
                "    return f | {'checkpoint' for o in servers if o['quantization']}",
                "as it should be",
                "forbids quantization",
            ),
        ],
        right=[
            "def faults(servers, gpus):\n    tests = {'share': sum(o['share'] for o in servers) > gpus,\n"
            "             'gpus': any(o['tensor'] * o['pipeline'] > gpus for o in servers),\n"
            "             'checkpoint': any(o['quantization'] not in (None, o['checkpoint']) for o in servers)}\n"
            "    return {name for name, bad in tests.items() if bad}",
        ],
    ),
)

EXERCISES = [
    WAIT_UNTIL_READY, SERVE_COMMAND, CHOOSE_SERVER, ASK_SERVER, CHAT, READ_METRIC, ADVISE, FAULTS,
]  # fmt: skip
