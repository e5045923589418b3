"""labkit: the helper package of the course "AI agents on small language models, on your own machine".

    import labkit

    with labkit.connect() as endpoint:          # the best engine that is here, with a real small model
        print(endpoint.chat("What is the capital of France?").text)

Nothing heavy is imported here: each public name loads its module when it is first used.
"""

import sys

__version__ = "0.1.0"

if sys.version_info < (3, 11):  # noqa: UP036  (someone may put an unpacked copy on an old interpreter's path)
    raise ImportError(
        "labkit %s needs Python 3.11 or newer; this is Python %d.%d.\n"
        "Likely why: the virtual environment was made with an older interpreter.\n"
        "Try: python3.11 -m venv .venv" % ((__version__,) + tuple(sys.version_info[:2]))
    )

# Public name -> the module that holds it (PEP 562, so `import labkit` stays under 150 ms).
_HOMES = {
    "connect": "labkit.backends",
    "Endpoint": "labkit.backends",
    "LabkitError": "labkit.errors",
    "lesson": "labkit.course",
    "exercise": "labkit.exercises",
    "machine": "labkit.hardware",
    "fits": "labkit.weights",
}
__all__ = ["__version__", *_HOMES]


def __getattr__(name):
    from importlib import import_module

    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'labkit' has no attribute {name!r}")


def __dir__():
    return __all__
