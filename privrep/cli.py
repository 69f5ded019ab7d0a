"""The console script `privrep`: flags, exit status and terminal output around the library.

Flags are parsed before the library is imported, so that help and misspelt flags take no time.
"""

import argparse
import importlib
import math
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from privrep import __version__
from privrep.attacks.suite import FEW, NAMES, QUICK, UNTESTED
from privrep.auditing.options import DUPLICATES, MEASURED_AS, PERMUTATIONS, AuditOptions
from privrep.formats.columns import naming_of
from privrep.formats.numbers import MANY, QUANTILES, SOME
from privrep.messages import nearest, printable
from privrep.program import say, sentence_of
from privrep.statistics.permutation_test import least_permutations
from privrep.types import CORRELATION_LIMIT, LIMIT, PRIMARY, SECONDARY

if TYPE_CHECKING:
    from privrep.auditing.report import AuditReport
    from privrep.deploy.encode_files import RecordingFiles

LEAKS, WRONG = 1, 2  # exit statuses
EXPORT_FORMATS = ("onnx", "onnx_int8", "stablehlo")  # of `export_files.FORMATS`


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a subcommand; returns the exit status."""
    parser, commands = _parser()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] in commands:
        words = _spelt(words, commands[words[0]])
    parsed = parser.parse_args(words)
    try:
        return parsed.run(parsed)
    except Exception as error:
        sentence = sentence_of(error)
        if sentence is None:
            raise
        say(f"error: {printable(sentence)}", sys.stderr)
        return WRONG


def _spelt(arguments: Sequence[str], command: argparse.ArgumentParser) -> list[str]:
    """The arguments, their flags with hyphens and underscores as the command declares them.

    An unknown flag ends the program here: argparse would first report what is missing instead.
    """
    flags = [*re.findall(r"--[\w-]+", command.format_usage()), "--help"]
    declared = {flag.replace("-", "_"): flag for flag in flags}
    spelt: list[str] = []
    for i, argument in enumerate(arguments):
        name, *value = argument.split("=", 1)
        plain = name.replace("-", "_")
        if name == "--":
            return [*spelt, *arguments[i:]]
        if name.startswith("--") and plain in declared:
            argument = "=".join([declared[plain], *value])
        elif name.startswith("--") and not any(flag.startswith(plain) for flag in declared):
            command.error(f"there is no flag {name}{nearest(name, flags)}")
        spelt.append(argument)
    return spelt


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and those of its commands by name."""
    parser = argparse.ArgumentParser(prog="privrep", description="Privacy of representations.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    audit = commands.add_parser(
        "audit",
        help="how much of a private attribute do these representations reveal?",
        description="Attacks representations of any origin, prints the result, and writes "
        "OUTPUT/audit.json and OUTPUT/audit.html. Exit status: 0; 1 if an upper bound is over "
        "--fail-above or --fail-above-person, or there is none; 2 if the files or the flags cannot "
        "be used.",
    )
    audit.add_argument(
        "representations",
        help="vectors or frames: .npy, .npz, .csv, .tsv, .parquet, .arrow, .h5, .ark, .scp, a "
        "folder of a file each, or a pattern DIR/{id}.npy; several joined by + stand side by side",
    )
    audit.add_argument("labels", help=".csv, .tsv, .jsonl, .json or .parquet, with a speaker")
    audit.add_argument("--attribute", required=True, help="the private column")
    audit.add_argument("--output", required=True, help="folder for card and report")
    audit.add_argument("--speaker", default="speaker", help="column (%(default)s)")
    audit.add_argument("--session", default="session", help="column, if present (%(default)s)")
    audit.add_argument(
        "--columns",
        default="",
        metavar="OURS=THEIRS",
        help="what columns are called in the labels, a comma list (speaker=ID,gender=Sex); nothing "
        "after = leaves a column out",
    )
    audit.add_argument("--id", default="", metavar="COLUMN", help="of the utterances' ids")
    audit.add_argument(
        "--speaker_from",
        default="",
        metavar="REGEX",
        help="whose first group in the path, or id, of an utterance is its speaker",
    )
    audit.add_argument("--speakers", metavar="FILE", help="facts about the speakers, to be joined")
    audit.add_argument(
        "--values",
        default="",
        metavar="COLUMN:VALUE=MEANING",
        help="what values mean, a comma list (gender:1=female,gender:0=male); nothing after = is "
        "missing",
    )
    audit.add_argument(
        "--only",
        type=_column_and_values,
        action="append",
        default=[],
        metavar="COLUMN=VALUES",
        help="use only rows with these values, a comma list (part=test); may be repeated",
    )
    audit.add_argument(
        "--duplicates",
        choices=DUPLICATES,
        default=DUPLICATES[0],
        help="equal rows of different speakers: merge makes one speaker of those who share a row, "
        "keep uses them as they are, drop leaves out rows whose embedding failed (%(default)s)",
    )
    audit.add_argument(
        "--given",
        type=_comma_list,
        metavar="COLUMNS",
        help="that may explain the leak, a comma list (emotion, script, transcript, session and "
        "num_frames, where present)",
    )
    audit.add_argument(
        "--fail-above",
        type=_bound,
        metavar="UAR",
        help="exit with 1 if the upper bound from one utterance is above, whatever the verdict, or "
        "there is none; of an attribute that is a number, the upper bound of its bins",
    )
    audit.add_argument(
        "--fail-above-person",
        type=_bound,
        metavar="UAR",
        help="likewise from all utterances of a person together; with 40 people chance alone makes "
        "0.60 likely",
    )
    audit.add_argument(
        "--fail-above-correlation",
        type=_bound,
        metavar="CORRELATION",
        help="the same for the correlation of an attribute that is a number",
    )
    audit.add_argument(
        "--as",
        dest="measured_as",
        choices=MEASURED_AS,
        default=MEASURED_AS[0],
        help="whether the attribute has classes or is a number, such as an age (%(default)s: a "
        f"number if it has more than {MANY} different values, all of them numbers, or {SOME} of "
        "which one has a single speaker)",
    )
    audit.add_argument(
        "--bins",
        default="",
        metavar="BINS",
        help="make the result that of bins of a number, in place of the correlation: "
        f"{', '.join(QUANTILES)}, or intervals such as <30,30-50,>50 (beside the correlation: "
        "halves)",
    )
    audit.add_argument(
        "--lengths",
        metavar="FILE",
        help="number of frames of each utterance, of a .npy file with those of all end to end",
    )
    audit.add_argument(
        "--unprotected",
        metavar="FILE",
        help="the same utterances without protection, for an attacker trained on these, and for "
        "one that holds both forms for other speakers",
    )
    audit.add_argument("--other", help="representations of another corpus to train on")
    audit.add_argument("--other_labels", metavar="LABELS", help="and their labels")
    audit.add_argument(
        "--attackers",
        type=_comma_list,
        help=f"to be tested, of {', '.join(NAMES)} ({','.join(QUICK)}, and {','.join(UNTESTED)} on "
        "the true labels only)",
    )
    audit.add_argument(
        "--permutations",
        type=int,
        help=f"of the test, {least_permutations()} or more ({PERMUTATIONS}; {FEW} with attackers "
        f"other than {','.join(QUICK)})",
    )
    audit.add_argument(
        "--deals",
        type=int,
        help=f"of folds, over which each labelling is averaged ({PRIMARY.deals})",
    )
    audit.add_argument(
        "--quick",
        action="store_true",
        help=f"one deal of folds, {SECONDARY.permutations} permutations, no trees",
    )
    audit.add_argument(
        "--limit", type=float, default=LIMIT, help="leak over chance that counts (%(default)s)"
    )
    audit.add_argument(
        "--correlation_limit",
        type=float,
        default=CORRELATION_LIMIT,
        help="correlation that counts, of an attribute that is a number (%(default)s)",
    )
    audit.add_argument(
        "--seed", type=int, default=0, help="of folds and permutations (%(default)s)"
    )
    audit.set_defaults(run=_audit)

    encode = commands.add_parser(
        "encode",
        help="what a trained network sends of recordings of one person",
        description="Encodes recordings by a model folder of experiments.export_model: h as it is "
        "released, the recognised emotion and its probabilities. Exit status 2 if the model, the "
        "files or the flags cannot be used; then nothing is written.",
    )
    _add_recordings(encode)
    encode.add_argument(
        "--output", required=True, metavar="FILE", help=".npz with h, id, emotion, probabilities"
    )
    encode.add_argument(
        "--person",
        metavar="FILE",
        help="statistics of the person who speaks, where the model needs them; see privrep enrol",
    )
    encode.add_argument(
        "--update",
        action="store_true",
        help="add the recordings to the statistics afterwards, for those to come",
    )
    encode.set_defaults(run=_encode)

    enrol = commands.add_parser(
        "enrol",
        help="make the statistics of a person, by which a model encodes this person",
        description="Makes a person file of recordings of one person. It says how the person "
        "sounds on average: keep it where the recordings are. Exit status 2 as of encode.",
    )
    _add_recordings(enrol)
    enrol.add_argument("--person", required=True, metavar="FILE", help=".npz to be written")
    enrol.add_argument(
        "--update", action="store_true", help="add the recordings to the file that is there"
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
        "--output", required=True, metavar="FILE", help="the file, .onnx or .stablehlo"
    )
    export.add_argument(
        "--person",
        metavar="FILE",
        help="person file, whose statistics are written beside the output as inputs of the file",
    )
    export.set_defaults(run=_export)

    selftest = commands.add_parser(
        "selftest",
        help="does the measurement detect known leaks, and nothing else?",
        description="Measures worlds whose leak is known. Exit status 1 if one is misjudged.",
    )
    selftest.add_argument("--seed", type=int, default=0, help="of the worlds (%(default)s)")
    selftest.add_argument(
        "--full", action="store_true", help="with the deals and permutations of an audit"
    )
    selftest.set_defaults(run=_selftest)
    named = {"audit": audit, "encode": encode, "enrol": enrol, "export": export}
    named["selftest"] = selftest
    return parser, named


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
    files.encode_files(model, _recordings(files, parsed), output, person, parsed.update, _note)
    return 0


