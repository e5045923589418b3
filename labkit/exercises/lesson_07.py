"""The exercises of lesson 07: a start that is watched, flags, load, a queue that answers, metrics, advice, presets."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future

from labkit.exercises import raises, require, require_function, returned, show

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
    require_function(wait_until_ready)

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


BAD_FLAGS = {
    "--trust-remote-code": "it runs Python that lies beside the weights",
    "--disable-log-requests": "it is gone, and vLLM refuses to start with it",
    "--api-key": "every user of the machine can read a command line; the key goes into `VLLM_API_KEY`",
}


def check_serve_command(serve_command):
    require_function(serve_command)
    command = serve_command("some/model", 8001)
    returned(command, "a list of words, which no shell has to take apart", list)
    words = " ".join(str(part) for part in command).replace("=", " ").split()
    for flag, why in BAD_FLAGS.items():
        require(flag not in words, f"leave out `{flag}`: {why}.")
    require("some/model" in words, "the model is missing.")
    require("--port" in words and words[words.index("--port") + 1] == "8001", "the port is missing: `--port 8001`.")
    require(
        "--host" in words and words[words.index("--host") + 1] in ("127.0.0.1", "localhost", "::1"),
        "without a loopback `--host` the server listens to the whole network.",
    )


# -- Batching -----------------------------------------------------------------------------------------------------------


def check_choose_server(choose_server):
    require_function(choose_server)
    free = choose_server("capable", {"light": 0, "balanced": 3, "capable": 9})
    require(free == "capable", f"`capable` has 9 in hand, which is below 10: take it; yours took {show(free)}.")
    other = choose_server("capable", {"light": 7, "balanced": 3, "capable": 10})
    require(other != "capable", "`capable` has 10 in hand: that is full.")
    require(other == "balanced", f"of the others, `balanced` has least in hand; yours took {show(other)}.")
    nobody = choose_server("capable", {"light": 10, "balanced": 12, "capable": 10})
    require(nobody is None, f"all are full: return None, so that the caller hears it; yours sent it to {show(nobody)}.")
    require(choose_server("a", {"a": 2, "b": 0}, 2) == "b", "`most` may be another number than 10.")


def check_ask_server(ask_server):
    require_function(ask_server)
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

    because = "when `ask()` raises, the caller should hear of it: let the error through."
    raises(TimeoutError, lambda: ask_server("a", in_hand, fail), because)
    require(in_hand["a"] == 0, "when `ask()` raises, the count stays up: use `try` and `finally`.")


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
    require_function(chat)
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
    because = "the worker's error should reach the caller; `future.result` raises it, so let it through."
    raises(ValueError, lambda: _served(chat, "fail"), because)
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
    require_function(read_metric)
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


def check_advise(advise):
    require_function(advise)
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


# -- Configure ----------------------------------------------------------------------------------------------------------


def _server(**changes) -> dict:
    return {"share": 0.4, "tensor": 1, "pipeline": 1, "quantization": None, "checkpoint": "bf16"} | changes


def check_faults(faults):
    require_function(faults)
    fine = faults([_server(), _server(share=0.6)], 1)
    returned(fine, "the set of faults, an empty one if there is none")
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
