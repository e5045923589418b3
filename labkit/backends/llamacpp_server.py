"""The child process of the embedded engine: llama.cpp's own server, from the xllamacpp wheel.

    LABKIT_LLAMACPP='{"model": "model.gguf", "alias": "m", "api_key": "…"}' python llamacpp_server.py

xllamacpp has no stop(), so the server lives in a process that can be ended. It asks the OS for a port (0) and prints the
address it got: nothing can take the port between choosing and binding. The key comes by environment, never by argument.

At work in notebook 00, section "The first answer".
"""

import json
import os
import threading


def main():
    import xllamacpp

    settings = json.loads(os.environ.pop("LABKIT_LLAMACPP"))
    params = xllamacpp.CommonParams()
    params.model.path = settings["model"]
    params.model_alias = [settings["alias"]]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [settings["api_key"]]
    params.n_parallel = settings["parallel"]
    # A request that waits holds one of these. By default there are ten and as many more as it sees fit: a flood shuts /metrics out.
    params.n_threads_http = 256
    params.n_ctx = settings["context"] * settings["parallel"]  # llama.cpp divides it among the slots
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = settings["threads"]
    params.use_jinja = True
    params.endpoint_metrics = True
    params.ui = False
    params.fit_params = False  # never shrink what was asked for behind the learner's back
    params.cache_ram_mib = 64  # the default keeps up to 8 GiB of old prompts
    server = xllamacpp.Server(params)
    print("LABKIT LISTENING", server.listening_address, flush=True)
    threading.Event().wait()  # TERM ends the process


if __name__ == "__main__":
    main()
