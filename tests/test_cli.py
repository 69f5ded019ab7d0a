"""The flags of the console script: how they may be spelt, and what a bound decides."""

import math
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from privrep.auditing.options import AuditOptions
from privrep.auditing.run_audit import audit
from privrep.cli import main
from tests.support.audits import run, write
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def leaking(tmp_path_factory):
    """Files of a leak."""
    folder = tmp_path_factory.mktemp("flags")
    write(folder, "linear", 12)
    return folder


@pytest.fixture(scope="module")
def report(leaking):
    """Their audit."""
    options = AuditOptions(attackers=("linear",), permutations=60, seed=3)
    return audit(leaking / "h.npy", leaking / "labels.csv", "gender", options=options)


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--fail-above=nan", "from 0.5 to 1, such as 0.60; or how much of the way"),
        ("--fail-above=0.49", "from 0.5 to 1"),
        ("--fail-above=1.01", "from 0.5 to 1"),
        ("--fail-above=-1%", "such as 20%"),
        ("--fail-above-correlation=0", "over 0 and up to 1, such as 0.30"),
        ("--fail-on=leak", "of leaks, bound, cannot_tell, one or several, or none (did you mean"),
        ("--fail-on=", "one or several, or none"),
        ("--fail-on=bound", "which bound? Give it by --fail-above"),
        ("--least-speakers=-1", "0 is the least"),
    ],
)
def test_a_limit_that_is_none_is_refused_before_anything_is_read(
    leaking, capsys, monkeypatch, flag, said
):
    monkeypatch.setattr("privrep.auditing.run_audit.audit", None)
    assert run(leaking, flag) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


@pytest.mark.parametrize("sign", "-_")
def test_a_hyphen_in_a_flag_is_an_underscore(leaking, report, monkeypatch, sign):
    given = {}

    def audit(*_, options, progress, opened):
        assert progress is None  # no terminal
        given.update(vars(options))
        return replace(report, limits=options.limits)

    monkeypatch.setattr("privrep.auditing.run_audit.audit", audit)
    bound = f"--fail{sign}on=bound"
    flags = (f"--fail{sign}above=0.6", f"--other{sign}labels=o.csv")
    assert run(leaking, bound, *flags) == 1 and given["other_labels"] == "o.csv"
    # A value apart, a flag cut off.
    assert run(leaking, bound, f"--fail{sign}above", "1", "--perm=7") == 0
    assert given["permutations"] == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["audit", "h.npy", "l.csv", "--atribute=x"], "no flag --atribute (did you mean --attr"),
        (["audit", "--permut=24"], ""),  # cut off, not misspelt: the rest is missing
        (["audit", "--failabove=1"], "no flag --failabove (did you mean --fail-above?)"),
        (["audit", "--zzz"], "no flag --zzz\n"),
        (["selftest", "--sead=1"], "no flag --sead (did you mean --seed?)"),
        (["selftest", "--fail-above=1"], "no flag --fail-above\n"),
        (["compare", "--margn=0.05"], "no flag --margn (did you mean --margin?)"),
    ],
)
def test_an_unknown_flag_is_told_before_what_is_missing(capsys, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and "Traceback" not in error
    assert ("there is " + said in error) if said else ("the following arguments" in error)


def test_no_bound_is_no_pass(leaking, report, monkeypatch, capsys):
    def audit(*_, options, progress, opened):
        return replace(report, upper=math.nan, reason="Because.", limits=options.limits)

    monkeypatch.setattr("privrep.auditing.run_audit.audit", audit)
    assert run(leaking) == 0 and run(leaking, "--fail-on=bound", "--fail-above=1") == 3
    assert "no upper bound can be given" in (said := capsys.readouterr().err)
    assert "Because." in said


def test_a_fault_of_the_program_is_no_leak(leaking, monkeypatch, capsys):
    def audit(*_, options, progress, opened):
        raise RuntimeError("impossible")

    monkeypatch.setattr("privrep.auditing.run_audit.audit", audit)
    assert run(leaking, "--annotations=github") == 70
    printed = capsys.readouterr()
    assert "Traceback" in printed.err and "fault of privrep, and nothing was judged" in printed.err
    assert printed.out.startswith("::error title=privrep%3A gender%2C exit status 70::RuntimeError")


@pytest.mark.parametrize("arguments", [["--help"], ["audit", "--help"], ["audit", "--zzz"]])
def test_help_and_wrong_flags_come_before_heavy_imports(arguments):
    program = (
        "import sys\nfrom privrep.cli import main\ntry:\n    main(sys.argv[1:])\n"
        "except SystemExit:\n    print(sorted({'jax', 'scipy', 'sklearn'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.endswith("[]\n"), done.stdout + done.stderr


def test_a_reader_that_leaves_is_no_wrong_file(leaking):
    """As after `| head -1`: the status is of the audit, and nothing is said."""
    arguments = [str(leaking / "h.npy"), str(leaking / "labels.csv"), "--attribute=gender"]
    flags = [f"--output={leaking / 'left'}", "--attackers=linear", "--quick"]
    reader, writer = os.pipe()
    os.close(reader)
    for more, status in ((["--fail-on=none"], 0), (["--fail-above=0.51"], 1)):
        done = subprocess.run(
            [sys.executable, "-m", "privrep", "audit", *arguments, *flags, *more],
            cwd=ROOT,
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert done.returncode == status, done.stderr
        assert "error" not in done.stderr
    os.close(writer)


def test_a_correlation_of_classes_is_refused_before_anything_is_measured(
    leaking, monkeypatch, capsys
):
    monkeypatch.setattr("privrep.auditing.run_audit.measure", None)
    assert run(leaking, "--fail-above-correlation=0.3") == 2
    assert "gender has classes (female, male) and no correlation" in capsys.readouterr().err
