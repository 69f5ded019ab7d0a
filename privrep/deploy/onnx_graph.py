"""A model as an ONNX graph: an utterance in, its released h out, and nothing else.

The graph is that of `network.py` for a single utterance of any length, from operators of opset 18.
What it needs of a person are inputs, see `person_arrays`. h before its release is no output.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import onnx

from privrep import __version__
from privrep.deploy import network
from privrep.deploy.description import (
    FRAMES,
    SCHEMA_VERSION,
    STATE,
    AcousticInput,
    Description,
    LexicalInput,
)
from privrep.deploy.graph_builder import GraphBuilder
from privrep.deploy.model_folder import Model
from privrep.deploy.onnx_frames import log_mel
from privrep.deploy.person_file import Person
from privrep.inputs.normalisation import units_of
from privrep.networks.encoders import ENCODERS
from privrep.unlearning.emotion_subspace import lift
from privrep.unlearning.kept_space import STEP
from privrep.unlearning.person_release import PERSON_RELEASES, PersonState
from privrep.unlearning.releases import RELEASES, Learned, from_arrays

OUTPUT = "h"
EXPORTED = (*(name for name in RELEASES if name != "noise"), *PERSON_RELEASES)
MEL, ENCODER, RELEASE = "mel", "encoder", "release"  # parts of the graph, in the nodes' names
_LEAKY_SLOPE = 0.01
Params = Mapping[str, Any]


def check_exportable(description: Description, place: str) -> None:
    """Makes sure that a file of fixed operators can send what the model sends.

    Raises:
      ValueError: it cannot.
    """
    reason = ""
    if description.release not in EXPORTED:
        reason = (
            f"release {description.release} draws numbers that nobody must be able to draw again, "
            "which no operator does"
        )
    elif description.running:
        reason = (
            "its state goes on with every utterance (--state=running), and h before the release, "
            "which would have to leave the file, could be computed from two states"
        )
    if reason:
        raise ValueError(
            f"{place}: {reason}. Exported are the releases {', '.join(EXPORTED)}, with a state of "
            "the enrolment (--state=enrolment)"
        )


def onnx_graph(model: Model, card: Sequence[str] = ()) -> onnx.ModelProto:
    """The graph of a model.

    Inputs, as far as the model reads them:
      waveform: float32[num_samples] in [-1, 1], a channel at the rate of `metadata_props`, no
        shorter than a frame.
      frames: float32[num_frames, F], ready acoustic features.
      word_numbers: int64[num_words], rows of `metadata_props`' vocabulary; 0 is unknown.
      words: float32[num_words, E], ready word vectors.
      frame_mean, frame_deviation, person_mean, person_turn: see `person_arrays`.

    Output: h float32[D].

    Args:
      card: sentences on what the file is, for its metadata.

    Raises:
      ValueError: see `check_exportable`.
    """
    description = model.description
    check_exportable(description, str(model.folder))
    graph = GraphBuilder()
    views = []
    encoders = {n: ENCODERS[n](**s) for n, s in sorted(description.encoders.items())}
    for modality, encoder in encoders.items():
        params = model.params[f"encoders_{modality}"]
        if modality == "acoustic":
            assert description.acoustic is not None
            x = _frames(graph, description.acoustic, model.inputs)
            graph.part = ENCODER
            x = _convolutions(graph, encoder, params, x)
        else:
            assert description.lexical is not None
            graph.part = ENCODER
            x = _words(graph, description.lexical, params, model.inputs)
        views.append(_to_vector(graph, encoder, params, x))
    h = graph.add("Concat", *views, axis=1)
    graph.part = RELEASE
    released = graph.add("Squeeze", _released(graph, model, h), graph.integers(0))
    released = _nan_of_nan(graph, description, released)
    size = sum(encoder.dense_width for encoder in encoders.values())
    metadata = metadata_of(model, card) | _of_waveform(description)
    return graph.model(released, OUTPUT, [size], metadata)


def person_arrays(model: Model, person: Person | None) -> dict[str, np.ndarray]:
    """The inputs that a graph has of a person, {} if the model needs nothing.

    They are frame_mean and frame_deviation float64[F], the units of the frames, and person_mean
    float32[D] and person_turn float32[D, D], the map of the release, see
    `person_release.PersonMap`. They say how the person sounds, as the person file does.

    Args:
      person: as `Encoder.encode` would take it; None only where the model needs nothing.
    """
    description = model.description
    arrays: dict[str, np.ndarray] = {}
    if FRAMES in description.needs:
        assert person is not None and person.frames is not None
        arrays["frame_mean"], arrays["frame_deviation"] = units_of(person.frames)
    if STATE in description.needs:
        assert person is not None and person.state is not None
        state = PersonState(*map(jnp.asarray, person.state))
        sending = network.Sending(description.release, description.relative, description.n0)
        mean, turn = network.person_map(sending, from_arrays(model.release), state)
        arrays["person_mean"] = np.asarray(mean)
        if description.release == "whitened":
            arrays["person_turn"] = np.asarray(turn)
    return arrays


def metadata_of(model: Model, card: Sequence[str]) -> dict[str, str]:
    """What a reader of the file must know; all values are text."""
    description = model.description
    metadata = {
        "privrep_version": __version__,
        "schema_version": str(SCHEMA_VERSION),
        "model": model.identity,
        "release": description.release,
        "needs_of_person": json.dumps(description.needs),
        "task": description.task.name,
        "classes": json.dumps(description.task.classes, ensure_ascii=False),
        "private": json.dumps([*description.private]),
        "card": "\n".join(card),
    }
    if description.acoustic is not None and description.acoustic.log_mel is not None:
        metadata["sample_rate"] = str(description.acoustic.log_mel.sample_rate)
    if "vocabulary" in model.inputs and description.lexical is not None:
        words = [str(word) for word in model.inputs["vocabulary"]]
        metadata["vocabulary"] = json.dumps(words, ensure_ascii=False)
    return metadata


def _of_waveform(description: Description) -> dict[str, str]:
    """What a caller must know of the waveform that a graph reads."""
    if description.acoustic is None or description.acoustic.log_mel is None:
        return {}
    settings = description.acoustic.log_mel
    return {
        "least_samples": str(settings.frame_length),
        "waveform": (
            f"float32 in [-1, 1], a channel at {settings.sample_rate} Hz, {settings.frame_length} "
            "samples (a frame) or more; the caller refuses silence, of which h says nothing, and "
            "samples that are not finite, of which h is NaN"
        ),
    }


def _nan_of_nan(graph: GraphBuilder, description: Description, h: str) -> str:
    """h [D], or NaN where an input has a number that is not finite, which Max and Round lose."""
    given = {"acoustic": "frames", "lexical": "words"}
    if description.acoustic is not None and description.acoustic.log_mel is not None:
        given["acoustic"] = "waveform"
    if description.lexical is not None and description.lexical.kind != "ready":
        del given["lexical"]  # numbers of words
    for modality, name in given.items():
        if modality in description.encoders:
            zeros = graph.add("Mul", name, graph.floats(0))  # NaN of NaN and of infinity
            h = graph.add("Add", h, graph.add("ReduceSum", zeros, keepdims=0))
    return h


def _frames(graph: GraphBuilder, acoustic: AcousticInput, arrays: Mapping[str, np.ndarray]) -> str:
    """The frames that the encoder reads, float32[1, F, T]; in float16 between, as in training."""
    graph.part, size = MEL, acoustic.num_features
    if acoustic.log_mel is not None:
        waveform = graph.input("waveform", np.float32, ["num_samples"])
        x = log_mel(graph, waveform, acoustic.log_mel)
    else:
        x = graph.add("Transpose", graph.input("frames", np.float32, ["num_frames", size]))
        x = graph.add("Unsqueeze", x, graph.integers(0))
    x = graph.cast(x, np.float16)
    if acoustic.normalise == "speaker":
        mean, deviation = (
            graph.add("Unsqueeze", graph.input(name, np.float64, [size]), graph.integers(0, 2))
            for name in ("frame_mean", "frame_deviation")
        )
        centred = graph.add("Sub", graph.cast(x, np.float64), mean)
        x = graph.cast(graph.add("Div", centred, deviation), np.float16)
    x = graph.cast(x, np.float32)
    if acoustic.normalise == "train":
        mean, scale = (arrays[name][None, :, None] for name in ("frame_mean", "frame_scale"))
        x = graph.add("Mul", graph.add("Sub", x, graph.floats(mean)), graph.floats(scale))
    return x


def _words(
    graph: GraphBuilder, lexical: LexicalInput, params: Params, arrays: Mapping[str, np.ndarray]
) -> str:
    """The word vectors, float32[L, 1, E]."""
    if lexical.kind == "ready":
        x = graph.input("words", np.float32, ["num_words", lexical.size])
        x = graph.cast(graph.cast(x, np.float16), np.float32)  # as in training
    else:
        table = params["table"] if lexical.kind == "learned" else arrays["word_vectors"]
        numbers = graph.input("word_numbers", np.int64, ["num_words"])
        x = graph.add("Gather", graph.floats(table), numbers)
    return graph.add("Unsqueeze", x, graph.integers(1))


def _convolutions(graph: GraphBuilder, encoder: Any, params: Params, x: str) -> str:
    """`encoders.AcousticEncoder`'s convolutions of x [1, F, T], as [T / last rate, 1, C]."""
    width, count = encoder.kernel_width, encoder.conv_layers
    before = (width - 1) // 2
    for i in range(count):
        kernel = params[f"kernel_{i}"].transpose(2, 1, 0)
        pads = [before, width - 1 - before]
        bias = graph.floats(params[f"bias_{i}"])
        x = graph.add("Conv", x, graph.floats(kernel), bias, pads=pads)
        x = _activated(graph, encoder.activation, x)
        if encoder.conv_pool > 1 and i + 1 < count:
            size = [encoder.conv_pool]
            x = graph.add("MaxPool", x, kernel_shape=size, strides=size, ceil_mode=1)
    return graph.add("Transpose", x, perm=[2, 0, 1])


