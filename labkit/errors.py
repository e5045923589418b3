"""Every error that labkit raises on purpose, in one tree.

    LabkitError
    ├── ConfigError         UnknownModel, UnknownBackend, VersionMismatch
    ├── WeightsError        OfflineError, ProxyError, CertificateError, DownloadError, HashMismatch, NoSpace, BadModelFile,
    │                       QuantizeError
    ├── EngineError         EngineMissing, EngineStartError, EngineDied, EngineTimeout, AnswerBroken, OverBudget
    ├── RequestError        ContextTooLong, UnsupportedParameter, Refused, QueueFull, Expired, Cancelled, Blocked, RateLimited,
    │                       CircuitOpen
    ├── ToolError           BadTool, UnknownTool, BadCall, ToolFailed, ToolTimeout, UnfinishedCall, ServerMissing, Denied
    │   └── Denied          OutOfScope, NotApproved
    ├── AuditError          AuditBroken
    ├── OrchestrationError  CheckpointError
    └── CourseError         UnknownLesson, UnknownExercise, NoSuchSnippet, KitError

Each tells what happened, the likely why, and one command to try; what each stands for, its own docstring says.

Taught in notebook 00, section "Where errors show", and in notebook 05, section "Monitor".
"""

from __future__ import annotations

__all__ = [
    "LabkitError",
    "ConfigError", "UnknownModel", "UnknownBackend", "VersionMismatch",
    "WeightsError", "OfflineError", "ProxyError", "CertificateError", "DownloadError", "HashMismatch", "NoSpace",
    "BadModelFile", "QuantizeError", "EngineError", "EngineMissing", "EngineStartError", "EngineDied", "EngineTimeout",
    "AnswerBroken", "OverBudget", "RequestError", "ContextTooLong", "UnsupportedParameter", "Refused", "QueueFull",
    "Expired", "Cancelled", "Blocked", "RateLimited", "CircuitOpen",
    "ToolError", "BadTool", "UnknownTool", "BadCall", "ToolFailed", "ToolTimeout", "UnfinishedCall", "ServerMissing",
    "Denied", "OutOfScope", "NotApproved", "AuditError", "AuditBroken", "OrchestrationError", "CheckpointError",
    "CourseError", "UnknownLesson", "UnknownExercise", "NoSuchSnippet", "KitError",
]  # fmt: skip


class LabkitError(Exception):
    """The root: `what` happened, the likely `why`, and one command to `fix` it (each a str; why and fix may be "")."""

    def __init__(self, what: str, why: str = "", fix: str = ""):
        self.what, self.why, self.fix = what, why, fix
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"Likely why: {self.why}")
        if self.fix:
            lines.append(f"Try: {self.fix}")
        return "\n".join(lines)

    def __reduce__(self):
        return type(self), (self.what, self.why, self.fix)

    def _render_traceback_(self) -> list[str]:
        """What IPython prints: a learner needs these three lines, not thirty frames of ours."""
        return [f"{type(self).__name__}: {line}" if i == 0 else line for i, line in enumerate(str(self).splitlines())]


class ConfigError(LabkitError):
    """A setting, a name or a version is wrong. Taught in notebook 12, section "One manifest, three schedulers"."""


class UnknownModel(ConfigError):
    """No such alias in data/models.toml."""


class UnknownBackend(ConfigError):
    """No such engine name."""


class VersionMismatch(ConfigError):
    """A notebook and labkit of different versions."""


class WeightsError(LabkitError):
    """Something about model files."""


class OfflineError(WeightsError):
    """No network, and the file is not here."""


class ProxyError(WeightsError):
    """A proxy stands in between and refuses."""


class CertificateError(WeightsError):
    """The server's certificate is not trusted here."""


class DownloadError(WeightsError):
    """The server answered, but not with the file."""


class HashMismatch(WeightsError):
    """The bytes are not the bytes that were promised."""


class NoSpace(WeightsError):
    """The disk cannot hold the file."""


