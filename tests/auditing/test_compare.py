"""Two representations of the same utterances: which is more revealing, and does it pass?"""

import json
import math

import numpy as np
import pytest

from privrep.auditing.compare import compare, share_of_margin
from privrep.auditing.options import AuditOptions
from privrep.cli import main

SPEAKER = np.repeat(np.arange(40), 5)
LABELS = {"speaker": SPEAKER, "gender": np.array(["f", "m"])[SPEAKER % 2]}
FAST = AuditOptions(attackers=("linear",), permutations=24, deals=1, aligned=True)
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=(len(SPEAKER), 3))
LEAK = np.concatenate([NOISE[:, :2], NOISE[:, 2:] + 3 * (SPEAKER % 2)[:, None]], 1)


def test_more_less_and_no_more():
    more = compare(NOISE, LEAK, LABELS, "gender", options=FAST)
    assert (more.verdict, more.status, more.passed) == ("more", 1, False)
    assert more.new > 0.9 > 0.65 > more.old and more.lower > 0.2
    less = compare(LEAK, NOISE, LABELS, "gender", options=FAST)
    assert (less.verdict, less.status) == ("less", 0)
    assert less.difference == pytest.approx(-more.difference)
    assert less.upper == pytest.approx(-more.lower) and less.p == more.p
    same = compare(LEAK, 2 * LEAK, LABELS, "gender", options=FAST)
    assert (same.verdict, same.status, same.difference) == ("no_more", 0, 0)
    assert "as many women as men" in same.sentence and "+0.0" in same.sentence


def test_a_difference_that_is_not_excluded_cannot_be_told():
    other = np.random.default_rng(1).normal(size=NOISE.shape)
    report = compare(other, NOISE, LABELS, "gender", margin=0.01, options=FAST)
    assert (report.verdict, report.status) == ("cannot_tell", 3)
    assert report.margin == pytest.approx(0.01) and report.upper > 0.01


def test_the_margin_is_a_share_over_chance():
    three = {"speaker": SPEAKER, "accent": np.array(["a", "b", "c"])[SPEAKER % 3]}
    report = compare(NOISE, NOISE, three, "accent", margin="30%", options=FAST)
    assert report.chance == pytest.approx(1 / 3) and report.margin == pytest.approx(0.2)
    for wrong in (0, -0.1, 0.5, "0%", "100%", "much"):
        with pytest.raises(ValueError, match=r"such as 0\.05; or a share of the way"):
            share_of_margin(wrong)


def test_rows_are_brought_together_by_their_ids(tmp_path):
    ids = np.array([f"u{i}" for i in range(len(SPEAKER))])
    order = np.random.default_rng(2).permutation(len(ids))
    np.savez(tmp_path / "old.npz", h=NOISE, id=ids)
    np.savez(tmp_path / "new.npz", h=LEAK[order][10:], id=ids[order][10:])
    table = {"id": ids, **LABELS}
    files = tmp_path / "old.npz", tmp_path / "new.npz"
    options = AuditOptions(attackers=("linear",), permutations=24, deals=1)
    report = compare(*files, table, "gender", options=options)
    assert report.verdict == "more" and report.utterances == 190
    assert any("190 utterances have both" in note for note in report.notes)


def test_what_does_not_belong_together_is_refused_or_not_judged(tmp_path):
    unknown = AuditOptions(attackers=("linear",), permutations=24, deals=1)
    report = compare(LEAK, NOISE, LABELS, "gender", tmp_path, options=unknown)
    assert (report.verdict, report.status) == ("not_judged", 4)
    assert "no column of the labels is read" in report.sentence
    written = json.loads((tmp_path / "compare.json").read_text("utf-8"))
    assert (written["status"], written["passed"], written["verdict"]) == (4, False, "not_judged")
    assert {written[name] for name in ("lower", "upper", "p")} == {None}
    np.savez(tmp_path / "a.npz", h=NOISE[:100], id=[f"u{i}" for i in range(100)])
    np.savez(tmp_path / "b.npz", h=NOISE[100:], id=[f"u{i}" for i in range(100, 200)])
    table = {"id": [f"u{i}" for i in range(200)], **LABELS}
    with pytest.raises(ValueError, match="no utterance in common"):
        compare(tmp_path / "a.npz", tmp_path / "b.npz", table, "gender", options=FAST)


def test_the_command_prints_the_answer_and_its_status(tmp_path, capsys):
    np.save(tmp_path / "old.npy", NOISE)
    np.save(tmp_path / "new.npy", LEAK)
    lines = [f"s{s},{g}" for s, g in zip(SPEAKER, LABELS["gender"])]
    (tmp_path / "labels.csv").write_text("\n".join(["speaker,gender", *lines]))
    files = [str(tmp_path / name) for name in ("old.npy", "new.npy", "labels.csv")]
    flags = ["--attribute=gender", "--attackers=linear", "--quick", "--aligned"]
    assert main(["compare", *files, *flags, f"--output={tmp_path / 'out'}"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("Do the new representations reveal more of gender than the old ones?\n▲")
    assert "Gate: failed, exit status 1." in said
    written = json.loads((tmp_path / "out" / "compare.json").read_text("utf-8"))
    assert all(math.isfinite(written[name]) for name in ("lower", "upper", "p", "margin"))
    assert main(["compare", *files, *flags, "--margin=2"]) == 2
    assert "--margin=2: how much more" in capsys.readouterr().err
    for command in (["compare", *files], ["plan", files[-1]]):
        assert main([*command, "--attribute=gender,coin"]) == 2
        assert "--attribute=gender,coin: it takes one column" in capsys.readouterr().err
