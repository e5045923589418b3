"""What a grammar lets a model write: for a JSON schema and a text so far, which tokens of the vocabulary may come next.

    words = vocabulary(path_of_a_gguf)
    token_mask(words, schema, '{"city": "').allowed         # every token that may follow
    mask_scene(words, schema, '{"city": "Ljubljana"}')      # how many may follow, token by token

llguidance works the masks out, as it does inside engines. Taught in notebook 04, section "Token masks".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from labkit.errors import BadTool
from labkit.widgets.scene import Scene, plain
from labkit.widgets.theme import COLOURS, quiet

__all__ = ["Mask", "Vocabulary", "mask_scene", "masks", "token_mask", "vocabulary"]

CONTROL = 3  # GGUF's number for a token that is no text, such as the one that ends an answer
LONGEST = 64  # bytes of a token
TIGHT = {"whitespace_flexible": False, "key_separator": ": ", "item_separator": ", "}  # one way to lay JSON out


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """A model's `tokens` as bytes, by number; `control`: numbers of those that are no text; `end`: the one that ends an answer."""

    tokens: tuple[bytes, ...] = field(repr=False)
    control: frozenset[int]
    end: int

    @cached_property
    def tokenizer(self):
        """The same for llguidance."""
        from llguidance import LLTokenizer, TokenizerWrapper

        return LLTokenizer(TokenizerWrapper(_Listed(self)), slices=[])

    @cached_property
    def numbers(self) -> dict[bytes, int]:
        """Token -> its number, without control tokens."""
        return {token: number for number, token in enumerate(self.tokens) if number not in self.control}

    def cut(self, text: str | bytes) -> list[int]:
        """Return `text` as numbers of tokens, always the longest that fits (a mask depends on the text, not on how it is cut).

        Raises BadTool for a byte that the vocabulary lacks.
        """
        rest, found = text.encode() if isinstance(text, str) else text, []
        while rest:
            length = next((n for n in range(min(len(rest), LONGEST), 0, -1) if rest[:n] in self.numbers), 0)
            if not length:
                raise BadTool(f"The vocabulary has no token for {rest[:1]!r}.", "", "another text")
            found.append(self.numbers[rest[:length]])
            rest = rest[length:]
        return found


class _Listed:
    """What llguidance asks of a tokenizer."""

    bos_token_id = None

    def __init__(self, words: Vocabulary):
        self.tokens, self.special_token_ids, self.eos_token_id = list(words.tokens), sorted(words.control), words.end
        self.cut = words.cut

    def __call__(self, text: bytes) -> list[int]:
        return self.cut(text)


@dataclass(frozen=True)
class Mask:
    """After the text `before`: the tokens `allowed` (as text, shortest first), of so many (`total`), and whether it `may_end`."""

    before: str
    allowed: tuple[str, ...] = field(repr=False)
    total: int
    may_end: bool

    def __str__(self) -> str:
        few = ", ".join(json.dumps(one, ensure_ascii=False) for one in self.allowed[:8])
        more = f", … ({len(self.allowed)} of {self.total})" if len(self.allowed) > 8 else f" ({len(self.allowed)})"
        what = few + more if self.allowed else "no text"
        return f"after {self.before or 'nothing'}\n    may follow: {what}{'; or the end' if self.may_end else ''}"


@cache
def vocabulary(path: str | Path) -> Vocabulary:
    """Return the vocabulary in a GGUF file whose tokens are written as GPT-2 does it (llama.cpp calls that model "gpt2").

    Raises BadTool for another kind.
    """
    from gguf import GGUFReader

    fields = GGUFReader(path).fields
    kind = fields["tokenizer.ggml.model"].contents()
    if kind != "gpt2":
        raise BadTool(f"The vocabulary of {path} is of the kind {kind!r}.", "only gpt2's is read here", "labkit models")
    types = fields["tokenizer.ggml.token_type"].contents()
    tokens, letters = fields["tokenizer.ggml.tokens"].contents(), _letters()
    control = frozenset(number for number, one in enumerate(types) if one == CONTROL)
    raw = tuple(_bytes(token, letters, number in control) for number, token in enumerate(tokens))
    return Vocabulary(raw, control, fields["tokenizer.ggml.eos_token_id"].contents())


def _letters() -> dict[str, int]:
    """Return which letter stands for which byte: visible bytes for themselves, the others by letters from number 256 on."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in visible]
    return {chr(byte): byte for byte in visible} | {chr(256 + i): byte for i, byte in enumerate(hidden)}


def _bytes(token: str, letters: dict[str, int], control: bool) -> bytes:
    return token.encode() if control or not all(one in letters for one in token) else bytes(letters[o] for o in token)


def token_mask(words: Vocabulary, schema: dict, before: str = "") -> Mask:
    """Return what may follow the text `before` under a JSON `schema`. Raises BadTool if `before` breaks it, or it is none."""
    return masks(words, schema, [before])[0]


def masks(words: Vocabulary, schema: dict, pieces: Sequence[str]) -> list[Mask]:
    """Return the masks after the first piece, the first two, and so on. Raises BadTool as `token_mask`."""
    matcher, found, before = _matcher(words, schema), [], ""
    for piece in pieces:
        before += piece
        if not matcher.consume_tokens(words.cut(piece)):
            raise BadTool(f"{before!r} breaks the schema.", "no such text can be written under it", "")
        found.append(_mask(words, matcher, before))
    return found


def _matcher(words: Vocabulary, schema: dict):
    from llguidance import LLMatcher

    matcher = LLMatcher(words.tokenizer, LLMatcher.grammar_from_json_schema(schema, defaults=TIGHT), log_level=0)
    if matcher.is_error():
        raise BadTool("No engine could hold this schema.", matcher.get_error()[:200], "")
    return matcher


def _mask(words: Vocabulary, matcher, before: str) -> Mask:
    bits = matcher.compute_bitmask()
    numbers = [number for number in range(len(words.tokens)) if bits[number >> 3] >> (number & 7) & 1]
    texts = {words.tokens[number].decode(errors="replace") for number in numbers if number not in words.control}
    allowed = tuple(sorted(texts, key=lambda one: (len(one), one)))
    return Mask(before, allowed, len(words.tokens), matcher.is_accepting())


def mask_scene(words: Vocabulary, schema: dict, text: str) -> Scene:
    """Return the figure of how many tokens may come next, before each token of `text`, and its twin in words."""
    import plotly.graph_objects as go

    pieces = [words.tokens[number].decode(errors="replace") for number in words.cut(text)]
    found = masks(words, schema, ["", *pieces])[:-1]
    counts = [len(one.allowed) for one in found]
    figure = go.Figure()
    figure.add_bar(x=list(range(1, len(pieces) + 1)), y=counts, marker_color=COLOURS[0], name="tokens that may come")
    quiet(figure, x="token written here", y=f"allowed, of {len(words.tokens)}")
    figure.update_xaxes(tickmode="array", tickvals=list(range(1, len(pieces) + 1)), ticktext=pieces, rangemode="normal")
    figure.update_yaxes(type="log", rangemode="normal", dtick=1, range=[-0.3, 5])  # a bar of 1 must be seen
    width = max(map(len, map(repr, pieces)), default=0)
    lines = [f"{piece!r:{width}}  one of {count:6}" for piece, count in zip(pieces, counts, strict=True)]
    return Scene(plain(figure), "\n".join(["written   the grammar allowed", *lines]))
