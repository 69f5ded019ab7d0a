"""The console script `privrep`: a thin shell over the library."""

import argparse
import math
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from privrep import __version__
from privrep.attacks.suite import FEW, NAMES, QUICK
from privrep.auditing.answer_tables import answers, number
from privrep.auditing.run_audit import PERMUTATIONS, Report, audit
from privrep.leakage.selftest import selftest
from privrep.messages import first, nearest
from privrep.statistics.verdict import LIMIT, least_exchanges

LEAKS, WRONG = 1, 2  # exit statuses
_WIDTH = 100
_CLASSES = 12  # that are named


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a subcommand; the exit status."""
    parser, commands = _parser()
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in commands:
        given = _spelt(given, commands[given[0]])
    parsed = parser.parse_args(given)
    try:
        return parsed.run(parsed)
    except (ValueError, OSError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return WRONG


def _spelt(arguments: Sequence[str], command: argparse.ArgumentParser) -> list[str]:
    """The arguments, their flags with hyphens and underscores as the command declares them.

    An unknown flag ends the program here: argparse would first name what is missing instead.
    """
    flags = [*re.findall(r"--[\w-]+", command.format_usage()), "--help"]
    declared = {flag.replace("-", "_"): flag for flag in flags}
    found = []
    for place, argument in enumerate(arguments):
        name, *value = argument.split("=", 1)
        plain = name.replace("-", "_")
        if name == "--":
            return [*found, *arguments[place:]]
        if name.startswith("--") and plain in declared:
            argument = "=".join([declared[plain], *value])
        elif name.startswith("--") and not any(flag.startswith(plain) for flag in declared):
            command.error(f"there is no flag {name}{nearest(name, flags)}")
        found.append(argument)
    return found


def _parser() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and those of its commands by name."""
    parser = argparse.ArgumentParser(prog="privrep", description="Privacy of representations.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser(
        "audit",
        help="how much of a private attribute do these representations tell?",
        description="Attacks representations of any origin, prints the result, and writes "
        "OUTPUT/audit.json and OUTPUT/audit.html. Exit status: 0; 1 if the upper bound is over "
        "--fail-above, or there is none; 2 if the files or the flags do not serve.",
    )
    one.add_argument("representations", help=".npy, .npz, .csv, .tsv or .parquet")
    one.add_argument("labels", help=".csv, .tsv, .jsonl or .parquet, with a speaker")
    one.add_argument("--attribute", required=True, help="the column that is private")
    one.add_argument("--output", required=True, help="folder for card and report")
    one.add_argument("--speaker", default="speaker", help="column (%(default)s)")
    one.add_argument("--session", default="session", help="column, if it is there (%(default)s)")
    one.add_argument(
        "--only",
        type=_column_and_values,
        action="append",
        default=[],
        metavar="COLUMN=VALUES",
        help="look at rows of these values alone, a comma list (part=test); may be repeated",
    )
    one.add_argument(
        "--given",
        type=_comma_list,
        metavar="COLUMNS",
        help="that may explain the leak, a comma list (emotion, script, transcript, session and "
        "num_frames, where they are there)",
    )
    one.add_argument(
        "--fail-above",
        type=_bound,
        metavar="UAR",
        help="exit with 1 if the upper bound is above, whatever the verdict, or there is none",
    )
    one.add_argument(
        "--unprotected",
        metavar="FILE",
        help="the same utterances without protection, for an attacker who learns from these, and "
        "for one who has seen both of other people",
    )
    one.add_argument("--other", help="representations of another corpus to learn from")
    one.add_argument("--other_labels", metavar="LABELS", help="and their labels")
    one.add_argument(
        "--attackers",
        type=_comma_list,
        default=tuple(QUICK),
        help=f"of {', '.join(NAMES)} ({','.join(QUICK)})",
    )
    one.add_argument(
        "--permutations",
        type=int,
        help=f"of the test, {least_exchanges()} or more ({PERMUTATIONS}; {FEW} with attackers "
        f"other than {','.join(QUICK)})",
    )
    one.add_argument(
        "--limit", type=float, default=LIMIT, help="leak over chance that counts (%(default)s)"
    )
    one.add_argument("--seed", type=int, default=0, help="of folds and permutations (%(default)s)")
    one.set_defaults(run=_audit)

    other = commands.add_parser(
        "selftest",
        help="does the measurement find what it must, and nothing else?",
        description="Measures worlds whose leak is known. Exit status 1 if one is misjudged.",
    )
    other.add_argument("--seed", type=int, default=0, help="of the worlds (%(default)s)")
    other.set_defaults(run=_selftest)
    return parser, {"audit": one, "selftest": other}


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
            f"{text!r}: an upper bound of the UAR over 0 and up to 1, such as 0.60"
        )
    return bound


