"""A server of the SDK's, as a child process."""

import sys

import pytest

from labkit.errors import Denied, ServerMissing, ToolFailed
from labkit.mcp.client import Toolbox
from labkit.mcp.pins import hold, pinned

SUM = """
from mcp.server.mcpserver import MCPServer
made = MCPServer("sum")
@made.tool()
def add(a: int, b: int) -> int:
    "Add two numbers."
    return a + b
made.run("stdio")
"""


def test_its_tools_work_and_are_held_to_their_words(tmp_path):
    (tmp_path / "sum.py").write_text(SUM)
    with Toolbox([sys.executable, str(tmp_path / "sum.py")]) as box:
        assert box.call("add", a=2, b=40) == "42"
        with pytest.raises(ToolFailed):
            box.call("add", a="two")
        assert hold(box.tools, pinned(box.tools)) == box.tools
        with pytest.raises(Denied):
            hold(box.tools, {"add": "another hash"})


def test_nobody_there():
    with pytest.raises(ServerMissing):
        Toolbox(["no-such-program"])
