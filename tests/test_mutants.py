"""Faults that are planted into the measurement are noticed, and can still be planted."""

import pytest

from tests.support.mutant_table import MUTANTS, Mutant
from tests.support.mutants import copied, failing, is_killed, mutated
from tests.support.paths import ROOT


@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_can_be_planted_and_names_tests_that_are_there(name):
    mutant = MUTANTS[name]
    text = (ROOT / mutant.file).read_text(encoding="utf-8")
    compile(mutated(text, mutant), mutant.file, "exec")
    assert mutant.tests
    for test in mutant.tests:
        file, _, function = test.partition("::")
        tests = (ROOT / file).read_text(encoding="utf-8")
        assert f"def {function.partition('[')[0]}(" in tests


def test_a_text_that_is_gone_or_stands_twice_is_an_error():
    mutant = Mutant("name", "file.py", "a + b", "a - b", ())
    assert mutated("c = a + b", mutant) == "c = a - b"
    for text, count in (("c = b + a", 0), ("c = a + b\nd = a + b", 2)):
        with pytest.raises(ValueError, match=f"name: file.py holds this text {count} times"):
            mutated(text, mutant)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A copy of the checkout, in which the tests that must fail pass."""
    place = copied(ROOT, tmp_path_factory.mktemp("mutants") / "whole")
    assert not failing(place, sorted({test for of in MUTANTS.values() for test in of.tests}))
    return place


@pytest.mark.by_hand
@pytest.mark.parametrize("name", MUTANTS)
def test_every_mutant_is_killed(name, whole, tmp_path):
    """`python -m tests.support.mutants` prints the same as a list."""
    assert is_killed(MUTANTS[name], whole, tmp_path)


@pytest.mark.by_hand
def test_a_change_that_is_no_fault_survives(whole, tmp_path):
    mutant = MUTANTS["chance_of_two_classes"]
    assert not is_killed(mutant._replace(new="chance = 1.0 / num_classes"), whole, tmp_path)
