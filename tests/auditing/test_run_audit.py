"""From two files to a verdict: the console script, its report and its card."""

import dataclasses
import os
import shlex
import shutil
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pandas
import pytest

from privrep.auditing.options import AuditOptions
from privrep.auditing.run_audit import audit
from privrep.cli import main
from tests.support.audits import FEW, report_of, run, write
from tests.support.card_pages import EVIL, Page
from tests.support.paths import ROOT

QUIETLY = {
    "capture_output": True,
    "text": True,
    "env": os.environ | {"PYTHONPATH": str(ROOT)},
}


@pytest.fixture(scope="module")
def leaking(tmp_path_factory):
    folder = tmp_path_factory.mktemp("linear")
    write(folder, "linear", 24)
    assert run(folder) == 0
    return folder


def test_a_leak_is_found_written_and_printed(leaking, capsys):
    report = report_of(leaking)
    assert report["verdict"] == "leaks" and report["chance"] == 0.5
    assert report["lower"] > 0.5 and report["uar"] > 0.7
    assert report["lower"] <= report["uar"] <= report["upper"] <= 1
    assert report["strongest"] in {attacker["name"] for attacker in report["attackers"]}
    assert report["p"] >= report["smallest_p"] > 0
    assert [c["name"] for c in report["data"]["classes"]] == ["female", "male"]
    (note,) = report["data"]["notes"]
    assert note.startswith("Labels were permuted between speakers of a session.")
    # Of 8, 16 and 24 speakers four in five are trained on.
    assert [p["speakers"] for p in report["leak_by_speakers"]] == [6.4, 12.8, 19.2]
    assert abs(report["leak_by_speakers"][-1]["uar"] - report["uar"]) < 0.1  # of one deal
    assert "It leaks" in Page((leaking / "out" / "audit.html").read_text("utf-8")).text
    assert not list((leaking / "out").glob("*.partial"))
    assert run(leaking, output="again") == 0
    said = capsys.readouterr().out
    assert "gender: leaks." in said and report["strongest"] in said
    assert "\nclasses of gender: female (12 speakers), male (12)\n" in said


