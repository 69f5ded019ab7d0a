"""Tests that --help shows every flag once, and that names of other programs are known."""

import pytest

from experiments.config import program_flags
from experiments.config.help import (
    GROUPS,
    NEEDLESS,
    USUAL,
    USUAL_VALUES,
    grouped_help,
    unknown_flag,
    usual_value,
)
from experiments.config.parse import parse
from experiments.config.settings import FIELDS

MODULES = program_flags.flags.FLAGS.flags_by_module_dict()
DEFINED = {flag.name for flag in MODULES[program_flags.__name__]}
GROUPED = [name for names in GROUPS.values() for name in names]


def test_every_flag_stands_in_one_group():
    assert len(GROUPED) == len({*GROUPED}) and {*GROUPED} == DEFINED


def test_help_is_in_groups_and_fits_80_columns():
    text = grouped_help("What it is.", {name: (f"meaning of {name}", "x") for name in GROUPED})
    assert max(map(len, text.splitlines())) <= 80
    places = [text.index(f"\n{title}\n") for title in GROUPS]
    assert places == sorted(places)
    assert "  --lambda [x]: meaning of lambda\n" in text


@pytest.mark.parametrize("name, flag", USUAL.items())
def test_a_name_of_another_program_is_answered_by_the_flag_that_is_meant(name, flag):
    assert flag.removeprefix("--") in DEFINED and name not in DEFINED
    assert f"it is {flag} here" in unknown_flag(name, DEFINED)
    assert f"it is {flag} here" in unknown_flag(name.upper().replace("_", "-"), DEFINED)


def test_what_needs_no_flag_is_said_and_other_names_get_the_nearest():
    assert "jax takes the GPU" in unknown_flag("gpu", DEFINED)
    assert not {*NEEDLESS} & {*USUAL, *DEFINED}
    assert "did you mean max_epochs?" in unknown_flag("max_epoch", DEFINED)
    assert "--help lists all flags" in unknown_flag("xyzzy", DEFINED)


def test_values_of_other_programs_are_answered():
    for field, values in USUAL_VALUES.items():
        for there, here in values.items():
            assert f"called {here} here" in usual_value(field, there.upper())
            if FIELDS[field].valid:
                assert here in FIELDS[field].valid and there not in FIELDS[field].valid
    with pytest.raises(ValueError, match="called acoustic here"):
        parse("modality", "audio")
