"""Tests of the rows of simulated draws."""

import pytest

from experiments.simulations import comparisons, plans
from experiments.simulations.draws import Draws, resumed

COLUMNS = ("design", "seed", "value")


def simulated(name, seed):
    return (name, seed, len(name) + seed)


def as_planned(name, seed):
    """A row whose upper bound is a quantile of the plan."""
    result = plans.planned(name)
    upper = plans.limit_passed(result, 0.95 * (seed + 0.5) / 20)
    return (name, seed, upper, result.minimum_detectable, "cannot_tell")


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


def test_a_plan_that_holds_is_passed_as_often_as_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(plans, "one_plan", as_planned)
    lines = [*plans.plan(Draws(20, tmp_path))]
    assert len(lines) == (len(plans.SPEAKERS) * len(plans.SCORES) + len(plans.LARGE)) * (
        1 + len(plans.CHANCES)
    )
    for line in lines:
        if "limit" in line:
            chance, passed = line.split("planned ")[1].split("%: ")
            assert int(passed.split(" of ")[0]) / 20 == pytest.approx(int(chance) / 95, abs=0.05)


def test_rows_of_plans_and_comparisons_are_those_of_their_seed(monkeypatch):
    for module, simulate, name in (
        (plans, plans.one_plan, "20 speakers, UAR"),
        (plans, plans.one_plan, "20 speakers, correlation"),
        (comparisons, comparisons.one_comparison, "28 speakers, 0.5 to 1.4"),
    ):
        monkeypatch.setattr(module, "PERMUTATIONS", 24)
        row = simulate(name, 3)
        assert row == simulate(name, 3) and len(row) == len(module.COLUMNS) and row[:2] == (name, 3)
