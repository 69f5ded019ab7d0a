"""A model folder of the default network with random weights, and its files, to be encoded with."""

import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.core import FrozenDict

from experiments.benchmark.rounds import Started
from experiments.config.settings import FIELDS
from privrep.deploy.description import AcousticInput, Description, LexicalInput, TaskOutput
from privrep.deploy.encoder import load
from privrep.deploy.export_files import FORMATS
from privrep.deploy.model_folder import write_model
from privrep.deploy.network import network
from privrep.inputs.audio import FeatureSettings
from privrep.networks.encoders import ENCODERS, MODALITIES
from privrep.types import Utterances
from privrep.unlearning.releases import RELEASES, ReleaseInputs, to_arrays

CLASSES = ("low", "mid", "high")
NUM_WORDS = 2_000  # that the network knows
_ROWS = 200  # random h that the release learns from


def write(folder: str) -> Started:
    """A round writes <folder>/<modality>: the model, model.onnx and int8.onnx.

    Returns:
      Its round says nothing; sizes in MB stand in <folder>/<modality>/sizes.json.
    """

    def run_round() -> dict[str, float]:
        for modality in MODALITIES:
            _write(Path(folder, modality), modality)
        return {}

    return Started(1, run_round)


def _write(folder: Path, modality: str) -> None:
    described = _description(modality)
    params = _params(described)
    release = {name: np.asarray(a) for name, a in to_arrays(_learned(described, params)).items()}
    inputs: dict[str, np.ndarray] = {}
    if described.acoustic is not None:
        bands = described.acoustic.num_features
        inputs = {"frame_mean": np.full(bands, -9, "f"), "frame_scale": np.full(bands, 0.3, "f")}
    if described.lexical is not None:
        inputs["vocabulary"] = np.array(["<unk>", *(f"w{i}" for i in range(1, NUM_WORDS))])
    write_model(folder, described, params, release, inputs)
    model = load(folder).model
    sizes = {"jax": (folder / "arrays.npz").stat().st_size / 1e6}
    for format_ in ("onnx", "onnx_int8"):
        content = FORMATS[format_].export(model).content
        (folder / f"{format_}.onnx").write_bytes(content)
        sizes[format_] = len(content) / 1e6
    (folder / "sizes.json").write_text(json.dumps(sizes), encoding="utf-8")


def _default(name: str) -> Any:
    return FIELDS[name].default


def _description(modality: str) -> Description:
    modules: dict[str, dict[str, Any]] = {}
    for name in MODALITIES[modality]:
        fields = ENCODERS[name].__dataclass_fields__
        modules[name] = {n: _default(n) for n in fields if n in FIELDS}
    if "lexical" in modules:
        modules["lexical"]["table_size"] = NUM_WORDS
    settings = FeatureSettings()
    acoustic = AcousticInput(settings.num_mel_bands, "train", settings)
    return Description(
        encoders=modules,
        head_layers=_default("head_layers"),
        head_width=_default("dense_width"),
        precision="float32",
        release="posterior",
        relative=False,
        running=False,
        n0=_default("n0"),
        acoustic=acoustic if "acoustic" in modules else None,
        lexical=LexicalInput("learned", _default("word_size")) if "lexical" in modules else None,
        task=TaskOutput("activation", CLASSES),
        private={"gender": ("female", "male")},
        training={},
        privacy={},
    )


def _network(described: Description) -> Any:
    layers, width = described.head_layers, described.head_width
    return network(described.encoders, described.task.num_outputs, layers, width)


def _params(described: Description) -> Any:
    acoustic, length = described.acoustic, np.full(1, 4, np.int32)
    bands = 1 if acoustic is None else acoustic.num_features
    frames, words = np.zeros((1, 16, bands), np.float32), np.zeros((1, 4), np.int32)
    single = Utterances(frames, length, words, length)
    made = jax.jit(_network(described).init)(jax.random.key(0), single)
    return jax.tree.map(np.asarray, made["params"])


def _learned(described: Description, params: Any) -> Any:
    """What the release learns of random h."""
    rng = np.random.default_rng(0)
    h = rng.normal(size=(_ROWS, described.head_width * len(described.encoders))).astype("f")
    head = params["emotion_head"]
    inputs = ReleaseInputs(
        head["kernel"],
        head["bias"],
        jnp.asarray(rng.integers(0, len(CLASSES), _ROWS), jnp.int32),
        {"gender": jnp.arange(_ROWS) % 2},
        FrozenDict({"gender": 2}),
        jnp.ones(_ROWS, bool),
        {"gender": jnp.float32(1)},
    )
    return RELEASES[described.release].learn(jnp.asarray(h), inputs=inputs)
