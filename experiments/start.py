"""The beginning of every program of this folder. Import before all that takes time to import."""

import sys

from privrep.program import begin

STOPPED = "stopped; go on with the same flags and --resume"
_LINES = {
    "experiments.main": STOPPED,
    "experiments.opt_out": "stopped",
    "experiments.export_model": "stopped; the models are written anew by the same command",
    "experiments.report.__main__": "stopped; the report is made anew by the same command",
    "experiments.report.write_report": "stopped; the report is made anew by the same command",
}


def program() -> str:
    """The module that `python -m` runs; "" in a test, or where a program is imported."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return "" if spec is None else spec.name


if program() in _LINES:
    begin(_LINES[program()])
