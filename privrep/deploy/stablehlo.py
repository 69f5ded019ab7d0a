"""A model as StableHLO, for servers: `jax.export` of its plain layers for any batch and length."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.export  # not imported by jax itself
import numpy as np

from privrep.deploy.description import FRAMES, STATE, Description
from privrep.deploy.model_folder import Model
from privrep.deploy.network import network
from privrep.deploy.plain_network import sender
from privrep.unlearning.releases import from_arrays

PLATFORMS = ("cpu", "cuda", "tpu")


def stablehlo(model: Model) -> tuple[bytes, dict[str, Any]]:
    """The bytes that `jax.export.deserialize` reads, and what a caller must know of them.

    Its `call` takes {name: array} and gives the released h float32[B, D]. Of B utterances, as far
    as the model reads them:
      frames: float32[B, T, F], log-Mel or ready, T a multiple of `frames_multiple_of`.
      num_frames: int32[B], at least 1; later frames are padding.
      word_numbers: int32[B, L], rows of the vocabulary, 0 unknown; or words: float32[B, L, E].
      num_words: int32[B], at least 1.
      frame_mean, frame_deviation: float32[B, F], and person_mean float32[B, D], person_turn
        float32[B, D, D], of who speaks, see `onnx_graph.person_arrays`.
    """
    description = model.description
    net = network(
        description.encoders,
        description.task.num_outputs,
        description.head_layers,
        description.head_width,
    )
    multiple = net.encoders["acoustic"].rates[-1] if "acoustic" in net.encoders else 1
    sizes = [module.dense_width for module in net.encoders.values()]
    shapes = _shapes(description, sum(sizes), multiple)
    send = sender(net, description, model.params, from_arrays(model.release), model.inputs)
    exported = jax.export.export(jax.jit(send), platforms=PLATFORMS)(shapes)
    inputs = {n: f"{s.dtype}[{', '.join(map(str, s.shape))}]" for n, s in shapes.items()}
    notes = {
        "frames_multiple_of": multiple,
        "inputs": inputs,
        "platforms": PLATFORMS,
    }
    return bytes(exported.serialize()), notes


def _shapes(
    description: Description, width: int, multiple: int
) -> Mapping[str, jax.ShapeDtypeStruct]:
    batch, times, words = jax.export.symbolic_shape("batch, times, words")
    frames = multiple * times
    shapes: dict[str, tuple[Any, Any]] = {}
    acoustic, lexical = description.acoustic, description.lexical
    if acoustic is not None:
        size = acoustic.num_features
        shapes["frames"] = (batch, frames, size), np.float32
        shapes["num_frames"] = (batch,), np.int32
        if FRAMES in description.needs:
            shapes["frame_mean"] = shapes["frame_deviation"] = (batch, size), np.float32
    if lexical is not None and lexical.kind == "ready":
        shapes["words"] = (batch, words, lexical.size), np.float32
    elif lexical is not None:
        shapes["word_numbers"] = (batch, words), np.int32
    if lexical is not None:
        shapes["num_words"] = (batch,), np.int32
    if STATE in description.needs:
        shapes["person_mean"] = (batch, width), np.float32
    if description.release == "whitened":
        shapes["person_turn"] = (batch, width, width), np.float32
    return {name: jax.ShapeDtypeStruct(*pair) for name, pair in shapes.items()}
