"""Foundry behind the bridge, with the real engine."""

from bridged_suite import BridgedEngine


class TestFoundry(BridgedEngine):
    name = "foundry"