def test_attackers_are_chosen_by_name(leaking):
    assert run(leaking, "--attackers=knn,linear", output="two") == 0
    report = report_of(leaking, "two")
    assert {attacker["name"] for attacker in report["attackers"]} == {"knn", "linear"}


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        (
            "--attackers=svm",
            "linear, kernel, ranks, kernel_ranks, knn, trees, mlp, sequence",
        ),
        ("--attackers=knn,knn", "each once"),
        ("--attackers=,", "name one or several"),
        ("--attackers=liner", "sequence, each once (did you mean linear?)"),
        ("--attackers=sequence", "reads frames"),
        ("--given=sesion", "(did you mean session?)"),
        ("--attribute=gendr", "labels.csv: has no column 'gendr'"),
        ("--attribute=gendr", "(did you mean gender?)"),
        ("--attribute=", "--attribute= is empty: it names a column of the labels"),
        ("--speaker= ", "--speaker= is empty: it names a column of the labels"),
        ("--session=", "--session= is empty"),
        ("--unprotected=", "--unprotected= is empty: it names a file"),
        ("--output=", "--output= is empty: it names a folder (. is the current one)"),
        ("--given=age", "There are: speaker, session"),
        ("--attribute=age", "has no column 'age'"),
        ("--attribute=speaker", "the line speaker under 'What else h reveals'"),
        ("--only=room=1", "has no column 'room'"),
        ("--only=session=s", "Column 'session' of"),
        ("--other=h.npy", "--other_labels=FILE"),
        ("--permutations=23", "24 is the least"),
        ("--limit=nan", "--limit=nan"),
        ("--limit=0", "over 0 and under 0.5"),
        ("--limit=0.5", "chance, which is 0.5 here: over 0 and under 0.5, such as 0.1"),
        ("--seed=-1", "0 is the least"),
        ("--output=labels.csv", "nothing can be written there"),
        ("--output=labels.csv/out", "nothing can be written there"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_measured(
    leaking, capsys, monkeypatch, flag, said
):
    monkeypatch.chdir(leaking)
    monkeypatch.setattr("privrep.auditing.run_audit.measure", None)
    assert run(leaking, flag, output="none") == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert flag[:10] == "--output=l" or not (leaking / "none").exists()


def test_rows_are_chosen_by_the_values_of_a_column(leaking, tmp_path):
    for name in ("h.npy", "labels.csv"):
        (tmp_path / name).write_bytes((leaking / name).read_bytes())
    lines = (tmp_path / "labels.csv").read_text().splitlines()
    parts = ["part", *("train" if i % 12 < 6 else "test" for i in range(len(lines) - 1))]
    (tmp_path / "labels.csv").write_text("\n".join(map(",".join, zip(lines, parts))))
    assert run(tmp_path, "--only=part=test", "--attackers=linear") == 0
    report = report_of(tmp_path)
    assert report["data"]["utterances"] == 144 and "--only=part=test" in report["command"]
    assert report["data"]["notes"][:-1] == ["Of 288 rows 144 were used, those of part=test."]
    assert run(tmp_path, "--attackers=linear") == 0
    assert "144 of 288 utterances have part train" in report_of(tmp_path)["data"]["notes"][0]


def test_the_upper_sets_the_exit_status(leaking, capsys):
    assert run(leaking, "--fail-above=0.6") == 1
    said = capsys.readouterr().err
    assert "is above --fail-above=0.6" in said and "gender leaks. Permuted" in said
    gate = report_of(leaking)["gate"]
    assert (gate["passed"], gate["status"], len(gate["reasons"])) == (False, 1, 2)
    assert gate["fail_on"] == ["leaks", "bound", "cannot_tell"]
    (bound,) = gate["bounds"]
    assert bound["given"] == bound["limit"] == pytest.approx(0.6) and bound["upper"] > 0.6
    assert run(leaking, "--fail-on=bound", "--fail-above=1") == 0


def test_the_command_of_the_report_repeats_it(leaking):
    report = report_of(leaking)
    program, *arguments = shlex.split(report["command"])
    assert program == "privrep" and main(arguments) == report["gate"]["status"]
    assert report_of(leaking) | {"date": ""} == report | {"date": ""}


def test_no_leak_on_as_few_speakers_as_iemocap_has_cannot_be_told(tmp_path):
    write(tmp_path, "speaker_only", 10)
    assert run(tmp_path, "--fail-on=cannot_tell") == 3  # what cannot be told is no pass
    assert run(tmp_path, "--fail-above=0.6") == 1  # and the bound is over the limit
    report = report_of(tmp_path)
    assert report["verdict"] == "cannot_tell"
    assert report["upper"] > report["limit"]


def test_frames_are_pooled_without_their_padding(tmp_path):
    sample = write(tmp_path, "linear", 12)
    frames = sample.h[:, None] + np.float32([1, -1, 0, 0])[None, :, None]
    frames[:, 3] = 99
    np.save(tmp_path / "h.npy", frames)
    lines = (tmp_path / "labels.csv").read_text().splitlines()
    longer = [lines[0] + ",num_frames", *(line + ",3" for line in lines[1:])]
    (tmp_path / "labels.csv").write_text("\n".join(longer))
    assert run(tmp_path) == 0
    report = report_of(tmp_path)
    frames[:, 3] = -99
    np.save(tmp_path / "h.npy", frames)
    assert run(tmp_path) == 0
    again = report_of(tmp_path)
    assert again["uar"] == report["uar"] > 0.6
    assert "pooled to mean and standard deviation" in report["data"]["notes"][-2]
    assert again["data"]["inputs"][0]["sha256"] != report["data"]["inputs"][0]["sha256"]


def test_a_line_break_in_the_labels_begins_no_line_of_what_is_printed(tmp_path, capsys):
    write(tmp_path, "linear", 12, names=("f\naccent: no leak shown.", "m"))
    text = (tmp_path / "labels.csv").read_text().replace("gender", "accent", 1)
    (tmp_path / "labels.csv").write_text(text)
    assert run(tmp_path, "--attackers=linear", "--attribute=accent") == 0
    assert report_of(tmp_path)["data"]["classes"][0]["name"] == "f accent: no leak shown."
    (tmp_path / "labels.csv").write_text("speaker,gender\n" + '"a\nerror: b",f\n' * 144)
    assert run(tmp_path) == 2
    assert all(not line.startswith("accent: no") for line in capsys.readouterr().out.splitlines())


def test_what_stands_in_the_labels_does_no_harm(tmp_path, capsys):
    write(tmp_path, "linear", 12, names=(EVIL, "=1+1"))
    text = (tmp_path / "labels.csv").read_text().replace("gender", "accent", 1)
    (tmp_path / "labels.csv").write_text(text)
    assert run(tmp_path, "--attribute=accent") == 0
    assert report_of(tmp_path)["data"]["classes"][0]["name"] == EVIL.strip()
    page = Page((tmp_path / "out" / "audit.html").read_text("utf-8"))
    assert not {"script", "img"} & {tag for tag, _ in page.tags} and "<script>" in page.text
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("names", "said"),
    [(("female", "female"), "one value only"), (("female", ""), "one value only")],
)
def test_files_that_cannot_be_judged_are_an_error_of_one_paragraph(tmp_path, capsys, names, said):
    write(tmp_path, "linear", 12, names=names)
    assert run(tmp_path) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not (tmp_path / "out").exists()


