"""What vLLM's last words mean, as labkit's errors: it dies in two processes with a hundred lines, and one of them tells why.

At work in notebook 07, section "Install".
"""

from __future__ import annotations

import re

from labkit.disk import set_variable
from labkit.errors import (
    BadModelFile,
    ConfigError,
    EngineMissing,
    EngineStartError,
    LabkitError,
    NoSpace,
    OfflineError,
    UnknownModel,
)

SMALLER = "labkit.connect('vllm', parallel=1, context=1024)  # less room for conversations"
# The first row whose pattern is in the log decides: (pattern, error, likely why, one command to try).
MEANINGS = (
    (r"User-specified max_model_len.*", ConfigError, "the context that was asked for is longer than the model's",
     "labkit.connect('vllm', context=2048)"),
    (r"Available memory on node.*|.*KV cache is needed.*|No available memory for the cache blocks.*|Free memory on device.*",
     EngineStartError, "the KV cache does not fit the free memory: it holds `context` tokens for each of `parallel` conversations",
     SMALLER),
    (r".*(?:can't allocate memory|[Cc]annot allocate memory|CUDA out of memory|std::bad_alloc|MemoryError|died.*SIGKILL).*",
     EngineStartError, "the weights and the KV cache do not fit the free memory", "labkit models  # a smaller one"),
    (r"Failed to infer device type.*|No CUDA GPUs are available.*|.*Found no NVIDIA driver.*", EngineMissing,
     "this build is for NVIDIA GPUs, and there is none, or no driver", "labkit doctor"),
    (r".*[Aa]ddress already in use.*", EngineStartError, "another program has the port that vLLM wanted", "labkit doctor"),
    (r".*(?:couldn't connect to|LocalEntryNotFoundError|[Oo]ffline mode is enabled|OfflineModeIsEnabled).*", OfflineError,
     "the model is not on this disk, and its hub cannot be reached", "labkit.connect('vllm')  # the bundled model"),
    (r".*(?:Repo id must|Repository Not Found|not a valid model identifier|Invalid repository ID|is not a local folder).*",
     UnknownModel,
     "vLLM reads folders of safetensors and names of repositories; this is the name of another engine's model, or a typing error",
     "labkit models"),
    (r".*No space left on device.*", NoSpace, "vLLM's caches and weights do not fit the disk",
     set_variable("LABKIT_HOME", "/a/folder/with/room")),
    (r".*(?:No working C\+\+ compiler|InvalidCxxCompiler|Failed to find C compiler).*", EngineMissing,
     "vLLM compiles parts of the model when it starts", "sudo apt-get install g++"),
    (r"Model architectures .* are not supported.*|.*SafetensorError.*|.*HeaderTooLarge.*", BadModelFile,
     "the folder is damaged, or of a kind that this vLLM cannot run", "labkit convert --help"),
    # After all others, which may stand in such a line too.
    (r"Value error, .*", ConfigError, "vLLM does not take these settings together", "labkit.connect('vllm')"),
)  # fmt: skip


def typed(log: list[str], died: EngineStartError) -> LabkitError:
    """Return the error that the `log` of a vLLM that did not come up tells of; `died` where it tells nothing known."""
    text = "\n".join(_bare(line) for line in log)
    for pattern, kind, why, fix in MEANINGS:
        if found := re.search(pattern, text):
            return kind(f"vLLM did not start: {_short(found.group())}", why, fix)
    return died


def _bare(line: str) -> str:
    """A line without the name of the process, the time, the place in the source and the exception's class before it."""
    return re.sub(r"^(\(\S+ pid=\d+\) )?((ERROR|WARNING|INFO) \S+ \S+ \[\S+\] )?\s*(\w+Error: )?", "", line)


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= 300 else text[:297] + "..."
