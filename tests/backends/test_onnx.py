"""Onnx behind the bridge, with the real engine."""

from bridged_suite import BridgedEngine


class TestOnnx(BridgedEngine):
    name = "onnx"
