"""An ONNX graph with the products and convolutions of its encoders in 8 bits (host)."""

import logging
import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

_OPERATORS = ("MatMul", "Conv")  # of the graph; onnxruntime has no GRU of 8 bits


def in_int8(model: onnx.ModelProto, part: str) -> onnx.ModelProto:
    """The model with int8 weights in one part, whose activations are rounded as it runs.

    The rest stays float32: frames, whose energies span more than 8 bits hold, and the release,
    whose rounded weights would let through what it removes.

    Args:
      part: the beginning of the names of the nodes that are rounded.
    """
    others = [n.name for n in model.graph.node if not n.name.startswith(f"{part}/")]
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)  # it recommends shape inference, which has nothing to add
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "int8.onnx")
            quantize_dynamic(
                model,
                path,
                op_types_to_quantize=[*_OPERATORS],
                nodes_to_exclude=others,
                weight_type=QuantType.QUInt8,  # with signed ones onnxruntime has no convolution
            )
            rounded = onnx.load(path)
    finally:
        logger.setLevel(level)
    onnx.checker.check_model(rounded)
    return rounded
