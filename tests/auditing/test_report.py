"""The JSON of an audit is what its schema says, from files and from arrays."""

import copy
import dataclasses
import json
import typing
from dataclasses import fields

import jsonschema
import numpy as np
import pandas
import pytest

from privrep import AuditOptions, AuditReport, audit
from privrep.auditing.card import card
from privrep.auditing.gate import GateOutcome
from privrep.leakage.headline import Headline
from privrep.leakage.worlds import WORLDS
from tests.support.card_pages import EVIL, Page
from tests.support.paths import ROOT

SCHEMA = json.loads((ROOT / "privrep/auditing/audit.schema.json").read_text("utf-8"))
FEW = AuditOptions(permutations=24, deals=1, attackers=("linear",))


@pytest.fixture(scope="module")
def world():
    return WORLDS["linear"].draw(0, 12, 8, 4)


@pytest.fixture(scope="module")
def columns(world):
    return {
        "speaker": world.speaker,
        "gender": np.array(["f", "m"])[world.gender],
        "emotion": world.emotion,
        "session": world.session,
    }


@pytest.fixture(scope="module")
def report(world, columns):
    options = AuditOptions(permutations=24, deals=1, attackers=("linear",), unprotected=world.h + 1)
    return audit(world.h, columns, "gender", options=options)


def validator():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    return jsonschema.Draft202012Validator(SCHEMA)


def test_a_report_is_shown_as_a_line(report):
    shown = repr(report)
    assert shown.startswith(f"AuditReport(attribute={report.attribute!r}, verdict=")
    assert f"uar={report.uar:.3f}" in shown and f"upper={report.upper:.3f}" in shown
    assert len(shown) < 250 and "\n" not in shown


def test_the_json_of_an_audit_follows_the_schema(report):
    written = json.loads(report.to_json())
    validator().validate(written)
    assert next(iter(written)) == "schema_version" and written["schema_version"] == 3
    assert written["headline"] == json.loads(json.dumps(report.headline._asdict()))
    assert written["given"] and written["attributes"]["rows"] and written["decensoring"]


def test_three_classes_and_no_covariate_follow_it_too(world):
    """There is no AUC, and with so few speakers no minimum detectable UAR: both are null."""
    labels = {"speaker": world.speaker, "accent": np.array(["a", "b", "c"])[world.speaker % 3]}
    few = world.speaker < 6
    labels = {name: cells[few] for name, cells in labels.items()}
    report = audit(world.h[few], labels, "accent", options=FEW)
    written = json.loads(report.to_json())
    validator().validate(written)
    assert written["attackers"][0]["auc"] is None and written["given"] == []


def test_the_schema_names_every_field_and_the_types_every_key(report):
    names = {field.name for field in fields(AuditReport)}
    names = names - {"limits"} | {"headline", "gate"}
    assert set(SCHEMA["properties"]) == names == {*SCHEMA["required"]}
    for name, of in (("headline", Headline), ("gate", GateOutcome)):
        assert set(SCHEMA["properties"][name]["properties"]) == set(of._fields)
    hints = typing.get_type_hints(AuditReport)
    for name, of in (("attackers", "attacker"), ("threats", "threat"), ("given", "covariate")):
        (row, _) = typing.get_args(hints[name])
        assert set(SCHEMA["$defs"][of]["properties"]) == set(row._fields)
    for name in ("data", "test"):
        assert set(SCHEMA["properties"][name]["properties"]) == {
            field.name for field in fields(hints[name])
        }


@pytest.mark.parametrize("place", ["upper", "test", "schema_version"])
def test_the_schema_refuses_what_is_missing_unknown_or_of_another_type(report, place):
    written = json.loads(report.to_json())
    for change in ("missing", "unknown", "type"):
        wrong = copy.deepcopy(written)
        if change == "missing":
            del wrong[place]
        elif change == "unknown":
            wrong[f"{place}_bound"] = 0.5
        else:
            wrong[place] = "0.5"
        assert not validator().is_valid(wrong), change


def test_a_notebook_shows_the_headline_and_the_card_is_a_method(report):
    assert report.to_html() == card(report) and report.to_html().startswith("<!doctype html>")
    evil = dataclasses.replace(report, attribute=EVIL)
    page = Page(evil._repr_html_())
    assert page.open == [] and "script" not in {tag for tag, _ in page.tags}
    text = Page(report._repr_html_()).text
    headline = report.headline
    for part in (headline.question, headline.word, headline.sentence, report.gate.in_words):
        assert part in text


def test_progress_is_told_from_the_first_step_to_the_last(world, columns):
    steps = []
    audit(world.h, columns, "gender", options=FEW, progress=lambda *step: steps.append(step))
    shares = [share for share, _ in steps]
    assert steps[0] == (0.0, "inputs") and steps[-1] == (1.0, "done")
    assert shares == sorted(shares) and len({what for _, what in steps}) == len(steps) >= 6


def test_arrays_of_any_kind_are_audited_as_files_are(world, columns, report, tmp_path):
    np.save(tmp_path / "h.npy", world.h)
    np.save(tmp_path / "plain.npy", world.h + 1)
    frame = pandas.DataFrame(columns)
    frame.to_csv(tmp_path / "labels.csv", index=False)
    options = AuditOptions(
        permutations=24, deals=1, attackers=("linear",), unprotected=tmp_path / "plain.npy"
    )
    files = audit(tmp_path / "h.npy", tmp_path / "labels.csv", "gender", options=options)
    by_frame = audit(world.h, frame, "gender", options=FEW)
    by_records = audit(world.h, frame.to_records(index=False), "gender", options=FEW)
    for other in (files, by_frame, by_records):
        assert (other.uar, other.p, other.upper) == (report.uar, report.p, report.upper)
        assert other.threats[-1] == report.threats[-1] and other.given == report.given
    assert files.decensoring == report.decensoring
    assert report.command is None and report.data.inputs[0].name == "(array)"
    assert not (tmp_path / "audit.json").exists()


def test_unknown_cells_of_a_data_frame_are_left_out(world, columns):
    frame = pandas.DataFrame(columns).astype({"gender": "string"})
    frame.loc[:3, "gender"] = pandas.NA
    report = audit(world.h, frame, "gender", options=FEW)
    assert report.data.notes[0] == "4 of 96 rows have no gender and were left out."


@pytest.mark.parametrize(
    ("h", "labels", "message"),
    [
        (np.zeros((3, 2, 2, 2)), {"speaker": [1]}, r"representations: has shape \[3, 2, 2, 2\]"),
        (np.full((3, 2), np.nan), {"speaker": [1, 2, 3]}, "representations: 3 of 3 rows hold NaN"),
        (np.zeros((3, 2)), {"speaker": [1, 2, 3], "gender": ["f"]}, "columns of equal length"),
        (np.zeros((3, 2)), np.zeros(3), "labels: an array of float64 has no columns"),
        (np.zeros((3, 2)), 7, "labels: int is neither a file nor a table"),
        (np.zeros((3, 2)), {}, "columns of equal length are needed"),
        (np.zeros((3, 2)), {"speaker": [1, 2, 3]}, "labels: has no column 'gender'"),
    ],
)
def test_arrays_that_cannot_be_audited_are_refused(h, labels, message):
    with pytest.raises(ValueError, match=message):
        audit(h, labels, "gender")
