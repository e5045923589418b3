"""The llama network as an ONNX graph, its matrices in four or eight bits: built node by node, its numbers in a file beside it.

Read `_Graph._layer` to see what a transformer block is.

At work in notebook 05, section "ONNX, not GGUF".
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from labkit.convert import safetensors_file
from labkit.errors import BadModelFile
from labkit.progress import Progress

if TYPE_CHECKING:
    import numpy as np

__all__ = ["BLOCK", "DATA", "build", "pack"]

BLOCK = 32  # weights that share one scale
DATA = "model.onnx.data"
OPSET, MICROSOFT_OPSET, IR_VERSION = 22, 1, 10
INT8_ACTIVATIONS = 4  # MatMulNBits accuracy_level: activations are rounded to eight bits for the product
PLAIN = {
    "Constant",
    "ReduceSum",
    "Sub",
    "Shape",
    "Gather",
    "Cast",
    "Reshape",
    "Sigmoid",
    "Mul",
    "SimplifiedLayerNormalization",
}


def build(config: dict[str, Any], bits: int, source: Path, data: BinaryIO, total: int, progress: Progress) -> bytes:
    """Return model.onnx as bytes and write its numbers to `data`. config: a llama config.json. source: model.safetensors."""
    return _Graph(config, bits, _Weights(source, data, total, progress)).model().SerializeToString()


def pack(matrix: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Round a float32 matrix (rows, columns) to four or eight bits; return (uint8 [rows, blocks, bytes], scales [rows, blocks]).

    In a block of 32, the number farthest from zero becomes -8, with its sign in the scale (four bits), or 127 with its sign
    (eight bits, as in GGUF's Q8_0); 8 or 128 is added, so that no stored number is negative. Four-bit numbers lie two in a
    byte, the first one low.
    """
    import numpy as np

    rows, columns = matrix.shape
    half, blocks = 1 << (bits - 1), np.pad(matrix, ((0, 0), (0, -columns % BLOCK))).reshape(rows, -1, BLOCK)
    low, high = blocks.min(-1), blocks.max(-1)
    farthest = np.where(np.abs(high) > np.abs(low), high, low)
    scales = farthest / np.float32(-8) if bits == 4 else np.abs(farthest) / np.float32(127)
    inverse = np.divide(np.float32(1), scales, out=np.zeros_like(scales), where=scales != 0)
    numbers = np.floor(blocks * inverse[..., None] + np.float32(half) + np.float32(0.5))
    numbers = numbers.clip(0, 2 * half - 1).astype(np.uint8)
    return numbers if bits == 8 else numbers[..., 0::2] | numbers[..., 1::2] << 4, scales


class _Packed(NamedTuple):
    """A matrix in few bits: its shape, and the names of its numbers and scales in the graph."""

    rows: int
    columns: int
    numbers: str
    scales: str