def test_the_usual_audit_imports_neither_jax_nor_what_else_it_does_not_use(leaking, tmp_path):
    """It is what an auditor waits for who only wants to know which flags there are."""
    program = (
        "import sys; from privrep.cli import main; main(sys.argv[1:]);"
        "print(sorted({'jax', 'flax', 'sklearn', 'orbax', 'tensorflow_datasets', 'matplotlib', "
        "'scipy.stats', 'soundfile', 'espeakng_loader'} & {*sys.modules}))"
    )
    arguments = ["audit", str(leaking / "h.npy"), str(leaking / "labels.csv"), *FEW]
    arguments += ["--attribute=gender", f"--output={tmp_path}", "--quick"]
    done = subprocess.run([sys.executable, "-c", program, *arguments], **QUIETLY)
    assert "gender: leaks" in done.stdout
    assert done.stdout.endswith("\n[]\n"), done.stdout + done.stderr


@pytest.mark.parametrize("module", ["privrep", "privrep.cli"])
def test_a_module_is_the_script(module):
    done = subprocess.run([sys.executable, "-m", module, "audit", "--zzz"], **QUIETLY)
    assert done.returncode == 2 and "there is no flag --zzz" in done.stderr


def test_the_function_is_the_script(leaking, tmp_path):
    options = AuditOptions(permutations=60, seed=3, deals=1)
    report = audit(leaking / "h.npy", leaking / "labels.csv", "gender", tmp_path, options=options)
    expected = report_of(leaking)
    for name in ("uar", "upper", "p", "verdict"):
        assert getattr(report, name) == expected[name]
    points = [point._asdict() for point in report.leak_by_speakers]
    assert points == expected["leak_by_speakers"]


