"""Tests of the rows of simulated draws."""

from experiments.simulations.draws import resumed

COLUMNS = ("design", "seed", "value")


def simulated(name, seed):
    return (name, seed, len(name) + seed)


def refused(name, seed):
    assert (name, seed) == ("b", 1), "drawn again"
    return (name, seed, "anew")


def test_no_draw_is_made_twice_and_one_that_was_cut_short_is_made_again(tmp_path):
    path = tmp_path / "folder" / "rows.csv"
    rows = resumed(path, COLUMNS, simulated, {"a": 2, "b": 2})
    assert [tuple(row.values()) for row in rows] == [
        *(("a", "0", "1"), ("b", "0", "1"), ("a", "1", "2"), ("b", "1", "2")),
    ]
    path.write_text(path.read_text().removesuffix(",2\n"))
    again = resumed(path, COLUMNS, refused, {"a": 2, "b": 2})
    assert [tuple(row.values()) for row in again] == [
        *(("a", "0", "1"), ("b", "0", "1"), ("a", "1", "2"), ("b", "1", "anew")),
    ]


def test_more_draws_than_were_asked_for_are_left_out(tmp_path):
    path = tmp_path / "rows.csv"
    resumed(path, COLUMNS, simulated, {"a": 3, "b": 1})
    rows = resumed(path, COLUMNS, refused, {"a": 1})
    assert [tuple(row.values()) for row in rows] == [("a", "0", "1")]


def test_draws_divided_over_two_machines_are_those_of_one(tmp_path):
    whole = resumed(tmp_path / "whole.csv", COLUMNS, simulated, {"a": 4, "b": 2})
    head = resumed(tmp_path / "head.csv", COLUMNS, simulated, {"a": 2, "b": 2})
    tail = resumed(tmp_path / "tail.csv", COLUMNS, simulated, {"a": 4, "b": 2}, first=2)
    assert sorted(map(str, head + tail)) == sorted(map(str, whole))