def _to_vector(graph: GraphBuilder, encoder: Any, params: Params, x: str) -> str:
    """GRU, pooling over time and dense layers of x [T, 1, C], as [1, D]."""
    of_gru = params["GRU_0"]
    last = ""
    for i in range(encoder.gru_layers):
        names = ("kernel", "bias", "recurrent", "inner_bias")
        x, last = _gru(graph, x, *(of_gru[f"{name}_{i}"] for name in names))
    if encoder.pooling == "last":
        x = graph.add("Squeeze", last, graph.integers(0))
    else:
        operator = {"mean": "ReduceMean", "max": "ReduceMax"}[encoder.pooling]
        x = graph.add(operator, x, graph.integers(0), keepdims=0)
    return _mlp(graph, encoder.activation, params.get("MLP_0", {}), x)


def _gru(
    graph: GraphBuilder,
    x: str,
    kernel: np.ndarray,
    bias: np.ndarray,
    recurrent: np.ndarray,
    inner_bias: np.ndarray,
) -> tuple[str, str]:
    """All states [T, 1, H] of `kernels/gru.plain_gru`, and the last one [1, 1, H]."""
    width = len(recurrent)
    order = np.r_[width : 2 * width, :width, 2 * width : 3 * width]  # ONNX has z before r
    inner = np.concatenate([np.zeros(2 * width), inner_bias])
    arrays = kernel.T[order], recurrent.T[order], np.concatenate([bias[order], inner])
    inputs = [graph.floats(array[None]) for array in arrays]
    states, last = graph.add("GRU", x, *inputs, outputs=2, hidden_size=width, linear_before_reset=1)
    return graph.add("Squeeze", states, graph.integers(1)), last


