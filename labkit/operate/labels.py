"""What an agent may still do after it has read text from outside: Agent Framework's security labels.

    Agent(client=…, tools=[read_page, refund], middleware=[*labelled(free={"read_page"}), *guarded()])

Each tool's result is labelled; one from outside (the default: a tool is believed only if it is marked `trusted`) makes the whole
session untrusted, and from then on only the tools in `free` run, whatever the text said and whether a guard knew its phrase or not.
That holds per session, so give `session=` to agent.run. The framework calls this feature experimental.

Explained in notebook 14, section "Trust".
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable

__all__ = ["labelled", "trusted"]


def labelled(free: Iterable[str] = (), hide: bool = False) -> list:
    """Return the middleware. free: tools that change nothing and may run on foreign words.

    hide: keep untrusted results out of the model's sight behind a variable, to be read by a quarantined model; small models do not
    cope with that. Put it before `guarded()`: the label is then given to what the guards let through.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # "experimental": said above, once
        from agent_framework.security import LabelTrackingFunctionMiddleware, PolicyEnforcementFunctionMiddleware

        return [
            LabelTrackingFunctionMiddleware(auto_hide_untrusted=hide),
            PolicyEnforcementFunctionMiddleware(allow_untrusted_tools=set(free), block_on_violation=True),
        ]


def trusted(function: Callable):
    """Return `function` as a tool whose results are our own data (a clock, a price list) and leave the session trusted."""
    from agent_framework import tool

    return tool(function, additional_properties={"source_integrity": "trusted"})
