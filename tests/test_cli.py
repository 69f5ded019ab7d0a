"""The flags of the console script: how they may be spelt, and what a bound decides."""

import pytest

from privrep.cli import main
from tests.support.audits import report_of, run, write


@pytest.fixture(scope="module")
def leaking(tmp_path_factory):
    """Files of a leak, and their audit."""
    folder = tmp_path_factory.mktemp("flags")
    write(folder, "linear", 12)
    assert run(folder, "--attackers=linear") == 0
    return folder


@pytest.mark.parametrize("flag", ["--fail-above=nan", "--fail-above=0", "--fail-above=1.01"])
def test_a_bound_that_nothing_can_be_over_is_refused(leaking, capsys, flag):
    with pytest.raises(SystemExit) as stopped:
        run(leaking, flag)
    assert stopped.value.code == 2
    assert "over 0 and up to 1, such as 0.60" in capsys.readouterr().err


@pytest.mark.parametrize("sign", "-_")
def test_a_hyphen_in_a_flag_is_an_underscore(leaking, monkeypatch, capsys, sign):
    given, report = {}, report_of(leaking)
    monkeypatch.setattr("privrep.cli.audit", lambda *_, **said: given.update(said) or report)
    flags = (f"--fail{sign}above=0.6", f"--other{sign}labels=o.csv")
    assert run(leaking, *flags) == 1 and given["other_labels"] == "o.csv"
    assert run(leaking, f"--fail{sign}above", "1", "--perm=7") == 0  # a value apart, a flag cut off
    assert given["num_permutations"] == 7


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["audit", "h.npy", "l.csv", "--atribute=x"], "no flag --atribute (did you mean --attr"),
        (["audit", "--fail-abov=1"], ""),  # cut off, not misspelt: the rest is missing
        (["audit", "--failabove=1"], "no flag --failabove (did you mean --fail-above?)"),
        (["audit", "--zzz"], "no flag --zzz\n"),
        (["selftest", "--sead=1"], "no flag --sead (did you mean --seed?)"),
        (["selftest", "--fail-above=1"], "no flag --fail-above\n"),
    ],
)
def test_an_unknown_flag_is_told_before_what_is_missing(capsys, arguments, said):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    error = capsys.readouterr().err
    assert stopped.value.code == 2 and "Traceback" not in error
    assert ("there is " + said in error) if said else ("the following arguments" in error)


def test_no_bound_is_no_pass(leaking, monkeypatch, capsys):
    report = report_of(leaking) | {"upper_bound": None, "reason": "Because."}
    monkeypatch.setattr("privrep.cli.audit", lambda *_, **__: report)
    assert run(leaking) == 0 and run(leaking, "--fail-above=1") == 1
    assert "no upper bound can be given" in (said := capsys.readouterr().err)
    assert "Because." in said
