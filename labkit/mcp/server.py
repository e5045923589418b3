"""Functions, texts and prompts as an MCP server: the official SDK's, with labkit's tools behind it.

    shop = server([lookup_order, create_ticket], name="shop")
    over_stdio(shop)                                  # until the client hangs up
    with over_http(shop, key) as running: running.url  # http://127.0.0.1:PORT/mcp

The tools go through labkit.tools: the same schema as a local call has, with the parameters' descriptions; time and size limits;
errors in words that an agent can use. Taught in notebook 14, section "A server".
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import anyio

from labkit.backends.asgi import Locked, LoopbackServer
from labkit.errors import ConfigError
from labkit.tools.execute import Ledger
from labkit.tools.tool import Tool, as_tools

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

__all__ = ["PATH", "Resource", "over_http", "over_stdio", "server"]

PATH = "/mcp"


@dataclass(frozen=True)
class Resource:
    """A text that a host may read: its `uri`, a `title`, and the function that reads it.

    Taught in notebook 14, sections "Two transports" and "Three kinds".
    """

    uri: str
    title: str
    read: Callable[[], str]
    mime_type: str = "text/plain"


def server(
    tools: Iterable = (),
    *,
    name: str,
    instructions: str = "",
    resources: Iterable[Resource] = (),
    prompts: Iterable[Callable[..., str]] = (),
    seconds: float = 30.0,
) -> Server:
    """Return a server of the SDK. tools: whatever `labkit.tools.as_tools` takes. prompts: functions from texts to a text.

    seconds: time limit of a call. Raises BadTool for a tool that cannot be described. Taught in notebook 14, section "A server".
    """
    from mcp.server.lowlevel import Server

    held = {one.name: one for one in as_tools(tools)}
    texts = {one.uri: one for one in resources}
    makers = {one.__name__: one for one in prompts}
    offered = [*_tools(held, seconds), *_resources(texts), *_prompts(makers)]
    return Server(name, version=version("labkit"), instructions=instructions or None, **dict(offered))


def over_stdio(shop: Server) -> None:
    """Serve one client over standard input and output, until it closes them."""
    from mcp.server.stdio import stdio_server

    async def serve() -> None:
        async with stdio_server() as streams:
            await shop.run(*streams, shop.create_initialization_options())

    anyio.run(serve)


class over_http(LoopbackServer):
    """Serve over streamable HTTP in a thread of this process, on loopback, behind `key`. `url` is where a client looks.

    Raises ConfigError for an empty key, EngineStartError for a taken port. Taught in notebook 14, section "Two transports".
    """

    def __init__(self, shop: Server, key: str, port: int = 0):
        if not key:
            raise ConfigError("An MCP server needs a key.", "any program of this machine could call its tools", "")
        super().__init__(Locked(shop.streamable_http_app(streamable_http_path=PATH), key), port)

    @property
    def url(self) -> str:
        """The address for a client."""
        return self.address + PATH


def _tools(held: Mapping[str, Tool], seconds: float):
    from mcp import types

    async def list_tools(context, params) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_described(one) for one in held.values()])

    async def call_tool(context, params) -> types.CallToolResult:
        # A ledger of its own for each call: whether a client may ask twice is for the client to know.
        result = await anyio.to_thread.run_sync(_run, held, params.name, params.arguments or {}, Ledger(seconds))
        return types.CallToolResult(content=[types.TextContent(type="text", text=result[0])], is_error=not result[1])

    return [("on_list_tools", list_tools), ("on_call_tool", call_tool)] if held else []


def _run(held: Mapping[str, Tool], name: str, arguments: dict, ledger: Ledger) -> tuple[str, bool]:
    if name not in held:
        return f"There is no tool {name[:80]!r}; there are {', '.join(held)}.", False
    result = ledger.run(held[name], arguments)
    return result.text.removeprefix("Error: "), result.ok


def _described(tool: Tool):
    from mcp import types

    hints = types.ToolAnnotations(read_only_hint=tool.repeatable)
    described = {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
    return types.Tool(**described, annotations=hints)


def _resources(texts: Mapping[str, Resource]):
    from mcp import MCPError, types

    async def list_resources(context, params) -> types.ListResourcesResult:
        rows = [types.Resource(uri=one.uri, name=one.title, mime_type=one.mime_type) for one in texts.values()]
        return types.ListResourcesResult(resources=rows)

    async def read_resource(context, params) -> types.ReadResourceResult:
        if not (found := texts.get(str(params.uri))):
            raise MCPError(types.INVALID_PARAMS, f"There is no resource {str(params.uri)[:200]!r}.")
        text = await anyio.to_thread.run_sync(found.read)
        content = types.TextResourceContents(uri=found.uri, mime_type=found.mime_type, text=text)
        return types.ReadResourceResult(contents=[content])

    return [("on_list_resources", list_resources), ("on_read_resource", read_resource)] if texts else []


def _prompts(makers: Mapping[str, Callable[..., str]]):
    from mcp import MCPError, types

    async def list_prompts(context, params) -> types.ListPromptsResult:
        return types.ListPromptsResult(prompts=[_asked(name, one) for name, one in makers.items()])

    async def get_prompt(context, params) -> types.GetPromptResult:
        if not (maker := makers.get(params.name)):
            raise MCPError(types.INVALID_PARAMS, f"There is no prompt {params.name[:80]!r}.")
        try:
            filled = inspect.signature(maker).bind(**(params.arguments or {}))
        except TypeError as error:
            raise MCPError(types.INVALID_PARAMS, f"{params.name}: {error}.") from error
        text = types.TextContent(type="text", text=maker(*filled.args, **filled.kwargs))
        return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=text)])

    return [("on_list_prompts", list_prompts), ("on_get_prompt", get_prompt)] if makers else []


def _asked(name: str, maker: Callable[..., str]):
    from mcp import types

    wanted = [
        types.PromptArgument(name=one.name, required=one.default is one.empty)
        for one in inspect.signature(maker).parameters.values()
    ]
    return types.Prompt(name=name, description=inspect.getdoc(maker), arguments=wanted)
