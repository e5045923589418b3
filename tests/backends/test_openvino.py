"""OpenVino behind the bridge, with the real engine."""

from bridged_suite import BridgedEngine


class TestOpenVino(BridgedEngine):
    name = "openvino"
    more = frozenset({"min_p"})
