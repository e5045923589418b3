"""One suite for every engine: the same questions to each, live, and the answers are the capability matrix.

    known = measure_reference()                 # llama.cpp first: the same weights, so the same answers
    store(measure("ollama", known))             # a minute: starts it, asks everything, kills it
    matrix()                                    # what is known of every engine; `labkit backends` prints it

check.py       what a check is
reference.py   llama.cpp's answers, with the chances of its candidates
parity.py, flow.py, limits.py   the checks;  table.py   all of them in order
suite.py       run them on one engine
results.py     keep and find what was seen
matrix.py      engines by checks: text, Markdown, JSON

Taught in notebook 08, section "The same answers, the same features".
"""

from labkit.conformance.check import Check
from labkit.conformance.matrix import Matrix, matrix
from labkit.conformance.reference import Reference
from labkit.conformance.results import Result, expected, latest, store
from labkit.conformance.suite import measure, measure_reference, run
from labkit.conformance.table import CHECKS

__all__ = [
    "CHECKS", "Check", "Matrix", "Reference", "Result", "expected", "latest", "matrix", "measure", "measure_reference", "run",
    "store",
]  # fmt: skip
