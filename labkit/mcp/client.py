"""An MCP server's tools from ordinary code: no `await`, in a script or a notebook, on every system.

    with Toolbox([sys.executable, "-m", "labkit.cli", "mcp", "serve"]) as box:
        box.tools                                    # labkit Tools: for tools.call, tools.answer, Agent Framework
        box.call("lookup_order_status", order_id="1002")

The official SDK's client runs in a thread with an event loop of its own. A notebook's loop would not do: on Windows it cannot
start processes, and a notebook's stderr is no file, which a child process wants. Taught in notebook 14, section "A client".
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from labkit.errors import ConfigError, ServerMissing, ToolFailed, UnknownTool
from labkit.tools.tool import Tool

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

__all__ = ["Told", "Toolbox"]

PAGES, CHARACTERS = 20, 1_000_000


@dataclass(frozen=True)
class Told:
    """What the server says of itself: `name`, `version`, the `protocol` that both agreed on, and which kinds it `offers`."""

    name: str
    version: str
    protocol: str
    offers: tuple[str, ...]


class Toolbox:
    """A connection to one server. A context manager; `close()` twice is fine; may be used from any thread.

    where: a command as a list (stdio: the server is our child), a URL on this machine (streamable HTTP), or a server of this
    process. key: for a URL, sent as a bearer token. env: more environment for a command, which else gets little more than PATH and
    HOME. seconds: how long an answer may take. only: names of the tools to take; the
    others are not even shown to the model. trust_hints: believe the server where it says that a tool only reads.
    Raises ServerMissing if nobody answers, ConfigError for a URL of another machine. Taught in notebook 14, section "A client".
    """

    def __init__(
        self,
        where: Sequence[str] | str | Server,
        *,
        key: str = "",
        seconds: float = 30.0,
        env: Mapping[str, str] | None = None,
        only: Sequence[str] | None = None,
        trust_hints: bool = False,
    ):
        from anyio.from_thread import start_blocking_portal

        if isinstance(where, str):
            _on_this_machine(where)
        self._only, self._trust, self._where = only, trust_hints, where
        self._stack = ExitStack()
        said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115 - closed with the stack
        self._said = self._stack.enter_context(said)
        loop = {"loop_factory": asyncio.ProactorEventLoop} if sys.platform == "win32" else {}
        try:
            self._portal = self._stack.enter_context(start_blocking_portal("asyncio", loop, name="labkit mcp"))
            opened = _client(where, key, seconds, env, self._said)
            self._client = self._stack.enter_context(self._portal.wrap_async_context_manager(opened))
        except (OSError, *_sdk_errors()) as error:
            raise self._nobody(error) from error

    @property
    def told(self) -> Told:
        """What the server said of itself. Taught in notebook 14, section "A client"."""
        info, can = self._client.server_info, self._client.server_capabilities
        offers = tuple(kind for kind in ("tools", "resources", "prompts") if getattr(can, kind) is not None)
        return Told(info.name, info.version, self._client.protocol_version, offers)

    @property
    def tools(self) -> list[Tool]:
        """The server's tools now, as labkit Tools whose function calls the server. Raises BadTool, UnknownTool for `only`."""
        found = [self._tool(one) for one in self._pages("list_tools", "tools")]
        if self._only is None:
            return found
        if absent := sorted(set(self._only) - {one.name for one in found}):
            raise UnknownTool(f"The server has no tool {absent[0]!r}.", f"it has {[one.name for one in found]}", "")
        return [one for one in found if one.name in self._only]

    def call(self, name: str, /, **arguments: Any) -> str:
        """Call a tool and return its text. Raises ToolFailed with the server's words, or if the server is gone."""
        result = self._ask("call_tool", name, arguments)
        text = "\n".join(_text(part) for part in result.content)[:CHARACTERS]
        if result.is_error:
            raise ToolFailed(text[:300] or f"{name} failed.", "", "")
        return text

    def resources(self) -> dict[str, str]:
        """Return the server's resources: URI -> name."""
        return {str(one.uri): one.name for one in self._pages("list_resources", "resources")}

    def read(self, uri: str) -> str:
        """Return a resource's text. Raises ToolFailed if there is none, or it is no text."""
        return "\n".join(_text(part) for part in self._ask("read_resource", uri).contents)[:CHARACTERS]

    def prompts(self) -> dict[str, list[str]]:
        """Return the server's prompts: name -> names of their arguments."""
        found = self._pages("list_prompts", "prompts")
        return {one.name: [argument.name for argument in one.arguments or ()] for one in found}

    def prompt(self, name: str, /, **arguments: str) -> list[dict]:
        """Return a prompt as messages for a chat. Raises ToolFailed for an unknown one, or wrong arguments."""
        found = self._ask("get_prompt", name, arguments)
        return [{"role": one.role, "content": _text(one.content)} for one in found.messages]

    def close(self) -> None:
        """Hang up; a server that is our child ends."""
        self._stack.close()

    def __enter__(self) -> Toolbox:
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def _tool(self, one) -> Tool:
        only_reads = bool(self._trust and one.annotations and one.annotations.read_only_hint)

        def function(**arguments):
            return self.call(one.name, **arguments)

        return Tool(one.name, " ".join((one.description or "").split()), one.input_schema, function, only_reads)

    def _pages(self, method: str, field: str) -> list:
        """Everything that a listing has; a server that never ends is cut off."""
        if field not in self.told.offers:
            return []
        rows, cursor = [], None
        for _ in range(PAGES):
            page = self._ask(method, cursor=cursor)
            rows += getattr(page, field)
            if not (cursor := page.next_cursor):
                break
        return rows

    def _ask(self, method: str, *args, **options):
        try:
            return self._portal.call(partial(getattr(self._client, method), *args, **options))
        except (RuntimeError, OSError, *_sdk_errors()) as error:
            raise ToolFailed(f"The MCP server gave no answer to {method}.", str(error)[:300], "") from error

    def _nobody(self, error: BaseException) -> ServerMissing:
        self._said.seek(0)
        words = self._said.read()[-400:].strip() or _first(error)
        self._stack.close()
        shown = self._where if isinstance(self._where, str) else " ".join(map(str, self._where))
        return ServerMissing(f"No MCP server answers at {shown[:200]}.", words, "labkit mcp tools  # the desk's own")


