"""Inputs as people have them: every check of tests/cases/*/expected.json, by its command.

The default tier runs a command until what it was given is taken in, the long tier to its end.
"""

import json
import re
import shutil
import warnings
from collections import Counter

import numpy as np
import pytest
import soundfile

from experiments import main
from experiments.report import finish
from experiments.results.runs_csv import read_rows
from privrep import cli
from privrep.inputs.labels import private_labels, task_labels
from privrep.inputs.text import tokenise
from privrep.program import WRONG
from tests.support.experiment_runs import SMALL, set_flags
from tests.support.paths import ROOT

CASES = ROOT / "tests/cases"
OF_COMMAND = (
    "--folds=3 --max_epochs=1 --attackers=linear --membership=off --recipe=paper --lambda=0"
)
FEW = ("--permutations=24", "--attackers=linear", "--deals=1")
PROPERTIES = (  # of what was taken in
    *("utterances", "speakers", "first_id", "classes", "classes_count", "rows_of"),
    *("speakers_of_each_class", "words", "different_words", "transcript_of_u0"),
)
VERDICT = ("verdict", "uar_min", "upper_min", "same_numbers_as")


def checks(program):
    """(case, check) of every check of a program on inputs, as parameters of a test."""
    return [
        pytest.param(file.parent.name, check, id=f"{file.parent.name}-{number}")
        for file in sorted(CASES.glob("*/expected.json"))
        for number, check in enumerate(json.loads(file.read_text()))
        if check["issue"] in ("inputs", "audit") and program in check["command"]
    ]


