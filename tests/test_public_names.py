"""The public names of the package: lazy, complete, typed, and documented by examples that run."""

import ast
import doctest
import importlib
import subprocess
import sys

import pytest

import privrep
from tests.support.paths import ROOT

DOCUMENTED = (
    "privrep.grl",
    "privrep.types",
    "privrep.messages",
    "privrep.inputs.normalisation",
    "privrep.statistics.uar",
    "privrep.statistics.attack_scores",
    "privrep.statistics.confidence",
    "privrep.statistics.design",
    "privrep.statistics.permutation_test",
    "privrep.statistics.planning",
    "privrep.leakage.headline",
    "privrep.leakage.measurement",
    "privrep.leakage.spike",
    "privrep.auditing.compare",
    "privrep.auditing.gate",
    "privrep.auditing.gate_output",
    "privrep.auditing.plan",
    "privrep.auditing.run_audit",
    "experiments.results.selected",
    "experiments.report.text_table",
    "experiments.report.table_formats",
    "experiments.report.terminal_colours",
    "experiments.report.figures.point_labels",
)


def test_importing_the_package_is_fast_and_imports_nothing_heavy():
    program = (
        "import sys, time\nstart = time.perf_counter()\nimport privrep\n"
        "seconds = time.perf_counter() - start\n"
        "assert seconds < 0.3, seconds\n"
        "print(sorted({'jax', 'numpy', 'scipy', 'sklearn'} & {*sys.modules}))\n"
        "from privrep import Sample, measure, audit\n"
        "print('jax' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["[]", "False"], done.stdout + done.stderr


def test_every_public_name_is_there_listed_and_typed():
    names = {"gradient_reversal", "measure", "audit", "Sample", "AuditReport", "Utterance"}
    names |= {"load", "Encoder", "Encoded", "Person", "Recordings"}
    assert names <= set(privrep.__all__) <= set(dir(privrep))
    for name in privrep.__all__:
        assert getattr(privrep, name).__doc__, name
    stub = ast.parse((ROOT / "privrep/__init__.pyi").read_text("utf-8"))
    typed = {a.asname for node in stub.body if isinstance(node, ast.ImportFrom) for a in node.names}
    assert typed == set(privrep.__all__)
    assert (ROOT / "privrep/py.typed").exists()


def test_a_name_that_does_not_exist_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'measures'"):
        privrep.measures  # noqa: B018
    with pytest.raises(ImportError):
        exec("from privrep import measures")


@pytest.mark.parametrize("module", DOCUMENTED)
def test_the_examples_in_docstrings_run(module):
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried and not failed
