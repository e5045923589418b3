"""Who the bigger model is: one that is on this disk and fits, or else the same model with more compute, called just that.

    big = bigger(endpoint)
    big.label        # "phi-4-mini (3.8 billion parameters)", or "smollm2-135m itself, with more compute: …"
    Router(by_margin(endpoint), big.ask, threshold=1.5)

Any other endpoint that speaks the OpenAI API will do as well: `by_margin(Endpoint(backend=…, base_url=…, model=…, api_key=…))`.

Taught in notebook 02, section "One door".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from labkit import catalog, hardware, weights
from labkit.agents.hybrid import Answerer, by_margin, by_more_compute

__all__ = ["Bigger", "bigger", "bigger_model"]


@dataclass(frozen=True)
class Bigger:
    """ask: the answerer. label: what it is, for everything that shows its answers. endpoint: to close; None if nothing new runs."""

    ask: Answerer = field(repr=False)
    label: str
    endpoint: object = field(default=None, repr=False)

    def close(self) -> None:
        """Stop the engine that was started for it, if there is one."""
        if self.endpoint:
            self.endpoint.close()


def bigger(
    endpoint, worked: Callable[[object], Sequence[tuple[str, str]]] = lambda request: (), votes: int = 5
) -> Bigger:
    """Return the bigger answerer for `endpoint`: the largest chat model that is here and fits, else more compute.

    worked(request): worked examples for the second case. Raises what `labkit.connect` raises when a model that is here won't start.
    """
    found = bigger_model(endpoint.model)
    if found is None:
        label = f"{endpoint.model} itself, with more compute: worked examples, {votes} votes, two stages"
        return Bigger(by_more_compute(endpoint, worked, votes), label)
    from labkit.backends import connect

    other = connect("llamacpp", found.ref, parallel=1)
    return Bigger(by_margin(other), f"{found.alias} ({found.parameters / 1e9:.1f} billion parameters)", other)


def bigger_model(than: str) -> catalog.Model | None:
    """Return the largest chat model of the catalogue whose file is here, that fits, and that has more parameters; None if none."""
    least = catalog.model(than).parameters
    larger = [one for one in catalog.models() if one.kind == "chat" and one.parameters > least and weights.present(one)]
    return max((one for one in larger if hardware.fits(one)), key=lambda one: one.parameters, default=None)
