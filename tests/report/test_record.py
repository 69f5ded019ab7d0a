"""A record takes its cells from a report's table, and keeps its words."""

import json

import pytest

from experiments.report import record as module
from experiments.report.record import main, recorded, table_named
from experiments.report.results_page import RECORDS, read
from experiments.report.side_tables import SideTable
from experiments.results.result_directories import Results

LINES = [["keep", "0.53", ""], [], ["raw", "0.88", ""], ["none", "0.48", ""]]
TABLE = SideTable("All settings", ["network", "UAR", "attribute"], LINES, "")
RESULTS = Results([{"seed": 3}, {"seed": 1}, {"seed": 3}], *[[] for _ in Results._fields[1:]])


def test_a_record_takes_the_cells_of_a_table_and_keeps_its_words():
    before = read(RECORDS / "demo.json")
    after = recorded(before, TABLE, RESULTS, without=["raw"])
    assert after.columns == ["network", "UAR"]  # a column that is empty everywhere is none
    assert after.rows == [["keep", "0.53"], ["none", "0.48"]] and after.seeds == [1, 3]
    changed = {name for name in before._fields if getattr(before, name) != getattr(after, name)}
    assert changed == {"columns", "rows", "seeds"}


def test_a_table_that_a_report_lacks_is_refused_with_those_it_has():
    with pytest.raises(ValueError, match="--table=al: the report's tables are all, means"):
        table_named({"all": TABLE, "means": TABLE}, "al")


def test_the_command_writes_the_record_anew(tmp_path, monkeypatch, capsys):
    words = read(RECORDS / "demo.json")._asdict()
    (tmp_path / "of.json").write_text(json.dumps(words), encoding="utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "runs.csv").touch()
    monkeypatch.setattr(module, "RECORDS", tmp_path)
    monkeypatch.setattr(module, "read_results", lambda folders: RESULTS)
    monkeypatch.setattr(module, "summarise", lambda rows, settings: [])
    monkeypatch.setattr(module, "report_tables", lambda summary, results: {"all": TABLE})
    main(["of", str(tmp_path / "out"), "--table=all", "--commit=1234567", "--without=raw,none"])
    record = read(tmp_path / "of.json")
    assert record.rows == [["keep", "0.53"]] and record.commit == "1234567"
    assert record.title == words["title"] and record.date >= words["date"]
    assert capsys.readouterr().out == f"{tmp_path / 'of.json'}\n"
    with pytest.raises(SystemExit):
        main(["nothing", str(tmp_path / "out"), "--table=all", "--commit=1234567"])
    assert "begin it as a copy of another record" in capsys.readouterr().err
