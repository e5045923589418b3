"""The module's five applications as one agent kit: a row of data/applications.toml, on tools, guards, roles, audit and monitor.

    kit = Kit.of("customer_service", endpoint)
    print(kit.ask("Where is order 1002?"))
    print(table([completion(load(kit))]))

| module | what it holds |
| --- | --- |
| `row` | the form of a row, and what is wrong with one, in words |
| `application` | a row: tools over a small SQLite made from its records, roles, requests with their right calls, attacks |
| `agent` | the running agent: guards, access and audit around labkit's tool layer; answers made of what the tools found |
| `measures` | the module's five measures, each with n and a 95 % interval |
| `outage` | the engine killed half way, and started again |
| `capstone` | an agent of the learner's own: a small spec, examined on a real engine |

Taught in notebook 13, section "An environment and a model".
"""

from labkit.applications.agent import Answered, Kit
from labkit.applications.application import Application, application, applications

__all__ = ["Answered", "Application", "Kit", "application", "applications"]
