"""The ladder of threats and the online code of an audit, from files to report and table."""

import csv
import shutil

import numpy as np
import pytest

from privrep.auditing.options import AuditOptions
from privrep.auditing.run_audit import audit
from privrep.cli import main
from privrep.leakage.worlds import WORLDS
from tests.support.audits import report_of, run, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """h with the leak turned round, bare.npy as it was, and a corpus with a value of its own."""
    folder = tmp_path_factory.mktemp("threats")
    sample = write(folder, "linear", 24)
    np.save(folder / "bare.npy", sample.h)
    np.save(folder / "other.npy", sample.h[::-1])
    shutil.copy(folder / "labels.csv", folder / "same.csv")
    lines = list(csv.reader((folder / "labels.csv").open(encoding="utf-8")))
    with (folder / "other.csv").open("w", encoding="utf-8", newline="") as file:
        rows = [[f"x{speaker}", gender, f"x{s}"] for speaker, gender, s in lines[:0:-1]]
        csv.writer(file).writerows(
            [
                lines[0],
                *rows[:-12],
                *[["odd", "nonbinary", "o"]] * 6,
                *[["odder", "nonbinary", "o"]] * 6,
            ]
        )
    np.save(folder / "h.npy", -sample.h)
    return folder


def test_the_ladder_is_in_report_card_and_table(folder, capsys):
    sources = ("bare.npy", "other.npy", "other.csv")
    flags = [
        f"--{n}={folder / f}" for n, f in zip(("unprotected", "other", "other_labels"), sources)
    ]
    assert run(folder, *flags) == 0
    report, said = report_of(folder), capsys.readouterr().out
    uars = {rung["threat"]: rung["uar"] for rung in report["threats"]}
    assert list(uars) == [
        *("ignorant", "transferred", "informed", "float16", "int8"),
        *("1 utterance", "2 utterances", "5 utterances"),
        "all of a person (up to 12)",
    ]
    assert uars["informed"] > 0.7 and uars["ignorant"] < 0.4 and uars["transferred"] < 0.4
    informed = next(o for o in report["attackers"] if o["name"] == report["strongest_quick"])
    assert uars["informed"] == informed["uar"]
    assert all(rung["lower"] <= rung["uar"] <= rung["upper"] for rung in report["threats"])
    bounds = {r["threat"]: (r["uar"], r["lower"], r["upper"]) for r in report["threats"]}
    person = report["person"]
    assert bounds["1 utterance"] == (report["uar"], report["lower"], report["upper"])
    assert bounds["all of a person (up to 12)"] == (
        *(person["uar"], person["lower"], person["upper"]),
    )
    if report["strongest_quick"] == report["strongest"]:
        assert bounds["informed"] == bounds["1 utterance"]
    code = report["online_code"]
    assert 0 < code["bits"] < code["uniform"] == 1 < code["compression"]
    card = (folder / "out" / "audit.html").read_text("utf-8")
    for text in ("ignorant", "int8", "all of a person", "Online code"):
        assert text in card
    assert "ignorant" in said and "bits per utterance" in said
    assert f"the other threats by {report['strongest_quick']}" in said.replace("\n", " ")
    assert [file["role"] for file in report["data"]["inputs"]] == [
        *("representations", "labels", "unprotected", "other", "other_labels")
    ]
    for flag in flags:
        assert flag in report["command"]


def test_no_upper_bound_of_an_informed_attacker_is_below_what_one_reads():
    """Of a comb, which trees alone read, untested."""
    drawn = WORLDS["comb"].draw(3, 40, 6, 6)
    labels = {"speaker": drawn.speaker, "gender": drawn.gender}
    report = audit(drawn.h, labels, "gender", options=AuditOptions(permutations=60, deals=1))
    read = report.untested["trees"]
    assert read > report.uar
    uppers = {threat.threat: threat.upper for threat in report.threats}
    for threat in ("informed", "float16", "int8", "1 utterance"):
        assert uppers[threat] >= read


