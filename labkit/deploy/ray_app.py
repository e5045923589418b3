"""A manifest as an application of Ray Serve: a router for OpenAI's routes, and for each model replicas with one engine each.

    client -> Ray's proxy -> Router -> one of the Replicas of a model -> its engine

The router wants a model's key, sends a request to the model it names, and asks another replica when one is gone before the first
token came (`_Asked`). How many replicas there are follows the requests under way; an update starts new ones before old ones go.

At work in notebook 12, section "A cluster on one machine".
"""

from __future__ import annotations

import asyncio
import hmac
import json
from typing import TYPE_CHECKING, Any

from labkit.backends.asgi import error_detail
from labkit.deploy.ray_asked import Asked
from labkit.deploy.ray_replica import Replica, stay_on_loopback
from labkit.errors import RequestError

if TYPE_CHECKING:
    from ray.serve import Application
    from starlette.requests import Request
    from starlette.responses import Response

    from labkit.deploy.manifest import Manifest, Model

__all__ = ["Router", "build", "engine_of", "target"]

UP_S, DOWN_S = 1.0, 5.0  # how long load has to last before a replica is added, or taken away
WINDOW_S = 3.0  # over which load is averaged
DRAIN_S = 30.0  # how long answers that are being written may go on when a replica or everything goes
HEALTH_S = 2.0
QUEUE = 512  # requests that wait for a replica of one model; more are told to come later
LEADING = {"num_cpus": 0}  # memory is what is scarce, and ray_check.py counts it


def build(manifest: Manifest, keys: dict[str, str], threads: int = 1) -> Application:
    """Return the application of `manifest` for `ray.serve.run`, on this machine or on any cluster that has labkit.

    keys: by name of a model, what a client must show for it. threads: of each engine. Raises what ray_llm raises for vLLM.
    """
    from ray import serve

    routes = {model.name: _deployment(serve, model, threads) for model in manifest.models}
    router = serve.deployment(
        Router,
        name="Router",
        max_ongoing_requests=4096,
        ray_actor_options=LEADING,
        max_surge_percent=100,
        graceful_shutdown_timeout_s=DRAIN_S,
    )
    return router.bind(routes, keys)


def engine_of(model: Model, threads: int = 1) -> dict[str, Any]:
    """Return what a replica needs to start the engine of `model`: plain values."""
    settings = model.resolved
    shape = {"context": settings.max_model_len or 2048, "parallel": settings.max_num_seqs or 4, "threads": threads}
    return {"engine": model.engine, "source": model.source, "name": model.name, **shape}


def target(model: Model) -> int:
    """Return the requests under way at which one replica is full: those its engine answers at once, and those that may wait."""
    return (model.resolved.max_num_seqs or 4) + model.replicas.waiting


def _deployment(serve: Any, model: Model, threads: int) -> Application:
    engine = engine_of(model, threads)
    scale = {"min_replicas": model.replicas.min, "max_replicas": model.replicas.max}
    waits = {"upscale_delay_s": UP_S, "downscale_delay_s": DOWN_S, "look_back_period_s": WINDOW_S}
    return serve.deployment(
        Replica,
        name=model.name,
        autoscaling_config={**scale, **waits, "target_ongoing_requests": target(model), "metrics_interval_s": 0.5},
        max_ongoing_requests=engine["parallel"],  # what waits, waits before the replicas: a new one takes it at once
        max_queued_requests=QUEUE,
        max_surge_percent=100,
        max_constructor_retry_count=2,
        health_check_period_s=HEALTH_S,
        graceful_shutdown_wait_loop_s=0.2,
        graceful_shutdown_timeout_s=DRAIN_S,
        ray_actor_options=LEADING,
    ).bind(engine)


class Router:
    """What Ray's proxy hands every request to. One actor; Ray makes the deployments of `routes` into handles."""

    def __init__(self, routes: dict[str, Any], keys: dict[str, str]):
        stay_on_loopback()
        self.routes = {name: handle.options(stream=True, method_name="answer") for name, handle in routes.items()}
        self.keys, self.asked, self.draining = keys, set(), False

    async def __call__(self, request: Request) -> Response:
        """Answer one HTTP request in OpenAI's shapes."""
        from starlette.responses import JSONResponse

        try:
            return await self._answer(request)
        except _Wrong as wrong:
            headers = {"Retry-After": "1"} if wrong.status == 503 else {}
            return JSONResponse(error_detail(wrong.status, str(wrong), wrong.code), wrong.status, headers)

    async def drain(self, timeout_s: float) -> int:
        """Take nothing new, wait until all that is under way is answered; return how many requests are not."""
        self.draining = True
        for _ in range(int(timeout_s / 0.1)):
            if not self.asked:
                break
            await asyncio.sleep(0.1)
        return len(self.asked)

    async def _answer(self, request: Request) -> Response:
        from starlette.responses import JSONResponse

        if request.url.path == "/health":
            return JSONResponse({"status": "draining" if self.draining else "ok", "models": sorted(self.routes)})
        mine = self._models_of(request)
        if self.draining:
            raise _Wrong(503, "This deployment is going down.", "draining")
        if request.url.path == "/v1/models":
            listed = [{"id": name, "object": "model", "owned_by": "labkit"} for name in mine]
            return JSONResponse({"object": "list", "data": listed})
        if request.method != "POST" or not request.url.path.startswith("/v1/"):
            raise _Wrong(404, f"There is nothing at {request.method} {request.url.path}.", "not_found")
        body = await request.body()
        asked = Asked(self.routes[_model_named(body, mine)], request.url.path, body, self.asked)
        return await asked.response()

    def _models_of(self, request: Request) -> list[str]:
        """Return the models that the shown key opens; compared in constant time."""
        shown = request.headers.get("authorization", "").encode()
        mine = [name for name, key in self.keys.items() if hmac.compare_digest(shown, f"Bearer {key}".encode())]
        if not mine:
            raise _Wrong(401, "Wrong API key, or none.", "invalid_api_key")
        return mine


class _Wrong(RequestError):
    """A request that no replica is asked about: its HTTP status and OpenAI's code for it."""

    def __init__(self, status: int, what: str, code: str):
        super().__init__(what)
        self.status, self.code = status, code


def _model_named(body: bytes, mine: list[str]) -> str:
    try:
        name = json.loads(body)["model"]
    except (ValueError, KeyError, TypeError):
        raise _Wrong(400, "The body is no JSON object with a model in it.", "invalid_body") from None
    if name not in mine:
        raise _Wrong(404, f"There is no model {name!r}; there are {', '.join(mine)}.", "model_not_found")
    return name