@asynccontextmanager
async def _client(where, key: str, seconds: float, env, said):
    """The SDK's client on the transport that `where` asks for."""
    import httpx2
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client
    from mcp.client.streamable_http import streamable_http_client

    async with AsyncExitStack() as stack:
        if isinstance(where, str):
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            http = await stack.enter_async_context(httpx2.AsyncClient(headers=headers, timeout=seconds))
            where = streamable_http_client(where, http_client=http)
        elif isinstance(where, Sequence):
            command, *args = map(str, where)
            where = stdio_client(StdioServerParameters(command=command, args=args, env=env), errlog=said)
        yield await stack.enter_async_context(Client(where, read_timeout_seconds=seconds))


def _on_this_machine(url: str) -> None:
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ConfigError(
            f"{url} is on another machine.", "what you ask would leave yours", "labkit mcp serve --http  # one here"
        )


def _text(part) -> str:
    """What of a part a language model can read: text; of anything else its kind."""
    text = getattr(part, "text", None)
    return f"[{getattr(part, 'type', 'binary')} that is no text]" if text is None else text


def _first(error: BaseException) -> str:
    """The words of the first plain error inside groups of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if "error response" in str(error):  # the SDK's words for 401 and its like
        return "it refused; the key may be missing or wrong"
    return f"{type(error).__name__}: {error}"[:300]


def _sdk_errors() -> tuple[type[BaseException], ...]:
    from mcp import MCPError

    return (MCPError, ExceptionGroup)
