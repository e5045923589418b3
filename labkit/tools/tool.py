"""One tool, whatever it came as: a typed Python function, an Agent Framework tool, or an OpenAI tool dict.

    as_tools([lookup_customer, {"type": "function", "function": {"name": "get_time", …}}])

A function's type hints become a JSON schema, its docstring's first paragraph the description; lines such as
"city: where to look" and Annotated[str, "where to look"] describe a parameter.

Taught in notebook 04, section "Six steps".
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from labkit.errors import BadTool
from labkit.tools.schema import engine_schema, normalise

__all__ = ["Tool", "as_tool", "as_tools"]


@dataclass(frozen=True)
class Tool:
    """A tool: `name`, `description`, JSON schema of its `parameters`, and the `function` that does it (None: only declared).

    engine: the same schema with every length capped, as engines are asked to hold it. repeatable: whether a call that may have
    been half executed can be made again (look-ups: yes; whatever changes something: no).

    Taught in notebook 04, section "Six steps".
    """

    name: str
    description: str
    parameters: dict
    function: Callable | None = field(default=None, compare=False)
    repeatable: bool = False
    engine: dict = field(init=False, compare=False, repr=False)

    def __post_init__(self):
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w.:/-]{1,128}", self.name):
            raise BadTool(
                f"{str(self.name)[:80]!r} is no name for a tool.", "letters, digits and _.:/- only", "rename it"
            )
        object.__setattr__(self, "parameters", normalise(self.parameters, self.name))
        object.__setattr__(self, "engine", engine_schema(self.parameters))

    @property
    def properties(self) -> dict[str, dict]:
        """Parameter name -> its JSON schema."""
        return self.parameters["properties"]

    @property
    def required(self) -> list[str]:
        """Names of the parameters that a call must give."""
        return self.parameters["required"]

    def to_openai(self) -> dict:
        """Return it as an OpenAI tool dict."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}


def as_tools(things: Iterable) -> list[Tool]:
    """Return Tools for functions, Agent Framework tools, OpenAI tool dicts or Tools. Raises BadTool, also for two of one name.

    Taught in notebook 04, section "Six steps".
    """
    tools = [as_tool(thing) for thing in things]
    names = [tool.name for tool in tools]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadTool(f"Two tools are called {twice[0]!r}.", "a call could mean either", "rename one of them")
    return tools


def as_tool(thing: Any) -> Tool:
    """Return one Tool. Raises BadTool if `thing` is none of the known kinds, or its schema cannot be used.

    Taught in notebook 04, section "Six steps".
    """
    if isinstance(thing, Tool):
        return thing
    if isinstance(thing, Mapping):
        return _from_dict(thing)
    if hasattr(thing, "to_json_schema_spec"):  # Agent Framework's FunctionTool
        spec = thing.to_json_schema_spec()["function"]
        return Tool(spec["name"], _first_paragraph(spec.get("description")), spec.get("parameters") or {}, thing.func)
    if callable(thing):
        return _from_function(thing)
    raise BadTool(f"{thing!r} is no tool.", "a function, an Agent Framework tool or an OpenAI tool dict is wanted", "")


def _from_dict(thing: Mapping) -> Tool:
    spec = thing.get("function", thing)
    if not isinstance(spec, Mapping) or "name" not in spec:
        raise BadTool("A tool dict has no name.", f"its keys are {sorted(map(str, thing))}", "")
    return Tool(spec["name"], _first_paragraph(spec.get("description")), spec.get("parameters") or {})


def _from_function(function: Callable) -> Tool:
    name = getattr(function, "__name__", type(function).__name__)
    typed, descriptions = _typed_parameters(function, name)
    schema, text = typed.json_schema(), inspect.getdoc(function) or ""
    for parameter, about in (_lines_about(text, schema["properties"]) | descriptions).items():
        schema["properties"][parameter].setdefault("description", about)

    def with_types(**arguments):
        return function(**typed.validate_python(arguments))  # a dataclass arrives as one, not as a dict

    return Tool(name, _first_paragraph(text), schema, with_types, getattr(function, "repeatable", False))


def _typed_parameters(function: Callable, name: str):
    """Return pydantic's view of the parameters, and the texts in Annotated[type, "text"]."""
    from typing import NotRequired

    import pydantic
    from typing_extensions import TypedDict

    hints, fields, descriptions = _hints(function, name), {}, {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise BadTool(f"{name} takes {parameter}.", "a call gives parameters by name", "name them")
        hint = hints.get(parameter.name, Any)
        fields[parameter.name] = hint if parameter.default is parameter.empty else NotRequired[hint]
        if about := next((one for one in getattr(hint, "__metadata__", ()) if isinstance(one, str)), ""):
            descriptions[parameter.name] = about
    try:
        return pydantic.TypeAdapter(TypedDict(name, fields)), descriptions
    except (pydantic.errors.PydanticUserError, TypeError) as error:
        raise BadTool(
            f"The parameters of {name} cannot be described.", str(error).splitlines()[0], "add type hints"
        ) from error


def _hints(function: Callable, name: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError) as error:
        raise BadTool(f"The type hints of {name} cannot be read.", str(error), "import what they name") from error


def _lines_about(text: str, names: Iterable[str]) -> dict[str, str]:
    """Return what the lines "name: what it is" of a docstring say of the parameters."""
    found = {}
    for name in names:
        if match := re.search(rf"^\s*{re.escape(name)}\s*(?:\([^)]*\))?:\s*(.+)$", text, re.M):
            found[name] = match[1].strip()
    return found


def _first_paragraph(text: Any) -> str:
    return " ".join(str(text or "").split("\n\n")[0].split())
