"""Arguments, options and messages that several commands of the console script share."""

import argparse
import sys
import traceback
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from privrep.attacks.suite import FEW, NAMES, QUICK, UNTESTED
from privrep.auditing.gate import UNEXPECTED, WRONG
from privrep.auditing.options import (
    DUPLICATES,
    MEASURED_AS,
    PERMUTATIONS,
    TWO_VALUES,
    AuditOptions,
)
from privrep.formats.columns import naming_of
from privrep.formats.numbers import MANY, QUANTILES, SOME
from privrep.messages import printable
from privrep.program import say, sentence_of
from privrep.statistics.permutation_test import least_permutations
from privrep.types import PRIMARY, SECONDARY

if TYPE_CHECKING:
    pass

Commands = Any  # argparse's subparsers, which have no public name


def add_columns(command: argparse.ArgumentParser) -> None:
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


def add_test(command: argparse.ArgumentParser) -> None:
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
        type=comma_list,
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


def comma_list(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _column_and_values(text: str) -> tuple[str, list[str]]:
    column, _, values = text.partition("=")
    if not column or not comma_list(values):
        raise argparse.ArgumentTypeError(f"{text!r}: name a column and values, such as part=test")
    return column.strip(), comma_list(values)


def _only(pairs: Sequence[tuple[str, list[str]]]) -> dict[str, list[str]]:
    columns = [column for column, _ in pairs]
    for column in columns:
        if columns.count(column) > 1:
            raise ValueError(f"--only={column}=…: twice; give its values as one comma list")
    return dict(pairs)


def options_of(parsed: argparse.Namespace) -> AuditOptions:
    """The options that a command has flags of."""
    names = {field.name for field in fields(AuditOptions)}
    given = {name: value for name, value in vars(parsed).items() if name in names}
    given["only"] = _only(parsed.only)
    given["naming"] = naming_of(
        parsed.columns, parsed.id, parsed.speaker_from, parsed.speakers, parsed.values
    )
    return AuditOptions(**given)


def check_single(attribute: str) -> None:
    if "," in attribute:
        raise ValueError(
            f"--attribute={attribute}: it takes one column; of several give one after another"
        )


def failed(error: Exception) -> tuple[int, str]:
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


def note(sentence: str) -> None:
    say(printable(sentence), sys.stderr)
