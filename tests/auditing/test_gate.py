"""What passes, by which limits, and with which exit status."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from privrep.auditing import gate, read_inputs
from privrep.auditing.gate import (
    Judged,
    Limits,
    flags_of_limits,
    judge_gate,
    limits_of,
    share_over_chance,
    worst_status,
)
from privrep.auditing.gate_output import Checked, annotations, junit
from privrep.auditing.options import AuditOptions
from privrep.auditing.policy import read_policy
from privrep.auditing.run_audit import audit
from privrep.statistics.verdict import Verdict
from tests.support.audits import report_of, run, write

VERDICT = Verdict("no_leak_shown", 0.51, 0.45, 0.59, 0.4, 0.005, 0.6, 0.6, "So it is.")
JUDGED = Judged("gender", "no_leak_shown", "So it is.", 60, 2, VERDICT, VERDICT, None)


def judged(verdict="no_leak_shown", upper=0.59, num_classes=2, **changed):
    one_utterance = VERDICT._replace(verdict=verdict, upper=upper)
    parts = {"verdict": verdict, "num_classes": num_classes, "one_utterance": one_utterance}
    return JUDGED._replace(**parts, **changed)


@pytest.mark.parametrize(
    ("limits", "verdict", "upper", "status"),
    [
        ({}, "leaks", 0.9, 1),
        ({}, "cannot_tell", 0.65, 3),
        ({}, "no_leak_shown", 0.59, 0),
        ({}, "not_judged", 0.59, 4),
        ({"fail_above": 0.6}, "no_leak_shown", 0.59, 0),
        ({"fail_above": 0.58}, "no_leak_shown", 0.59, 1),
        ({"fail_above": 0.59}, "no_leak_shown", 0.59, 0),
        ({"fail_above": 0.6}, "cannot_tell", 0.65, 1),  # the bound comes first
        ({"fail_above": 0.7}, "cannot_tell", 0.65, 3),
        ({"fail_above": 0.95}, "leaks", 0.9, 1),
        ({"fail_on": "bound", "fail_above": 0.95}, "leaks", 0.9, 0),
        ({"fail_on": "leaks"}, "cannot_tell", 0.65, 0),
        ({"fail_on": "none"}, "leaks", 0.9, 0),
        ({"fail_on": "none"}, "not_judged", 0.9, 4),
        ({"fail_on": "bound", "fail_above": 1.0}, "leaks", float("nan"), 3),
        ({"least_speakers": 61}, "no_leak_shown", 0.59, 3),
        ({"least_speakers": 60}, "no_leak_shown", 0.59, 0),
        ({"fail_above_person": 0.58}, "no_leak_shown", 0.5, 1),
    ],
)
def test_the_status_follows_from_verdict_bound_and_limits(limits, verdict, upper, status):
    outcome = judge_gate(judged(verdict, upper), limits_of(**limits))
    assert outcome.status == status and outcome.passed == (status == 0)
    assert bool(outcome.reasons) == (status != 0)
    assert outcome.in_words.startswith("failed, exit" if status else "passed, exit status 0.")


def test_a_leak_from_all_utterances_of_a_person_fails_though_one_shows_none():
    person = VERDICT._replace(verdict="leaks", uar=0.63, reason="Of a person it is read.")
    outcome = judge_gate(judged(person=person), limits_of())
    assert outcome.status == 1 and not outcome.passed
    (reason,) = outcome.reasons
    assert reason == (
        "gender leaks from all utterances of a person together. Of a person it is read."
    )
    assert judge_gate(judged(person=person), limits_of(fail_on="cannot_tell")).status == 0
    unsure = VERDICT._replace(verdict="cannot_tell")  # few people: it is no reason to fail
    assert judge_gate(judged(person=unsure), limits_of()).status == 0


def test_a_limit_is_a_share_over_chance_at_any_number_of_classes():
    """0.417 of four classes is 22 % over chance: more than 0.60 of two, which is 20 %."""
    limits = limits_of("bound", "20%")
    assert limits == limits_of(["bound"], 0.60) == limits_of("bound", " 0.6 ")
    for upper, status in ((0.39, 0), (0.4, 0), (0.417, 1)):
        outcome = judge_gate(judged("cannot_tell", upper, 4), limits)
        assert outcome.status == status
    assert outcome.bounds[0].limit == pytest.approx(0.4)
    assert "above --fail-above=0.6, which is 0.400 of 4 classes" in outcome.reasons[0]
    for wrong in (0.49, "-1%", "101%", "1.2", "much", "nan"):
        with pytest.raises(ValueError, match=r"from 0\.5 to 1"):
            share_over_chance(wrong)


def test_a_limit_at_chance_is_said_to_pass_nothing():
    outcome = judge_gate(judged(), limits_of("bound", 0.5))
    assert "which no audit can pass: chance is 0.500" in outcome.reasons[0]


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"fail_on": "leeks"}, "did you mean leaks"),
        ({"fail_on": []}, "one or several, or none"),
        ({"fail_on": "bound"}, "which bound"),
        ({"fail_on": "leaks", "fail_above": 0.6}, "no bound is looked at"),
        ({"fail_on": "none", "fail_above_person": "10%"}, "no bound is looked at"),
        ({"fail_above_correlation": 1.1}, "over 0 and up to 1"),
        ({"least_speakers": -1}, "0 is the least"),
    ],
)
def test_limits_that_contradict_each_other_are_refused(limits, message):
    with pytest.raises(ValueError, match=message):
        limits_of(**limits)


def test_the_flags_of_limits_give_the_limits():
    for limits in (
        Limits(),
        limits_of("none"),
        limits_of("leaks,bound", "20%", 0.7, 0.3, 40),
        limits_of(least_speakers=3),
    ):
        pairs = (flag.removeprefix("--").split("=") for flag in flags_of_limits(limits))
        named = {name.replace("-", "_"): value for name, value in pairs}
        numbers = {"fail_above_correlation": float, "least_speakers": int}
        given = {name: numbers.get(name, str)(value) for name, value in named.items()}
        assert limits_of(**given) == limits
    assert flags_of_limits(Limits()) == []


def test_of_several_statuses_the_least_trustworthy_comes_first():
    order = [
        gate.UNEXPECTED,
        gate.WRONG,
        gate.STATUS_NOT_JUDGED,
        gate.FAILED,
        gate.CANNOT_TELL,
        gate.PASSED,
    ]
    assert order == [70, 2, 4, 1, 3, 0]
    for place, status in enumerate(order):
        assert worst_status(order[:place:-1] + [status]) == status


def test_a_policy_has_limits_for_all_and_for_each(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(
        'fail_on = ["leaks", "bound"]\nleast_speakers = 40\nfail_above = "20%"\n'
        "[attributes.gender]\n[attributes.age]\nleast_speakers = 100\nfail_above = 0.7\n"
    )
    policy = read_policy(path)
    assert policy == {
        "gender": limits_of("leaks,bound", 0.6, least_speakers=40),
        "age": limits_of("leaks,bound", 0.7, least_speakers=100),
    }
    assert [*policy] == ["gender", "age"]
    failed = judge_gate(judged(upper=0.7), policy["gender"])
    assert f"above fail_above = 0.6 in {path}" in failed.reasons[0]
    assert failed.bounds[0].flag == f"fail_above in {path}" and "--" not in failed.in_words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fail_above = ", "no TOML"),
        ("fail_above = 0.6", "names no attribute"),
        ("[attributes]\ngender = 0.6", "write \\[attributes.gender\\]"),
        ("[attributes.gender]\nfail_abov = 0.6", "did you mean fail_above"),
        ("fail_ab = 0.6\n[attributes.gender]", "no key fail_ab "),
        ("[attributes.gender]\nfail_above = 0.3", "gender: fail_above = 0.3: .*from 0.5"),
        ("[attributes.gender]\nleast_speakers = -1", "gender: least_speakers = -1: 0 is"),
        ('[attributes.gender]\nfail_on = "bound"', "fail_on = bound: .* by fail_above, such"),
        ('fail_on = "leaks"\nfail_above = 0.6\n[attributes.x]', "add bound to fail_on, or"),
        ("[attributes.gender]\nleast_speakers = true", "another type"),
        ("[attributes.gender]\nfail_on = [1]", "a list of words"),
    ],
)
def test_a_policy_that_cannot_be_kept_is_refused_by_name(tmp_path, text, message):
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_policy(path)


CHECKED = (
    Checked("gender", 1, "It leaks.", ("gender leaks.\n<b>&\x00",), 1.5),
    Checked("age", 0, "No leak shown.", (), 1.0),
    Checked("accent", 3, "Cannot tell.", ("accent cannot be told.",), 1.0),
    Checked("x,y", 4, "Not judged.", ("100 % unknown",), 1.0),
    Checked("z", 2, "", ("no column",), 0.1),
    Checked("b", 1, "Cannot tell.", ("b: upper bound 0.654 is above 0.6.",), 0.1, is_bound=True),
)


def test_junit_tells_failures_from_errors():
    suite = ElementTree.fromstring(junit(CHECKED, "2026-01-02T03:04:05+00:00"))
    assert [suite.get(name) for name in ("tests", "failures", "errors")] == ["6", "3", "2"]
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert cases["gender"].find("failure").get("type") == "leaks"
    assert "<b>&" in cases["gender"].find("failure").get("message")
    assert cases["age"].find("failure") is cases["age"].find("error") is None
    assert cases["accent"].find("failure").get("type") == "cannot_tell"
    assert cases["x,y"].find("error").get("type") == "not_judged"
    assert cases["z"].find("error").get("type") == "error"
    assert cases["b"].find("failure").get("type") == "bound"


def test_an_annotation_is_a_line_that_nothing_breaks_out_of():
    lines = annotations(CHECKED)
    assert lines[0].startswith("::error title=privrep%3A gender%2C exit status 1::gender leaks.%0A")
    assert lines[1] == "::notice title=privrep%3A age::No leak shown."
    assert lines[3].startswith("::error title=privrep%3A x%2Cy%2C exit status 4::100 %25 unknown")
    assert len(lines) == 6 and not any("\n" in line or "\x00" in line for line in lines)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """h that reveals gender and not accent, of 24 speakers."""
    folder = tmp_path_factory.mktemp("gate")
    sample = write(folder, "linear", 24)
    lines = (folder / "labels.csv").read_text().splitlines()
    accents = ["accent", *("ab"[speaker // 2 % 2] for speaker in sample.speaker)]
    (folder / "labels.csv").write_text("\n".join(map(",".join, zip(lines, accents))))
    return folder


FAST = ("--attackers=linear", "--permutations=24")


def test_several_attributes_read_each_file_once(people, monkeypatch):
    opened = []
    for name in ("read_table", "open_sequences"):
        function = getattr(read_inputs, name)
        monkeypatch.setattr(
            read_inputs,
            name,
            lambda path, *args, f=function: opened.append(Path(path).name) or f(path, *args),
        )
    flags = ("--attribute=accent,gender", "--fail-on=none", *FAST)
    assert run(people, *flags, output="once") == 0
    assert sorted(opened) == ["h.npy", "labels.csv"]


def test_several_attributes_have_a_folder_each_and_one_status(people, capsys):
    outputs = ("--annotations=github", f"--junit={people / 'ci' / 'junit.xml'}")
    flags = ("--attribute=accent,gender", "--fail-on=leaks", *FAST, *outputs)
    assert run(people, *flags, output="both") == 1
    printed = capsys.readouterr()
    assert printed.out.count("Can ") == 2 and "::error title=privrep%3A gender" in printed.out
    assert "gender leaks." in printed.err and "accent leaks" not in printed.err
    statuses = {}
    for name in ("accent", "gender"):
        written = report_of(people / "both", name)
        statuses[name] = written["gate"]["status"]
        assert written["gate"]["passed"] == (written["gate"]["status"] == 0)
        assert f"--attribute={name}" in written["command"]
        assert "--fail-on=leaks" in written["command"]
    assert statuses == {"accent": 0, "gender": 1}
    suite = ElementTree.parse(people / "ci" / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")


def test_wrong_flags_and_policies_reach_continuous_integration_too(people, capsys):
    outputs = ("--annotations=github", f"--junit={people / 'wrong.xml'}")
    assert run(people, "--policy=nowhere.toml", *outputs) == 2
    printed = capsys.readouterr()
    assert "::error title=privrep%3A gender%2C exit status 2::" in printed.out
    suite = ElementTree.parse(people / "wrong.xml").getroot()
    assert suite.get("errors") == "1" and "nowhere.toml" in suite.find("testcase/error").text


def test_a_policy_file_is_one_command_and_recorded(people, capsys):
    policy = people / "policy.toml"
    policy.write_text('fail_on = "leaks"\n[attributes.accent]\nleast_speakers = 25\n')
    assert run(people, f"--policy={policy}", "--attribute=accent", *FAST, output="by_policy") == 3
    written = report_of(people, "by_policy")
    assert "24 speakers are fewer than the 25" in written["gate"]["reasons"][0]
    (record,) = (r for r in written["data"]["inputs"] if r["role"] == "policy")
    assert record["name"] == "policy.toml" and len(record["sha256"]) == 64
    assert f"--policy={policy}" in written["command"] and "--least" not in written["command"]
    for flags, said in (
        (("--attribute=gendr",), "no table [attributes.gendr]"),
        (("--fail-above=0.6", "--attribute=accent"), "limits stand in the policy file, or in"),
    ):
        assert run(people, f"--policy={policy}", *flags) == 2
        assert said in capsys.readouterr().err


def test_where_junit_goes_is_checked_before_anything_is_measured(people, capsys, monkeypatch):
    monkeypatch.setattr("privrep.auditing.run_audit.measure", None)
    (people / "file").write_text("")
    for place, said in (("file/ci/junit.xml", "nothing can be written"), (".", "it is a folder")):
        assert run(people, "--attribute=gender", f"--junit={people / place}") == 2
        assert "--junit=" in (err := capsys.readouterr().err) and said in err


def test_all_attributes_are_checked_before_the_first_is_measured(people, capsys, monkeypatch):
    monkeypatch.setattr("privrep.auditing.run_audit.measure", None)
    assert run(people, "--attribute=gender,acent") == 2
    assert "acent: " in (said := capsys.readouterr().err) and "did you mean accent" in said
    junit_file = people / "checked" / "junit.xml"
    assert run(people, "--attribute=gender,acent", f"--junit={junit_file}") == 2
    suite = ElementTree.parse(junit_file).getroot()
    assert (suite.get("tests"), suite.get("errors")) == ("2", "2")
    messages = [error.get("message") for error in suite.iter("error")]
    assert "Nothing was audited, since acent" in messages[0] and "did you mean" in messages[1]
    assert run(people, "--attribute=a/b,a:b") == 2
    assert "would be written to the folder a_b" in capsys.readouterr().err


def test_passed_and_the_exit_status_are_one(people):

    options = AuditOptions(attackers=("linear",), permutations=24, deals=1)
    report = audit(people / "h.npy", people / "labels.csv", "gender", options=options)
    assert not report.passed() and report.gate.status == 1
    assert report.passed(fail_on="none") and report.passed("bound", fail_above=1)
    kept = replace(report, limits=limits_of("bound", "100%"))
    assert kept.passed() and kept.gate.status == 0
    assert json.loads(kept.to_json())["gate"]["passed"]