class _Graph:
    """The llama network as ONNX: mostly Microsoft's fused operators, which onnxruntime has kernels for."""

    def __init__(self, config: dict[str, Any], bits: int, weights: _Weights):
        self.config, self.bits, self.weights, self.nodes = config, bits, weights, []

    def model(self):
        """Build the graph and return it as an onnx.ModelProto."""
        from onnx import helper

        caches = self._caches()
        skip, last = self._embedding(), ""
        for layer in range(self.config["num_hidden_layers"]):
            skip, last = self._layer(layer, skip, last, caches)
        normed, _ = self._norm("model.norm", skip, last)
        self._matmul("logits", normed, self.head)
        inputs, outputs = self._ports()
        graph = helper.make_graph(self.nodes, "main_graph", inputs, outputs, self.weights.tensors)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", MICROSOFT_OPSET)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="labkit")

    def _node(self, kind: str, inputs: list[str], outputs: list[str], **attributes) -> str:
        from onnx import helper

        domain = "" if kind in PLAIN else "com.microsoft"
        self.nodes.append(
            helper.make_node(kind, inputs, outputs, name=f"{outputs[0]}/{kind}", domain=domain, **attributes)
        )
        return outputs[0]

    def _caches(self) -> list[str]:
        """What every attention shares: lengths out of the attention mask, and the rotary embedding's table."""
        import numpy as np
        from onnx import TensorProto, numpy_helper

        put = self.weights.put
        ones = {name: numpy_helper.from_array(np.array(value, np.int64)) for name, value in (("one", 1), ("axis", [1]))}
        for name, value in ones.items():
            self._node("Constant", [], [name], value=value)
        self._node("ReduceSum", ["attention_mask", "axis"], ["mask.sum"], keepdims=0)
        self._node("Sub", ["mask.sum", "one"], ["mask.last"])
        self._node("Shape", ["attention_mask"], ["mask.shape"])
        self._node("Gather", ["mask.shape", "one"], ["mask.width"], axis=0)
        lengths = [
            self._node("Cast", [name], [f"{name}.int32"], to=TensorProto.INT32) for name in ("mask.last", "mask.width")
        ]
        half = np.arange(0, self.config["head_dim"], 2) / self.config["head_dim"]
        angles = np.outer(np.arange(self.config["max_position_embeddings"]), self.config["rope_theta"] ** -half)
        return [*lengths, put("cos_cache", np.cos(angles).astype("f4")), put("sin_cache", np.sin(angles).astype("f4"))]

    def _embedding(self) -> str:
        """Look the tokens up. A tied model has one matrix for both ends, and the packed one serves here too."""
        import numpy as np
        from onnx import numpy_helper

        tied = self.config["tie_word_embeddings"]
        self.head = self._packed("model.embed_tokens" if tied else "lm_head")
        if not tied:
            table = self.weights.put("embed_tokens.weight", self.weights.read("model.embed_tokens"))
            return self._node("Gather", [table, "input_ids"], ["embed_tokens"], axis=0)
        shape = np.array([self.head.rows, self.head.columns * self.bits // 8], np.int64)  # in bytes
        self._node("Constant", [], ["embed_tokens.shape"], value=numpy_helper.from_array(shape))
        self._node("Reshape", [self.head.numbers, "embed_tokens.shape"], ["embed_tokens.rows"])
        how = {"bits": self.bits, "block_size": BLOCK, "gather_axis": 0, "quantize_axis": 1}
        return self._node(
            "GatherBlockQuantized", ["embed_tokens.rows", "input_ids", self.head.scales], ["embed_tokens"], **how
        )

    def _layer(self, number: int, skip: str, last: str, caches: list[str]) -> tuple[str, str]:
        here = f"model.layers.{number}"
        normed, skip = self._norm(f"{here}.input_layernorm", skip, last)
        qkv = self._matmul(f"{here}.qkv", normed, self._packed(*(f"{here}.self_attn.{one}_proj" for one in "qkv")))
        past = [f"past_key_values.{number}.{one}" for one in ("key", "value")]
        present = [f"present.{number}.{one}" for one in ("key", "value")]
        heads = {"num_heads": self.config["num_attention_heads"], "kv_num_heads": self.config["num_key_value_heads"]}
        how = {**heads, "scale": self.config["head_dim"] ** -0.5, "do_rotary": 1, "rotary_interleaved": 0}
        mixed = [f"{here}.attention", *present]
        self._node("GroupQueryAttention", [qkv, "", "", *past, *caches], mixed, local_window_size=-1, **how)
        attended = self._matmul(f"{here}.o", mixed[0], self._packed(f"{here}.self_attn.o_proj"))
        normed, skip = self._norm(f"{here}.post_attention_layernorm", skip, attended)
        gate, up = (
            self._matmul(f"{here}.{one}", normed, self._packed(f"{here}.mlp.{one}_proj")) for one in ("gate", "up")
        )
        self._node("Sigmoid", [gate], [f"{here}.sigmoid"])
        self._node("Mul", [gate, f"{here}.sigmoid"], [f"{here}.silu"])
        self._node("Mul", [f"{here}.silu", up], [f"{here}.gated"])
        return skip, self._matmul(f"{here}.down", f"{here}.gated", self._packed(f"{here}.mlp.down_proj"))

    def _norm(self, name: str, skip: str, last: str) -> tuple[str, str]:
        """Add `last` to the skip connection and return (its norm, the sum); the first norm has nothing to add."""
        weight = self.weights.put(f"{name}.weight", self.weights.read(name))
        epsilon = {"epsilon": self.config["rms_norm_eps"]}
        if not last:
            how = {**epsilon, "axis": -1, "stash_type": 1}
            return self._node("SimplifiedLayerNormalization", [skip, weight], [f"{name}.out"], **how), skip
        outputs = [f"{name}.out", "", "", f"{name}.sum"]
        self._node("SkipSimplifiedLayerNormalization", [skip, last, weight], outputs, **epsilon)
        return outputs[0], outputs[3]

    def _packed(self, *names: str) -> _Packed:
        matrix = self.weights.read(*names)
        numbers, scales = pack(matrix, self.bits)
        put = self.weights.put
        return _Packed(*matrix.shape, put(f"{names[0]}.packed", numbers), put(f"{names[0]}.scales", scales))

    def _matmul(self, name: str, value: str, by: _Packed) -> str:
        how = {
            "K": by.columns,
            "N": by.rows,
            "bits": self.bits,
            "block_size": BLOCK,
            "accuracy_level": INT8_ACTIVATIONS,
        }
        return self._node("MatMulNBits", [value, by.numbers, by.scales], [name], **how)

    def _ports(self) -> tuple[list, list]:
        """The inputs and outputs that onnxruntime-genai looks for: tokens and mask in, logits out, and the KV cache both ways."""
        from onnx import TensorProto, helper

        def port(name: str, kind: int, *shape: str | int):
            return helper.make_tensor_value_info(name, kind, shape)

        def cache(name: str, length: str) -> list:
            shape = ("batch_size", self.config["num_key_value_heads"], length, self.config["head_dim"])
            layers, ends = range(self.config["num_hidden_layers"]), ("key", "value")
            return [port(f"{name}.{one}.{end}", TensorProto.FLOAT, *shape) for one in layers for end in ends]

        inputs = [port("input_ids", TensorProto.INT64, "batch_size", "sequence_length")]
        inputs += [port("attention_mask", TensorProto.INT64, "batch_size", "total_sequence_length")]
        logits = port("logits", TensorProto.FLOAT, "batch_size", "sequence_length", self.config["vocab_size"])
        return (
            inputs + cache("past_key_values", "past_sequence_length"),
            [logits, *cache("present", "total_sequence_length")],
        )


class _Weights:
    """The numbers of the graph: read from safetensors, written to one file beside it, and known to the graph by name."""

    def __init__(self, source: Path, data: BinaryIO, total: int, progress: Progress):
        self.path, self.entries, self.data, self.progress = source, safetensors_file.table(source), data, progress
        self.total, self.tensors = total, []

    def read(self, *names: str) -> np.ndarray:
        """Return tensors, one below the other."""
        import numpy as np

        try:
            return np.concatenate([safetensors_file.read(self.path, self.entries[f"{name}.weight"]) for name in names])
        except KeyError as error:
            raise BadModelFile(f"{self.path} has no {error}", "it is no plain llama model", "labkit models") from None

    def put(self, name: str, array: np.ndarray) -> str:
        """Write `array` to the data file and return the name by which the graph knows it."""
        import onnx

        tensor = onnx.TensorProto(name=name, dims=array.shape, data_location=onnx.TensorProto.EXTERNAL)
        tensor.data_type = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
        self.data.write(bytes(-self.data.tell() % 4096))  # whole pages, so that the file can be mapped into memory
        place = {"location": DATA, "offset": self.data.tell(), "length": array.nbytes}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self.data.write(array.tobytes())
        self.tensors.append(tensor)
        self.progress("writing ONNX", min(self.data.tell(), self.total), self.total)
        return name
