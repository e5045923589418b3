"""Is this still the stub? Decided from the value and the stub's source; the learner's code is not run.

At work in notebook 00, section "How exercises work".
"""

from __future__ import annotations

import ast
import dis
import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import CodeType, FunctionType

__all__ = ["blanks", "is_blank"]


def blanks(given: Mapping[str, object], stubs: Sequence[str]) -> list[str]:
    """Return the names of the values that are still to be filled in: all that the stubs leave to the learner, or else
    those that are `...` beside others that are not. (The rest of `given`, such as an endpoint, comes from elsewhere.)
    """
    own = _defined(stubs) & given.keys() or given.keys()
    untouched = [name for name in given if name in own and is_blank(given[name], name, stubs)]
    return untouched if len(untouched) == len(own) else [name for name in untouched if given[name] is ...]


def is_blank(value: object, name: str, stubs: Sequence[str]) -> bool:
    """Return whether the value that the learner calls `name` is untouched.

    Untouched are: `...` and None; a function that does nothing, or has the very code of a function in one of the
    `stubs` (source code); a class with such methods only, or with nothing in it, as in a stub; and the literal that a
    stub gives to `name`.
    """
    if value is None or value is ...:
        return True
    if isinstance(value, FunctionType):
        return _is_stub(value, tuple(stubs))
    if isinstance(value, type):
        return _is_stub_class(value, tuple(stubs))
    return any(type(value) is type(literal) and value == literal for literal in _literals(name, tuple(stubs)))


def _is_stub(function: FunctionType, stubs: tuple[str, ...]) -> bool:
    function = inspect.unwrap(function)
    return _does_nothing(function) or _fingerprint(function.__code__) in _fingerprints(stubs)


def _is_stub_class(cls: type, stubs: tuple[str, ...]) -> bool:
    methods = [method for member in vars(cls).values() if (method := _method(member, cls))]
    if methods:
        return all(_is_stub(method, stubs) for method in methods)
    data = inspect.get_annotations(cls) or [name for name in vars(cls) if not name.startswith("__")]
    return not data and any(isinstance(node, ast.ClassDef) and node.name == cls.__name__ for node in _statements(stubs))


def _method(member: object, cls: type) -> FunctionType | None:
    """Return the function written in the class body behind a class member, or None (data; made by a decorator)."""
    function = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
    if not isinstance(function, FunctionType):
        return None
    function = inspect.unwrap(function)
    return function if function.__code__.co_qualname.startswith(f"{cls.__qualname__}.") else None


def _does_nothing(function: FunctionType) -> bool:
    """Compare with an empty function that this same interpreter compiles."""
    prefix = "async " if inspect.iscoroutinefunction(function) else ""
    return _steps(next(_functions(_compiled(f"{prefix}def _(): ...")))) == _steps(function.__code__)


def _steps(code: CodeType) -> list[tuple[str, object]]:
    return [(step.opname, step.argval) for step in dis.get_instructions(code) if step.opname != "NOP"]


@lru_cache
def _fingerprints(stubs: tuple[str, ...]) -> frozenset:
    return frozenset(_fingerprint(code) for stub in stubs for code in _functions(_compiled(stub)))


def _fingerprint(code: CodeType) -> tuple:
    """What a function does, without where it stands: no file, no line numbers."""
    constants = tuple(_fingerprint(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts)
    return code.co_name, code.co_code, code.co_names, code.co_varnames, constants


def _functions(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _functions(constant)


def _compiled(source: str) -> CodeType:
    return compile(source, "<stub>", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)


def _literals(name: str, stubs: tuple[str, ...]) -> Iterator[object]:
    """Yield the literals that the stubs assign to `name`."""
    for node in _statements(stubs):
        if isinstance(node, ast.Assign | ast.AnnAssign) and name in _names(node) and _is_literal(node.value):
            yield ast.literal_eval(node.value)


def _defined(stubs: Sequence[str]) -> set[str]:
    return {name for node in _statements(tuple(stubs)) for name in _names(node)}


def _names(node: ast.stmt) -> list[str]:
    """Return the names that a statement assigns or defines."""
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
    return [node.name] if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) else []


@lru_cache
def _statements(stubs: tuple[str, ...]) -> list[ast.stmt]:
    return [node for stub in stubs for node in ast.parse(stub).body]


def _is_literal(node: ast.AST) -> bool:
    fixed = (ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Set, ast.UnaryOp, ast.USub, ast.Load)
    return all(isinstance(part, fixed) for part in ast.walk(node))