def _audit(parsed: argparse.Namespace) -> int:
    report = audit(
        parsed.representations,
        parsed.labels,
        parsed.attribute,
        parsed.output,
        speaker=parsed.speaker,
        session=parsed.session,
        only=_only(parsed.only),
        given=parsed.given,
        unprotected=parsed.unprotected,
        other=parsed.other,
        other_labels=parsed.other_labels,
        attackers=parsed.attackers,
        num_permutations=parsed.permutations,
        limit=parsed.limit,
        seed=parsed.seed,
    )
    print(table(report))
    print(f"\n{printable(str(Path(parsed.output, 'audit.html')))}")
    failed = None if parsed.fail_above is None else why_failed(report, parsed.fail_above)
    if failed:
        print(printable(failed), file=sys.stderr)
    return LEAKS if failed else 0


def why_failed(report: Report, most: float) -> str | None:
    """Why an audit fails at --fail-above=`most`, or None. Without a bound nothing is shown."""
    upper = report["upper_bound"]
    if upper is None:
        return (
            f"no upper bound can be given, and so nothing shows that it is not above --fail-above="
            f"{most:g}: {report['reason']}"
        )
    if upper > most:
        told = f"upper bound {number(upper)} is above --fail-above={most:g}"
        least = f", which nothing can pass: chance is {number(report['chance'])}"
        return told + least * (most <= report["chance"])
    return None


def table(report: Report) -> str:
    """An audit for the terminal."""
    lines = [("attacker", "UAR", "lower", "upper", "p")]
    for one in sorted(report["attackers"], key=lambda one: -one["uar"]):
        lines.append((one["name"], *(number(one[name]) for name in ("uar", "lower", "upper", "p"))))
    strongest = ("uar", "lower_bound", "upper_bound", "p")
    lines.append(("strongest, corrected", *(number(report[name]) for name in strongest)))
    lines += [("", "", "", "", ""), ("threat", "UAR", "lower", "upper", "")]
    for one in report["threats"]:
        lines.append((one["threat"], *(number(one[n]) for n in ("uar", "lower", "upper")), ""))
    wide = max(len(line[0]) for line in lines)
    text = [
        (f"{name:{wide}}" + "".join(f"{c:>8}" for c in cells)).rstrip() for name, *cells in lines
    ]
    text.append(textwrap.fill(_by(report), _WIDTH))
    for answer in answers(report):
        sizes = [max(map(len, cells)) for cells in zip(answer.header, *answer.rows)]
        text += ["", answer.title] if answer.rows else [""]
        for name, *cells in [answer.header, *answer.rows] if answer.rows else []:
            aligned = (cell.rjust(size) for cell, size in zip(cells, sizes[1:]))
            text.append("  ".join([name.ljust(sizes[0]), *aligned]))
        text += [textwrap.fill(sentence, _WIDTH) for sentence in answer.said]
    data = report["data"]
    said = [
        *data["notes"],
        f"{data['utterances']:,} utterances of {data['speakers']:,} speakers; chance "
        f"{number(report['chance'])}, minimum detectable {number(report['minimum_detectable'])}, "
        f"limit {number(report['limit'])}",
        f"online code: {number(report['online_code']['bits'])} bits per utterance in place of "
        f"{number(report['online_code']['uniform'])} ({report['online_code']['attacker']})",
        f"{report['attribute']}: {report['verdict']}. {report['reason']}",
    ]
    said = [textwrap.fill(one, _WIDTH) for one in said]
    return printable("\n".join([*text, "", _classes(report), *said]))


def _by(report: Report) -> str:
    strongest, quick = report["strongest"], report["strongest_quick"]
    if quick == strongest:
        return f"All threats are by {quick}."
    return (
        f"k utterances are by {strongest}, the other threats by {quick}, which is quickly trained."
    )


def _classes(report: Report) -> str:
    told = [
        f"{one['name']} ({one['speakers']:,}{' speakers' * (i == 0)})"
        for i, one in enumerate(report["data"]["classes"])
    ]
    # A class may be called anything, and what begins a line is ours.
    found = f"classes of {report['attribute']}: {first(told, _CLASSES)}"
    return textwrap.fill(found, _WIDTH, subsequent_indent="  ")


def printable(text: str) -> str:
    """`text` without what could steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _selftest(parsed: argparse.Namespace) -> int:
    return 0 if selftest(parsed.seed, print) else LEAKS


if __name__ == "__main__":
    sys.exit(main())
