"""The outcome of a gate for continuous integration: JUnit XML and annotations (host)."""

import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from privrep.auditing.gate import BOUND, CANNOT_TELL, FAILED, PASSED, STATUS_NOT_JUDGED
from privrep.files import replace_file
from privrep.messages import printable

ANNOTATIONS = ("github",)
_KINDS = {FAILED: "leaks", CANNOT_TELL: "cannot_tell", STATUS_NOT_JUDGED: "not_judged"}


class Checked(NamedTuple):
    """One attribute at the gate.

    Attributes:
      attribute: its name.
      status: the exit status of it alone.
      summary: the sentence of the headline; "" where nothing could be measured.
      reasons: why it did not pass, sentences.
      seconds: that the audit took.
      is_bound: failed by an upper bound over its limit, and not by a leak.
    """

    attribute: str
    status: int
    summary: str
    reasons: tuple[str, ...]
    seconds: float
    is_bound: bool = False


def check_junit(path: Path) -> None:
    """Makes the folder of a JUnit report and makes sure that it can be written there.

    Raises:
      ValueError: it cannot.
    """
    fault = "it is a folder; name a file, such as junit.xml" if path.is_dir() else None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        fault = f"nothing can be written there: {error.strerror}"
    if fault is not None:
        raise ValueError(f"--junit={path}: {fault}")


def write_junit(path: Path, checked: Sequence[Checked]) -> None:
    """Writes `junit`; its folder is made if it does not exist.

    Raises:
      OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, junit(checked, datetime.now(UTC).isoformat(timespec="seconds")))


def junit(checked: Sequence[Checked], date: str) -> str:
    """A JUnit report with a test case per attribute.

    A leak, a bound over its limit and what cannot be told are failures; what could not be judged or
    measured is an error.
    """
    failed = [c for c in checked if c.status in (FAILED, CANNOT_TELL)]
    errors = [c for c in checked if c.status not in (PASSED, FAILED, CANNOT_TELL)]
    counts = {"tests": len(checked), "failures": len(failed), "errors": len(errors)}
    suite = ElementTree.Element(
        "testsuite",
        {"name": "privrep audit", "timestamp": date}
        | {name: str(count) for name, count in counts.items()}
        | {"time": f"{sum(c.seconds for c in checked):.1f}"},
    )
    for check in checked:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            {
                "classname": "privrep.audit",
                "name": printable(check.attribute),
                "time": f"{check.seconds:.1f}",
            },
        )
        if check.status != PASSED:
            text = printable(" ".join(check.reasons))
            kind = BOUND if check.is_bound else _KINDS.get(check.status, "error")
            tag = "failure" if check in failed else "error"
            ElementTree.SubElement(case, tag, {"type": kind, "message": text}).text = text
        ElementTree.SubElement(case, "system-out").text = printable(check.summary)
    ElementTree.indent(suite)
    body = ElementTree.tostring(suite, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n'


def annotations(checked: Sequence[Checked]) -> list[str]:
    """Workflow commands of GitHub Actions, a line each, which show beside the change.

    >>> annotations([Checked("age", 3, "", ("100 % unclear",), 0.0)])
    ['::error title=privrep%3A age%2C exit status 3::100 %25 unclear']
    """
    lines = []
    for check in checked:
        level = "notice" if check.status == PASSED else "error"
        title = _escaped(f"privrep: {check.attribute}").replace(":", "%3A").replace(",", "%2C")
        text = " ".join(check.reasons) or check.summary
        if check.status != PASSED:
            title += f", exit status {check.status}".replace(",", "%2C")
        lines.append(f"::{level} title={title}::{_escaped(text)}")
    return lines


def _escaped(text: str) -> str:
    plain = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return printable(plain)