def _enrol(parsed: argparse.Namespace) -> int:
    files = _deploy_files("encode_files")
    model, person = Path(parsed.model), Path(parsed.person)
    files.enrol_files(model, _recordings(files, parsed), person, parsed.update, _note)
    return 0


def _export(parsed: argparse.Namespace) -> int:
    person = None if parsed.person is None else Path(parsed.person)
    files, model, output = _deploy_files("export_files"), Path(parsed.model), Path(parsed.output)
    files.export_file(model, parsed.format, output, person, _note)
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
    warnings.showwarning = lambda message, *_: _note(f"note: {message}")
    return files.RecordingFiles(
        audio=tuple(parsed.audio),
        transcripts=parsed.transcripts,
        acoustic_features=parsed.acoustic_features,
        lexical_features=parsed.lexical_features,
        word_vectors=parsed.word_vectors,
        unusable=parsed.unusable,
    )


def _note(sentence: str) -> None:
    say(printable(sentence), sys.stderr)


def _comma_list(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _column_and_values(text: str) -> tuple[str, list[str]]:
    column, _, values = text.partition("=")
    if not column or not _comma_list(values):
        raise argparse.ArgumentTypeError(f"{text!r}: name a column and values, such as part=test")
    return column.strip(), _comma_list(values)


def _only(pairs: Sequence[tuple[str, list[str]]]) -> dict[str, list[str]]:
    columns = [column for column, _ in pairs]
    for column in columns:
        if columns.count(column) > 1:
            raise ValueError(f"--only={column}=…: twice; give its values as one comma list")
    return dict(pairs)


def _bound(text: str) -> float:
    try:
        bound = float(text)
    except ValueError:
        bound = math.nan
    if not 0 < bound <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r}: an upper bound, over 0 and up to 1, such as 0.60"
        )
    return bound


