"""Ask for the key at every path of vLLM's server; it runs inside vLLM, in vLLM's own interpreter.

vLLM's `--api-key` guards /v1 and little more: `/metrics` tells anybody on this machine what is going on, and `/invocations` and
`/generative_scoring` answer questions. It stands alone in its folder, because that folder is all of labkit that vLLM sees.
"""

import hmac
import json
import os

OPEN = "/health"  # says only whether the server lives


class Guard:
    """ASGI middleware: pass a request on if it has the key of VLLM_API_KEY as its bearer token, else answer 401."""

    def __init__(self, app):
        self.app, self.wanted = app, f"Bearer {os.environ['VLLM_API_KEY']}".encode()

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan" or scope["path"] == OPEN or self._has_key(scope):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refuse(send)

    def _has_key(self, scope):
        given = dict(scope["headers"]).get(b"authorization", b"")
        return hmac.compare_digest(given, self.wanted)


async def _refuse(send):
    error = {"message": "wrong or missing key", "type": "authentication_error", "code": "invalid_api_key"}
    headers = [(b"content-type", b"application/json"), (b"www-authenticate", b"Bearer")]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": error}).encode()})
