"""`privrep audit`: one attribute or several, a folder each."""

import argparse
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from privrep.auditing.gate import FAILED, Limits, limits_of, worst_status
from privrep.auditing.gate_output import ANNOTATIONS, Checked, annotations, check_junit, write_junit
from privrep.auditing.options import (
    AuditOptions,
)
from privrep.commands.arguments import (
    Commands,
    add_columns,
    add_test,
    comma_list,
    failed,
    options_of,
)
from privrep.messages import nearest, printable
from privrep.program import say
from privrep.types import CORRELATION_LIMIT, LIMIT

if TYPE_CHECKING:
    from privrep.auditing.read_inputs import Opened
    from privrep.auditing.report import AuditReport


def add_audit(commands: Commands) -> argparse.ArgumentParser:
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
        type=comma_list,
        metavar="COLUMN",
        help="the private column; of several, a comma list, each has a folder in OUTPUT",
    )
    audit.add_argument("--output", required=True, help="folder for card and report")
    add_columns(audit)
    audit.add_argument(
        "--given",
        type=comma_list,
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
        help="likewise from all utterances of a person together; with 40 speakers chance alone "
        "makes 0.60 likely",
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
    add_test(audit)
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


def _audit(parsed: argparse.Namespace) -> int:
    if parsed.junit is not None:
        check_junit(Path(parsed.junit))
    try:
        checked = _checked(parsed)
    except Exception as error:  # of flags and policy: nothing was looked at
        status, sentence = failed(error)
        names = parsed.attribute or ["privrep audit"]
        checked = [Checked(name, status, "", (sentence,), 0.0) for name in names]
    if parsed.junit is not None:
        write_junit(Path(parsed.junit), checked)
    if parsed.annotations is not None:
        say("\n".join(annotations(checked)))
    return worst_status([check.status for check in checked])


def _checked(parsed: argparse.Namespace) -> list[Checked]:
    """Every attribute, audited or found to be impossible to audit."""
    limits = _limits(parsed)
    folders = _folders(parsed.output, list(limits))
    options = options_of(parsed)
    of_attribute = {name: replace(options, limits=of_it) for name, of_it in limits.items()}
    from privrep.auditing.read_inputs import Opened

    opened = Opened({}, {})
    wrong = _wrong(parsed, of_attribute, opened) if len(limits) > 1 else []
    return wrong or [
        _audit_attribute(parsed, attribute, folders[attribute], of_it, opened)
        for attribute, of_it in of_attribute.items()
    ]


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
            status, sentence = failed(error)
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
        status, sentence = failed(error)
        return Checked(attribute, status, "", (sentence,), time.monotonic() - start)
    say(f"{terminal.table(report)}\n\n{printable(str(folder / 'audit.html'))}")
    for reason in report.gate.reasons:
        say(printable(reason), sys.stderr)
    summary = f"{report.headline.word}. {report.headline.sentence}"
    seconds = time.monotonic() - start
    leaks = "leaks" in (report.verdict, report.person.verdict) and "leaks" in report.gate.fail_on
    return Checked(
        attribute,
        report.gate.status,
        summary,
        report.gate.reasons,
        seconds,
        is_bound=report.gate.status == FAILED and not leaks,
    )


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
