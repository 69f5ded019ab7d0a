"""Audits of an attribute that is a number: what counts as one, its bins, and both results."""

import json
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from privrep import AuditOptions, audit
from privrep.auditing.gate import limits_of
from privrep.auditing.terminal import table
from privrep.cli import main
from privrep.leakage.number_worlds import linear
from tests.support.paths import ROOT

CASES = ROOT / "tests/cases"
SCHEMA = json.loads((ROOT / "privrep/auditing/audit.schema.json").read_text("utf-8"))
FEW = AuditOptions(permutations=24, deals=1, attackers=("linear",))


@pytest.fixture(scope="module")
def world():
    return linear(0, 24, 4, 4, strength=3)


@pytest.fixture(scope="module")
def columns(world):
    speaker = world.speaker
    return {
        "speaker": speaker,
        "age": np.round(world.values, 1),
        "height": np.random.default_rng(0).normal(170, 9, 24).round()[speaker],
        "gender": np.array(["f", "m"])[speaker % 2],
        "rating": np.random.default_rng(1).normal(size=len(speaker)),
    }


@pytest.fixture(scope="module")
def report(world, columns):
    return audit(world.h, columns, "age", options=FEW)


def test_the_published_case_is_answered_as_it_is_right(tmp_path):
    """Case 44: by correlation, and in tertiles."""
    for check in json.loads((CASES / "44/expected.json").read_text()):
        words = check["command"].replace("$CASE/..", str(CASES))
        words = words.replace("$CASE", str(CASES / "44")).replace("$OUT", str(tmp_path))
        words += " --permutations=24 --attackers=linear"
        assert main(words.split()[1:]) in check["exit"]
        written = json.loads((tmp_path / "audit.json").read_text())
        jsonschema.Draft202012Validator(SCHEMA).validate(written)
        assert written["verdict"] == check["verdict"]
        assert written["correlation"] >= check.get("correlation_min", 0)
        if "uar_min" in check:
            assert written["score"] == "uar" and written["uar"] >= check["uar_min"]
            assert len(written["data"]["classes"]) == check["classes_count"]["age"]
        else:
            assert written["score"] == "correlation" and written["uar"] is None
        data = written["data"]
        assert (data["utterances"], data["speakers"]) == (check["utterances"], check["speakers"])


def test_headline_and_bins_are_two_results(world, columns, report):
    assert report.score == "correlation" and report.chance == 0 and np.isnan(report.uar)
    assert report.correlation == report.number.verdict.correlation > 0.7
    assert report.upper == report.number.verdict.upper >= report.correlation >= report.lower
    assert report.of_classes == report.bins and report.bins.uar == report.attackers[0].uar
    assert [c.speakers for c in report.data.classes] == [12, 12]
    in_bins = audit(world.h, columns, "age", options=replace(FEW, bins="halves"))
    assert in_bins.score == "uar" and in_bins.number == report.number
    assert in_bins.bins == report.bins == in_bins.of_classes


def test_other_columns_of_numbers_are_correlated_and_ratings_left_out(report):
    assert [row.name for row in report.attributes.numbers] == ["height"]
    assert "gender" in [row.name for row in report.attributes.rows]
    assert "within speakers" in report.attributes.left_out["rating"]


def test_a_gate_of_the_uar_looks_at_bins_and_one_of_the_correlation_at_the_number(report):
    uar, correlation = report.bins.upper, report.number.verdict.upper
    bound = {"fail_on": "bound"}
    assert report.passed(**bound, fail_above=uar, fail_above_correlation=correlation)
    assert not report.passed(**bound, fail_above=uar - 0.01)
    assert not report.passed(**bound, fail_above_correlation=correlation - 0.01)
    strict = replace(report, limits=limits_of("bound", 0.6, None, 0.3)).gate
    assert (strict.status, len(strict.reasons)) == (1, 2)
    assert f"{uar:.3f} is above --fail-above=0.6" in strict.reasons[0]
    assert f"{correlation:.3f} is above --fail-above-correlation=0.3" in strict.reasons[1]
    of_classes = replace(report, number=None, bins=None, attribute="gender")
    refused = replace(of_classes, limits=limits_of("bound", fail_above_correlation=0.3)).gate
    assert refused.status == 2 and "gender has classes and no correlation" in refused.reasons[0]


