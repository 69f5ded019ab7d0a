"""An ONNX graph that is written node by node, with its constants and its inputs (host)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET, IR_VERSION = 18, 8
Dimension = int | str  # a number, or a name of a size that is known when the graph runs


class GraphBuilder:
    """Nodes in the order in which they are computed; a value goes by its name.

    Attributes:
      part: where the nodes to come belong, such as "release"; their names begin with it.
    """

    def __init__(self) -> None:
        self.part = ""
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, np.ndarray] = {}
        self._inputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, dtype: type, shape: Sequence[Dimension]) -> str:
        """Adds an input of the graph."""
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs so far."""
        return tuple(value.name for value in self._inputs)

    def constant(self, array: Any) -> str:
        """Adds an array, as it is."""
        name = f"{self.part}/constant_{len(self._constants)}"
        self._constants[name] = np.ascontiguousarray(array)
        return name

    def floats(self, array: Any) -> str:
        """Adds an array as float32."""
        return self.constant(np.asarray(array, np.float32))

    def integers(self, *numbers: int) -> str:
        """Adds int64[n], such as axes."""
        return self.constant(np.array(numbers, np.int64))

    def add(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node; returns the name of its output, or the names of several."""
        name = f"{self.part}/{operator}_{len(self._nodes)}"
        made = [f"{name}:{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(operator, inputs, made, name, **attributes))
        return made[0] if outputs == 1 else made

    def cast(self, value: str, dtype: type) -> str:
        """The value as another type."""
        return self.add("Cast", value, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def model(
        self, value: str, output: str, shape: Sequence[Dimension], metadata: Mapping[str, str]
    ) -> onnx.ModelProto:
        """The graph that answers with `value`, float32, under the name `output`.

        Raises:
          onnx.checker.ValidationError: the nodes are no valid graph.
        """
        self._nodes.append(helper.make_node("Identity", [value], [output], "output"))
        answer = helper.make_tensor_value_info(output, onnx.TensorProto.FLOAT, shape)
        constants = [numpy_helper.from_array(a, name) for name, a in self._constants.items()]
        graph = helper.make_graph(self._nodes, "privrep", self._inputs, [answer], constants)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        model.producer_name = "privrep"
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return model
