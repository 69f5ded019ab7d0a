"""The console script `privrep`: a thin shell over the library."""

import argparse
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from privrep import __version__
from privrep.answers import answers, number
from privrep.audit import PERMUTATIONS, Report, audit
from privrep.selftest import selftest
from privrep.suite import FEW, NAMES, QUICK
from privrep.verdicts import LIMIT

LEAKS, WRONG = 1, 2  # exit statuses
_WIDTH = 100


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a subcommand; the exit status."""
    parsed = _parser().parse_args(arguments)
    try:
        return parsed.run(parsed)
    except (ValueError, OSError) as error:
        print(f"error: {printable(str(error))}", file=sys.stderr)
        return WRONG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="privrep", description="Privacy of representations.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser(
        "audit",
        help="how much of a private attribute do these representations tell?",
        description="Attacks representations of any origin, prints the result, and writes "
        "OUTPUT/audit.json and OUTPUT/audit.html. Exit status: 0; 1 if the upper bound is over "
        "--fail-above; 2 if the files cannot be judged.",
    )
    one.add_argument("representations", type=Path, help=".npy, .npz, .csv, .tsv or .parquet")
    one.add_argument("labels", type=Path, help=".csv, .tsv, .jsonl or .parquet, with a speaker")
    one.add_argument("--attribute", required=True, help="the column that is private")
    one.add_argument("--output", type=Path, required=True, help="folder for card and report")
    one.add_argument("--speaker", default="speaker", help="column (%(default)s)")
    one.add_argument("--session", default="session", help="column, if it is there (%(default)s)")
    one.add_argument(
        "--given",
        type=lambda names: [name.strip() for name in names.split(",") if name.strip()],
        metavar="COLUMNS",
        help="that may explain the leak, a comma list (emotion, script, transcript, session and "
        "num_frames, where they are there)",
    )
    one.add_argument(
        "--fail-above", type=float, metavar="UAR", help="exit with 1 if the upper bound is above"
    )
    one.add_argument(
        "--unprotected",
        type=Path,
        metavar="FILE",
        help="the same utterances without protection, for an attacker who learns from these, and "
        "for one who has seen both of other people",
    )
    one.add_argument("--other", type=Path, help="representations of another corpus to learn from")
    one.add_argument("--other_labels", type=Path, metavar="LABELS", help="and their labels")
    one.add_argument(
        "--attackers",
        type=lambda text: tuple(name.strip() for name in text.split(",")),
        default=tuple(QUICK),
        help=f"of {', '.join(NAMES)} ({','.join(QUICK)})",
    )
    one.add_argument(
        "--permutations",
        type=int,
        help=f"of the test ({PERMUTATIONS}; {FEW} with attackers other than {','.join(QUICK)})",
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
    return parser


def _audit(parsed: argparse.Namespace) -> int:
    report = audit(
        parsed.representations,
        parsed.labels,
        parsed.attribute,
        parsed.output,
        speaker=parsed.speaker,
        session=parsed.session,
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
    print(f"\n{printable(str(parsed.output / 'audit.html'))}")
    upper, most = report["upper_bound"], parsed.fail_above
    if most is not None and not (upper is not None and upper <= most):
        print(f"upper bound {number(upper)} is above --fail-above={most:g}", file=sys.stderr)
        return LEAKS
    return 0


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
    for answer in answers(report):
        sizes = [max(map(len, cells)) for cells in zip(answer.header, *answer.rows)]
        text += ["", answer.title] if answer.rows else [""]
        for first, *cells in [answer.header, *answer.rows] if answer.rows else []:
            aligned = (cell.rjust(size) for cell, size in zip(cells, sizes[1:]))
            text.append("  ".join([first.ljust(sizes[0]), *aligned]))
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
    return printable("\n".join([*text, "", *said]))


def printable(text: str) -> str:
    """`text` without what could steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def _selftest(parsed: argparse.Namespace) -> int:
    return 0 if selftest(parsed.seed, print) else LEAKS