OF_MAIN, OF_AUDIT = checks("experiments.main"), checks("privrep audit")


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    """A copy of tests/cases in which every recording that a table names is a sound of its own."""
    folder = shutil.copytree(CASES, tmp_path_factory.mktemp("inputs") / "cases")
    rng = np.random.default_rng(0)
    for speaker in range(12):
        for number in range(6):
            for name in (f"wav/s{speaker:02}/u{number}.wav", f"71/w/s{speaker}_{number}.wav"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                sound = 0.1 * rng.standard_normal(6400)
                soundfile.write(folder / name, sound * (name != "71/w/s3_2.wav"), 16000)
    for case in ("01", "05", "07", "12", "62", "91"):
        (folder / case / "wav").symlink_to(folder / "wav")
    return folder


def words_of(check, folder, case, output):
    """The command of a check, without the program's name."""
    command = check["command"].replace("$CASE", str(folder / case)).replace("$OUT", str(output))
    return command.replace("$SMALL", OF_COMMAND).split()[1:]


def run_program():
    with warnings.catch_warnings():  # which are notes of a program, and errors in a test
        warnings.simplefilter("always")
        main.main(["main"])


class Reached(Exception):
    """Training would begin now."""


@pytest.fixture
def started(monkeypatch, cases, tmp_path):
    """(check, folder, case) -> (what was loaded, None where it was refused; what was printed)."""

    def reached(pack, loaded, *others):
        raise Reached(loaded)

    monkeypatch.setattr(main, "run_pack", reached)
    monkeypatch.chdir(ROOT)

    def started(check, case):
        flags = [w for w in words_of(check, cases, case, tmp_path) if w.startswith("--")]
        set_flags(*SMALL, f"--cache_dir={cases.parent / 'cache'}", *flags)
        with pytest.raises((Reached, SystemExit)) as stopped:
            run_program()
        reason = stopped.value
        return (reason.args[0], "") if isinstance(reason, Reached) else (None, str(reason))

    return started


def taken_in(utterances, flags):
    """{property: value} of utterances, and of their classes by attribute."""
    task, attribute = flags["task"], flags["private"]
    everyone = np.ones(len(utterances), bool)
    names = {"classes": {}, "classes_count": {}, "rows_of": {}}
    columns = {
        task: task_labels(utterances, task, flags["bins"], everyone),
        attribute: private_labels(utterances, attribute),
    }
    for name, (codes, classes) in columns.items():
        names["classes"][name] = list(classes)
        names["classes_count"][name] = len(classes)
        names["rows_of"][name] = dict(Counter(classes[code] for code in codes))
    pairs = {(u.speaker, u.private.get(attribute)) for u in utterances}
    spoken = [word for u in utterances for word in tokenise(u.transcript or "")]
    return names | {
        "utterances": len(utterances),
        "speakers": len({u.speaker for u in utterances}),
        "speakers_of_each_class": {*Counter(value for _, value in pairs).values()},
        "first_id": utterances[0].id,
        "words": len(spoken),
        "different_words": len({*spoken}),
        "transcript_of_u0": utterances[0].transcript,
    }


def assert_properties(check, actual):
    for name in PROPERTIES:
        expected = check.get(name)
        if name == "speakers_of_each_class" and expected is not None:
            expected = {expected}
        if isinstance(expected, dict):
            assert {key: actual[name][key] for key in expected} == expected
        elif expected is not None:
            assert actual[name] == expected, name


def assert_message(check, text):
    text = text.lower()
    for part in check.get("message_contains", ()):
        assert part.lower() in text, (part, text)
    for part in ("traceback", *check.get("message_lacks", ())):
        assert part.lower() not in text, (part, text)
    assert not re.search("[\x00-\x08\x0e-\x1f]", text)


def test_every_key_of_a_check_is_looked_at():
    known = {*PROPERTIES, *VERDICT, "issue", "command", "exit", "or", "why"}
    known |= {"message_contains", "message_lacks"}
    assert (len(OF_MAIN), len(OF_AUDIT)) == (23, 21)
    assert all({*param.values[1]} <= known for param in OF_MAIN + OF_AUDIT)


@pytest.mark.parametrize(("case", "check"), OF_MAIN)
def test_the_main_job_takes_in(case, check, started, capsys):
    loaded, refusal = started(check, case)
    printed = capsys.readouterr()
    assert_message(check, printed.out + printed.err + refusal)
    if check["exit"] == "not 0":
        assert loaded is None and refusal.startswith("error: ")
        return
    assert loaded is not None, refusal
    flags = {name: main.FLAGS[name].value for name in ("task", "private", "bins")}
    assert_properties(check, taken_in(loaded.utterances, flags))


@pytest.mark.long
@pytest.mark.usefixtures("quickly_compiled", "few_permutations")
@pytest.mark.parametrize(
    ("case", "check"),
    # The whole jobs of case 03 are compared with one another in test_main.
    [param for param in OF_MAIN if param.values[1]["exit"] == 0 and param.values[0] != "03"],
)
def test_the_main_job_ends_well(case, check, cases, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(finish, "write_report", lambda workdirs, output: None)
    flags = [word for word in words_of(check, cases, case, tmp_path) if word.startswith("--")]
    set_flags(*SMALL, f"--cache_dir={cases.parent / 'cache'}", *flags)
    run_program()
    rows = read_rows(tmp_path / "runs.csv")
    assert {row["fold"] for row in rows} == {*range(int(main.FLAGS["folds"].value))}
    assert_message(check, "".join(capsys.readouterr()))


def assert_audited(case, cases, output, capsys, *flags):
    """Asserts that every audit of a case comes out as its check says."""
    reports = []
    for number, (of, check) in enumerate(param.values for param in OF_AUDIT):
        if of != case:
            continue
        folder = output / str(number)
        status = cli.main([*words_of(check, cases, case, folder), *flags])
        text = "".join(capsys.readouterr())
        assert status in np.atleast_1d(check["exit"]), text
        assert_message(check, text)
        if status == WRONG:
            continue
        report = json.loads((folder / "audit.json").read_text("utf-8"))
        names = [described["name"] for described in report["data"]["classes"]]
        classes = {report["attribute"]: names}
        assert_properties(check, report["data"] | {"classes": classes})
        assert report["verdict"] == check.get("verdict", report["verdict"])
        assert report["uar"] >= check.get("uar_min", 0)
        assert (report["upper"] or 0) >= check.get("upper_min", 0)
        reports.append([report[name] for name in ("uar", "lower", "upper", "p")])
        if "same_numbers_as" in check:
            assert reports[-1] == reports[0]
    assert reports


CASES_OF_AUDIT = sorted({param.values[0] for param in OF_AUDIT})


@pytest.mark.parametrize("case", CASES_OF_AUDIT)
def test_the_audit_of_few_permutations(case, cases, tmp_path, capsys):
    assert_audited(case, cases, tmp_path, capsys, *FEW)


@pytest.mark.long
@pytest.mark.parametrize("case", CASES_OF_AUDIT)
def test_the_audit(case, cases, tmp_path, capsys):
    assert_audited(case, cases, tmp_path, capsys)
