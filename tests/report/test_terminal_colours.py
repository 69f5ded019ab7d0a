"""A terminal shows verdicts in colour, and only a terminal, and not where that is refused."""

import io
import re

import pytest

from experiments.report.answer import answers
from experiments.report.main_table import narrow_text
from experiments.report.terminal_colours import coloured, wants_colour
from experiments.results.summary import summarise
from tests.support.result_rows import SETTINGS, run


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "stream, environment, expected",
    [
        (Terminal(), {}, True),
        (Terminal(), {"TERM": "xterm", "NO_COLOR": ""}, True),
        (Terminal(), {"NO_COLOR": "1"}, False),
        (Terminal(), {"TERM": "dumb"}, False),
        (io.StringIO(), {}, False),
    ],
)
def test_colours_are_for_terminals_and_can_be_refused(stream, environment, expected):
    assert wants_colour(stream, environment) == expected


def test_every_verdict_of_answer_and_table_is_coloured_and_no_letter_changes():
    rows = [
        run(x, recipe=recipe)
        | {f"gender_pooled_{end}": 0.6 for end in ("uar", "lower", "upper")}
        | {"gender_pooled_verdict": verdict, "gender_pooled_minimum_detectable": 0.6}
        for x, recipe, verdict in (
            (0.0, "none", "leaks"),
            (1.0, "paper", "cannot_tell"),
            (1.0, "posterior", "no_leak_shown"),
        )
    ]
    summary = summarise(rows, [*SETTINGS, "recipe"])
    text = narrow_text(summary, answers(summary, rows))
    shown = coloured(text)
    assert re.sub("\x1b\\[[0-9]+m", "", shown) == text
    for verdict in ("▲", "●", "?", "leaks", "no leak shown", "cannot tell"):
        assert f"m{verdict}\x1b[0m" in shown
    assert shown.count("\x1b[0m") == 6