class BadModelFile(WeightsError):
    """Not a GGUF, truncated, or an architecture the engine cannot run."""


class QuantizeError(WeightsError):
    """A model that cannot be quantized as asked: quantized already, rows that do not divide, a type that needs the extra."""


class EngineError(LabkitError):
    """Something about an engine process."""


class EngineMissing(EngineError):
    """The engine is not installed here."""


class EngineStartError(EngineError):
    """The engine did not come up."""


class EngineDied(EngineError):
    """The engine was up and is gone."""


class EngineTimeout(EngineError):
    """The engine is up and does not answer in time."""


class AnswerBroken(EngineError):
    """The engine failed in the middle of a streamed answer: `said` (str) is what had come by then, and was shown already."""

    def __init__(self, what: str, why: str = "", fix: str = "", said: str = ""):
        super().__init__(what, why, fix)
        self.said = said

    def __reduce__(self):
        return type(self), (self.what, self.why, self.fix, self.said)


class OverBudget(EngineError):
    """The model does not fit the memory budget, or all in it is in use or pinned. Taught in notebook 10, section "Too many"."""


class RequestError(LabkitError):
    """Something about one request. Taught in notebook 10, section "Too many"."""


class ContextTooLong(RequestError):
    """The prompt does not fit the model's context window."""


class UnsupportedParameter(RequestError):
    """The engine would silently ignore this parameter, so labkit refuses to send it."""


class Refused(RequestError):
    """The engine said no: wrong key, unknown model, bad value. Taught in notebook 12, section "The edge"."""


class QueueFull(RequestError):
    """So many requests wait already that one more is not taken."""


class Expired(RequestError):
    """The request's time was over before it was answered."""


class Cancelled(RequestError):
    """The request was taken back, or the queue closed before it was answered."""


class Blocked(RequestError):
    """A guard does not let this text pass."""


class RateLimited(RequestError):
    """Too many requests, or too much of a quota, from one caller."""


class CircuitOpen(RequestError):
    """The endpoint failed too often and is left alone for a while."""


class ToolError(LabkitError):
    """Something about tools, or a model's calls of them."""


class BadTool(ToolError):
    """A tool's schema or signature cannot be used."""


class UnknownTool(ToolError):
    """No tool of that name."""


class BadCall(ToolError):
    """What the model wrote is no call that may be executed."""


class ToolFailed(ToolError):
    """The tool raised, or gave nothing that can be shown. Taught in notebook 14, section "A server"."""


class ToolTimeout(ToolError):
    """The tool did not end in time."""


class UnfinishedCall(ToolError):
    """The same call was begun before and never finished, so it is not repeated."""


class Denied(ToolError):
    """The caller's role has no right to the tool. Taught in notebook 14, section "Trust"."""


class OutOfScope(Denied):
    """The role may use the tool, but not for this data."""


class NotApproved(Denied):
    """The tool is risky, and nobody who may has approved exactly this call."""


class ServerMissing(ToolError):
    """No MCP server answers."""


class AuditError(LabkitError):
    """Something about the audit log."""


class AuditBroken(AuditError):
    """The log's chain does not hold: something was edited, cut off or reordered."""


class OrchestrationError(LabkitError):
    """Several agents at work, and no answer came of it. Taught in notebook 09, section "Handing over"."""


class CheckpointError(OrchestrationError):
    """A step that JSON cannot hold, or a saved one missing, damaged or not ours. Taught in notebook 09, section "Handing over"."""


class CourseError(LabkitError):
    """Something about lessons, notebooks or exercises."""


class UnknownLesson(CourseError):
    """No such lesson in data/lessons.toml."""


class UnknownExercise(CourseError):
    """No such exercise."""


class NoSuchSnippet(CourseError):
    """There is no part of this name to lift out."""


class KitError(CourseError):
    """A workshop kit, or a report for its board, that cannot be used: changed, unfinished, or of a newer labkit."""
