"""The console script `privrep`: flags, exit status and terminal output around the library.

Flags are parsed before the library is imported, so that help and misspelt flags take no time.
"""

import argparse
import importlib
import re
import sys
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from privrep import __version__
from privrep.attacks.suite import FEW, NAMES, QUICK, UNTESTED
from privrep.auditing.gate import PASSED, UNEXPECTED, WRONG, Limits, limits_of, worst_status
from privrep.auditing.gate_output import ANNOTATIONS, Checked, annotations, check_junit, write_junit
from privrep.auditing.options import (
    DUPLICATES,
    MARGIN,
    MEASURED_AS,
    PERMUTATIONS,
    TWO_VALUES,
    AuditOptions,
)
from privrep.formats.columns import naming_of
from privrep.formats.numbers import MANY, QUANTILES, SOME
from privrep.messages import nearest, printable
from privrep.program import say, sentence_of
from privrep.statistics.permutation_test import least_permutations
from privrep.types import CORRELATION_LIMIT, LIMIT, PRIMARY, SECONDARY

if TYPE_CHECKING:
    from privrep.auditing.read_inputs import Opened
    from privrep.auditing.report import AuditReport
    from privrep.deploy.encode_files import RecordingFiles

MISJUDGED = 1  # exit status of the self-test; those of an audit stand in `gate`
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
        return _failed(error)[0]


def _failed(error: Exception) -> tuple[int, str]:
    """Says an error; its exit status, and the sentence."""
    sentence = sentence_of(error)
    if sentence is not None:
        say(f"error: {printable(sentence)}", sys.stderr)
        return WRONG, sentence
    say(printable("".join(traceback.format_exception(error))), sys.stderr)
    sentence = f"{type(error).__name__}: {error}"
    say(
        f"error: this is a fault of privrep, and nothing was judged ({printable(sentence)})",
        sys.stderr,
    )
    return UNEXPECTED, sentence


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

    audit = _add_audit(commands)
    compare = _add_compare(commands)
    plan = _add_plan(commands)
    of_models = _add_encode(commands)

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
    return parser, {
        "audit": audit,
        "compare": compare,
        "plan": plan,
        **of_models,
        "selftest": selftest,
    }


_Commands = Any  # argparse's, which has no public name


