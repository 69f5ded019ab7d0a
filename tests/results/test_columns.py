"""The schema of runs.csv: every column has one name, type and meaning, and others are refused."""

import doctest

import pytest

from experiments.config import lambdas
from experiments.config.settings import FIELDS, Config, flag_name
from experiments.config.sweep import row_settings
from experiments.results import columns
from experiments.results.columns import (
    COLUMNS,
    SETTINGS,
    TYPES,
    check_rows,
    column_of,
    is_score,
    members,
)
from experiments.results.parts import write_part
from experiments.results.runs_csv import append_rows, read_runs
from tests.support.paths import ROOT
from tests.support.result_rows import run


def row(**more):
    """A row as this version writes it."""
    written = {"pack": 0, "prepared_hash": "abc", "data_hash": "def", "control": None, "fold": 0}
    return row_settings(Config()) | written | more


def test_the_documentation_is_made_from_the_schema():
    path = ROOT / "experiments" / "results" / "COLUMNS.md"
    assert path.read_text(encoding="utf-8") == columns.documentation()
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)
    assert all(column.meaning and column.type in TYPES for column in COLUMNS)
    assert {flag_name(name) for name in FIELDS} < {column.name for column in COLUMNS}


@pytest.mark.parametrize("module", [columns, lambdas])
def test_the_examples_run(module):
    failed, tried = doctest.testmod(module)
    assert tried and not failed


@pytest.mark.parametrize(
    "name, pattern",
    [
        ("test_gender_attacker_uar", "<part>_<attribute>_attacker_uar"),
        ("val_gender_mlp_2x32_uar", "<part>_<attribute>_<attacker>_uar"),
        ("val_accent_of_english_adversary_uar", "<part>_<attribute>_adversary_uar"),
        ("emotion_pooled_uar", "emotion_pooled_uar"),
        ("gender_pooled_int8_uar", "<attribute>_pooled_int8_uar"),
        ("emotion_among_gender=female_lower", "emotion_among_<group>_lower"),
        ("h_membership_attacker", "<known>_membership_attacker"),
        ("h_membership_change_p", "<subject>_change_p"),
        ("speaker_closed_set_chance", "speaker_closed_set_chance"),
        ("speaker_chance", "<subject>_chance"),
    ],
)
def test_a_name_is_of_one_column(name, pattern):
    assert column_of(name).name == pattern


def test_what_a_name_was_made_from_is_read_back():
    names = ["gender_pooled_verdict", "accent_pooled_verdict", "gender_pooled_p", "fold"]
    assert members("<attribute>_pooled_verdict", names) == {
        "gender": "gender_pooled_verdict",
        "accent": "accent_pooled_verdict",
    }
    scores = ("test_gender_privacy", "val_emotion_uar", "val_gender_lda_uar")
    assert all(map(is_score, scores))
    assert not any(map(is_score, ("train_emotion_uar", "gender_pooled_uar", *SETTINGS)))


def test_a_row_is_written_and_read(tmp_path):
    path = tmp_path / "runs.csv"
    write_part(tmp_path, "runs", 0, [row(test_gender_privacy=0.25), row(collapsed=True)])
    first, second = read_runs(path)
    assert first["test_gender_privacy"] == 0.25 and second["collapsed"] is True


@pytest.mark.parametrize(
    "more, message",
    [
        ({"gender_pooled_detectable": 0.6}, "did you mean gender_pooled_minimum_detectable"),
        ({"note": "mine"}, r"has a column 'note', which is none of those in .*COLUMNS\.md"),
        ({"test_gender_privacy": "high"}, "test_gender_privacy holds 'high'; number expected"),
        ({"fold": 0.5}, "fold holds 0.5; integer expected"),
        ({"collapsed": 1}, "collapsed holds 1; boolean expected"),
    ],
)
def test_unknown_columns_and_other_types_are_refused(more, message, tmp_path):
    path = tmp_path / "runs.csv"
    with pytest.raises(ValueError, match=message):
        write_part(tmp_path, "runs", 0, [row(), row(**more)])
    assert not path.exists()
    append_rows(path, [row(**more)])
    with pytest.raises(ValueError, match=message):
        read_runs(path)


def test_a_lacking_column_is_refused(tmp_path):
    path = tmp_path / "runs.csv"
    lacking = {name: cell for name, cell in row().items() if name != "dense_width"}
    with pytest.raises(ValueError, match="has no column dense_width: it is no table of"):
        write_part(tmp_path, "runs", 0, [lacking])
    # A version before the setting wrote none: such a table can be read.
    append_rows(path, [lacking])
    assert read_runs(path)[0]["fold"] == 0
    with pytest.raises(ValueError, match="has no column recipe"):
        check_rows([run(0.0)], "a table", written=False)
