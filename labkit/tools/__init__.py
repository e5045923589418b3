"""Tool calls that hold on tiny models: constrained, checked, grounded in the user's words.

    from labkit import tools
    decision = tools.call(endpoint, "Where is order A-1002?", [lookup_order_status])
    decision.calls, decision.missing, decision.trace

| module | what it does |
| --- | --- |
| `tool`, `schema` | functions, Agent Framework tools and OpenAI dicts become one kind of Tool with one plain JSON schema |
| `words`, `vectors` | words, their endings, their meaning |
| `candidates`, `spoken`, `lists` | values that the request holds, by type |
| `slots`, `plan`, `fill`, `numbers`, `texts` | which value goes where; what is open, what is missing |
| `agree`, `dates` | what words and the model say becomes one value, as the parameter wants it written |
| `relevance` | does a tool fit the request, or none |
| `decide`, `prompt`, `reading` | the steps, what the model is shown, and how its text is read |
| `parallel` | several calls for one request |
| `execute`, `talk` | run a call once, in time; the whole turn on an endpoint |
| `middleware` | the same for Agent Framework |
| `items`, `rates`, `weigh` | the course's items, the five rates, and the weights fitted on the development half |
| `cost`, `lint` | what the layer costs; what of a schema no engine would hold |

Taught in notebook 04, sections "Six steps", "Two stages" and "Five rates".
"""

from labkit.tools.decide import Call, Decision
from labkit.tools.execute import Ledger, Result
from labkit.tools.talk import Answer, Usage, answer, as_openai, call
from labkit.tools.tool import Tool, as_tool, as_tools

__all__ = [
    "Answer",
    "Call",
    "Decision",
    "Ledger",
    "Result",
    "Tool",
    "Usage",
    "answer",
    "as_openai",
    "as_tool",
    "as_tools",
    "call",
]