def _mlp(graph: GraphBuilder, activation: str, params: Params, x: str) -> str:
    for i in range(len(params)):
        x = _activated(graph, activation, _dense(graph, params[f"Dense_{i}"], x))
    return x


def _dense(graph: GraphBuilder, params: Params, x: str) -> str:
    x = graph.add("MatMul", x, graph.floats(params["kernel"]))
    return graph.add("Add", x, graph.floats(params["bias"]))


def _activated(graph: GraphBuilder, name: str, x: str) -> str:
    """`encoders.ACTIVATIONS`."""
    return _ACTIVATIONS[name](graph, x)


def _gelu(graph: GraphBuilder, x: str) -> str:
    """x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, as flax has it."""
    cubed = graph.add("Mul", graph.add("Mul", x, x), x)
    inner = graph.add("Add", x, graph.add("Mul", cubed, graph.floats(0.044715)))
    tanh = graph.add("Tanh", graph.add("Mul", inner, graph.floats(math.sqrt(2 / math.pi))))
    half = graph.add("Mul", x, graph.floats(0.5))
    return graph.add("Mul", half, graph.add("Add", tanh, graph.floats(1)))


_ACTIVATIONS: dict[str, Callable[[GraphBuilder, str], str]] = {
    "relu": lambda graph, x: graph.add("Relu", x),
    "tanh": lambda graph, x: graph.add("Tanh", x),
    "gelu": _gelu,
    "leaky_relu": lambda graph, x: graph.add("LeakyRelu", x, alpha=_LEAKY_SLOPE),
}


