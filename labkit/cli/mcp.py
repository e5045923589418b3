"""labkit mcp: the desk's tools for any MCP host, and what another server offers."""

from __future__ import annotations

import json
import os
import secrets
import sys
from typing import Annotated

import typer

from labkit.cli.common import HIGHEST_PORT, Json, end_in_order, key_of, print_out

app = typer.Typer(
    no_args_is_help=True,
    help="Tools over the Model Context Protocol.",
    epilog="Example: **labkit mcp tools** asks the desk's own server what it offers",
)


@app.command(
    epilog="Example: **labkit mcp serve --http --port 8770**; without --http, a host starts it and talks by stdio"
)
def serve(
    http: Annotated[bool, typer.Option("--http", help="Streamable HTTP on 127.0.0.1, until Ctrl-C.")] = False,
    port: Annotated[int, typer.Option(min=0, max=HIGHEST_PORT, help="With --http; 0 takes a free one.")] = 8770,
    key_env: Annotated[
        str, typer.Option(metavar="NAME", help="Environment variable that holds the key; without it, a fresh key.")
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="On the desk that keeps what is written.")] = False,
) -> None:
    """Serve the shop's desk: five tools, the knowledge base, one prompt."""
    from labkit.agents.desk import Desk
    from labkit.mcp import over_http, over_stdio
    from labkit.mcp.desk import desk_server

    desk = desk_server(Desk.at_home() if keep else Desk())
    if not http:
        return over_stdio(desk)
    end_in_order()
    key = key_of(key_env) if key_env else secrets.token_urlsafe(24)
    with over_http(desk, key, port) as running:
        shown = {"url": running.url, "pid": os.getpid(), **({"key_env": key_env} if key_env else {"key": key})}
        print(json.dumps(shown), flush=True)
        running.join()


@app.command(
    "tools",
    epilog="Example: **labkit mcp tools -- npx some-server**, or **labkit mcp tools http://127.0.0.1:8770/mcp**",
)
def tools_(
    where: Annotated[
        list[str] | None, typer.Argument(help="A command, or a URL of this machine; none: the desk.")
    ] = None,
    key_env: Annotated[str, typer.Option(metavar="NAME", help="Environment variable that holds the key.")] = "",
    as_json: Json = False,
) -> None:
    """What a server offers: its tools, each with the pin that `labkit.mcp.hold` takes, and what is odd in their words."""
    from labkit.mcp import Toolbox, pinned
    from labkit.operate.injection import found

    asked = where or [sys.executable, "-m", "labkit.cli", "mcp", "serve"]
    with Toolbox(asked[0] if "://" in asked[0] else asked, key=key_of(key_env) if key_env else "") as box:
        tools, told = box.tools, box.told
    pins = pinned(tools)
    rows = [{**one.to_openai()["function"], "pin": pins[one.name], "odd": found(one.description)} for one in tools]
    if as_json:
        return print_out({"server": told.name, "version": told.version, "protocol": told.protocol, "tools": rows})
    print_out(f"{told.name} {told.version}, protocol {told.protocol}: {len(rows)} tools")
    for row in rows:
        odd = f"\n    looks like an instruction to the model: {row['odd']}" if row["odd"] else ""
        print_out(f"  {row['name']:24} {row['pin'][:12]}  {row['description'][:90]}{odd}")
