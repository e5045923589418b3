"""What words have to do with each other, read from the bundled model's own token embeddings.

    alike(["movie"], ["film"])            # near 1: the same thing; near 0: nothing to do with each other

Asked in words whether a tool fits a request, a 135M model hardly beats a coin; its word vectors know that a film is a movie. So
labkit ships them: the whole words of its vocabulary, 96 numbers each (data/tool_words.npz, made from the weights by `make`).

Taught in notebook 04, section "Two stages".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.paths import data_dir

if TYPE_CHECKING:
    import numpy as np

__all__ = ["alike", "make", "mean", "vectors"]

WORDS, NUMBERS = 25_000, 96


def file() -> Path:
    """Return the file of the shipped word vectors."""
    return data_dir() / "tool_words.npz"


@cache
def vectors() -> tuple[dict[str, int], np.ndarray]:
    """Return (word -> row, matrix of unit vectors, words x 96, float32)."""
    import numpy as np

    with np.load(file(), allow_pickle=False) as stored:
        words = bytes(stored["words"]).decode().split("\n")
        matrix = stored["vectors"].astype(np.float32)
    return {word: row for row, word in enumerate(words)}, matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def alike(left: Sequence[str], right: Sequence[str]) -> np.ndarray:
    """Return cosines, len(left) x len(right). The same word is 1, a word that is not known is 0 to all others."""
    import numpy as np

    a, b = _rows(tuple(left)), _rows(tuple(right))
    same = np.array([[x == y for y in right] for x in left], dtype=bool).reshape(len(left), len(right))
    return np.where(same, 1.0, a @ b.T)


def mean(words: Sequence[str]) -> np.ndarray:
    """Return the direction in which the words' vectors point together: a unit vector of 96 numbers, or zeros if none is known."""
    import numpy as np

    total = _rows(tuple(words)).sum(0)
    return total / (np.linalg.norm(total) or 1.0)


@lru_cache(2048)
def _rows(words: tuple[str, ...]) -> np.ndarray:
    import numpy as np

    index, matrix = vectors()
    rows = np.zeros((len(words), matrix.shape[1]), np.float32)
    for number, word in enumerate(words):
        found = index.get(word, index.get(word.removesuffix("s")))
        if found is not None:
            rows[number] = matrix[found]
    return rows


def make(gguf: Path, to: Path) -> int:
    """Write the word vectors of the F16 model file `gguf` to `to`; return how many words.

    Taken: whole words of the vocabulary, commonest first; the mean and the four strongest directions, which all words
    share, are left out.
    """
    import numpy as np
    from gguf import GGUFReader

    reader = GGUFReader(gguf)
    tensor = next(one for one in reader.tensors if one.name == "token_embd.weight")
    all_vectors = np.array(tensor.data, dtype=np.float32)
    field = reader.fields["tokenizer.ggml.tokens"]
    rows: dict[str, int] = {}
    for row, part in enumerate(field.data):
        token = bytes(field.parts[part]).decode()
        if re.fullmatch("Ġ[A-Za-z]{2,}", token) and (token[1:].islower() or token[1:].lower() not in rows):
            rows[token[1:].lower()] = row
    words = sorted(rows, key=rows.get)[:WORDS]
    centred = all_vectors - all_vectors.mean(0)
    shared = np.linalg.svd(centred[:: len(centred) // 5000], full_matrices=False)[2][:4]
    kept = (centred - centred @ shared.T @ shared)[[rows[word] for word in words]]
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    small = kept @ np.linalg.svd(kept, full_matrices=False)[2][:NUMBERS].T
    small = np.round(127 * small / np.abs(small).max(1, keepdims=True)).astype(np.int8)
    np.savez_compressed(to, words=np.frombuffer("\n".join(words).encode(), np.uint8), vectors=small)
    return len(words)
