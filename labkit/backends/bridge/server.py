"""The child process of a bridged engine: the engine, and the OpenAI-compatible face before it.

    LABKIT_BRIDGE='{"engine": "labkit.backends.bridge.openvino_engine", "alias": "m", "api_key": "…", …}' python -I server.py

It asks the OS for a port (0) and prints the address it got. The key comes by environment, never by argument.

At work in notebook 05, section "Install".
"""

import json
import os
import sys
import threading
from importlib import import_module
from pathlib import Path


def main():
    sys.path.insert(0, str(Path(__file__).parents[3]))  # the same labkit as the parent's, whichever is installed
    import uvicorn

    from labkit.backends.asgi import IDLE_S, listen
    from labkit.backends.bridge.face import face

    options = json.loads(os.environ.pop("LABKIT_BRIDGE"))
    engine = import_module(options["engine"]).load(options)
    app = face(engine, options["alias"], options["api_key"])
    quiet = {"access_log": False, "lifespan": "off", "server_header": False, "timeout_keep_alive": IDLE_S}
    config = uvicorn.Config(app, log_level="warning", **quiet)
    with listen(0) as listener:
        # In a thread, uvicorn leaves the signals alone: TERM ends the process at once, in the middle of a token.
        serving = threading.Thread(target=uvicorn.Server(config).run, kwargs={"sockets": [listener]}, daemon=True)
        serving.start()
        print(f"LABKIT LISTENING http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        serving.join()


if __name__ == "__main__":
    main()
