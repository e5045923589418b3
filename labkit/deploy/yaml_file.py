"""A YAML file read strictly, with the line and column of everything in it.

    document = read(Path("shop.yaml"))
    document.value                                            # dicts, lists, strings, numbers
    document.error([(("models", 0, "port"), "is taken")])     # ConfigError "shop.yaml, line 4, column 11: is taken"

Refused: what is no text or too long, more than one document, anchors and aliases (a few lines of them unfold into gigabytes), tags,
a key that stands twice, and anything that looks like a secret: a file names the environment variable that holds it.

Taught in notebook 12, section "One manifest, three schedulers".
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from labkit.errors import ConfigError

__all__ = ["Document", "Problem", "meant", "read", "refuse_secrets"]

Problem = tuple[tuple, str]  # where, as a path of keys and indices; what is wrong
MOST_BYTES, MOST_DEPTH = 256 * 1024, 20
CHECK = "labkit deploy schema  # which keys there are"
# A key that names a secret, unless it names the variable that holds one (key_env).
SECRET_KEY = re.compile(r"(^|[_-])(api_?keys?|key|passwords?|passwd|secrets?|token|credentials?)$", re.I)
SECRET_VALUE = re.compile(
    r"-----BEGIN |^Bearer |://[^/\s:@]+:[^/\s@]+@|\b(sk|pk|rk)-[\w-]{16,}|\b(hf|ghp|gho|glpat|xox[abp])[_-][\w-]{10,}|\bAKIA[A-Z0-9]{12,}"
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}\."
)


@dataclass(frozen=True)
class Document:
    """What a file says, and where: `places` has (line, column), from 1, of each path of keys and indices."""

    file: Path
    value: Any
    places: dict[tuple, tuple[int, int]]

    def error(self, problems: Iterable[Problem], fix: str = CHECK) -> ConfigError:
        """Return a ConfigError that tells every problem with its line and column, in the file's order."""
        told = sorted((self._place(at), said) for at, said in problems)
        lines = [f"{self.file.name}, line {line}, column {column}: {said}" for (line, column), said in told]
        return ConfigError("\n".join(lines), "", fix)

    def _place(self, at: tuple) -> tuple[int, int]:
        """The place of a path, or of the nearest thing around it."""
        while at not in self.places and at:
            at = at[:-1]
        return self.places.get(at, (1, 1))


def read(file: Path) -> Document:
    """Return what a YAML file says. Raises ConfigError for one that cannot be read, or is refused."""
    text = _text(file)
    try:
        _refuse_tricks(file, text)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        places = dict(_places(file, node, ())) if node else {}
        value = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _at(file, mark, f"this is no YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-99-99
        raise ConfigError(f"{file.name} is no YAML: {' '.join(str(error).split())}", "", CHECK) from None
    if not isinstance(value, dict):
        raise ConfigError(f"{file.name} holds no keys.", "a manifest is a table of keys and values", CHECK)
    return Document(file, value, places)


def refuse_secrets(document: Document) -> None:
    """Raise ConfigError where a key or a value looks like a secret; the value is never shown."""
    found = [
        (at, f"a secret has no place in this file ({said}): name the environment variable that holds it, key_env: NAME")
        for at, key, value in _leaves(document.value, ())
        if (said := _secret(key, value))
    ]
    if found:
        raise document.error(
            found, fix="export LABKIT_KEY=$(openssl rand -hex 16)  # and key_env: LABKIT_KEY in the file"
        )


def meant(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?", or "; there are A, B" where nothing is near."""
    known = list(known)
    near = difflib.get_close_matches(name, known, 1, 0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; there are {', '.join(known)}" if known else "; there are none"


def _text(file: Path) -> str:
    try:
        raw = file.read_bytes() if file.stat().st_size <= MOST_BYTES else None
        text = raw.decode("utf-8-sig") if raw is not None else None
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}.", "", "labkit deploy plan --help") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file.name} is no text in UTF-8.", "", CHECK) from None
    if text is None:
        raise ConfigError(f"{file.name} is longer than {MOST_BYTES // 1024} KiB.", "no manifest is", CHECK)
    return text


def _refuse_tricks(file: Path, text: str) -> None:
    """Anchors, aliases, tags, depth, several documents: seen in the events, before anything is built."""
    depth, documents = 0, 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        documents += isinstance(event, yaml.DocumentStartEvent)
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if getattr(event, "anchor", None):
            raise _at(
                file, event.start_mark, "anchors and aliases are refused: a few lines of them unfold into gigabytes"
            )
        if getattr(event, "tag", None):
            raise _at(file, event.start_mark, f"the tag {event.tag} is refused: plain values only")
        if depth > MOST_DEPTH:
            raise _at(file, event.start_mark, f"nested deeper than {MOST_DEPTH} levels")
        if documents > 1:
            raise _at(file, event.start_mark, "a second document begins here: one file, one manifest")


def _places(file: Path, node: yaml.Node, at: tuple) -> Iterator[tuple[tuple, tuple[int, int]]]:
    """Yield the place of every key and list item. Raises ConfigError for a key that stands twice."""
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            yield (*at, i), (item.start_mark.line + 1, item.start_mark.column + 1)
            yield from _places(file, item, (*at, i))
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                raise _at(file, key.start_mark, "a key is a plain word")
            if key.value in seen:
                raise _at(file, key.start_mark, f"the key {key.value!r} stands here a second time")
            seen.add(key.value)
            yield (*at, key.value), (key.start_mark.line + 1, key.start_mark.column + 1)
            yield from _places(file, value, (*at, key.value))


def _leaves(value: Any, at: tuple) -> Iterator[tuple[tuple, str, Any]]:
    key = next((part for part in reversed(at) if isinstance(part, str)), "")
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, (*at, str(name)))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _leaves(inner, (*at, i))
    else:
        yield at, key, value


def _secret(key: str, value: Any) -> str:
    if value is not None and SECRET_KEY.search(key):
        return f"the key {key!r}"
    if isinstance(value, str) and SECRET_VALUE.search(value):
        return f"the value of {key!r} looks like one"
    if isinstance(value, str) and key.endswith("_env") and not re.fullmatch(r"[A-Z][A-Z0-9_]*", value):
        return f"{key!r} takes a variable's name in capitals"
    return ""


def _at(file: Path, mark: yaml.Mark, said: str) -> ConfigError:
    return Document(file, None, {(): (mark.line + 1, mark.column + 1)}).error([((), said)])
