"""The self-test says what it must find and what it found, and is wrong aloud."""

import re

import pytest

from privrep.cli import main
from privrep.leakage import selftest
from privrep.leakage.worlds import WORLDS


def test_every_world_is_measured_and_an_iemocap_sized_null_too():
    assert {case.world for case in selftest.CASES} == {*WORLDS}
    assert selftest.Case("speaker_only", 10, ("cannot_tell",)) in selftest.CASES
    for case in selftest.CASES:
        assert ("leaks" in case.right) == WORLDS[case.world].leaks
        assert not {"leaks", "no_leak_shown"} <= {*case.right}


@pytest.mark.parametrize(("right", "status"), [(("leaks",), 0), (("cannot_tell",), 1)])
def test_a_misjudged_world_is_named_and_sets_the_exit_status(monkeypatch, capsys, right, status):
    monkeypatch.setattr(selftest, "CASES", (selftest.Case("nonlinear", 24, right),))
    assert main(["selftest"]) == status
    said = capsys.readouterr().out
    assert "nonlinear" in said and ("WRONG" in said) == bool(status)
    assert re.search(r"judged( rightly)? \(\d+ s\)$", said.strip())