@pytest.mark.parametrize(
    ("options", "attribute", "message"),
    [
        ({"measured_as": "classes"}, "age", "each value needs 2 speakers or more"),
        (
            {"measured_as": "number"},
            "gender",
            "--as=number: gender is 'female'",
        ),
        ({"bins": "tertiles"}, "gender", "'female' in a row of the labels, which is no number"),
        ({"bins": "thirds"}, "age", "'thirds' is none of halves, tertiles"),
        ({"bins": "height=halves"}, "age", "the audited attribute is age, not height"),
        ({"bins": "<0,>=0"}, "age", "no speaker is in <0 of age"),
        ({"bins": "halves", "measured_as": "classes"}, "age", "leave out one of the two"),
        ({"correlation_limit": 1.0}, "age", "over 0 and under 1, such as 0.3"),
        ({"measured_as": "thing"}, "age", "auto, classes, number"),
    ],
)
def test_what_cannot_be_asked_is_refused(world, columns, options, attribute, message):
    with pytest.raises(ValueError, match=message):
        audit(world.h, columns, attribute, options=replace(FEW, **options))


@pytest.mark.parametrize("form", ["{} years", "{},5"])
@pytest.mark.parametrize("options", [{}, {"measured_as": "number"}, {"bins": "halves"}])
def test_numbers_with_a_unit_or_comma_are_not_taken_for_classes(world, columns, form, options):
    cells = [form.format(int(height)) for height in columns["height"]]
    with pytest.raises(ValueError, match=r"height is '.*which might be a number: .*--as=classes"):
        audit(world.h, {**columns, "height": cells}, "height", options=replace(FEW, **options))


def test_postcodes_are_no_numbers_but_where_asked(world, columns):
    speaker = world.speaker
    codes = [f"{number % 100_000:05d}" for number in speaker // 2 * 9973]
    of_classes = audit(world.h, {**columns, "postcode": codes}, "postcode", options=FEW)
    assert of_classes.score == "uar" and len(of_classes.data.classes) == 12
    labels = {**columns, "postcode": [f"{number % 100_000:05d}" for number in speaker * 9973]}
    with pytest.raises(ValueError, match="each value needs 2 speakers"):
        audit(world.h, labels, "postcode", options=FEW)
    asked = audit(world.h, labels, "postcode", options=replace(FEW, measured_as="number"))
    assert asked.score == "correlation"


def test_speakers_in_no_bin_are_left_out_and_counted(world, columns):
    ages = sorted({*columns["age"].tolist()})
    bins = f"young:<{ages[8]},old:>={ages[14]}"
    report = audit(world.h, columns, "age", options=replace(FEW, bins=bins))
    assert report.data.speakers == report.number.num_speakers == 18
    assert [(c.name, c.speakers) for c in report.data.classes] == [("young", 8), ("old", 10)]
    assert any("6 speakers are in none" in note for note in report.data.notes)


def test_bins_of_another_corpus_are_those_of_this_one(world, columns):
    other = linear(1, 24, 4, 4, strength=3)
    labels = {"speaker": other.speaker, "age": other.values}
    options = replace(FEW, other=other.h, other_labels=labels, bins="young:<45,old:>=45")
    report = audit(world.h, columns, "age", options=options)
    assert "transferred" in [threat.threat for threat in report.threats]


def test_leaks_are_planted_for_a_number_that_does_not_leak():
    speaker = np.repeat(np.arange(24), 4)
    h = np.random.default_rng(0).normal(size=(96, 4))
    h += np.random.default_rng(1).normal(size=(24, 4))[speaker]
    options = AuditOptions(permutations=30, deals=1, attackers=("linear",), aligned=True)
    report = audit(h, {"speaker": speaker, "age": 20 + speaker % 23}, "age", options=options)
    assert report.verdict != "leaks" and report.score == "correlation"
    planted = report.correlation_sensitivity
    assert planted.tried[0] == report.number.verdict.minimum_detectable
    assert report.minimum_detectable == max(planted.tried[0], planted.detected)
    assert "(correlation " in table(report) and "by linear ridge regression" in table(report)
    if np.isfinite(planted.detected):
        assert f"A correlation of {report.minimum_detectable:.2f}" in report.headline.certainty
