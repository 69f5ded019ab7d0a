"""Implementation of `privrep export`: a model folder in, one file of another format out."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from privrep.deploy.encoder import load
from privrep.deploy.model_folder import Model
from privrep.deploy.outputs import (
    Output,
    check_output,
    is_notes,
    is_onnx,
    is_person_inputs,
    is_stablehlo,
)
from privrep.deploy.person_file import read_person
from privrep.files import replace_arrays, replace_file, replacing, sha256

Say = Callable[[str], None]
_ENCODER = "encoder"  # the part of a graph that int8 rounds
_MEASURED = (
    "the figures in model.json were measured with the networks in JAX, not with this file: a file "
    "by itself has no verdict"
)
_FLOAT32 = "all weights and sums are float32"
_INT8 = (
    "int8: the convolutions and dense layers of the encoders; float32: frames, GRU (onnxruntime "
    "has none of 8 bits) and the release. Its h is not that of the float32 file, and what it "
    "reveals was not measured"
)


class Exported(NamedTuple):
    """A file to be written.

    Attributes:
      content: its bytes.
      card: sentences that describe the file, for the model card.
      notes: what a caller must know of it that the file itself cannot hold: a second file, .json.
    """

    content: bytes
    card: tuple[str, ...]
    notes: Mapping[str, Any] | None = None


class Format(NamedTuple):
    """A format of export.

    Attributes:
      suffix: of its files' names.
      export: the file of a model.
      is_earlier: whether a file is of this format and was written here.
      has_notes: whether it comes with a second file.
    """

    suffix: str
    export: Callable[[Model], Exported]
    is_earlier: Callable[[Path], bool]
    has_notes: bool = False


def export_file(
    model: Path, format_: str, output: Path, person_file: Path | None, say: Say
) -> None:
    """Writes a model as one file, and what it has to know of a person as another one.

    Args:
      format_: a name in FORMATS.
      output: the file.
      person_file: of the person, where the inputs that say how the person sounds are wanted: they
        are written beside the output, <output>.person.npz.

    Raises:
      ValueError, FileNotFoundError: see `encoder.load` and `outputs.check_output`; the format
        cannot hold what the model does, or a package is missing; then nothing was written.
    """
    kind = FORMATS[format_]
    if output.suffix != kind.suffix:
        raise ValueError(f"--output={output}: a name that ends in {kind.suffix} expected")
    for written in _outputs(kind, output, person_file):
        check_output(written, [] if person_file is None else [person_file])
    encoder = load(model)
    arrays: dict[str, np.ndarray] = {}
    if person_file is not None:
        person = read_person(person_file)
        encoder.check_person(person)
    try:
        exported = kind.export(encoder.model)
        if person_file is not None:
            from privrep.deploy.onnx_graph import person_arrays

            arrays = person_arrays(encoder.model, person)
    except ModuleNotFoundError as error:
        raise ValueError(
            f"--format={format_} needs {error.name}, which is not installed: pip install "
            "'privrep[export]'"
        ) from error
    output.parent.mkdir(parents=True, exist_ok=True)
    with replacing(output) as file:
        file.write(exported.content)
    if exported.notes is not None:
        replace_file(output.with_suffix(".json"), f"{json.dumps(exported.notes, indent=1)}\n")
    for sentence in exported.card:
        say(sentence)
    if arrays:
        beside = output.with_suffix(".person.npz")
        replace_arrays(beside, arrays)
        say(f"{beside}: inputs that say how the person sounds: keep them on the device")
    elif person_file is not None:
        say(f"{model} needs no statistics of a person: --person has no effect")
    say(f"{output}: {len(exported.content) / 1e6:.1f} MB, SHA-256 {sha256(output)}")


def _outputs(kind: Format, output: Path, person_file: Path | None) -> list[Output]:
    """The files that are written: the model, its notes, the inputs of a person."""
    flag = f"--output={output}"
    outputs = [Output(flag, output, kind.is_earlier)]
    if kind.has_notes:
        outputs.append(Output(flag, output.with_suffix(".json"), is_notes))
    if person_file is not None:
        outputs.append(Output(flag, output.with_suffix(".person.npz"), is_person_inputs))
    return outputs


def _onnx(model: Model) -> Exported:
    from privrep.deploy.onnx_graph import onnx_graph

    card = (_FLOAT32, _MEASURED)
    return Exported(onnx_graph(model, card).SerializeToString(), card)


def _onnx_int8(model: Model) -> Exported:
    from privrep.deploy.onnx_graph import onnx_graph
    from privrep.deploy.onnx_int8 import in_int8

    card = (_INT8, _MEASURED)
    rounded = in_int8(onnx_graph(model, card), _ENCODER)
    return Exported(rounded.SerializeToString(), card)


def _stablehlo(model: Model) -> Exported:
    from privrep.deploy.onnx_graph import metadata_of
    from privrep.deploy.stablehlo import stablehlo

    card = (_FLOAT32, _MEASURED)
    content, notes = stablehlo(model)
    return Exported(content, card, metadata_of(model, card) | notes)


FORMATS = {
    "onnx": Format(".onnx", _onnx, is_onnx),
    "onnx_int8": Format(".onnx", _onnx_int8, is_onnx),
    "stablehlo": Format(".stablehlo", _stablehlo, is_stablehlo, has_notes=True),
}