def test_rows_of_unprotected_are_found_by_their_id(folder):
    h, ids = np.load(folder / "h.npy"), np.array([f"u{i}" for i in range(288)])
    lines = (folder / "labels.csv").read_text().splitlines()
    rows = [lines[0] + ",id", *(f"{line},{i}" for line, i in zip(lines[1:], ids))]
    (folder / "ids.csv").write_text("\n".join(rows))
    np.savez(folder / "h.npz", h=h, id=ids)
    order = np.random.default_rng(0).permutation(len(h))
    np.savez(folder / "bare.npz", h=-h[order], id=ids[order])
    arguments = [str(folder / name) for name in ("h.npz", "ids.csv")]
    flags = ["--attribute=gender", "--permutations=24", f"--unprotected={folder / 'bare.npz'}"]
    flags += [f"--output={folder / 'ids'}", "--attackers=linear"]
    assert main(["audit", *arguments, *flags]) == 1
    uars = {rung["threat"]: rung["uar"] for rung in report_of(folder, "ids")["threats"]}
    assert uars["ignorant"] < 0.4 < 0.7 < uars["informed"]


def test_the_audited_corpus_is_no_other_corpus(folder, capsys, tmp_path, monkeypatch):
    """Whoever is tested may not be trained on, whatever the rows and people are called there."""
    h, lines = np.load(folder / "h.npy"), (folder / "same.csv").read_text().splitlines()
    order = np.random.default_rng(0).permutation(len(h))
    np.save(tmp_path / "mixed.npy", h[order].astype(np.float16))
    renamed = [lines[0], *(f"new{lines[1 + i]}" for i in order)]
    (tmp_path / "mixed.csv").write_text("\n".join(renamed))
    with monkeypatch.context() as patched:
        patched.setattr("privrep.auditing.run_audit.measure", None)
        for h_name, labels in (
            (folder / "h.npy", folder / "same.csv"),
            (tmp_path / "mixed.npy", tmp_path / "mixed.csv"),
        ):
            assert run(folder, f"--other={h_name}", f"--other_labels={labels}", output="no") == 2
            said = capsys.readouterr().err
            assert "0 speakers have a value of gender" in said
            assert f"{h_name}: 288 of 288 rows are rows of the audited representations" in said
    # Of a corpus that shares two utterances their speakers are left out, all their rows.
    other = np.load(folder / "other.npy").copy()
    other[[0, 100]] = h[[5, 200]]
    np.save(tmp_path / "partly.npy", other)
    flags = [f"--other={tmp_path / 'partly.npy'}", f"--other_labels={folder / 'other.csv'}"]
    assert run(folder, "--attackers=linear", "--quick", *flags, output="partly") == 0
    (note,) = [n for n in report_of(folder, "partly")["data"]["notes"] if "partly.npy" in n]
    assert "2 of 288 rows" in note and "(row 0, row 100)" in note and "24 rows" in note


def test_sources_that_do_not_fit_are_said_before_anything_is_measured(
    folder, capsys, tmp_path, monkeypatch
):
    monkeypatch.setattr("privrep.auditing.run_audit.measure", None)
    np.save(tmp_path / "short.npy", np.zeros((5, 8)))
    np.save(tmp_path / "narrow.npy", np.random.default_rng(0).normal(size=(288, 3)))
    (tmp_path / "words.csv").write_text(
        "speaker,gender\n"
        + "".join(f"s{i % 24},{('other', 'nonbinary')[i % 2]}\n" for i in range(288))
    )
    other, same = f"--other={folder / 'other.npy'}", f"--other_labels={folder / 'same.csv'}"
    for flags, said in (
        ([f"--unprotected={tmp_path / 'short.npy'}"], "of the same utterances"),
        ([f"--unprotected={tmp_path / 'none.npy'}"], "there is no such file"),
        ([other], "both its representations and its labels"),
        ([f"--other={tmp_path / 'narrow.npy'}", same], "by the same encoder"),
        ([other, f"--other_labels={tmp_path / 'words.csv'}"], "two common values"),
        ([f"--other={tmp_path / 'short.npy'}", same], "5 representations and 288 rows"),
        ([f"--other={tmp_path / 'none.npy'}", same], "there is no such file"),
        ([other, f"--other_labels={tmp_path / 'none.csv'}"], "there is no such file"),
        ([f"--unprotected={tmp_path / 'words.csv'}"], "is no number"),
    ):
        assert run(folder, "--attackers=linear", *flags, output="none") == 2
        assert said in capsys.readouterr().err
    assert not (folder / "none").exists()
