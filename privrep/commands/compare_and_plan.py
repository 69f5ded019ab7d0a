"""`privrep compare` and `privrep plan`."""

import argparse
from typing import TYPE_CHECKING

from privrep.auditing.gate import PASSED
from privrep.auditing.options import (
    MARGIN,
    SIZE,
)
from privrep.commands.arguments import (
    Commands,
    add_columns,
    add_test,
    check_single,
    options_of,
)
from privrep.messages import printable
from privrep.program import say

if TYPE_CHECKING:
    pass


def add_compare(commands: Commands) -> argparse.ArgumentParser:
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
    add_columns(compare)
    add_test(compare)
    compare.set_defaults(run=_compare)
    return compare


def add_plan(commands: Commands) -> argparse.ArgumentParser:
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
    plan.add_argument(
        "--fail-above-correlation",
        metavar="R",
        type=float,
        help="likewise, of an attribute that is a number, such as 0.30",
    )
    plan.add_argument(
        "--size",
        metavar="D",
        type=int,
        default=SIZE,
        help="values of the h of an utterance (%(default)s); a large h has a higher upper bound, "
        "as some attackers see it in one deal of folds alone",
    )
    add_columns(plan)
    add_test(plan)
    plan.set_defaults(run=_plan)
    return plan


def _compare(parsed: argparse.Namespace) -> int:
    from privrep.auditing.compare import compare

    check_single(parsed.attribute)
    report = compare(
        parsed.old,
        parsed.new,
        parsed.labels,
        parsed.attribute,
        parsed.output,
        margin=parsed.margin,
        options=options_of(parsed),
    )
    say(printable(report.in_words))
    return report.status


def _plan(parsed: argparse.Namespace) -> int:
    from privrep.auditing.plan import plan

    check_single(parsed.attribute)
    planned = plan(
        parsed.labels,
        parsed.attribute,
        parsed.output,
        fail_above=parsed.fail_above,
        fail_above_correlation=parsed.fail_above_correlation,
        size=parsed.size,
        options=options_of(parsed),
    )
    say(printable(planned.in_words))
    return PASSED