def _audit(parsed: argparse.Namespace) -> int:
    from privrep.auditing import run_audit, terminal

    options = AuditOptions(
        speaker=parsed.speaker,
        session=parsed.session,
        only=_only(parsed.only),
        duplicates=parsed.duplicates,
        given=parsed.given,
        lengths=parsed.lengths,
        unprotected=parsed.unprotected,
        other=parsed.other,
        other_labels=parsed.other_labels,
        attackers=parsed.attackers,
        permutations=parsed.permutations,
        deals=parsed.deals,
        quick=parsed.quick,
        limit=parsed.limit,
        correlation_limit=parsed.correlation_limit,
        measured_as=parsed.measured_as,
        bins=parsed.bins,
        needs_correlation=parsed.fail_above_correlation is not None,
        seed=parsed.seed,
        naming=naming_of(
            parsed.columns, parsed.id, parsed.speaker_from, parsed.speakers, parsed.values
        ),
    )
    report = run_audit.audit(
        parsed.representations, parsed.labels, parsed.attribute, parsed.output, options=options
    )
    say(f"{terminal.table(report)}\n\n{printable(str(Path(parsed.output, 'audit.html')))}")
    gates = {"--fail-above": parsed.fail_above, "--fail-above-person": parsed.fail_above_person}
    failures = [why_failed(report, flag, most) for flag, most in gates.items() if most is not None]
    failures.append(why_correlated(report, parsed.fail_above_correlation))
    for failure in filter(None, failures):
        say(printable(failure), sys.stderr)
    return LEAKS if any(failures) else 0


def why_failed(report: "AuditReport", flag: str, most: float) -> str | None:
    """Why an audit fails at `flag`=`most`, or None. Without a bound it fails."""
    judged = report.person if flag == "--fail-above-person" else report.of_classes
    if not math.isfinite(judged.upper):
        return (
            f"no upper bound can be given, so that it is not shown to be within {flag}={most:g}: "
            f"{judged.reason}"
        )
    if judged.upper <= most:
        return None
    text = f"upper bound {judged.upper:.3f} is above {flag}={most:g}"
    chance = 1 / len(report.data.classes)
    if most <= chance:
        text += f", which no audit can pass: chance is {chance:.3f}"
    return text


def why_correlated(report: "AuditReport", most: float | None) -> str | None:
    """Why an audit fails at --fail-above-correlation=`most`, or None."""
    if most is None:
        return None
    if report.number is None:
        return (
            f"--fail-above-correlation={most:g}: {report.attribute} has classes and no correlation"
        )
    upper = report.number.verdict.upper
    if upper <= most:
        return None
    return f"upper bound {upper:.3f} of the correlation is above --fail-above-correlation={most:g}"


def _selftest(parsed: argparse.Namespace) -> int:
    from privrep.leakage.selftest import FULL, QUICK, selftest

    return 0 if selftest(parsed.seed, say, FULL if parsed.full else QUICK) else LEAKS


if __name__ == "__main__":
    sys.exit(main())
