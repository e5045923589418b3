"""Several agents at work: the Agent Framework connects them, labkit listens, counts, and routes.

    team = Team(endpoint)
    clerk, writer = team.member("clerk", "Looks things up.", desk.tools()), team.member("writer", "Writes the answer.")
    outcome = await team.run(SequentialBuilder(participants=[clerk, writer]).build(), "Where is my order 1002?")

| module | what it does |
| --- | --- |
| `team` | agents on one endpoint, a run of them, what came of it; a person's approval |
| `checkpoint`, `encoding` | what a workflow was at after each step, as JSON files, to go on from |
| `calls` | the calls that no checkpoint holds yet, so that a resumed run repeats none |
| `hops` | who spoke to whom: tokens, seconds, tools, errors; time limits, failures that the others survive, the privacy door |
| `route` | which specialist gets a request: rules, words, model |
| `tiers` | a router at the edge, and a bigger tier above it for what the edge is not sure of |
| `tasks` | which model does which kind of task |
| `load` | which endpoint has least to do |
| `manager` | a group's manager held to a schema, and how many of its turns are any good |
| `compare` | one agent or five: the same requests, counted the same way |

Taught in notebook 09, section "A line".
"""

from labkit.orchestration.checkpoint import Checkpoints, checkpoints
from labkit.orchestration.hops import Hop, Trace
from labkit.orchestration.team import Outcome, Team

__all__ = ["Checkpoints", "Hop", "Outcome", "Team", "Trace", "checkpoints"]
