"""xllamacpp driven directly, without labkit: the yardstick for `labkit bench overhead`.

Reads LABKIT_DIRECT (JSON: settings of the server, requests, concurrency, rounds), runs the requests on the in-process server
from as many threads, prints one line `DIRECT RESULT {"tokens": …, "seconds": …}`.

Explained in README.md, section "The command".
"""

import json
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor


def main():
    import xllamacpp

    job = json.loads(os.environ["LABKIT_DIRECT"])
    params = xllamacpp.CommonParams()
    params.model.path = job["model"]
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.n_parallel, params.n_ctx = job["parallel"], job["context"] * job["parallel"]
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = job["threads"]
    params.use_jinja, params.ui, params.fit_params, params.cache_ram_mib = True, False, False, 64
    server = xllamacpp.Server(params)

    def ask(request):
        got = server.handle_chat_completions(request)
        answer = json.loads(got) if isinstance(got, (str, bytes)) else got
        return answer["usage"]["completion_tokens"]

    ask(job["requests"][0])  # warm-up
    with ThreadPoolExecutor(job["concurrency"]) as pool:
        started = time.perf_counter()
        tokens = sum(pool.map(ask, job["requests"]))
        seconds = time.perf_counter() - started
    print("DIRECT RESULT", json.dumps({"tokens": tokens, "seconds": seconds}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