def _add_audit(commands: _Commands) -> argparse.ArgumentParser:
    audit = commands.add_parser(
        "audit",
        help="how much of a private attribute do these representations reveal?",
        description="Attacks representations of any origin, prints the result, and writes "
        "OUTPUT/audit.json and OUTPUT/audit.html. Exit status: 0 passed; 1 it leaks, or an upper "
        "bound is over its limit; 2 the files or the flags cannot be used; 3 cannot tell; 4 not "
        "judged, as it is not known that labels belong to their rows; 70 a fault of this program. "
        "Of several attributes: that of 70, 2, 4, 1, 3, 0 which comes first.",
    )
    audit.add_argument(
        "representations",
        help="vectors or frames: .npy, .npz, .csv, .tsv, .parquet, .arrow, .h5, .ark, .scp, a "
        "folder of a file each, or a pattern DIR/{id}.npy; several joined by + stand side by side",
    )
    audit.add_argument("labels", help=".csv, .tsv, .jsonl, .json or .parquet, with a speaker")
    audit.add_argument(
        "--attribute",
        type=_comma_list,
        metavar="COLUMN",
        help="the private column; of several, a comma list, each has a folder in OUTPUT",
    )
    audit.add_argument("--output", required=True, help="folder for card and report")
    _add_columns(audit)
    audit.add_argument(
        "--given",
        type=_comma_list,
        metavar="COLUMNS",
        help="that may explain the leak, a comma list (emotion, script, transcript, session and "
        "num_frames, where present)",
    )
    audit.add_argument(
        "--fail-on",
        metavar="REASONS",
        help="of leaks, bound and cannot_tell, a comma list, or none (leaks,cannot_tell, and bound "
        "where one is given)",
    )
    audit.add_argument(
        "--fail-above",
        metavar="UAR",
        help="fail if the upper bound from one utterance is above this UAR of two equally likely "
        "classes, from 0.5 to 1; of other numbers of classes it stands for the same share over "
        "chance: 0.60, or 20%%, is 0.40 of four. Of an attribute that is a number, of its bins",
    )
    audit.add_argument(
        "--fail-above-person",
        metavar="UAR",
        help="likewise from all utterances of a person together; with 40 people chance alone makes "
        "0.60 likely",
    )
    audit.add_argument(
        "--fail-above-correlation",
        type=float,
        metavar="CORRELATION",
        help="the same for the correlation of an attribute that is a number",
    )
    audit.add_argument(
        "--least-speakers", type=int, default=0, metavar="N", help="fewer speakers cannot pass"
    )
    audit.add_argument(
        "--policy",
        metavar="FILE",
        help="a .toml with a table [attributes.NAME] of each attribute, and what it must keep: "
        "fail_on, fail_above, fail_above_person, fail_above_correlation, least_speakers",
    )
    audit.add_argument("--junit", metavar="FILE", help="write a JUnit report, a case per attribute")
    audit.add_argument(
        "--annotations", choices=ANNOTATIONS, help="print the outcome as workflow commands"
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
    _add_test(audit)
    audit.add_argument(
        "--limit", type=float, default=LIMIT, help="leak over chance that counts (%(default)s)"
    )
    audit.add_argument(
        "--correlation_limit",
        type=float,
        default=CORRELATION_LIMIT,
        help="correlation that counts, of an attribute that is a number (%(default)s)",
    )
    audit.set_defaults(run=_audit)
    return audit


def _add_compare(commands: _Commands) -> argparse.ArgumentParser:
    compare = commands.add_parser(
        "compare",
        help="is one representation more revealing than another, of the same utterances?",
        description="Attacks both in one design, compares them speaker by speaker, prints the "
        "result, and writes OUTPUT/compare.json. Exit status: 0 more than the margin is excluded; "
        "1 the new one is more revealing; 2 the files or the flags cannot be used; 3 cannot tell; "
        "4 not judged; 70 a fault of this program.",
    )
    compare.add_argument("old", help="vectors or frames, see privrep audit")
    compare.add_argument("new", help="of the same utterances")
    compare.add_argument("labels", help="of both: .csv, .tsv, .jsonl, .json or .parquet")
    compare.add_argument("--attribute", required=True, metavar="COLUMN", help="the private column")
    compare.add_argument("--output", help="folder for the report")
    compare.add_argument(
        "--margin",
        default=MARGIN,
        metavar="UAR",
        help="how much more revealing the new one may be: a difference of UARs of two equally "
        "likely classes, such as 0.05, or a share of the way from chance to certainty "
        "(%(default)s)",
    )
    _add_columns(compare)
    _add_test(compare)
    compare.set_defaults(run=_compare)
    return compare


def _add_plan(commands: _Commands) -> argparse.ArgumentParser:
    plan = commands.add_parser(
        "plan",
        help="what could an audit of these labels show, before there are representations?",
        description="From speakers and utterances alone: the leak that would be detected, the "
        "upper bound to be expected without a leak, the chance to pass, the speakers needed. "
        "Prints it, and writes OUTPUT/plan.json.",
    )
    plan.add_argument("labels", help=".csv, .tsv, .jsonl, .json or .parquet, with a speaker")
    plan.add_argument("--attribute", required=True, metavar="COLUMN", help="the private column")
    plan.add_argument("--output", help="folder for the plan")
    plan.add_argument("--fail-above", metavar="UAR", help="limit of the gate, see privrep audit")
    _add_columns(plan)
    _add_test(plan)
    plan.set_defaults(run=_plan)
    return plan


def _add_columns(command: argparse.ArgumentParser) -> None:
    """What columns and values of the labels are called, and which rows are used."""
    command.add_argument("--speaker", default="speaker", help="column (%(default)s)")
    command.add_argument("--session", default="session", help="column, if present (%(default)s)")
    command.add_argument(
        "--columns",
        default="",
        metavar="OURS=THEIRS",
        help="what columns are called in the labels, a comma list (speaker=ID,gender=Sex); nothing "
        "after = leaves a column out",
    )
    command.add_argument("--id", default="", metavar="COLUMN", help="of the utterances' ids")
    command.add_argument(
        "--speaker_from",
        default="",
        metavar="REGEX",
        help="whose first group in the path, or id, of an utterance is its speaker",
    )
    command.add_argument(
        "--speakers", metavar="FILE", help="facts about the speakers, to be joined"
    )
    command.add_argument(
        "--values",
        default="",
        metavar="COLUMN:VALUE=MEANING",
        help="what values mean, a comma list (gender:1=female,gender:0=male); nothing after = is "
        "missing",
    )
    command.add_argument(
        "--only",
        type=_column_and_values,
        action="append",
        default=[],
        metavar="COLUMN=VALUES",
        help="use only rows with these values, a comma list (part=test); may be repeated",
    )
    command.add_argument(
        "--duplicates",
        choices=DUPLICATES,
        default=DUPLICATES[0],
        help="equal rows of different speakers: merge makes one speaker of those who share a row, "
        "keep uses them as they are, drop leaves out rows whose embedding failed (%(default)s)",
    )
    command.add_argument(
        "--two_values",
        choices=TWO_VALUES,
        default=TWO_VALUES[0],
        help="speakers with several values of an attribute that others have one of, such as a "
        "gender: drop leaves them out, majority gives each the value of most of their utterances, "
        "keep takes the labels as they are (%(default)s)",
    )
    command.add_argument(
        "--aligned",
        action="store_true",
        help="the rows of both files stand in one order. Without it, and without ids in both, a "
        "column of the labels must be read from the representations, or nothing is judged",
    )


def _add_test(command: argparse.ArgumentParser) -> None:
    """Attackers and permutations, and what an attribute that is a number is measured as."""
    command.add_argument(
        "--as",
        dest="measured_as",
        choices=MEASURED_AS,
        default=MEASURED_AS[0],
        help="whether the attribute has classes or is a number, such as an age (%(default)s: a "
        f"number if it has more than {MANY} different values, all of them numbers, or {SOME} of "
        "which one has a single speaker)",
    )
    command.add_argument(
        "--bins",
        default="",
        metavar="BINS",
        help="make the result that of bins of a number, in place of the correlation: "
        f"{', '.join(QUANTILES)}, or intervals such as <30,30-50,>50 (beside the correlation: "
        "halves)",
    )
    command.add_argument(
        "--attackers",
        type=_comma_list,
        help=f"to be tested, of {', '.join(NAMES)} ({','.join(QUICK)}, and {','.join(UNTESTED)} on "
        "the true labels only)",
    )
    command.add_argument(
        "--permutations",
        type=int,
        help=f"of the test, {least_permutations()} or more ({PERMUTATIONS}; {FEW} with attackers "
        f"other than {','.join(QUICK)})",
    )
    command.add_argument(
        "--deals",
        type=int,
        help=f"of folds, over which each labelling is averaged ({PRIMARY.deals})",
    )
    command.add_argument(
        "--quick",
        action="store_true",
        help=f"one deal of folds, {SECONDARY.permutations} permutations, no trees",
    )
    command.add_argument(
        "--seed", type=int, default=0, help="of folds and permutations (%(default)s)"
    )


def _add_encode(commands: _Commands) -> dict[str, argparse.ArgumentParser]:
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


def _audit(parsed: argparse.Namespace) -> int:
    limits = _limits(parsed)
    folders = _folders(parsed.output, list(limits))
    options = _options(parsed)
    of_attribute = {name: replace(options, limits=of_it) for name, of_it in limits.items()}
    if parsed.junit is not None:
        check_junit(Path(parsed.junit))
    from privrep.auditing.read_inputs import Opened

    opened = Opened({}, {})
    wrong = _wrong(parsed, of_attribute, opened) if len(limits) > 1 else []
    checked = wrong or [
        _audit_attribute(parsed, attribute, folders[attribute], of_it, opened)
        for attribute, of_it in of_attribute.items()
    ]
    if parsed.junit is not None:
        write_junit(Path(parsed.junit), checked)
    if parsed.annotations is not None:
        say("\n".join(annotations(checked)))
    return worst_status([check.status for check in checked])


def _wrong(
    parsed: argparse.Namespace, of_attribute: dict[str, AuditOptions], opened: "Opened"
) -> list[Checked]:
    """Several attributes: each is checked before the first is measured; [] if all can be.

    The first that cannot has the error, and of the others it is said that nothing was done.
    """
    for attribute, options in of_attribute.items():
        try:
            _check(parsed, attribute, options, opened)
        except Exception as error:
            status, sentence = _failed(error)
            others = f"Nothing was audited, since {attribute} cannot be."
            return [
                Checked(name, status, "", (sentence if name == attribute else others,), 0.0)
                for name in of_attribute
            ]
    return []


def _check(
    parsed: argparse.Namespace, attribute: str, options: AuditOptions, opened: "Opened"
) -> None:
    """Makes sure that an attribute can be audited, and names it in the error."""
    from privrep.auditing.run_audit import prepare

    try:
        prepare(parsed.representations, parsed.labels, attribute, parsed.output, options, opened)
    except ValueError as error:
        raise ValueError(f"{attribute}: {error}") from error


def _audit_attribute(
    parsed: argparse.Namespace,
    attribute: str,
    folder: Path,
    options: AuditOptions,
    opened: "Opened",
) -> Checked:
    """Audits one attribute and prints the result."""
    from privrep.auditing import run_audit, terminal

    start = time.monotonic()
    try:
        report: AuditReport = run_audit.audit(
            parsed.representations,
            parsed.labels,
            attribute,
            folder,
            options=options,
            progress=_progress if sys.stderr.isatty() else None,
            opened=opened,
        )
    except Exception as error:
        if sys.stderr.isatty():
            _progress(1.0, "")
        status, sentence = _failed(error)
        return Checked(attribute, status, "", (sentence,), time.monotonic() - start)
    say(f"{terminal.table(report)}\n\n{printable(str(folder / 'audit.html'))}")
    for reason in report.gate.reasons:
        say(printable(reason), sys.stderr)
    summary = f"{report.headline.word}. {report.headline.sentence}"
    seconds = time.monotonic() - start
    return Checked(attribute, report.gate.status, summary, report.gate.reasons, seconds)


def _progress(share: float, what: str) -> None:
    """A line of the terminal, which the next replaces and the last clears."""
    line = "" if share == 1 else f"{share:4.0%} {what} …"
    print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def _limits(parsed: argparse.Namespace) -> dict[str, Limits]:
    """{attribute: limits} by the flags, or by the policy file."""
    if parsed.attribute == []:
        raise ValueError("--attribute= is empty: it names a column of the labels")
    by_flags = {
        "fail_on": parsed.fail_on,
        "fail_above": parsed.fail_above,
        "fail_above_person": parsed.fail_above_person,
        "fail_above_correlation": parsed.fail_above_correlation,
        "least_speakers": parsed.least_speakers,
    }
    if parsed.policy is None:
        if parsed.attribute is None:
            raise ValueError("name the private column: --attribute=gender (or --policy=FILE)")
        return dict.fromkeys(parsed.attribute, limits_of(**by_flags))
    given = [name for name, value in by_flags.items() if value]
    if given:
        raise ValueError(
            f"--{given[0].replace('_', '-')} and --policy={parsed.policy}: limits stand in the "
            "policy file, or in flags"
        )
    from privrep.auditing.policy import read_policy

    policy = read_policy(parsed.policy)
    for name in parsed.attribute or ():
        if name not in policy:
            raise ValueError(
                f"--attribute={name}: {parsed.policy} has no table [attributes.{name}]"
                f"{nearest(name, policy)}"
            )
    return {name: policy[name] for name in dict.fromkeys(parsed.attribute or policy)}


def _folders(output: str, attributes: Sequence[str]) -> dict[str, Path]:
    """The folder of each attribute: `output` itself of a single one."""
    if not output.strip():
        raise ValueError("--output= is empty: it names a folder (. is the current one)")
    if len(attributes) == 1:
        return {attributes[0]: Path(output)}
    names = [re.sub(r"[^\w.-]", "_", name).strip(".") or "_" for name in attributes]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"--attribute={','.join(attributes)}: two of them would be written to the folder "
                f"{name}; audit them one by one"
            )
    return {attribute: Path(output, name) for attribute, name in zip(attributes, names)}


