"""Makes sure that arrays.npz of a model folder is what model.json describes."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from privrep.deploy import network
from privrep.deploy.description import Description
from privrep.deploy.model_folder import DESCRIPTION, Model
from privrep.networks.encoders import ENCODERS
from privrep.types import Utterances
from privrep.unlearning.objective import PRECISIONS
from privrep.unlearning.releases import NAMES

_HEAD = "emotion_head"  # of the network's parameters


def check_arrays(model: Model) -> None:
    """Makes sure that the arrays of a model have the shapes that its description names.

    Raises:
      ValueError: a field of model.json has a value that this version does not know, or that does
        not fit the arrays; the message names it.
    """
    described, place = model.description, model.folder / DESCRIPTION
    _check_names(described, str(place))
    expected = _shapes(described, str(place))
    given = {name: np.shape(array) for name, array in _flat(model.params)}
    for name in sorted(expected.keys() | given.keys()):
        if expected.get(name) != given.get(name):
            raise ValueError(
                f"{place}: {_field_of(name)} does not fit arrays.npz, whose params/{name} has "
                f"{_said(given.get(name))}, and by the description {_said(expected.get(name))}"
            )
    _check_inputs(model, str(place))


def _check_names(described: Description, place: str) -> None:
    known = {"release": NAMES, "precision": PRECISIONS}
    for field, names in known.items():
        value = getattr(described, field)
        if value not in names:
            raise ValueError(
                f"{place}: {field} {value!r} is not known to this version: {', '.join(names)}"
            )
    for name in described.encoders:
        if name not in ENCODERS:
            raise ValueError(f"{place}: encoders: {name!r} is not one of {', '.join(ENCODERS)}")
    of_encoder = {"acoustic": described.acoustic, "lexical": described.lexical}
    for name, input_ in of_encoder.items():
        if (input_ is None) != (name not in described.encoders):
            raise ValueError(f"{place}: {name} and encoders disagree on whether there is such one")


def _shapes(described: Description, place: str) -> dict[str, tuple[int, ...]]:
    """{name: shape} of the parameters of the network that is described."""
    frames = words = None
    if described.acoustic is not None:
        frames = np.zeros((1, 16, described.acoustic.num_features), np.float32)
    if described.lexical is not None and described.lexical.kind == "learned":
        words = np.zeros((1, 4), np.int32)
    elif described.lexical is not None:
        words = np.zeros((1, 4, described.lexical.size), np.float32)
    length = np.full(1, 4, np.int32)
    try:
        net = network.network(
            described.encoders,
            described.task.num_outputs,
            described.head_layers,
            described.head_width,
        )
        batch = Utterances(frames, length, words, length)
        tree = jax.eval_shape(lambda key: net.init(key, batch), jax.random.key(0))["params"]
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(
            f"{place}: encoders, head_layers or head_width describe no network of this version: "
            f"{error}"
        ) from None
    return {name: tuple(leaf.shape) for name, leaf in _flat(tree)}


def _check_inputs(model: Model, place: str) -> None:
    """Makes sure that release and inputs have the widths of the network."""
    described, inputs = model.description, model.inputs
    width = sum(ENCODERS[n](**settings).dense_width for n, settings in described.encoders.items())
    expected: dict[str, tuple[str, Any, Any]] = {}
    if "noise" in model.release:
        noise = np.shape(model.release["noise"])
        expected["release/noise"] = "encoders (dense_width)", (width,), noise
    if described.acoustic is not None and described.acoustic.normalise == "train":
        for name in ("frame_mean", "frame_scale"):
            shape = np.shape(inputs[name]) if name in inputs else None
            size = (described.acoustic.num_features,)
            expected[f"inputs/{name}"] = "acoustic.num_features", size, shape
    if described.lexical is not None and described.lexical.kind == "vectors":
        vectors = np.shape(inputs["word_vectors"]) if "word_vectors" in inputs else None
        table = (len(inputs.get("vocabulary", ())), described.lexical.size)
        expected["inputs/word_vectors"] = "lexical.size", table, vectors
    for name, (field, wanted, shape) in expected.items():
        if wanted != shape:
            raise ValueError(
                f"{place}: {field} does not fit arrays.npz, whose {name} has {_said(shape)}, and "
                f"by the description {_said(wanted)}"
            )


def _field_of(name: str) -> str:
    """The field of model.json that says the shape of a parameter."""
    part = name.partition("/")[0]
    if part == _HEAD:
        return "task.classes, head_layers or head_width"
    return f"encoders.{part.removeprefix('encoders_')} (or the size of its inputs)"


def _said(shape: tuple[int, ...] | None) -> str:
    return "no values" if shape is None else f"shape {[*shape]}"


def _flat(tree: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for name, part in tree.items():
        path = f"{above}{name}"
        flat += _flat(part, f"{path}/") if isinstance(part, Mapping) else [(path, part)]
    return flat