def test_arrays_of_other_libraries_and_lists_are_audited_as_numpys(leaking):
    h, labels = np.load(leaking / "h.npy"), leaking / "labels.csv"
    options = AuditOptions(permutations=24, deals=1, attackers=("linear",))
    expected = audit(h, labels, "gender", options=options)
    for other in (jnp.asarray(h), h.tolist(), pandas.DataFrame(h)):
        report = audit(other, labels, "gender", options=options)
        assert (report.uar, report.upper, report.p) == (expected.uar, expected.upper, expected.p)
        both = dataclasses.replace(options, unprotected=other)
        assert audit(h, labels, "gender", options=both).threats


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([[1.0, 2.0], [3.0]], "representations: a list that is no array .*a .npz"),
        (["a.npz", "b.npz"], "representations: a list of <U5.*joined by [+]"),
        (pandas.DataFrame({"x": [1.0], "id": ["u"]}), "a DataFrame of object.*columns of text"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused_by_name(leaking, wrong, message):
    with pytest.raises(ValueError, match=message):
        audit(wrong, leaking / "labels.csv", "gender")


def test_one_column_or_constant_ones_beside_it_are_audited(leaking, tmp_path):
    column = np.load(leaking / "h.npy")[:, :1]
    labels, options = (
        leaking / "labels.csv",
        AuditOptions(permutations=24, deals=1, attackers=("linear",)),
    )
    for name, h in (("one", column), ("flat", np.pad(column, ((0, 0), (2, 3)), constant_values=7))):
        np.save(tmp_path / f"{name}.npy", h)
        report = audit(tmp_path / f"{name}.npy", labels, "gender", options=options)
        assert report.data.shape == h.shape and 0 <= report.uar <= 1


def test_the_unit_of_h_does_not_matter(leaking, tmp_path):
    h, labels = np.load(leaking / "h.npy"), leaking / "labels.csv"
    options = AuditOptions(permutations=24, deals=2, seed=3)
    reports = []
    for unit in (1, 1e-30, 1e30):
        np.save(tmp_path / "h.npy", h * np.float32(unit))
        reports.append(audit(tmp_path / "h.npy", labels, "gender", options=options))
    plain, *others = reports
    for report in others:  # whose last digits are rounded otherwise
        assert report.verdict == plain.verdict == "leaks"
        assert report.uar == pytest.approx(plain.uar, abs=0.005)


def test_more_classes_that_vary_within_speakers(tmp_path):
    """Of several classes there is no AUC; the report stays strict JSON and the card whole."""
    sample = write(tmp_path, "linear", 12)
    lines = ["speaker,accent", *(f"{s},{'abc'[i % 3]}" for i, s in enumerate(sample.speaker))]
    (tmp_path / "labels.csv").write_text("\n".join(lines))
    assert run(tmp_path, "--attribute=accent") == 0
    report = report_of(tmp_path)
    assert report["verdict"] != "leaks" and report["attackers"][0]["auc"] is None
    (note,) = (note for note in report["data"]["notes"] if "more than one accent" in note)
    assert note.startswith("12 of 12 speakers have more than one accent: 0 (a in ")
    assert note.endswith(" and 7 more.")
    assert [c["speakers"] for c in report["data"]["classes"]] == [12, 12, 12]
    assert "nan" not in Page((tmp_path / "out" / "audit.html").read_text("utf-8")).text.casefold()


def test_a_quick_audit_says_how_many_deals_and_permutations_it_made(leaking):
    for flags, said in (((), "one deal of folds"), (("--deals=3",), "3 deals of folds")):
        assert run(leaking, "--attackers=linear", "--quick", *flags, output="quick") == 0
        notes = report_of(leaking, "quick")["data"]["notes"]
        assert any(said in note and "60 permutations" in note for note in notes)


def test_a_column_of_sessions_that_is_not_used_is_not_called_missing(leaking, tmp_path):
    lines = (leaking / "labels.csv").read_text().splitlines()
    gaps = [line.rpartition(",")[0] + "," if i % 3 else line for i, line in enumerate(lines)]
    (tmp_path / "labels.csv").write_text("\n".join(gaps))
    shutil.copy(leaking / "h.npy", tmp_path)
    assert run(tmp_path, "--attackers=linear", "--quick") == 0
    notes = " ".join(report_of(tmp_path)["data"]["notes"])
    assert "rows have no session" in notes and "no column session" not in notes
