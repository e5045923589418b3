"""The process that owns Ray: it starts Ray on loopback, runs a manifest on it, and ends both. Started by ray_up.py behind a leash.

    LABKIT_RAY='{"manifest": {…}, "keys": {…}, "port": 8000, "threads": 1, "folder": "/tmp/…", "control_key": "…"}' ray_host.py

It prints one line of JSON a step: {"step": …}, then {"ready": {"control": address}} or {"failed": [kind, what, why, fix]}. Orders
come to a small server of its own on loopback, with a key: GET /status, POST /update, POST /down.

At work in notebook 12, section "A cluster on one machine".
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import shutil
import signal
import sys
import threading
from typing import Any

from labkit.backends.asgi import Locked, LoopbackServer, error_detail
from labkit.deploy import ray_app
from labkit.deploy.manifest import Manifest
from labkit.deploy.ray_family import family
from labkit.errors import EngineStartError, LabkitError

__all__ = ["Host", "main"]

LOOPBACK = "127.0.0.1"


class Host:
    """Ray, and one manifest on it. wish: see the head of this file."""

    def __init__(self, wish: dict[str, Any]):
        self.wish, self.manifest = wish, Manifest.model_validate(wish["manifest"])
        self.is_up, self.over, self.busy = False, threading.Event(), threading.Lock()

    def start(self) -> None:
        """Start Ray and Serve, with nothing on them yet."""
        import ray
        from ray import serve

        _say(step="Starting Ray")
        _leave_out_what_clusters_need()
        _keep_ray_from_the_signals()
        ray.init(
            num_cpus=2,  # Ray keeps so many processes at hand; what a replica may use is decided in ray_check.py
            include_dashboard=False,
            log_to_driver=False,
            logging_level="ERROR",
            configure_logging=False,
            _node_ip_address=LOOPBACK,
            _temp_dir=f"{self.wish['folder']}/r",  # Ray opens it to everybody: the folder around it stays shut
            object_store_memory=100 * 2**20,  # answers are small and never shared
        )
        serve.start(http_options={"host": LOOPBACK, "port": self.wish["port"]}, logging_config={"log_level": "ERROR"})

    def deploy(self) -> None:
        """Run the manifest; where one runs already, its replicas are replaced one after the other. Raises EngineStartError."""
        from ray import serve

        _say(step="Starting replicas")
        app = ray_app.build(self.manifest, self.wish["keys"], self.wish["threads"])
        try:
            serve.run(app, name=self.manifest.name, route_prefix="/")
        except RuntimeError as error:
            said = [line for line in str(error).splitlines() if line.strip()]
            why = _reason() or (said[-1] if said else "")
            raise EngineStartError(f"{self.manifest.name} was not deployed.", why, "labkit deploy plan FILE") from None

    def told_to_end(self, number: int, frame: Any) -> None:
        """TERM: what is up goes down in order; what is only starting has nothing to drain, and stops where it is."""
        self.over.set()
        if not self.is_up:
            sys.exit(128 + number)

    def status(self) -> dict[str, Any]:
        """Return what runs: each model's state, and its replicas by state."""
        from ray import serve

        found = serve.status()
        app = found.applications.get(self.manifest.name)
        rows = {}
        for name, one in (app.deployments if app else {}).items():  # the router among them
            states = {str(state): count for state, count in one.replica_states.items() if count}
            rows[name] = {"status": one.status.value, "replicas": states}
        proxies = [one.value for one in found.proxies.values()]
        return {"status": app.status.value if app else "NOT_STARTED", "models": rows, "proxies": proxies, **family()}

    def update(self, wish: dict[str, Any]) -> None:
        """Run another version of the manifest, or of its keys."""
        with self.busy:
            self.manifest = Manifest.model_validate(wish["manifest"])
            self.wish |= wish
            self.deploy()

    def down(self, drain: bool = True) -> int:
        """Drain, then end Serve and Ray; return how many requests were cut off."""
        import ray
        from ray import serve

        left = 0
        with self.busy:
            if drain:
                router = serve.get_app_handle(self.manifest.name)
                left = router.drain.remote(ray_app.DRAIN_S).result(timeout_s=ray_app.DRAIN_S + 10)
            serve.shutdown()
            ray.shutdown()
        return left


def main() -> None:
    """Run until told to stop."""
    wish = json.loads(os.environ.pop("LABKIT_RAY"))
    # The owner may be gone. What is registered first is called last: after Ray's own handlers have ended its processes.
    atexit.register(shutil.rmtree, wish["folder"], ignore_errors=True)
    host = Host(wish)
    signal.signal(signal.SIGTERM, host.told_to_end)
    try:
        host.start()
        host.deploy()
        server = LoopbackServer(Locked(_control(host), wish["control_key"]))
    except LabkitError as error:
        _say(failed=[type(error).__name__, error.what, error.why, error.fix])
        sys.exit(1)
    host.is_up = True
    _say(ready={"control": server.address})
    host.over.wait()
    _say(down=host.down())


def _control(host: Host):
    """Return the application that takes orders."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def status(request: Request) -> JSONResponse:
        return JSONResponse(await asyncio.to_thread(host.status))

    async def update(request: Request) -> JSONResponse:
        try:
            await asyncio.to_thread(host.update, await request.json())
        except LabkitError as error:
            return JSONResponse(error_detail(500, error.what, type(error).__name__, why=error.why), 500)
        return JSONResponse(await asyncio.to_thread(host.status))

    async def down(request: Request) -> JSONResponse:
        host.over.set()
        return JSONResponse({"status": "going down"})

    routes = [("/status", status, "GET"), ("/update", update, "POST"), ("/down", down, "POST")]
    return Starlette(routes=[Route(path, handler, methods=[method]) for path, handler, method in routes])


def _reason() -> str:
    """Return what Serve says about the deployment that failed: the last line of it."""
    from ray import serve

    for app in serve.status().applications.values():
        for one in app.deployments.values():
            lines = [line.strip() for line in one.message.splitlines() if line.strip()]
            if "FAILED" in one.status.value and lines:
                return lines[-1]
    return ""


def _leave_out_what_clusters_need() -> None:
    """Start neither the monitor, which asks a cloud for machines, nor the one that carries logs to another machine's terminal.

    `ray.init` has no word for it. Without them it takes 0.2 GB less, and comes up on a busy machine: all these processes start at
    once, and Ray gives up where its agent needs more than 15 seconds.
    """
    from ray._private import parameter

    class Lean(parameter.RayParams):
        def __init__(self, *args: Any, **given: Any):
            super().__init__(*args, **{**given, "no_monitor": True, "include_log_monitor": False})

    parameter.RayParams = Lean


def _keep_ray_from_the_signals() -> None:
    """`ray.init` takes TERM for itself, and then drains for half a minute, even if it is not up yet."""
    from ray._private import utils

    utils.set_sigterm_handler = lambda handler: None


def _say(**what: Any) -> None:
    print("LABKIT", json.dumps(what), flush=True)


if __name__ == "__main__":
    main()
