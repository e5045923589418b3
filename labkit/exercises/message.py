"""One message, two renderings: Markdown for Jupyter, plain text for everywhere else.

A sentence may carry a learner's value, so nothing in it is trusted: the only markup is `code` between backticks, and
all the rest is escaped. A value can become neither HTML, nor a heading, a link or a formula, nor a terminal escape.

At work in notebook 00, section "How exercises work".
"""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Message", "code", "show"]

_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")  # `code`, ``co`de``: as in CommonMark
_SPECIAL = re.compile(r"[\\`*_\[\]<>|$~&@]|:(?=//)|(?<=www)\.", re.I)  # the last three: what looks like an address


@dataclass(frozen=True)
class Message:
    """A lead word or two, a text, labelled details, and a block of code (all str; all but the lead may be empty).

    Jupyter shows `markdown()`; `print` and the terminal show `plain()`.
    """

    lead: str
    text: str = ""
    details: tuple[tuple[str, str], ...] = ()
    code: str = ""

    def markdown(self) -> str:
        """Return the message as Markdown that means the same in JupyterLab, VS Code and an HTML export."""
        first = f"**{_markdown(self.lead)}**{_glue(self.text)}{_markdown(self.text)}"
        details = [f"**{_markdown(label)}:** {_markdown(text)}" for label, text in self.details if text]
        fence = "`" * max(3, 1 + max(map(len, re.findall("`+", self.code)), default=0))
        block = [f"{fence}python\n{self.code.strip(chr(10))}\n{fence}"] if self.code.strip() else []
        return "\n\n".join([first, *details, *block])

    def plain(self) -> str:
        """Return the message as lines of plain text, details and code indented."""
        details = [f"  {_clean(label)}: {_plain(text)}" for label, text in self.details if text]
        code = [f"    {line}".rstrip() for line in self.code.strip("\n").splitlines()]
        return "\n".join([f"{_plain(self.lead)}{_glue(self.text)}{_plain(self.text)}", *details, *code])

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def __str__(self) -> str:
        return self.plain()

    __repr__ = __str__


def show(value: object, limit: int = 80) -> str:
    """Return a value for use in a sentence: its repr as `code`, shortened to about `limit` characters."""
    shorten = reprlib.Repr()
    shorten.maxstring = shorten.maxlong = shorten.maxother = limit
    text = _clean(shorten.repr(value))
    return code(text if len(text) <= limit else f"{text[: limit - 1]}…")


def code(text: str) -> str:
    """Return any text for use in a sentence, marked as `code`, whatever backticks it has itself."""
    return _span(_clean(text))


def _glue(text: str) -> str:
    return "" if not text or text.startswith(",") else " "


def _clean(text: str) -> str:
    """One line, in which invisible characters (terminal escapes, direction marks) are spelt out."""
    text = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Split a sentence into (is it code, text)."""
    text, end = _clean(text), 0
    for span in _SPAN.finditer(text):
        yield False, text[end : span.start()]
        yield True, _unpad(span[2])
        end = span.end()
    yield False, text[end:]


def _unpad(text: str) -> str:
    return text[1:-1] if text[0] == text[-1] == " " and text.strip() else text


def _plain(text: str) -> str:
    return "".join(f"`{piece}`" if is_code else piece for is_code, piece in _pieces(text))


def _markdown(text: str) -> str:
    return "".join(_span(piece) if is_code else _SPECIAL.sub(_escape, piece) for is_code, piece in _pieces(text))


def _span(text: str) -> str:
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if text[:1] == "`" or text[-1:] == "`" or not text.strip() else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _escape(match: re.Match) -> str:
    entity = f"&#{ord(match[0])};"
    # MathJax reads the page once Markdown is gone, so an entity alone would not stop `$…$` or `\(…\)`; an element does.
    return f"<span>{entity}</span>" if match[0] in "$\\" else entity
