"""Local names say what the value is. The source is read, nothing imported."""

import ast

import pytest

from tests.support.paths import ROOT

# Each fits any value: write `uars`, `membership`, `permuted`, `actual`, `first`, `row` ... instead.
EMPTY = {"found", "told", "one", "own"}


def empty_names(tree):
    """(line, name) of every variable, argument and function of a syntax tree that is in EMPTY."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                pass
            case ast.FunctionDef(name=name) | ast.ExceptHandler(name=name):
                pass
            case _:
                continue
        if name in EMPTY:
            yield node.lineno, name


@pytest.mark.parametrize("folder", ["privrep", "experiments", "tests"])
def test_no_name_fits_any_value(folder):
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name} does not say what it is"
        for path in paths
        for line, name in empty_names(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "text",
    [
        "found = 1",
        "one, other = pair",
        "names = [one for one in rows]",
        "with file as told: pass",
        "for own in rows: pass",
        "if (found := search()): pass",
        "def f(told): pass",
        "def own(): pass",
        "f = lambda one: 1",
        "try: pass\nexcept ValueError as told: pass",
    ],
)
def test_the_checker_catches_planted_names(text):
    assert list(empty_names(ast.parse(text)))


def test_the_checker_passes_what_only_reads_or_contains_such_a_word():
    text = "one_hot = found.told(own=1)\nnot_found = one_by_one = 'found'"
    assert not list(empty_names(ast.parse(text)))
