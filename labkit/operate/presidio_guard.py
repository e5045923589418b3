"""Presidio's recognisers as a guard, beside those of labkit.operate.pii. Needs the extra: pip install labkit[presidio].

    Guardrails(output=(credentials(), pii(), presidio()))

Without a language model it knows patterns, check digits and telephone numbers of many countries; no names, and no e-mail
addresses, which pii() knows. With one of spaCy's (a download of its own: python -m spacy download en_core_web_sm) hand in your own
analyzer:

    presidio(AnalyzerEngine())

Explained in notebook 10, section "What comes in and what goes out".
"""

from __future__ import annotations

from typing import Any

from labkit.errors import ConfigError
from labkit.operate.guardrails import PASS, Context, Guard, Verdict, change
from labkit.operate.pii import Finding, apart, without

__all__ = ["presidio"]


def presidio(analyzer: Any = None, score: float = 0.4, language: str = "en") -> Guard:
    """Return the guard that puts "[KIND]" for what Presidio is at least `score` (0 to 1) sure of. analyzer: an AnalyzerEngine.

    Raises ConfigError if the extra is not installed.
    """
    analyzer = analyzer or _patterns_only(language)

    def judge(text: str, context: Context) -> Verdict:
        results = analyzer.analyze(text, language=language, score_threshold=score)
        found = apart(Finding(one.entity_type, one.start, one.end) for one in results)
        if not found:
            return PASS
        return change(without(text, found), ", ".join(sorted({one.kind for one in found})))

    return Guard("presidio", judge)


def _patterns_only(language: str) -> Any:
    try:
        from presidio_analyzer import AnalyzerEngine
        from presidio_analyzer.nlp_engine import NoOpNlpEngine
    except ImportError as error:
        why = "it is an extra, and not installed"
        raise ConfigError("Presidio is not here.", why, "pip install labkit[presidio]") from error
    engine = NoOpNlpEngine([{"lang_code": language, "model_name": "none"}])
    engine.load()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=[language])
    # The one for e-mail asks the network for a list of domain endings, and pii() knows addresses; a URL is nobody's secret.
    for name in ("EmailRecognizer", "UrlRecognizer"):
        analyzer.registry.remove_recognizer(name)
    return analyzer