def _options(parsed: argparse.Namespace) -> AuditOptions:
    """The options that a command has flags of."""
    names = {field.name for field in fields(AuditOptions)}
    given = {name: value for name, value in vars(parsed).items() if name in names}
    given["only"] = _only(parsed.only)
    given["naming"] = naming_of(
        parsed.columns, parsed.id, parsed.speaker_from, parsed.speakers, parsed.values
    )
    return AuditOptions(**given)


def _check_single(attribute: str) -> None:
    if "," in attribute:
        raise ValueError(
            f"--attribute={attribute}: it takes one column; of several give one after another"
        )


def _compare(parsed: argparse.Namespace) -> int:
    from privrep.auditing.compare import compare

    _check_single(parsed.attribute)
    report = compare(
        parsed.old,
        parsed.new,
        parsed.labels,
        parsed.attribute,
        parsed.output,
        margin=parsed.margin,
        options=_options(parsed),
    )
    say(printable(report.in_words))
    return report.status


def _plan(parsed: argparse.Namespace) -> int:
    from privrep.auditing.plan import plan

    _check_single(parsed.attribute)
    planned = plan(
        parsed.labels,
        parsed.attribute,
        parsed.output,
        fail_above=parsed.fail_above,
        options=_options(parsed),
    )
    say(printable(planned.in_words))
    return PASSED


def _selftest(parsed: argparse.Namespace) -> int:
    from privrep.leakage.selftest import FULL, QUICK, selftest

    return 0 if selftest(parsed.seed, say, FULL if parsed.full else QUICK) else MISJUDGED


if __name__ == "__main__":
    sys.exit(main())
