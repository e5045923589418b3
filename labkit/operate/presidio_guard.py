"""Presidio's recognisers as a guard, beside those of labkit.operate.pii. Needs the extra: pip install labkit[presidio].

    Guardrails(output=(credentials(), pii(), presidio()))

Without a language model it knows patterns, check digits and telephone numbers of many countries, no names. With one of spaCy's
(a download of its own: python -m spacy download en_core_web_sm) hand in your own analyzer:

    presidio(AnalyzerEngine())
"""

from __future__ import annotations

from typing import Any

from labkit.errors import ConfigError
from labkit.operate.guardrails import PASS, Context, Guard, Verdict, change
from labkit.operate.pii import Finding, apart, without

__all__ = ["presidio"]


def presidio(analyzer: Any = None, score: float = 0.5, language: str = "en") -> Guard:
    """Return the guard that puts "[KIND]" for what Presidio is at least `score` (0 to 1) sure of. analyzer: an AnalyzerEngine.

    Raises ConfigError if the extra is not installed.
    """
    analyzer = analyzer or _patterns_only()

    def judge(text: str, context: Context) -> Verdict:
        results = analyzer.analyze(text, language=language, score_threshold=score)
        found = apart(Finding(one.entity_type, one.start, one.end) for one in results)
        if not found:
            return PASS
        return change(without(text, found), ", ".join(sorted({one.kind for one in found})))

    return Guard("presidio", judge)


def _patterns_only() -> Any:
    try:
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import NoOpNlpEngine
    except ImportError as error:
        why = "it is an extra, and not installed"
        raise ConfigError("Presidio is not here.", why, "pip install labkit[presidio]") from error
    return AnalyzerEngine(nlp_engine=NoOpNlpEngine())
