"""A plan is made of labels alone, and says when an audit cannot succeed."""

import json
import re

import numpy as np
import pytest

from privrep.auditing.options import AuditOptions
from privrep.auditing.plan import plan
from privrep.auditing.run_audit import audit
from privrep.cli import main

SPEAKER = np.repeat(np.arange(40), 10)
LABELS = {"speaker": SPEAKER, "gender": np.array(["f", "m"])[SPEAKER % 2]}


def test_forty_speakers_are_too_few_for_a_limit_of_060_and_enough_for_075():
    strict, lax = (plan(LABELS, "gender", fail_above=limit) for limit in (0.60, "50%"))
    assert strict.speakers == 40 and strict.speakers_per_class == {"female": 20, "male": 20}
    assert strict.chance_to_pass < 0.05 and 80 < strict.speakers_needed < 200
    # The verdict "no leak shown" has a limit of its own, which is lower here.
    assert lax.limit == strict.limit == pytest.approx(0.6)
    wide = plan(LABELS, "gender", fail_above="50%", options=AuditOptions(limit=0.3))
    assert wide.limit == pytest.approx(0.75) and wide.chance_to_pass > 0.9
    assert wide.speakers_needed < 40
    assert "64 times in 100 from one utterance" in strict.in_words
    assert repr(strict).startswith("AuditPlan(attribute='gender', speakers=40, utterances=400, ")
    assert len(repr(strict)) < 150


def test_a_large_h_passes_less_often_and_its_size_is_said():
    small, large = (plan(LABELS, "gender", size=size) for size in (163, 164))
    assert 400 * 163 <= 65_536 < 400 * 164
    assert small.expected == plan(LABELS, "gender").expected != large.expected
    assert large.chance_to_pass < small.chance_to_pass
    assert large.speakers_needed > small.speakers_needed
    assert "of 164 values per utterance (--size)" in large.in_words and large.size == 164
    with pytest.raises(ValueError, match="--size=0: an utterance has at least one value"):
        plan(LABELS, "gender", size=0)


def test_a_rare_class_never_passes():
    few = {"speaker": SPEAKER, "gender": np.where(SPEAKER < 5, "f", "m")}
    planned = plan(few, "gender")
    assert planned.chance_to_pass == 0 and planned.speakers_needed >= 80
    assert any("A class has 5 speakers; under 10" in note for note in planned.notes)


AGES = {"speaker": SPEAKER, "age": 20 + SPEAKER}


def test_a_number_is_planned_as_it_is_audited_by_correlation_or_in_bins_on_demand():
    number = plan(AGES, "age")
    assert number.score == "correlation" and number.limit == 0.3
    assert 0.4 < number.expected.upper < 0.6 and number.chance_to_pass < 0.05
    enough = 20 + np.repeat(np.arange(number.speakers_needed), 3)
    many = plan({"speaker": enough, "age": enough}, "age")
    assert many.chance_to_pass == pytest.approx(0.8, abs=0.03)
    assert f"about {number.speakers_needed} speakers are needed" in number.in_words
    assert "a correlation of about" in number.in_words
    assert json.loads(number.to_json())["score"] == "correlation"
    strict = plan(AGES, "age", fail_above_correlation=0.2)
    assert strict.limit == 0.2 and strict.speakers_needed > number.speakers_needed
    for bins in (
        plan(AGES, "age", fail_above=0.6),
        plan(AGES, "age", options=AuditOptions(bins="halves")),
    ):
        assert bins.score == "uar" and [*bins.speakers_per_class.values()] == [20, 20]
    with pytest.raises(ValueError, match="gender is planned for in classes"):
        plan(LABELS, "gender", fail_above_correlation=0.3)


def test_an_audit_that_cannot_tell_asks_for_as_many_speakers_as_the_plan():
    rng = np.random.default_rng(0)
    h = rng.normal(size=(400, 8)) + rng.normal(size=(40, 8))[SPEAKER]
    for labels, name in ((LABELS, "gender"), (AGES, "age")):
        options = AuditOptions(permutations=30, deals=2, attackers=("linear",), aligned=True)
        report = audit(h, labels, name, options=options)
        assert report.verdict == "cannot_tell"
        needed = plan(labels, name, options=options).speakers_needed
        count = re.search(r"about ([\d,]+) in place of 40", " ".join(report.headline.next_steps))
        assert int(count[1]) >= needed
        expected = plan(labels, name, options=options).expected
        if report.upper <= expected.upper_high:
            assert int(count[1]) == needed


def test_wrong_labels_and_limits_are_refused():
    with pytest.raises(ValueError, match="has no column 'gendr'"):
        plan(LABELS, "gendr")
    with pytest.raises(ValueError, match=r"from 0\.5 to 1"):
        plan(LABELS, "gender", fail_above=0.3)


def test_the_command_prints_and_writes_it(tmp_path, capsys):
    lines = [f"u{i},s{s},{'fm'[s % 2]}" for i, s in enumerate(SPEAKER)]
    (tmp_path / "labels.csv").write_text("\n".join(["id,speaker,gender", *lines]))
    flags = ["--attribute=gender", "--fail-above=0.60", f"--output={tmp_path / 'out'}"]
    assert main(["plan", str(tmp_path / "labels.csv"), *flags]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "What could an audit of gender show?\n  40 speakers (female 20, male 20)"
    )
    written = json.loads((tmp_path / "out" / "plan.json").read_text("utf-8"))
    assert written["size"] == 64 and written["expected"]["deals"] == "several, small h"
    assert written["speakers"] == 40 and 0.6 < written["expected"]["upper"] < 0.7
    assert main(["plan", str(tmp_path / "nothing.csv"), "--attribute=gender"]) == 2


def test_a_plan_says_nothing_of_rows_joined_though_labels_have_ids():
    ids = [f"u{i}" for i in range(len(SPEAKER))]
    planned = plan(LABELS | {"id": ids}, "gender")
    assert (
        not [note for note in planned.notes if "joined" in note]
        and "row by row" not in planned.in_words
    )
    assert planned == plan(LABELS, "gender")
