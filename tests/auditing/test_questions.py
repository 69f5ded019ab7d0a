"""The further questions of an audit, from two files to report, card and terminal."""

import csv

import numpy as np
import pytest

from privrep.auditing.options import AuditOptions
from privrep.auditing.run_audit import audit
from privrep.auditing.terminal import table
from privrep.leakage.worlds import WORLDS
from tests.support.audits import report_of, run
from tests.support.card_pages import EVIL, Page


@pytest.fixture
def tied(tmp_path):
    """emotion_tied as files: emotion, length, an accent by speaker, a hostile column."""
    sample = WORLDS["emotion_tied"].draw(0, 24, 10, 8)
    np.save(tmp_path / "h.npy", sample.h)
    np.save(tmp_path / "plain.npy", sample.h + 1)
    with (tmp_path / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["speaker", "gender", "emotion", "num_frames", "accent", EVIL])
        for i, s in enumerate(sample.speaker):
            words = ("female", "male")[sample.gender[i]], "abcd"[sample.emotion[i]]
            lines.writerow([s, *words, sample.num_frames[i], s % 3, (EVIL, "x")[i % 2]])
    return tmp_path


def test_an_audit_asks_what_explains_the_leak_and_what_else_h_reveals(tied, capsys):
    assert run(tied, f"--unprotected={tied / 'plain.npy'}") == 0
    report = report_of(tied)
    given = {explanation["name"]: explanation for explanation in report["given"]}
    assert [*given] == ["emotion", "num_frames", "emotion and num_frames"]
    assert report["verdict"] == given["emotion"]["total"]["verdict"] == "leaks"
    assert given["emotion"]["beyond"]["verdict"] != "leaks"
    assert given["num_frames"]["beyond"]["verdict"] == "leaks"
    assert {row["name"] for row in report["attributes"]["rows"]} == {
        "speaker",
        "speaker, all pairs",
        "speaker, within one emotion",
        "emotion",
        "accent",
        EVIL.strip(),
    }
    assert report["decensoring"]["verdict"]["verdict"] == "leaks"
    assert [file["role"] for file in report["data"]["inputs"]][-1] == "unprotected"
    said = capsys.readouterr().out
    page = Page((tied / "out" / "audit.html").read_text("utf-8"))
    for text in (said.replace("\n", " "), page.text):
        assert "What explains gender in h" in text and "What else h reveals" in text
        assert "vanishes only together with what h reveals about emotion" in " ".join(text.split())
        assert "map to unprotected h, then attack" in text
    assert "\x1b" not in said and not [tag for tag, _ in page.tags if tag in ("script", "img")]


def test_covariates_are_columns_of_the_table(tied, capsys):
    assert run(tied, "--given=emotoin") == 2
    assert "--given=emotoin" in (said := capsys.readouterr().err) and "emotion" in said
    assert run(tied, "--given=gender") == 2
    assert "other than gender" in capsys.readouterr().err
    assert run(tied, "--given=accent") == 0
    assert [explanation["name"] for explanation in report_of(tied)["given"]] == ["accent"]
    assert "--given=accent" in report_of(tied)["command"]


def test_unprotected_rows_are_found_by_id_or_refused(tied, tmp_path):
    h = np.load(tied / "h.npy")
    ids = [f"u{i}" for i in range(len(h))]
    np.savez(tmp_path / "h.npz", h=h, id=ids)
    order = np.random.default_rng(0).permutation(len(h))
    np.savez(tmp_path / "other.npz", h=(h + 1)[order], id=[ids[i] for i in order])
    files = tmp_path / "h.npz", tied / "labels.csv", "gender", tmp_path / "out"

    def audited(unprotected):
        return audit(
            *files,
            options=AuditOptions(permutations=24, deals=1, given=(), unprotected=unprotected),
        )

    report = audited(tmp_path / "other.npz")
    assert report.decensoring.explained > 0.99 and report.given == ()
    assert "What explains" not in table(report)
    np.savez(tmp_path / "fewer.npz", h=h[1:], id=ids[1:])
    with pytest.raises(ValueError, match="of the same utterances"):
        audited(tmp_path / "fewer.npz")
    np.save(tmp_path / "fewer.npy", h[1:])
    with pytest.raises(ValueError, match="of the same utterances"):
        audited(tmp_path / "fewer.npy")