def _released(graph: GraphBuilder, model: Model, h: str) -> str:
    """`network.sent` of h [1, D]."""
    description, learned = model.description, from_arrays(model.release)
    width = len(learned.noise)
    if STATE in description.needs:
        mean = graph.input("person_mean", np.float32, [width])
        h = graph.add("Sub", h, mean)
    if description.release in PERSON_RELEASES:
        return _of_person(graph, description, learned, h)
    if not bool(learned.protects) or description.release == "none":
        return h
    if description.release == "decision" and (
        description.head_layers > 1 or description.task.num_outputs > 1
    ):
        return _decision(graph, model, learned, h)
    h = _kept(graph, learned, h)
    if description.release != "posterior":
        return h
    head = model.params["emotion_head"]
    posterior = graph.add("Softmax", _dense(graph, head, h), axis=1)
    logits = graph.add("Sub", _rounded(graph, posterior, STEP), graph.floats(head["bias"]))
    return graph.add("MatMul", logits, graph.floats(_lifted(np.eye(len(head["bias"])), head)))


def _of_person(graph: GraphBuilder, description: Description, learned: Learned, h: str) -> str:
    """`person_release.send` of h less the person's mean."""
    person = learned.person
    assert person is not None
    z = graph.add("MatMul", h, graph.floats(person.encode))
    if description.release == "whitened":
        size = len(person.mean)
        z = graph.add("MatMul", z, graph.input("person_turn", np.float32, [size, size]))
    h = graph.add("MatMul", _rounded(graph, z, person.step), graph.floats(person.decode))
    return h if description.relative else graph.add("Add", h, graph.floats(person.mean))


def _kept(graph: GraphBuilder, learned: Learned, h: str) -> str:
    """`kept_space.send_kept`."""
    space = learned.space
    centred = graph.add("Sub", h, graph.floats(space.centre))
    z = _rounded(graph, graph.add("MatMul", centred, graph.floats(space.encode)), space.step)
    return graph.add(
        "Add", graph.add("MatMul", z, graph.floats(space.decode)), graph.floats(space.offset)
    )


def _decision(graph: GraphBuilder, model: Model, learned: Learned, h: str) -> str:
    """A row of a table: `releases.argmax_h` of classes, `stand_ins.send` of a deep head."""
    head = model.params["emotion_head"]
    if model.description.head_layers == 1:
        outputs = _dense(graph, head, h)
        table = _lifted(np.eye(len(head["bias"])) - head["bias"], head)
    else:
        assert learned.stand_ins is not None
        outputs = _dense(graph, head["Dense_0"], _mlp(graph, "relu", head["MLP_0"], h))
        table = np.asarray(learned.stand_ins.vectors)
    if model.description.task.num_outputs > 1:
        number = graph.add("ArgMax", outputs, axis=1, keepdims=0)
    else:
        assert learned.stand_ins is not None
        edges = graph.floats(np.asarray(learned.stand_ins.edges)[None])
        is_above = graph.cast(graph.add("GreaterOrEqual", outputs, edges), np.int64)
        number = graph.add("ReduceSum", is_above, graph.integers(1), keepdims=0)
    return graph.add("Gather", graph.floats(table), number)


def _lifted(logits: np.ndarray, head: Params) -> np.ndarray:
    """The vectors for which a linear head returns these logits, see `emotion_subspace.lift`."""
    with jax.default_matmul_precision("float32"):
        return np.asarray(lift(jnp.asarray(logits, jnp.float32), jnp.asarray(head["kernel"])))


def _rounded(graph: GraphBuilder, x: str, step: Any) -> str:
    """`kept_space.rounded`."""
    of_step = graph.floats(step)
    return graph.add("Mul", graph.add("Round", graph.add("Div", x, of_step)), of_step)
