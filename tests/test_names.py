"""Local names say what the value is; a class name has one meaning. The source is read only."""

import ast

import pytest

from tests.support.paths import ROOT

# Each fits any value: write `uars`, `membership`, `permuted`, `actual`, `first`, `row` ... instead.
EMPTY = {"found", "told", "one", "own"}
# A test may call what a program printed `said`.
EMPTY_IN_CODE = EMPTY | {"said", "there"}


def empty_names(tree, names=EMPTY):
    """(line, name) of every variable, argument and function of a syntax tree that is in `names`."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
                pass
            case ast.FunctionDef(name=name) | ast.ExceptHandler(name=name):
                pass
            case _:
                continue
        if name in names:
            yield node.lineno, name


@pytest.mark.parametrize("folder", ["privrep", "experiments", "tests"])
def test_no_name_fits_any_value(folder):
    paths = sorted((ROOT / folder).rglob("*.py"))
    assert paths
    names = EMPTY if folder == "tests" else EMPTY_IN_CODE
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name} does not say what it is"
        for path in paths
        for line, name in empty_names(ast.parse(path.read_text(encoding="utf-8")), names)
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


def wide_functions(tree, most=7):
    """(line, name, count) of every function that takes more than `most` parameters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [
                a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
            ]
            count = len(names) - (names[:1] in (["self"], ["cls"]))
            if count > most:
                yield node.lineno, node.name, count


@pytest.mark.parametrize("folder", ["privrep", "experiments"])
def test_what_belongs_together_travels_in_one_type(folder):
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {name} takes {count} parameters"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line, name, count in wide_functions(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not wrong, "\n".join(wrong)


def test_parameters_by_name_count_and_self_does_not():
    text = "class A:\n def f(self, a, b, c, d, e, f, g): pass\ndef g(a, b, c, d, e, f, g, *, h): 0"
    assert list(wide_functions(ast.parse(text))) == [(3, "g", 8)]


def classes_by_name(trees):
    """{name of a class: its "place:line"s} of {place: syntax tree}."""
    places = {}
    for place, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(f"{place}:{node.lineno}")
    return places


def test_a_class_name_has_one_meaning():
    trees = {
        path.relative_to(ROOT): ast.parse(path.read_text(encoding="utf-8"))
        for folder in ("privrep", "experiments")
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    wrong = [
        f"{name}: {', '.join(places)}"
        for name, places in classes_by_name(trees).items()
        if len(places) > 1
    ]
    assert not wrong, "\n".join(wrong)


def test_classes_of_one_name_are_collected():
    trees = {"a.py": ast.parse("class A: 0"), "b.py": ast.parse("def f():\n class A: 0")}
    assert classes_by_name(trees) == {"A": ["a.py:1", "b.py:2"]}
