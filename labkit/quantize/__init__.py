"""Quantization, measured: one model in every type of the ladder, with what each rung costs and loses.

    write("model-f16.gguf", "Q8_0", "model-q8_0.gguf")          # one file: write.py
    ladder("smollm2-135m")                                      # all ten, served and scored: ladder.py
    served("smollm2-135m", "Q8_0")                              # one level, ready for questions: serve.py
    formats("smollm2-135m")                                     # beside ONNX, OpenVINO and MLX: formats.py, forms.py

The types that the pure-Python `gguf` package writes need nothing more. K-quants, perplexity and KL divergence need
llama-cpp-python, which works in a child process (child.py, worker.py, tally.py).

Taught in notebook 03, section "The ladder".
"""

from labkit.quantize.child import available
from labkit.quantize.formats import Formats, formats
from labkit.quantize.ladder import Rung, ladder
from labkit.quantize.rungs import LADDER, RUNGS, RungType, rung
from labkit.quantize.serve import served
from labkit.quantize.write import write

__all__ = [
    "LADDER",
    "RUNGS",
    "Formats",
    "Rung",
    "RungType",
    "available",
    "formats",
    "ladder",
    "rung",
    "served",
    "write",
]
