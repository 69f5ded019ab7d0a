"""`privrep encode`, `enrol` and `export`: a trained network applied."""

import argparse
import importlib
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from privrep.commands.arguments import Commands, note

if TYPE_CHECKING:
    from privrep.deploy.encode_files import RecordingFiles

EXPORT_FORMATS = ("onnx", "onnx_int8", "stablehlo")  # of `export_files.FORMATS`


def add_models(commands: Commands) -> dict[str, argparse.ArgumentParser]:
    """`encode` and `enrol`, by name."""
    encode = commands.add_parser(
        "encode",
        help="what a trained network sends of recordings of one person",
        description="Encodes recordings by a model folder of experiments.export_model: h as it is "
        "released, the recognised emotion and its probabilities. Exit status 2 if the model, the "
        "files or the flags cannot be used; then nothing is written.",
    )
    _add_recordings(encode)
    encode.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help=".npz with h, id, emotion, probabilities, classes, model; an earlier one of encode is "
        "replaced, any other file is not",
    )
    encode.add_argument(
        "--person",
        metavar="FILE",
        help="statistics of the person who speaks, where the model needs them; see privrep enrol",
    )
    encode.add_argument(
        "--update",
        action="store_true",
        help="add the recordings to the statistics afterwards, for those to come; moments are "
        "added, so give a recording once",
    )
    encode.set_defaults(run=_encode)

    enrol = commands.add_parser(
        "enrol",
        help="make the statistics of a person, by which a model encodes this person",
        description="Makes a person file of recordings of one person. It says how the person "
        "sounds on average: keep it where the recordings are. Exit status 2 as of encode.",
    )
    _add_recordings(enrol)
    enrol.add_argument(
        "--person",
        required=True,
        metavar="FILE",
        help=".npz to be written; one that is there is never replaced, but added to with --update",
    )
    enrol.add_argument(
        "--update",
        action="store_true",
        help="add the recordings to the person file that is there: moments are added, and a "
        "recording that is given again counts twice",
    )
    enrol.set_defaults(run=_enrol)

    export = commands.add_parser(
        "export",
        help="a trained network as one file for a device or a server",
        description="Writes a model folder as one file: an utterance in, its released h out. The "
        "unreleased h is no output. Exit status 2 as of encode.",
    )
    export.add_argument("model", help="model folder, with model.json")
    export.add_argument(
        "--format",
        choices=EXPORT_FORMATS,
        default=EXPORT_FORMATS[0],
        help="onnx: waveform in, h out, at any length; onnx_int8: the same with rounded encoders; "
        "stablehlo: log-Mel frames of a batch in, for jax.export (%(default)s)",
    )
    export.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help="the file, .onnx or .stablehlo; an earlier one "
        "of export is replaced, any other file is not",
    )
    export.add_argument(
        "--person",
        metavar="FILE",
        help="person file, whose statistics are written beside the output as inputs of the file, "
        "in NAME.person.npz",
    )
    export.set_defaults(run=_export)
    return {"encode": encode, "enrol": enrol, "export": export}


def _add_recordings(command: argparse.ArgumentParser) -> None:
    """The arguments that name a model and recordings."""
    command.add_argument("model", help="model folder, with model.json")
    command.add_argument(
        "audio", nargs="*", help="audio files of one person; their names are the ids"
    )
    command.add_argument(
        "--transcripts",
        metavar="FILE",
        help="of a model that reads words: a table with the columns id and transcript",
    )
    command.add_argument(
        "--acoustic_features",
        metavar="SOURCE",
        help="of a model that was trained on such: ready features, as of experiments.main",
    )
    command.add_argument("--lexical_features", metavar="SOURCE", help="likewise of words")
    command.add_argument(
        "--word_vectors",
        metavar="FILE",
        help="the word vectors that the model was trained with, for words its corpus had not",
    )
    command.add_argument(
        "--unusable",
        choices=("stop", "drop"),
        default="stop",
        help="at recordings that cannot be used, such as silence: stop, or leave them out "
        "(%(default)s)",
    )


def _encode(parsed: argparse.Namespace) -> int:
    files = _deploy_files("encode_files")
    person = None if parsed.person is None else Path(parsed.person)
    model, output = Path(parsed.model), Path(parsed.output)
    files.encode_files(model, _recordings(files, parsed), output, person, parsed.update, note)
    return 0


def _enrol(parsed: argparse.Namespace) -> int:
    files = _deploy_files("encode_files")
    model, person = Path(parsed.model), Path(parsed.person)
    files.enrol_files(model, _recordings(files, parsed), person, parsed.update, note)
    return 0


def _export(parsed: argparse.Namespace) -> int:
    person = None if parsed.person is None else Path(parsed.person)
    files, model, output = _deploy_files("export_files"), Path(parsed.model), Path(parsed.output)
    files.export_file(model, parsed.format, output, person, note)
    return 0


def _deploy_files(name: str) -> ModuleType:
    """A file of deploy/, which the light installation of the audit cannot import.

    Raises:
      ValueError: a package is missing.
    """
    try:
        return importlib.import_module(f"privrep.deploy.{name}")
    except ModuleNotFoundError as error:
        raise ValueError(
            f"networks need {error.name}, which is not installed: install privrep with its "
            "requirements (without --no-deps)"
        ) from error


def _recordings(files: ModuleType, parsed: argparse.Namespace) -> "RecordingFiles":
    warnings.showwarning = lambda message, *_: note(f"note: {message}")
    return files.RecordingFiles(
        audio=tuple(parsed.audio),
        transcripts=parsed.transcripts,
        acoustic_features=parsed.acoustic_features,
        lexical_features=parsed.lexical_features,
        word_vectors=parsed.word_vectors,
        unusable=parsed.unusable,
    )
