"""Agents and the small worlds they live in: one loop, five kinds of agent, and a small model as one of their parts.

    from labkit.agents import run, thermostat
    history = run(thermostat.Room(), thermostat.two_thresholds, steps=120)
    history.score, history.actions[:3]

A world is a dataclass with `percept`, `step(action)`, `score` and `done`. An agent is anything that takes a percept and
returns an action: a function if it keeps nothing, a small class if it remembers. All that an agent ever learns about its
world comes through the percept.

| module | world | kind of agent |
| --- | --- | --- |
| `loop`, `grid`, `search` | what all of them share: the loop, floors drawn as text, shortest paths | |
| `thermostat` | a room with a heater | simple reflex |
| `vacuum` | a floor with furniture and dirt | model-based, beside reflex |
| `routes` | a city with bridges | goal-based, beside reflex |
| `jobs` | a desk with deadlines | goal-based, beside reflex |
| `delivery` | a van and uncertain traffic | utility-based, beside goal-based |
| `recommender` | a reader with hidden tastes | learning |
| `choice`, `shop` | messages from customers | a language model decides |

A language model with tools, at the shop's service desk (`desk`):

| module | what it holds |
| --- | --- |
| `tool_agent` | the loop: decide, call, look, answer; a budget, a trace, a cancel |
| `policies`, `work`, `watch`, `trace` | who decides; a step done and written down; waiting no longer than wanted; what happened |
| `memory`, `compaction`, `tokens`, `facts` | a conversation that fits a small window, by the engine's own count |
| `history` | the same memory under Agent Framework |
| `router`, `hybrid`, `bigger` | rules, then a classifier, then a model, then a bigger one |
| `routing_set`, `routing_curve` | requests with their right labels, and what a threshold buys on them |

Taught in notebook 01, sections "Reflex" and "From chatbot to agent".
"""

from labkit.agents.loop import History, Step, World, run

__all__ = ["History", "Step", "World", "run"]
