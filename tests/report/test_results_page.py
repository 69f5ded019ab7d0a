"""RESULTS.md and README's picture are what their command makes from the records."""

import json

import pytest

from experiments.report.results_page import PAGE, PICTURE, RECORDS, page, picture, read


@pytest.fixture(scope="module")
def records():
    return {path.stem: read(path) for path in sorted(RECORDS.glob("*.json"))}


def test_the_page_is_what_the_command_makes(records):
    assert len(records) >= 10
    assert PAGE.read_text(encoding="utf-8") == page(list(records.values()))


def test_the_picture_is_what_the_command_makes(records):
    assert PICTURE.read_text(encoding="utf-8") == picture(records["ravdess"])


def test_every_table_says_how_and_when_it_was_measured(records):
    for name, record in records.items():
        assert record.command.startswith(("python -m experiments.", "python -m tests.")), name
        assert len(record.commit) >= 7 and record.date.count("-") == 2, name
        assert record.machine and record.rows, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": [["1", "2"]], "columns": ["a"]}, "row 1 has 2 cells"),
        ({"section": "Elsewhere"}, "section 'Elsewhere' is none of"),
        ({"author": "me"}, "fields missing or unknown: author"),
    ],
)
def test_a_damaged_record_is_named(records, tmp_path, change, message):
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(records["demo"]._asdict() | change), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as error:
        read(path)
    assert str(path) in str(error.value)
