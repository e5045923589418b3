"""Tools over the Model Context Protocol: offer labkit's tools to any host, and take any server's tools into the tool layer.

    with Toolbox([sys.executable, "-m", "labkit.cli", "mcp", "serve"]) as box:         # or a URL, with key=
        tools.call(endpoint, "Where is order 1002?", box.tools)

| module | what it does |
| --- | --- |
| `server` | functions, resources and prompts become a server of the official SDK: stdio, or HTTP on loopback with a key |
| `client` | a server's tools as `labkit.tools.Tool`, from ordinary code: no event loop to care for, in any notebook |
| `pins` | only tools that somebody approved, as they were when they were approved |
| `desk` | the shop's service desk as a server |

Taught in notebook 14, sections "A server" and "A client".
"""

from labkit.mcp.client import Toolbox
from labkit.mcp.pins import hold, pinned
from labkit.mcp.server import Resource, over_http, over_stdio, server

__all__ = ["Resource", "Toolbox", "hold", "over_http", "over_stdio", "pinned", "server"]
